//! FUSE requests to volume calls and back.
//!
//! A [`VolumeMount`] serves one volume at one mount point. Node ids are inode numbers. Only this mount changes the volume, so the
//! kernel may keep names, attributes and pages until it drops them itself.
//!
//! What this crate deliberately does not know: how a volume is stored, and how many there are.

mod convert;
mod displaced;
mod filesystem;
mod inode_flags;
mod kernel_caches;
mod listing;
mod lookups;
mod notifications;
mod past;
mod place;
mod privileges;
mod router;
mod volume_mount;
mod xattr_name;

pub use volume_mount::{MountOptions, VolumeMount};
