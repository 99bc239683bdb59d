//! The kernel's messages as they lie in memory: `include/uapi/linux/fuse.h`, protocol 7.45 (Linux 6.18).
//!
//! Everything is in the machine's byte order. The structs say what the kernel says; what they mean is the business of
//! `dispatch`. A file holds one concern; the tests compare each struct's size with the kernel's.

mod attr;
mod directory;
mod entry;
mod file;
mod header;
mod init;
mod io;
mod lock;
mod name;
mod notify;
mod opcode;
mod statx;
mod uring;
mod xattr;

pub(crate) use attr::*;
pub(crate) use directory::*;
pub(crate) use entry::*;
pub(crate) use file::*;
pub(crate) use header::*;
pub(crate) use init::*;
pub(crate) use io::*;
pub(crate) use lock::*;
pub(crate) use name::*;
pub(crate) use notify::*;
pub(crate) use opcode::*;
pub(crate) use statx::*;
pub(crate) use uring::*;
pub(crate) use xattr::*;

/// Declares structs that the kernel sends or takes, each with the size that the kernel gives it.
macro_rules! wire {
    ($($(#[$outer:meta])* $name:ident: $size:literal { $($(#[$inner:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$outer])*
            #[derive(
                Clone, Copy, Debug, Default, PartialEq, Eq,
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable,
            )]
            #[repr(C)]
            pub(crate) struct $name {
                $($(#[$inner])* pub(crate) $field: $type,)*
            }

            const _: () = assert!(size_of::<$name>() == $size, "the kernel's size differs");
        )*
    };
}

use wire;
