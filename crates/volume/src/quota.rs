//! A volume's quota: how much it may hold, the setting `quota`.
//!
//! What counts is the content before compression, as `du` shows it, and a little for each inode; copies by reference count as any
//! other. A quota below what is there is fine: it only keeps the volume from growing. Operations that are under way beside each other
//! may go over it by what they add.

use crate::limits::QUOTA_INODE_BYTES;
use crate::{Error, Result, Volume};

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

    /// Refuses what adds more than the quota leaves.
    pub(crate) fn check_quota(&self, added: u64) -> Result<()> {
        self.check_quota_of(added, || Ok(added))
    }

    /// As [`Volume::check_quota`]; what is added exactly is looked at only where the most that it can be does not fit.
    pub(crate) fn check_quota_of(&self, added_max: u64, added: impl FnOnce() -> Result<u64>) -> Result<()> {
        let Some(quota) = self.quota_bytes() else { return Ok(()) };
        let free = quota.saturating_sub(self.used_bytes());
        if added_max <= free || added()? <= free { Ok(()) } else { Err(Error::QuotaExceeded) }
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
