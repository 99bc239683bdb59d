//! What it costs to try a passphrase: the parameters of Argon2id (RFC 9106).

use crate::limits::{
    COST_LANES_MAX, COST_MEMORY_KIB, COST_MEMORY_KIB_MAX, COST_MEMORY_KIB_MIN, COST_PASSES, COST_PASSES_MAX,
};
use crate::{Error, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

/// Memory, passes over it, and lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// Of what is random already.
    pub(super) const NONE: Self = Self { memory_kib: 0, passes: 0, lanes: 0 };

    /// The least that is accepted: for small machines, and for tests.
    pub const LEAST: Self = Self { memory_kib: COST_MEMORY_KIB_MIN, passes: 1, lanes: 1 };

    /// What is right for a new passphrase on this machine: about a second.
    pub fn for_this_machine() -> Self {
        let is_small = available_kib().is_some_and(|available| available / 4 < COST_MEMORY_KIB as u64);
        let memory_kib = if is_small { COST_MEMORY_KIB_MIN } else { COST_MEMORY_KIB };
        Self { memory_kib, passes: COST_PASSES, lanes: 1 }
    }

    /// Derives a key from a passphrase.
    pub(super) fn derive(self, passphrase: &[u8], salt: &[u8; 16]) -> Result<Zeroizing<[u8; 32]>> {
        let refused = |error: argon2::Error| Error::System { what: "derive a key", why: error.to_string() };
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(refused)?;
        let mut memory = Vec::new();
        memory.try_reserve_exact(params.block_count()).map_err(|_| Error::System {
            what: "derive a key",
            why: format!("it takes {} MiB of memory, which are not there", self.memory_kib >> 10),
        })?;
        memory.resize(params.block_count(), Block::default());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase, salt, &mut *key, &mut memory)
            .map_err(refused)?;
        Ok(key)
    }

    pub(super) fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        for (place, number) in bytes.chunks_exact_mut(4).zip([self.memory_kib, self.passes, self.lanes]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    /// Takes what a record asks for, if it is within bounds.
    pub(super) fn from_bytes(bytes: [u8; 12], is_slow: bool) -> Result<Self> {
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let cost = Self { memory_kib: number(0), passes: number(4), lanes: number(8) };
        let is_bounded = (COST_MEMORY_KIB_MIN..=COST_MEMORY_KIB_MAX).contains(&cost.memory_kib)
            && (1..=COST_PASSES_MAX).contains(&cost.passes)
            && (1..=COST_LANES_MAX).contains(&cost.lanes);
        match is_slow {
            true if is_bounded => Ok(cost),
            false if cost == Self::NONE => Ok(cost),
            _ => Err(Error::DamagedSlots("one asks for more, or less, work than any pantala does")),
        }
    }
}

/// Memory that programs may still take, as the kernel estimates it.
fn available_kib() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}
