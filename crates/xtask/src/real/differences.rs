//! What was found to differ: the first few in words, all of them by number.

use anyhow::{Result, bail};
use std::path::Path;

/// How many are told.
const SHOWN_MAX: usize = 20;

#[derive(Default)]
pub(super) struct Differences {
    shown: Vec<String>,
    total: usize,
}

impl Differences {
    pub(super) fn add(&mut self, path: &Path, difference: impl std::fmt::Display) {
        self.total += 1;
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(format!("{path:?}: {difference}"));
        }
    }

    pub(super) fn expect_none(&self, claim: &str) -> Result<()> {
        if self.total == 0 {
            return Ok(());
        }
        let unshown = self.total - self.shown.len();
        let rest = if unshown > 0 { format!("\n  and {unshown} more") } else { String::new() };
        bail!("not so: {claim}; {} differences:\n  {}{rest}", self.total, self.shown.join("\n  "))
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> String {
        self.shown.join("\n")
    }
}
