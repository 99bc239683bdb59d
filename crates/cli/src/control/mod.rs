//! The talk between a command and a node: one request and one response per connection, over a socket in the store.

mod client;
mod frame;
mod limits;
mod message;
mod secret_key;
mod socket;

pub(crate) use client::{Client, not_up};
pub(crate) use frame::{read, write};
pub(crate) use limits::{REQUEST_BYTES_MAX, REQUEST_TIME_MAX};
pub(crate) use message::{KeyTable, NewEncryption, Request, Response, ScrubOrder};
pub(crate) use secret_key::{SecretKey, from_hex, to_hex};
pub(crate) use socket::{Listener, SocketFile, is_allowed, listen};
