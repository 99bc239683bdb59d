//! Calls for extended attributes.

use super::allowances;
use super::name::Name;
use super::operation::Target;
use super::outcome::Outcome;
use super::player::Player;
use rustix::fs::XattrFlags;
use rustix::io::{Errno, Result};

/// XATTR_LIST_MAX and XATTR_SIZE_MAX of `linux/limits.h`.
const BYTES_MAX: usize = 64 << 10;

impl Player {
    pub(super) fn set_xattr(&self, on: &Target, name: &Name, value: &[u8], flags: XattrFlags) -> Result<()> {
        match on {
            Target::Path(path) => rustix::fs::setxattr(&path.0, &name.0, value, flags),
            Target::Link(path) => rustix::fs::lsetxattr(&path.0, &name.0, value, flags),
            Target::Slot(slot) => rustix::fs::fsetxattr(self.file(*slot)?, &name.0, value, flags),
        }
    }

    pub(super) fn get_xattr(&self, on: &Target, name: &Name, buffer_bytes: usize) -> Result<Outcome> {
        let mut buffer = vec![0; buffer_bytes];
        let buffer = &mut buffer[..];
        let length = match on {
            Target::Path(path) => rustix::fs::getxattr(&path.0, &name.0, &mut *buffer),
            Target::Link(path) => rustix::fs::lgetxattr(&path.0, &name.0, &mut *buffer),
            Target::Slot(slot) => rustix::fs::fgetxattr(self.file(*slot)?, &name.0, &mut *buffer),
        }?;
        Ok(match buffer_bytes {
            0 => Outcome::from(length),
            _ => Outcome::Bytes(buffer[..length].to_vec()),
        })
    }

    pub(super) fn list_xattrs(&self, on: &Target, buffer_bytes: usize) -> Result<Outcome> {
        let mut buffer = vec![0; buffer_bytes];
        let buffer = &mut buffer[..];
        let length = match on {
            Target::Path(path) => rustix::fs::listxattr(&path.0, &mut *buffer),
            Target::Link(path) => rustix::fs::llistxattr(&path.0, &mut *buffer),
            Target::Slot(slot) => rustix::fs::flistxattr(self.file(*slot)?, &mut *buffer),
        }?;
        Ok(match buffer_bytes {
            0 => Outcome::from(length),
            _ => Outcome::Names(split(&buffer[..length])),
        })
    }

    pub(super) fn remove_xattr(&self, on: &Target, name: &Name) -> Result<()> {
        match on {
            Target::Path(path) => rustix::fs::removexattr(&path.0, &name.0),
            Target::Link(path) => rustix::fs::lremovexattr(&path.0, &name.0),
            Target::Slot(slot) => rustix::fs::fremovexattr(self.file(*slot)?, &name.0),
        }
    }
}

/// All attributes of what a path names, by name.
pub(super) fn all(path: &Name) -> Result<Vec<(Name, Vec<u8>)>> {
    let mut buffer = vec![0; BYTES_MAX];
    let length = match rustix::fs::llistxattr(&path.0, &mut buffer[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        length => length?,
    };
    let names = split(&buffer[..length]);
    let value = |name: Name| {
        let length = rustix::fs::lgetxattr(&path.0, &name.0, &mut buffer[..])?;
        Ok((name, buffer[..length].to_vec()))
    };
    names.into_iter().map(value).collect()
}

/// The names of a list, sorted: their order is each file system's own affair.
fn split(list: &[u8]) -> Vec<Name> {
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !allowances::is_other_form(name));
    let mut names: Vec<Name> = names.map(|name| Name(name.to_vec())).collect();
    names.sort();
    names
}
