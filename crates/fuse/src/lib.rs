//! The kernel's FUSE protocol, for any file system.
//!
//! A file system implements [`Filesystem`]: a method per request, synchronous, called by several threads at once.
//! [`Session::mount`] mounts it and serves it over io_uring, where the kernel has that, or through `/dev/fuse`.
//!
//! ```no_run
//! use fuse::{Attr, CachedAttr, DirectoryBuffer, Entry, Errno, FileKind, Filesystem, ReadOptions, Request, ROOT};
//! use std::{path::Path, sync::Arc, time::Duration};
//!
//! struct Hello;
//!
//! const FILE: u64 = 2;
//! const TEXT: &[u8] = b"Hello!\n";
//! const VALID: Duration = Duration::from_secs(1);
//!
//! fn attr(node: u64) -> Attr {
//!     let (mode, size) = if node == ROOT { (0o040755, 0) } else { (0o100644, TEXT.len() as u64) };
//!     Attr { ino: node, mode, size, nlink: 1, ..Attr::default() }
//! }
//!
//! impl Filesystem for Hello {
//!     fn lookup(&self, _: &Request, _: u64, name: &[u8]) -> Result<Entry, Errno> {
//!         if name != b"hello" {
//!             return Err(Errno::ENOENT);
//!         }
//!         Ok(Entry { node: FILE, attr: attr(FILE), entry_valid: VALID, attr_valid: VALID, generation: 0 })
//!     }
//!
//!     fn getattr(&self, _: &Request, node: u64, _: Option<u64>) -> Result<CachedAttr, Errno> {
//!         Ok(CachedAttr { attr: attr(node), attr_valid: VALID })
//!     }
//!
//!     fn read(&self, _: &Request, _: u64, _: u64, at: u64, buffer: &mut [u8], _: ReadOptions) -> Result<usize, Errno> {
//!         let rest = TEXT.get(at as usize..).unwrap_or_default();
//!         let length = rest.len().min(buffer.len());
//!         buffer[..length].copy_from_slice(&rest[..length]);
//!         Ok(length)
//!     }
//!
//!     fn readdir(&self, _: &Request, _: u64, _: u64, at: u64, entries: &mut DirectoryBuffer<'_>) -> Result<(), Errno> {
//!         let _full = at == 0 && !entries.push(FILE, 1, FileKind::File, b"hello");
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> fuse::Result<()> {
//!     let config = fuse::SessionConfig::default().without(fuse::Features::READDIRPLUS);
//!     let session = fuse::Session::mount(Arc::new(Hello), Path::new("/mnt"), &fuse::MountOptions::default(), &config)?;
//!     println!("{:?}", session.capabilities());
//!     session.wait()
//! }
//! ```
//!
//! `examples/memory` is a whole file system.
//!
//! # What is where
//!
//! | layer | holds |
//! |---|---|
//! | [`Session`], `start`, `workers`, `rings` | a mount's life: threads, beginning, end |
//! | `mount`, `fusermount`, [`mounts`] | mounting as root and as a user, dead mounts |
//! | `handshake` | what kernel and file system agree on |
//! | `transport` | how requests come and answers go: `/dev/fuse`, io_uring |
//! | `dispatch` | bytes to calls and back |
//! | `waiting` | threads for requests that wait |
//! | `idle_latency` | CPUs that wake up fast while requests are frequent |
//! | `wire` | the kernel's structs |
//! | [`Notifier`], [`NotifierQueue`] | telling the kernel what changed |
//! | [`Interrupt`] | telling a handler that its caller gave up |
//!
//! # Invariants
//!
//! - Nothing that the kernel sends makes it panic, and a file system that panics costs the one request.
//! - Between the kernel and the file system data is not copied: a write's data is seen where the kernel put it, a read fills
//!   the buffer that the kernel takes.
//! - Serving a request allocates nothing (except for ioctls, and for requests that wait).
//! - A request that waits, if its handler says so, holds up no other; see [`Request::may_wait`].
//! - A handler that waits can be interrupted, whatever the transport; see [`Interrupt`].
//! - Memory is bounded: per thread on `/dev/fuse` one largest request; for io_uring see [`uring`].
//!
//! # What it deliberately does not do
//!
//! Answers later than the handler's return, paths instead of node ids, passthrough, splice, DAX, CUSE, `bmap`, and other
//! systems than Linux.
//!
//! Needs Linux 5.4 or newer; io_uring needs 6.14.

mod attr;
mod capabilities;
mod config;
mod counts;
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
mod idle_latency;
mod interrupt;
mod io;
mod lock;
mod loop_device;
mod mount;
pub mod mounts;
mod no_open;
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
mod waiting;
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
pub use loop_device::LoopDevice;
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
