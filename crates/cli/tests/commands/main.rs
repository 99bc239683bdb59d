//! The real binary on real mounts, as a user calls it.

mod bad_input;
mod both_ways;
mod busy;
mod corruption;
mod disks;
mod encrypted;
mod erase;
mod gc;
mod killed;
mod machine;
mod mirror_drives;
mod mirror_schedule;
mod mirrors;
mod ordinary_user;
mod outcome;
mod pages;
mod past;
mod plugged;
mod plugged_machine;
mod pool;
mod read_only;
mod scrub;
mod syncing;
mod tree;
mod up_and_down;
mod volumes;
