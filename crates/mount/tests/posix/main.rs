//! What programs see on a mounted volume, call by call. The pool lies in memory; the mount is a real one, so the tests need root
//! or the package fuse3.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

mod access_lists;
mod copying;
mod directories;
mod handles;
mod inode_flags;
mod kernel_limits;
mod locks;
mod mount_options;
mod mounted;
mod names;
mod notifying;
mod past;
mod programs;
mod quotas;
mod reserving;
mod sharing;
mod whiteouts;
