//! A volume's quota: how much it may hold, the setting `quota`.
//!
//! What counts is the content before compression, as `du` shows it, extended attributes with their names, and a little for each inode;
//! copies by reference count as any other. A quota below what is there is fine: it only keeps the volume from growing.
//!
//! Invariants:
//!
//! - Operations that are under way beside each other never go over the quota together: each is admitted before it adds anything, and
//!   its [`Admission`] ends after what it added is counted.
//! - An operation is refused only if what it adds exactly does not fit beside what is there.

use crate::limits::QUOTA_INODE_BYTES;
use crate::{Error, Result, Volume};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::atomic::{AtomicU64, Ordering};

/// The setting's key.
pub(crate) const QUOTA_SETTING: &str = "quota";

/// The setting's value without a quota.
pub(crate) const NO_QUOTA: &str = "none";

/// Checks a value of the setting, and gives it in the form in which it is kept: in bytes, with the largest unit that leaves nothing.
pub(crate) fn check(value: &str) -> std::result::Result<String, String> {
    let bytes = parse(value).ok_or("it is a number of bytes, with K, M, G, T or P behind it, as in 10G, or `none`")?;
    let unit = (bytes.trailing_zeros() / 10).min(UNITS.len() as u32 - 1);
    Ok(format!("{}{}", bytes >> (10 * unit), UNITS[unit as usize]))
}

const UNITS: [&str; 6] = ["", "K", "M", "G", "T", "P"];

/// Bytes of a size such as `10G`, `512 MiB` or `1048576`; at least 1.
fn parse(value: &str) -> Option<u64> {
    let value = value.trim().to_ascii_uppercase();
    let digits = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let unit = unit.trim();
    let unit = unit.strip_suffix("IB").or(unit.strip_suffix('B')).unwrap_or(unit);
    let power = UNITS.iter().position(|name| *name == unit)? as u32;
    let bytes = number.parse::<u64>().ok()?.checked_mul(1 << (10 * power))?;
    (bytes > 0).then_some(bytes)
}

/// What operations that are under way may add.
#[derive(Default)]
pub(crate) struct Admissions {
    /// Shared by those that fit in any case; held alone by one that can tell only from exact figures.
    turn: RwLock<()>,
    /// The most that those which share the turn may add, in bytes. Some of it may be counted already.
    claimed_bytes: AtomicU64,
}

/// That an operation may add what it said. Lives until what it added is counted.
#[must_use = "what is added meanwhile by others is not seen any more once this is gone"]
pub(crate) enum Admission<'a> {
    /// There is no quota.
    Unlimited,
    /// There is room for all that it can be, beside all that others can add.
    Claimed { _claim: Claim<'a> },
    /// Nobody else adds anything.
    Alone { _turn: RwLockWriteGuard<'a, ()> },
}

/// A part of what is claimed.
pub(crate) struct Claim<'a> {
    admissions: &'a Admissions,
    bytes: u64,
    _turn: RwLockReadGuard<'a, ()>,
}

impl Admissions {
    /// Claims bytes beside the others'. Whoever is not seen here any more has been counted: `claimed_bytes` is read before what is
    /// counted, and changed after it.
    fn claim(&self, bytes: u64) -> Claim<'_> {
        let turn = self.turn.read();
        self.claimed_bytes.fetch_add(bytes, Ordering::SeqCst);
        Claim { admissions: self, bytes, _turn: turn }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.admissions.claimed_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl Volume {
    /// The quota, in bytes.
    pub fn quota_bytes(&self) -> Option<u64> {
        match self.settings.load().get(QUOTA_SETTING) {
            NO_QUOTA => None,
            value => parse(value),
        }
    }

    /// What counts against the quota, in bytes.
    pub fn used_bytes(&self) -> u64 {
        let counters = self.counts.get();
        counters.allocated_bytes.saturating_add(counters.inodes.saturating_mul(QUOTA_INODE_BYTES))
    }

    /// Admits an operation, or refuses what adds more than the quota leaves. The caller holds the gate and the locks of the inodes that
    /// it changes, and has no other admission.
    pub(crate) fn admit(&self, added: u64) -> Result<Admission<'_>> {
        self.admit_exactly(added, || Ok(added))
    }

    /// As [`Volume::admit`]; what is added exactly is looked at only where the most that it can be does not fit.
    pub(crate) fn admit_exactly(&self, added_max: u64, added: impl FnOnce() -> Result<u64>) -> Result<Admission<'_>> {
        let Some(quota) = self.quota_bytes() else { return Ok(Admission::Unlimited) };
        let claim = self.admissions.claim(added_max);
        let claimed = self.admissions.claimed_bytes.load(Ordering::SeqCst);
        if self.used_bytes().saturating_add(claimed) <= quota {
            return Ok(Admission::Claimed { _claim: claim });
        }
        drop(claim);
        let turn = self.admissions.turn.write();
        let free = quota.saturating_sub(self.used_bytes());
        if added()? <= free { Ok(Admission::Alone { _turn: turn }) } else { Err(Error::QuotaExceeded) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_kept_in_their_largest_unit() {
        for (value, kept) in [("10G", "10G"), ("1048576", "1M"), ("512 MiB", "512M"), ("1500b", "1500"), ("2t", "2T")] {
            assert_eq!(check(value).as_deref(), Ok(kept), "{value}");
            assert_eq!(parse(kept), parse(value));
        }
        for bad in ["", "0", "G", "-1", "10X", "1.5G", "99999999999P", "ten"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert_eq!(parse(NO_QUOTA), None);
    }
}
