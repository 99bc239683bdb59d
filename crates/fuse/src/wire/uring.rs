//! Requests over io_uring: where header, arguments and lengths lie.

use super::wire;

/// Gives an entry's buffers to the kernel and waits for the first request.
pub(crate) const URING_REGISTER: u32 = 1;
/// Hands in an answer and waits for the next request.
pub(crate) const URING_COMMIT_AND_FETCH: u32 = 2;

wire! {
    /// `struct fuse_uring_ent_in_out`
    UringEntry: 32 {
        flags: u64,
        /// Names the request when its answer is handed in.
        commit_id: u64,
        /// Bytes used of the payload buffer.
        payload_size: u32,
        padding: u32,
        reserved: u64,
    }

    /// `struct fuse_uring_cmd_req`, in the command area of the submission
    UringCommand: 24 {
        flags: u64,
        commit_id: u64,
        queue: u16,
        padding: [u8; 6],
    }
}

/// `struct fuse_uring_req_header`
#[derive(Clone, Copy, Debug, zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable)]
#[repr(C)]
pub(crate) struct UringHeader {
    /// The request's header; the answer's [`OutHeader`](super::OutHeader) takes its place.
    pub(crate) header: super::InHeader,
    pub(crate) spare: [u8; 88],
    /// The fixed arguments of the request.
    pub(crate) arguments: [u8; 128],
    pub(crate) entry: UringEntry,
}

const _: () = assert!(size_of::<UringHeader>() == 288, "the kernel's size differs");
