//! One entry of a ring: the buffers that a request comes in and its answer goes out with.
//!
//! Invariants:
//!
//! - An entry belongs to the kernel from its submission to its completion, and to us from its completion to the next
//!   submission. Only in that time may its buffers be looked at; [`ring`](super::ring) keeps to it.
//! - Its memory stays where it is, and mapped, as long as the ring exists.

use super::cpu::Queue;
use crate::wire::{self, UringHeader};
use io_uring::{opcode::UringCmd80, squeue::Entry128, types::Fixed};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};
use zerocopy::IntoBytes;

/// Room for the headers, in bytes: a page, so that the payload behind it begins on one.
const HEADER_ROOM: usize = 4096;
/// The only file that is registered with a ring: the device.
const DEVICE: Fixed = Fixed(0);
/// Where `len` lies in a submission, in bytes (`struct io_uring_sqe`).
const SUBMISSION_LEN_OFFSET: usize = 24;

/// Header and payload buffer of one request at a time.
pub(crate) struct RingEntry {
    memory: NonNull<u8>,
    payload_size: usize,
    queue: u16,
    /// The kernel reads it at registration.
    vectors: Box<[libc::iovec; 2]>,
}

// SAFETY: the memory belongs to this entry alone; nothing in it is tied to a thread.
unsafe impl Send for RingEntry {}

impl RingEntry {
    /// Maps the buffers. Nothing of them is touched yet, and huge pages are turned off: they would touch it all at once.
    pub(crate) fn new(queue: Queue, payload_size: usize) -> io::Result<Self> {
        let length = HEADER_ROOM + payload_size;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps with nothing.
        let address = unsafe { mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, flags)? };
        // SAFETY: the advice is about the mapping just made and changes nothing of its content.
        if let Err(error) = unsafe { madvise(address, length, Advice::LinuxNoHugepage) } {
            tracing::debug!(%error, "huge pages stay on for a ring's buffers");
        }
        let memory = NonNull::new(address.cast::<u8>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let vectors = Box::new([
            libc::iovec { iov_base: address, iov_len: size_of::<UringHeader>() },
            libc::iovec { iov_base: address.wrapping_byte_add(HEADER_ROOM), iov_len: payload_size },
        ]);
        Ok(Self { memory, payload_size, queue: queue.number, vectors })
    }

    /// The buffers: headers and payload. Only while the entry is ours (see the invariants above).
    pub(crate) fn buffers(&mut self) -> (&mut UringHeader, &mut [u8]) {
        // SAFETY: the mapping is that long, page-aligned, initialised (zero or written by the kernel) and this entry's own;
        // `UringHeader` may hold any bytes; the kernel does not touch it while the entry is ours. The two do not overlap.
        unsafe {
            let header = &mut *self.memory.as_ptr().cast::<UringHeader>();
            let payload = self.memory.as_ptr().add(HEADER_ROOM);
            (header, std::slice::from_raw_parts_mut(payload, self.payload_size))
        }
    }

    /// The submission that gives the buffers to the kernel and waits for the first request.
    pub(crate) fn register(&self, index: u64) -> Entry128 {
        let vectors = self.vectors.as_ptr() as u64;
        let submission = self.command(wire::URING_REGISTER, 0).addr(Some(vectors)).build();
        with_length(submission, self.vectors.len() as u32).user_data(index)
    }

    /// The submission that hands in an answer and waits for the next request.
    pub(crate) fn commit(&self, index: u64, commit_id: u64) -> Entry128 {
        self.command(wire::URING_COMMIT_AND_FETCH, commit_id).build().user_data(index)
    }

    fn command(&self, operation: u32, commit_id: u64) -> UringCmd80 {
        let command = wire::UringCommand { commit_id, queue: self.queue, ..Default::default() };
        let mut area = [0; 80];
        area[..size_of_val(&command)].copy_from_slice(command.as_bytes());
        UringCmd80::new(DEVICE, operation).cmd(area)
    }
}

/// Sets `len`, for which the builder has no method: the number of buffers at `addr`.
fn with_length(mut submission: Entry128, length: u32) -> Entry128 {
    const { assert!(size_of::<Entry128>() == 128) };
    let base: *mut u8 = (&raw mut submission).cast();
    // SAFETY: the offset lies within the submission, which has the kernel's layout and no invalid bytes.
    unsafe { base.add(SUBMISSION_LEN_OFFSET).cast::<u32>().write_unaligned(length) };
    submission
}

impl Drop for RingEntry {
    fn drop(&mut self) {
        let address = self.memory.as_ptr().cast::<c_void>();
        // SAFETY: the mapping is this entry's own, and the ring that the kernel would use it through is gone.
        if let Err(error) = unsafe { munmap(address, HEADER_ROOM + self.payload_size) } {
            tracing::error!(%error, "cannot unmap a ring's buffer");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_names_two_buffers() {
        let entry = RingEntry::new(Queue { number: 3, depth: 1 }, 8192).expect("memory");
        let submission = entry.register(5);
        let first: *const u8 = (&raw const submission).cast();
        // SAFETY: a submission is 128 bytes of plain data.
        let bytes = unsafe { std::slice::from_raw_parts(first, 128) };
        let (address, vectors) = (bytes[16..24].as_bytes(), entry.vectors.as_ptr() as u64);
        assert_eq!(address, vectors.as_bytes());
        assert_eq!(bytes[24..28], *2u32.as_bytes());
        assert_eq!(bytes[48 + 16..48 + 18], *3u16.as_bytes());
    }

    #[test]
    fn header_and_payload_lie_apart() {
        let mut entry = RingEntry::new(Queue { number: 0, depth: 1 }, 8192).expect("memory");
        let (header, payload) = entry.buffers();
        payload.fill(7);
        assert_eq!(header.header, wire::InHeader::default());
        assert_eq!(payload.len(), 8192);
    }
}
