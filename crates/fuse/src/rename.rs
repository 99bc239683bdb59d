//! What `renameat2(2)` may ask for.

use crate::flags::flags;

flags! {
    /// The flags of `renameat2(2)`.
    RenameFlags: u32 {
        /// Fail with `EEXIST` when the new name exists.
        NO_REPLACE = 1 << 0;
        /// Swap the two names; both must exist.
        EXCHANGE = 1 << 1;
        /// Leave a whiteout at the old name (for overlay file systems).
        WHITEOUT = 1 << 2;
    }
}
