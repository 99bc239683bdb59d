//! How requests come and answers go.
//!
//! | transport | requests | answers |
//! |---|---|---|
//! | [`device`] | `read(2)` of `/dev/fuse`, by several threads, each with a descriptor of its own | `writev(2)` |
//! | [`ring`] | completions of an io_uring per CPU | submissions, which at the same time wait for the next request |
//!
//! A ring's thread stays on the CPU whose requests it answers as long as nobody else keeps that CPU busy ([`pinning`]).
//!
//! Over io_uring, what no caller waits for (FORGET) and what must overtake (INTERRUPT) still comes through `/dev/fuse`, so a
//! device thread runs there too. What has to wait goes on to [`waiting`](crate::waiting) and is answered from there: through
//! `/dev/fuse` directly, over io_uring by way of [`returns`]. Both hand their requests to a [`Dispatcher`](crate::dispatch::Dispatcher).

pub(crate) mod cpu;
pub(crate) mod device;
pub(crate) mod entry;
mod pinning;
mod returns;
pub(crate) mod ring;
