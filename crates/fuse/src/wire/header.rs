//! What every message begins with.

use super::wire;

wire! {
    /// `struct fuse_in_header`
    InHeader: 40 {
        len: u32,
        opcode: u32,
        unique: u64,
        node: u64,
        uid: u32,
        gid: u32,
        pid: u32,
        /// Length of the extensions at the end of the message, in units of 8 bytes.
        total_extlen: u16,
        padding: u16,
    }

    /// `struct fuse_out_header`
    OutHeader: 16 {
        len: u32,
        /// 0, a negative error number, or the code of a notification.
        error: i32,
        unique: u64,
    }
}
