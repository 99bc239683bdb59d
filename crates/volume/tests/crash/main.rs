//! The power goes at every operation of the disk; what comes back must be the state after some prefix of the operations, with
//! every operation before the last completed sync in it (contract 1).
//!
//! - [`random`]: seeded workloads of all operations, on several volumes, with snapshots, history, collections, syncs and checkpoints in
//!   between; [`lineage`]: also with rollbacks, clones, replicas, other retentions and restarts.
//! - [`sequences`]: every sequence of one and of two core operations with every placement of a sync, in the manner of ACE (Mohan
//!   et al., "Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing", OSDI 2018).
//! - [`writers`]: several threads, beside the pool's own.
//! - [`breaks`]: a disk or a caller that breaks a rule must make these tests fail.
//!
//! A failure names its seed. `CRASH_SEED` is the first one, `CRASH_POINTS` and `CRASH_SECONDS` say how much is tried:
//! `cargo xtask crash` sets them.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod breaks;
mod collecting;
mod crash;
#[path = "../model/kept.rs"]
#[allow(dead_code, reason = "the model test uses all of it")]
mod kept;
mod lineage;
#[path = "../model/model.rs"]
mod model;
#[path = "../model/place.rs"]
#[allow(dead_code, reason = "the model test uses all of it")]
mod place;
mod random;
mod sequences;
#[path = "../model/workload.rs"]
#[allow(dead_code, reason = "the model test uses all of it")]
mod workload;
mod writers;

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}
