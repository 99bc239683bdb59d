//! The mirror protocol: one side asks (the client, which drives the sync), the other answers. `docs/protocol.md` draws it.
//!
//! Invariants:
//!
//! - A message is at most [`crate::limits::MESSAGE_BYTES_MAX`] long; whoever reads one never reserves more.
//! - Answers come in the order of the requests. A block that a client sends has no answer: what is wrong with it is said in the
//!   next one.
//! - After an error the connection is of no more use.

mod both;
mod client;
mod connection;
mod message;
mod server;

pub use client::{Client, RemotePeer, RemoteReplica, RemoteSource};
pub use message::fuzz_message;
pub use server::serve;
