//! Every limit of encryption.

/// Ways to a volume's key: passphrases, key files, recovery keys.
pub const SLOTS_MAX: usize = 16;

/// Shortest passphrase, in bytes. What makes one good is not its length alone.
pub const PASSPHRASE_BYTES_MIN: usize = 8;

/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 4096;

/// Shortest key file, in bytes: as many as a key has.
pub const KEY_FILE_BYTES_MIN: usize = 32;

/// Longest key file, in bytes.
pub const KEY_FILE_BYTES_MAX: usize = 64 << 10;

/// Memory that deriving a key from a passphrase takes unless little is free, in KiB. About a second together with the passes.
pub(crate) const COST_MEMORY_KIB: u32 = 256 << 10;

/// The same where little is free, and the least that is accepted.
pub(crate) const COST_MEMORY_KIB_MIN: u32 = 64 << 10;

/// The most memory that a record may ask for, in KiB: it may come from somebody hostile.
pub(crate) const COST_MEMORY_KIB_MAX: u32 = 2 << 20;

/// Passes over that memory.
pub(crate) const COST_PASSES: u32 = 3;

/// The most passes that a record may ask for.
pub(crate) const COST_PASSES_MAX: u32 = 20;

/// The most lanes that a record may ask for.
pub(crate) const COST_LANES_MAX: u32 = 16;
