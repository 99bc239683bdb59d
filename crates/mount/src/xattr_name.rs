//! Which extended attributes there are.

use fuse::Errno;

/// Names that begin so are kept (xattr(7)).
const PREFIXES: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];

/// Only root sees these.
const TRUSTED: &[u8] = b"trusted.";

/// Refuses names that no Linux file system keeps as they come. Access lists (`system.posix_acl_*`) are looked at before.
pub(crate) fn check(name: &[u8]) -> Result<(), Errno> {
    let suffix = PREFIXES.iter().find_map(|prefix| name.strip_prefix(*prefix)).ok_or(Errno::EOPNOTSUPP)?;
    if suffix.is_empty() { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Whether a name is shown to a user who lists them.
pub(crate) fn is_listed(name: &[u8], uid: u32) -> bool {
    uid == 0 || !name.starts_with(TRUSTED)
}
