//! Names of snapshots as the kept tree of an encrypted volume has them.
//!
//! A kept tree can be read without the key, so that whoever holds the volume can thin it out. Names stand in it as **labels**: `=` and the
//! sealed name in hexadecimal. Equal names have equal labels, so snapshots are found by them. A number that a replica had to add, since
//! two snapshots had one name, stands behind: `=...~1`. In a volume that is not encrypted, labels are the names.

use super::{Kept, KeptRoot, Snapshot, SnapshotError};
use crate::Result;
use crate::contents::{Contents, Encryption};
use seal::{Context, VolumeKey};

/// First of a label that is not the name itself.
pub(super) const SEALED: char = '=';

/// Before a number that a replica added.
pub(super) const NUMBER: char = '~';

impl Contents {
    /// The label of the snapshot with a name. A locked volume knows its snapshots by their labels alone.
    pub(super) fn label(&self, name: &str) -> Result<String> {
        let Some(encryption) = &self.encryption else { return Ok(name.to_owned()) };
        let is_label = name.starts_with(SEALED);
        match encryption.key() {
            None if is_label => Ok(name.to_owned()),
            None => Err(block::Error::NoKey.into()),
            Some(key) => Ok(seal(&key, encryption, name)),
        }
    }

    /// The labels that may be those of an existing snapshot with a name: a number behind it may be part of it, or added.
    pub(super) fn labels(&self, name: &str) -> Result<Vec<String>> {
        let mut labels = vec![self.label(name)?];
        if self.encryption.is_some()
            && let Some((stem, number)) = name.rsplit_once(NUMBER)
            && number.parse::<u64>().is_ok()
        {
            labels.extend(self.label(stem).map(|label| format!("{label}{NUMBER}{number}")));
        }
        Ok(labels)
    }

    /// The name that a label stands for; the label itself as long as the volume is locked.
    pub(super) fn name(&self, label: &str) -> String {
        let key = self.encryption.as_ref().and_then(|encryption| Some((encryption.key()?, encryption)));
        let opened = key.and_then(|(key, encryption)| open(&key, encryption, label));
        opened.unwrap_or_else(|| label.to_owned())
    }

    /// A kept root with its name in place of its label.
    pub(crate) fn named(&self, root: KeptRoot) -> KeptRoot {
        match self.encryption {
            Some(_) if !root.name.is_empty() => KeptRoot { name: self.name(&root.name), ..root },
            _ => root,
        }
    }

    /// The snapshot with a name, with its label.
    pub(super) fn find(&self, kept: &Kept, name: &str) -> std::result::Result<Snapshot, SnapshotError> {
        for label in self.labels(name)? {
            match kept.snapshot(&label) {
                Err(SnapshotError::NoSuchSnapshot { .. }) => {}
                found => return found,
            }
        }
        Err(SnapshotError::NoSuchSnapshot { name: name.into() })
    }

    /// Up to a number of the names of snapshots, in their order, behind one or (behind "") from the first. Labels have another order.
    pub(super) fn names(&self, kept: &Kept, behind: &str, count: usize) -> Result<Vec<String>> {
        if self.encryption.is_none() {
            return kept.snapshot_names(behind, count);
        }
        let labels = kept.snapshot_names("", usize::MAX)?;
        let mut names: Vec<_> =
            labels.iter().map(|label| self.name(label)).filter(|name| name.as_str() > behind).collect();
        names.sort_unstable();
        names.truncate(count);
        Ok(names)
    }

    /// A snapshot with its name in place of its label.
    pub(super) fn named_snapshot(&self, snapshot: Snapshot) -> Snapshot {
        let root = self.named(snapshot.root);
        Snapshot { name: root.name.clone(), root, ..snapshot }
    }
}

fn seal(key: &VolumeKey, encryption: &Encryption, name: &str) -> String {
    let sealed = key.seal(Context::SnapshotName(encryption.identity.0), &[], name.as_bytes());
    let digits = sealed.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once(SEALED.to_string()).chain(digits).collect()
}

/// `None` for what nobody with the key made.
fn open(key: &VolumeKey, encryption: &Encryption, label: &str) -> Option<String> {
    let (digits, number) = match label.strip_prefix(SEALED)?.split_once(NUMBER) {
        Some((digits, number)) => (digits, Some(number)),
        None => (label.strip_prefix(SEALED)?, None),
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let sealed: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    let name = key.open(Context::SnapshotName(encryption.identity.0), &[], &sealed).ok()?;
    let name = String::from_utf8(name.into()).ok()?;
    Some(number.map_or_else(|| name.clone(), |number| format!("{name}{NUMBER}{number}")))
}
