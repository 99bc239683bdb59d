//! Times of last access.

use crate::change::Change;
use crate::limits::ACCESS_TIME_AGE_MAX;
use crate::{Attributes, Inode, InodeFlags, Result, Timestamp, Volume};

/// Which reads set the time of last access (mount(8)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessTimes {
    /// None (`noatime`).
    Never,
    /// The first one after a change, and one a day (`relatime`).
    #[default]
    Relative,
    /// All (`strictatime`).
    Always,
}

impl AccessTimes {
    fn is_due(self, attributes: &Attributes, now: Timestamp) -> bool {
        let Attributes { accessed, modified, changed, .. } = attributes;
        if attributes.flags.contains(InodeFlags::NO_ACCESS_TIME) {
            return false;
        }
        match self {
            Self::Never => false,
            Self::Always => now != *accessed,
            Self::Relative => {
                let age_seconds = now.seconds.saturating_sub(accessed.seconds);
                modified >= accessed || changed >= accessed || age_seconds >= ACCESS_TIME_AGE_MAX.as_secs() as i64
            }
        }
    }
}

impl Volume {
    /// Notes that somebody has read an inode: a file's content, a directory's entries, a link's target.
    pub fn accessed(&self, inode: Inode, which: AccessTimes) -> Result<()> {
        if !which.is_due(&self.existing(inode)?, self.now()) {
            return Ok(());
        }
        let _operation = self.begin()?;
        let _lock = self.locks.write(inode);
        let mut attributes = self.existing(inode)?;
        let now = self.now();
        if which.is_due(&attributes, now) {
            attributes.accessed = now;
            self.layers.overlay.change(inode, Change::Attributes(attributes.into()));
        }
        Ok(())
    }
}
