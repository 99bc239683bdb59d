//! What kernel and file system agreed on.

use crate::Features;

/// What the kernel granted, and how requests come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The kernel's version of the protocol: major, minor.
    pub protocol: (u32, u32),
    /// The features in force.
    pub features: Features,
    /// Largest write and read request, in bytes.
    pub max_write: usize,
    /// How far the kernel reads ahead, in bytes.
    pub max_readahead: usize,
    /// How requests come.
    pub transport: ActiveTransport,
    /// How long an idle CPU may take to wake up while requests are frequent, in microseconds; `None` if the kernel is not asked for
    /// anything.
    pub idle_latency: Option<u32>,
}

/// The transport in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActiveTransport {
    /// io_uring: `queues` queues (one per possible CPU) of `depth` requests, served by `threads` threads.
    Uring {
        /// One per possible CPU.
        queues: usize,
        /// Requests that a queue holds ready.
        depth: usize,
        /// One per CPU that this process may use.
        threads: usize,
    },
    /// `/dev/fuse`.
    Device {
        /// How many threads read it.
        threads: usize,
        /// Why io_uring is not used though it was wanted.
        fallback: Option<String>,
    },
}

impl ActiveTransport {
    /// Whether it is io_uring.
    pub fn is_uring(&self) -> bool {
        matches!(self, Self::Uring { .. })
    }
}
