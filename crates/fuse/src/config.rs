//! What a file system chooses about its connection.

use crate::Features;
use std::time::Duration;

/// How requests come and answers go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// io_uring where it works, else `/dev/fuse`.
    #[default]
    Auto,
    /// Reads and writes of `/dev/fuse`.
    Device,
    /// io_uring, or the mount fails.
    Uring,
}

/// What a file system chooses about its connection. The defaults suit one that is local and checks nothing itself.
///
/// The kernel may grant less; [`Capabilities`](crate::Capabilities) tells what it granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// See [`Transport`].
    pub transport: Transport,
    /// Threads that read `/dev/fuse`, when that is the transport. 0: one per CPU that this process may use, at least 2.
    pub device_threads: usize,
    /// Requests that each CPU's queue holds ready, when io_uring is the transport. See [`uring`](crate::uring) for the memory
    /// it takes.
    pub uring_depth: usize,
    /// Most requests that wait at once on threads of their own; further ones hold up others. See
    /// [`Request::may_wait`](crate::Request::may_wait).
    pub waiting_threads: usize,
    /// Largest write and read request, in bytes. Granted in whole pages, within `/proc/sys/fs/fuse/max_pages_limit`.
    pub max_write: usize,
    /// How far the kernel reads ahead, in bytes. Above 128 KiB it takes root to grant.
    pub max_readahead: usize,
    /// How many requests (readahead, direct I/O, write-back) the kernel may have open that nobody waits for.
    pub max_background: u16,
    /// The features to ask for; see [`SessionConfig::DEFAULT_FEATURES`].
    pub features: Features,
    /// The file system keeps nothing of an open file: its `open` answers `ENOSYS`, and there is nothing to do in `release`. The
    /// kernel is told so at the start instead of at the first open, and then sends neither, also not for files just made.
    pub no_open: bool,
    /// While requests are frequent, and the machine does not run on its battery, the kernel is asked to keep idle CPUs from deep sleep,
    /// which takes root. It makes requests faster and costs power.
    pub idle_latency: bool,
    /// Granularity of the file system's timestamps; at most a second.
    pub time_granularity: Duration,
}

impl SessionConfig {
    /// What is asked for by default: everything that makes requests fewer or larger and needs nothing of the file system but
    /// that it may be called by several threads at once.
    ///
    /// Not among them, because they change who is responsible: [`Features::WRITEBACK_CACHE`], [`Features::POSIX_LOCKS`],
    /// [`Features::FLOCK_LOCKS`], [`Features::POSIX_ACL`], [`Features::HANDLE_KILLPRIV_V2`], [`Features::ATOMIC_O_TRUNC`],
    /// [`Features::EXPORT_SUPPORT`], [`Features::DONT_MASK`], [`Features::EXPLICIT_INVAL_DATA`].
    pub const DEFAULT_FEATURES: Features = Features::ASYNC_READ
        .union(Features::BIG_WRITES)
        .union(Features::IOCTL_DIR)
        .union(Features::AUTO_INVAL_DATA)
        .union(Features::READDIRPLUS)
        .union(Features::ASYNC_DIO)
        .union(Features::NO_OPEN_SUPPORT)
        .union(Features::PARALLEL_DIROPS)
        .union(Features::CACHE_SYMLINKS)
        .union(Features::NO_OPENDIR_SUPPORT)
        .union(Features::SETXATTR_EXT)
        .union(Features::EXPIRE_ONLY);

    /// Also asks for these features.
    pub fn with(mut self, features: Features) -> Self {
        self.features |= features;
        self
    }

    /// Does not ask for these features.
    pub fn without(mut self, features: Features) -> Self {
        self.features = self.features.without(features);
        self
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            transport: Transport::Auto,
            device_threads: 0,
            uring_depth: 16,
            waiting_threads: 16,
            max_write: 1 << 20,
            max_readahead: 1 << 20,
            max_background: 64,
            features: Self::DEFAULT_FEATURES,
            no_open: false,
            idle_latency: true,
            time_granularity: Duration::from_nanos(1),
        }
    }
}
