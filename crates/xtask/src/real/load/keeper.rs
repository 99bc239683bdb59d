//! Snapshots that come and go, and garbage collections, until the node is gone.

use super::appender::Appenders;
use crate::real::pool::Pool;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

/// Snapshots that are left before the oldest is deleted.
const KEPT_MAX: usize = 3;

/// A snapshot that was acknowledged.
struct Snapshot {
    name: String,
    /// How many records of each appender had been written before it.
    written: Vec<u64>,
}

/// What was told of snapshots.
pub(super) struct Keeper<'a> {
    appenders: &'a Appenders,
    /// Those that must be there, the oldest first.
    kept: Vec<Snapshot>,
    /// Those that must be gone.
    deleted: Vec<String>,
}

impl<'a> Keeper<'a> {
    /// Makes and deletes snapshots until that fails.
    pub(super) fn keep(pool: &Pool, appenders: &'a Appenders, round: usize) -> Keeper<'a> {
        let mut keeper = Keeper { appenders, kept: Vec::new(), deleted: Vec::new() };
        for number in 1.. {
            let snapshot = Snapshot { name: format!("load-{round}-{number}"), written: appenders.written() };
            if pool.command(["snapshot", "create", &snapshot.name]).output().is_err() {
                break;
            }
            keeper.kept.push(snapshot);
            if keeper.kept.len() > KEPT_MAX {
                let oldest = keeper.kept.remove(0);
                if pool.command(["snapshot", "delete", &oldest.name]).output().is_err() {
                    break;
                }
                keeper.deleted.push(oldest.name);
            }
        }
        keeper
    }

    /// What was acknowledged is so. Gives how many snapshots were looked into, and deletes all that there are.
    pub(super) fn expect_kept(&self, pool: &Pool, directory: &Path) -> Result<usize> {
        let there = names(pool)?;
        if let Some(name) = self.deleted.iter().find(|name| there.contains(*name)) {
            bail!("the snapshot {name} was deleted, and is there");
        }
        let below = directory.file_name().unwrap_or(OsStr::new(""));
        for Snapshot { name, written } in &self.kept {
            if !there.contains(name) {
                bail!("the snapshot {name} was made, and is gone");
            }
            let copy = pool.mount().join(".snapshots").join(name).join(below);
            self.appenders.expect_at_least(&copy, written).with_context(|| format!("in the snapshot {name}"))?;
        }
        for name in &there {
            pool.command(["snapshot", "delete", name]).output()?;
        }
        Ok(self.kept.len() + self.deleted.len())
    }
}

/// Orders collections until that fails. Gives how many were done.
pub(super) fn collect(pool: &Pool) -> usize {
    (0..).find(|_| pool.command(["gc"]).output().is_err()).unwrap_or(0)
}

fn names(pool: &Pool) -> Result<BTreeSet<String>> {
    let list = pool.command(["snapshot", "list", "--json"]).output()?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let list = list.as_array().context("`pantala snapshot list --json` gives no list")?;
    let names = list.iter().map(|snapshot| snapshot["name"].as_str().map(str::to_owned));
    names.collect::<Option<_>>().context("a snapshot has no name")
}
