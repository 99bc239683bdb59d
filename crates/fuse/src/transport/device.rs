//! Requests through `/dev/fuse`.
//!
//! Where the others come over io_uring, only what needs no answer comes here: nodes that the kernel forgets, and interrupts. The kernel
//! hands out forgotten nodes by the hundred if they have gathered, so they are given a moment to: each one alone would cost a
//! wake-up.

use crate::device::Device;
use crate::dispatch::{Answer, Dispatcher};
use crate::waiting::{Entrance, Job};
use crate::wire::{InHeader, OutHeader};
use rustix::io::{Errno, IoSlice};
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use zerocopy::{FromBytes, IntoBytes};

/// Room for header and fixed arguments, beside the data of the largest write.
const HEADROOM: usize = 4096;

/// How long notices gather. Interrupts wait as long, too.
const GATHERING_TIME: Duration = Duration::from_millis(1);

/// What comes through a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// Everything.
    All,
    /// What needs no answer.
    Notices,
}

/// Answers the requests of one descriptor until the connection ends.
pub(crate) fn serve(
    device: &Arc<Device>,
    dispatcher: &mut Dispatcher,
    waiting: &mut Entrance,
    max_write: usize,
    traffic: Traffic,
) -> io::Result<()> {
    let mut buffer = new_buffer(max_write);
    loop {
        match device.read(&mut buffer) {
            Ok(length) if answer(device, dispatcher, &mut buffer, length) => {
                if traffic == Traffic::Notices {
                    thread::sleep(GATHERING_TIME);
                }
            }
            Ok(length) => {
                let request = std::mem::replace(&mut buffer, new_buffer(max_write));
                waiting.hand_over(later(device.clone(), request, length));
            }
            // ENOENT: the request was taken back while it was being read.
            Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => {}
            Err(error) if is_end(error) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Zeroed memory of this size is mapped, not touched: it costs only what requests really fill.
fn new_buffer(max_write: usize) -> Vec<u8> {
    vec![0; max_write + HEADROOM]
}

/// Answers a request on another thread.
fn later(device: Arc<Device>, mut buffer: Vec<u8>, length: usize) -> Job {
    Box::new(move |dispatcher| {
        let answered = answer(&device, dispatcher, &mut buffer, length);
        debug_assert!(answered, "a waiting dispatcher puts nothing off");
    })
}

/// Whether the kernel says by this that the connection ended.
fn is_end(error: Errno) -> bool {
    matches!(error, Errno::NODEV | Errno::NOTCONN | Errno::CONNABORTED)
}

/// Answers a request. Tells whether it did: it may have to wait.
fn answer(device: &Device, dispatcher: &mut Dispatcher, buffer: &mut [u8], length: usize) -> bool {
    let Ok((header, _)) = InHeader::read_from_prefix(&buffer[..length]) else {
        tracing::warn!(length, "a request is shorter than its header");
        return true;
    };
    let begin = size_of::<InHeader>();
    let split = begin + dispatcher.argument_size(header.opcode).min(length - begin);
    let (head, rest) = buffer.split_at_mut(split);
    let answer = dispatcher.dispatch(&header, &head[begin..], rest, length - split);
    match answer {
        Answer::None => {}
        Answer::Body(length) => write(device, header.unique, 0, &rest[..length]),
        Answer::Error(error) => write(device, header.unique, -error.number(), &[]),
        Answer::Later => return false,
    }
    true
}

fn write(device: &Device, unique: u64, error: i32, body: &[u8]) {
    let len = (size_of::<OutHeader>() + body.len()) as u32;
    let header = OutHeader { len, error, unique };
    match device.write(&[IoSlice::new(header.as_bytes()), IoSlice::new(body)]) {
        // ENOENT: the request was taken back meanwhile. At the end of the connection the next read says so too.
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) if is_end(error) => {}
        Err(error) => tracing::error!(%error, unique, "the kernel refused an answer"),
    }
}
