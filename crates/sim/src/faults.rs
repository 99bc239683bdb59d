//! What is to go wrong, and when.

use std::collections::BTreeMap;
use std::io;

/// Counts the operations that change a disk, and makes some of them fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    operations: u64,
    stop_at: Option<u64>,
    fail_at: BTreeMap<u64, io::ErrorKind>,
    ignores_syncs: bool,
    ignores_folder_syncs: bool,
    skipped_sync: Option<u64>,
    reverses_syncs: bool,
}

/// What an operation that changes the disk is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Work.
    Work,
    /// Do its work, as far as a power loss in the middle allows, but report a failure.
    Interrupted,
    /// Fail.
    Fail(io::ErrorKind),
    /// Fail without any effect: the power is gone.
    Gone,
}

impl Faults {
    /// What the next operation is to do.
    pub(crate) fn next(&mut self) -> Fate {
        let number = self.operations;
        self.operations += 1;
        match (self.stop_at, self.fail_at.get(&number)) {
            (Some(stop), _) if number > stop => Fate::Gone,
            (Some(stop), _) if number == stop => Fate::Interrupted,
            (_, Some(kind)) => Fate::Fail(*kind),
            _ => Fate::Work,
        }
    }

    /// Whether the power is gone.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.operations > stop)
    }

    /// Operations so far.
    pub(crate) fn operations(&self) -> u64 {
        self.operations
    }

    /// The power goes at this operation.
    pub(crate) fn stop_at(&mut self, operation: u64) {
        self.stop_at = Some(operation);
    }

    /// This operation fails.
    pub(crate) fn fail_at(&mut self, operation: u64, kind: io::ErrorKind) {
        self.fail_at.insert(operation, kind);
    }

    /// Syncs do nothing from now on, and say that they did.
    pub(crate) fn ignore_syncs(&mut self) {
        self.ignores_syncs = true;
    }

    /// One sync does nothing, and says that it did.
    pub(crate) fn skip_sync(&mut self, number: u64) {
        self.skipped_sync = Some(number);
    }

    /// Whether a sync does nothing.
    pub(crate) fn ignores_sync(&self, number: u64) -> bool {
        self.ignores_syncs || self.skipped_sync == Some(number)
    }

    /// Syncs cover only the last write from now on.
    pub(crate) fn reverse_syncs(&mut self) {
        self.reverses_syncs = true;
    }

    /// Whether syncs cover only the last write.
    pub(crate) fn reverses_syncs(&self) -> bool {
        self.reverses_syncs
    }

    /// Syncs of folders do nothing from now on, and say that they did.
    pub(crate) fn ignore_folder_syncs(&mut self) {
        self.ignores_folder_syncs = true;
    }

    /// Whether syncs of folders do nothing.
    pub(crate) fn ignores_folder_syncs(&self) -> bool {
        self.ignores_folder_syncs
    }
}
