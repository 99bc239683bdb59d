//! What a mount says it is mounted from: `pantala:STORE:VOLUME`. So a path leads to its node.

use fuse::mounts::FuseMount;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const PREFIX: &str = "pantala:";

/// Whose mount it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) store: PathBuf,
}

impl Source {
    /// How the mount of a volume is called.
    pub(super) fn name(store: &Path, volume: &str) -> String {
        format!("{PREFIX}{}:{volume}", store.display())
    }

    /// Reads a mount's source; `None` if it is not one of ours.
    pub(crate) fn parse(source: &OsStr) -> Option<Self> {
        let rest = source.as_bytes().strip_prefix(PREFIX.as_bytes())?;
        let end = rest.iter().rposition(|&byte| byte == b':')?;
        let store = PathBuf::from(OsStr::from_bytes(&rest[..end]));
        store.is_absolute().then_some(Self { store })
    }
}

/// Whether a node of Pantala made a mount.
pub(super) fn is_ours(mount: &FuseMount) -> bool {
    mount.kind.ends_with(".pantala") || mount.source.as_bytes().starts_with(PREFIX.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_leads_to_its_store() {
        let name = Source::name(Path::new("/a:b/c"), "main");
        assert_eq!(Source::parse(name.as_ref()), Some(Source { store: "/a:b/c".into() }));
        assert_eq!(Source::parse("tmpfs".as_ref()), None);
    }
}
