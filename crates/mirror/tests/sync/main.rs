//! Syncs between pools on simulated disks: single steps, then random topologies, then cuts and crashes at every operation.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod both;
mod both_cuts;
mod both_first;
mod both_model;
mod crash;
mod encrypted;
mod model;
mod preview;
mod steps;
mod verify;
mod wire;
mod world;

fn seeds(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
