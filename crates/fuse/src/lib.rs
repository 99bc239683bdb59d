//! The kernel's FUSE protocol, for any file system.

mod attr;
mod capabilities;
mod config;
mod device;
mod directory;
mod dispatch;
mod errno;
mod error;
mod features;
mod filesystem;
mod flags;
mod fusermount;
mod fuzz;
mod handshake;
mod interrupt;
mod io;
mod lock;
mod mount;
pub mod mounts;
mod notifier;
mod notifier_queue;
mod open;
mod options;
mod readahead;
mod rename;
mod request;
mod rings;
mod session;
mod set_attr;
mod start;
mod stat_fs;
mod statx;
mod timestamp;
mod transport;
pub mod uring;
mod wire;
mod workers;
mod xattr;

pub use attr::{Attr, AttrFlags, CachedAttr, Entry};
pub use capabilities::{ActiveTransport, Capabilities};
pub use config::{SessionConfig, Transport};
pub use directory::{DirectoryBuffer, DirectoryPlusBuffer, FileKind};
pub use errno::Errno;
pub use error::{Error, Result};
pub use features::Features;
pub use filesystem::Filesystem;
#[doc(hidden)]
pub use fuzz::fuzz_request;
pub use interrupt::Interrupt;
pub use io::{CopyPoint, Ioctl, IoctlResult, Poll, PollWakeup, ReadOptions, Seek, WriteOptions};
pub use lock::{LockKind, LockWait, RecordLock};
pub use notifier::Notifier;
pub use notifier_queue::{Notification, NotifierQueue, QueueFull};
pub use open::{LockOwner, OpenFlags, Opened, OpenedFlags, ReleaseOptions};
pub use options::MountOptions;
pub use rename::RenameFlags;
pub use request::{Caller, Request};
pub use session::Session;
pub use set_attr::{SetAttr, SetTime};
pub use stat_fs::StatFs;
pub use statx::{Statx, StatxMask, StatxRequest};
pub use timestamp::Timestamp;
pub use xattr::{NameBuffer, SetXattrMode, SetXattrOptions, ValueBuffer};

/// The node id of a file system's root directory.
pub const ROOT: u64 = 1;
