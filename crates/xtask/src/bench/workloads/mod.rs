//! The workloads, in groups: one group is played in one go on one file system.

mod build;
mod collection;
mod create;
pub(super) mod fio;
mod git;
mod pgbench;
mod sqlite;
mod synced;
mod tree;

use super::scene::Scene;
use anyhow::{Result, bail};

/// Workloads that need one another.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) play: fn(&mut Scene) -> Result<()>,
}

pub(super) const GROUPS: &[Group] = &[
    Group { name: "tree", about: "untar, stat, grep, rm of many real files", play: tree::play },
    Group { name: "build", about: "a real crate with its dependencies", play: build::play },
    Group { name: "git", about: "clone, checkout, status, gc", play: git::play },
    Group { name: "create", about: "empty files in one directory by 1 and 4 processes", play: create::play },
    Group { name: "seq", about: "fio, 1 MiB writes and reads in order", play: fio::sequential },
    Group { name: "rand", about: "fio, 4 KiB reads and writes all over a file", play: fio::random },
    Group { name: "sync", about: "small synced writes by 1 and 8 threads", play: synced::play },
    Group { name: "collection", about: "small synced writes beside a garbage collection", play: collection::play },
    Group { name: "sqlite", about: "transactions", play: sqlite::play },
    Group { name: "pgbench", about: "transactions", play: pgbench::play },
];

/// The groups with these names; a workload of a group names it too. All, if none is named.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Group>> {
    let group_of = |name: &str| match name {
        "untar" | "stat" | "grep" | "rm" => "tree",
        name => GROUPS.iter().find(|group| group.name == name).map_or("", |group| group.name),
    };
    if let Some(unknown) = names.iter().find(|name| group_of(name).is_empty()) {
        let known: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        bail!(
            "there is no workload `{unknown}`; there are untar, stat, grep, rm (as one: tree), {}",
            known[1..].join(", ")
        );
    }
    let is_chosen = |group: &&Group| names.is_empty() || names.iter().any(|name| group_of(name) == group.name);
    Ok(GROUPS.iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_brings_its_group() {
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen(&names).map(|groups| groups.iter().map(|group| group.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&["rm", "sync", "stat"]).unwrap(), ["tree", "sync"]);
        assert_eq!(names(&[]).unwrap().len(), GROUPS.len());
        assert!(names(&["unpack"]).is_err());
    }
}
