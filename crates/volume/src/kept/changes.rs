//! Changes of the kept tree, collected until they are applied as one batch.

use super::key::{self, KeptId};
use super::root::KeptRoot;
use bytes::Bytes;
use std::collections::BTreeMap;
use tree::{Edit, Mapped};

#[derive(Default)]
pub(super) struct Changes(BTreeMap<Bytes, Option<Mapped>>);

impl Changes {
    pub(super) fn put(&mut self, root: &KeptRoot) {
        self.0.insert(root.id.key(), Some((root.value(), root.tree)));
    }

    pub(super) fn delete(&mut self, id: KeptId) {
        self.0.insert(id.key(), None);
    }

    pub(super) fn put_name(&mut self, name: &str, id: KeptId) {
        self.0.insert(key::by_name(name), Some((id.key(), None)));
    }

    pub(super) fn delete_name(&mut self, name: &str) {
        self.0.insert(key::by_name(name), None);
    }

    pub(super) fn into_edits(self) -> Vec<Edit> {
        let edit = |(key, mapped)| match mapped {
            Some((value, link)) => Edit::Put { key, value, link },
            None => Edit::Delete { key },
        };
        self.0.into_iter().map(edit).collect()
    }
}
