//! How the syncs went that a node made by itself: the file `mirror-turns.json` of a store. Only that node writes it.

use super::Definition;
use crate::record_file::RecordFile;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: RecordFile = RecordFile { name: "mirror-turns.json", version: 1, advice: "remove it" };

/// From a sync that failed to the next try, unless one is due before: 5 minutes.
const RETRY_SECONDS: u64 = 5 * 60;

/// One sync. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) ended: u64,
    /// Why it failed.
    pub(crate) problem: Option<String>,
}

/// The last sync of each mirror, by its name.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turns {
    turns: BTreeMap<String, Turn>,
}

impl Turns {
    /// Those of a store; none if it has none.
    pub(crate) fn read(store: &Path) -> Result<Self> {
        Ok(FILE.read(store)?.unwrap_or_default())
    }

    pub(crate) fn write(&self, store: &Path) -> Result<()> {
        FILE.write(store, self)
    }

    pub(crate) fn get(&self, mirror: &str) -> Option<&Turn> {
        self.turns.get(mirror)
    }

    pub(crate) fn set(&mut self, mirror: &str, turn: Turn) {
        self.turns.insert(mirror.to_owned(), turn);
    }

    /// When a mirror is to be synced; `None` for one that is synced by hand alone. What was missed while the machine slept or the node
    /// was down is due at once, and once; a clock that went back puts nothing off.
    pub(crate) fn due(&self, mirror: &str, definition: &Definition, now: u64) -> Option<u64> {
        let every = definition.every_seconds?;
        Some(match self.get(mirror) {
            None => now,
            Some(Turn { ended, problem: None }) => (*ended).min(now).saturating_add(every),
            Some(Turn { ended, problem: Some(_) }) => (*ended).min(now).saturating_add(every.min(RETRY_SECONDS)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::*;

    const HOUR: u64 = 3600;

    fn definition(every_seconds: Option<u64>) -> Definition {
        let (volume, identity, place) = ("main".to_owned(), "00".to_owned(), "/drive".to_owned());
        Definition { volume, identity, place, direction: Direction::Push, every_seconds }
    }

    fn due(ended: u64, problem: Option<&str>, now: u64) -> Option<u64> {
        let mut turns = Turns::default();
        turns.set("drive", Turn { ended, problem: problem.map(str::to_owned) });
        turns.due("drive", &definition(Some(HOUR)), now)
    }

    #[test]
    fn a_sync_is_due_at_first_then_after_its_span_and_soon_after_a_failure() {
        assert_eq!(Turns::default().due("drive", &definition(Some(HOUR)), 1000), Some(1000));
        assert_eq!(due(1000, None, 2000), Some(1000 + HOUR));
        assert_eq!(due(1000, Some("away"), 1001), Some(1000 + RETRY_SECONDS));
        assert_eq!(Turns::default().due("drive", &definition(None), 1000), None);
    }

    #[test]
    fn a_clock_that_went_back_puts_nothing_off() {
        assert_eq!(due(1_000_000, None, 1000), Some(1000 + HOUR));
    }

    #[test]
    fn turns_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let mut turns = Turns::read(folder.path()).unwrap();
        turns.set("drive", Turn { ended: 7, problem: Some("away".to_owned()) });
        turns.write(folder.path()).unwrap();
        assert_eq!(Turns::read(folder.path()).unwrap(), turns);
    }
}
