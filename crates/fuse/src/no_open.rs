//! Tells the kernel from the start that files need no open.
//!
//! The kernel learns it from the first OPEN that is answered with `ENOSYS`: from then on it sends neither OPEN nor RELEASE, also not
//! for files that CREATE has opened. Until then each new file costs a RELEASE. So the session itself opens a file as its first act:
//! one that is there for this moment only, and of which the file system hears nothing.

use crate::{Attr, Entry};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NAME: &str = ".fuse-no-open";
/// No file system gives this out: the kernel's own marks for "no such node" lie there, too.
const NODE: u64 = u64::MAX - 1;
/// The kernel asks for nothing between the look-up and the open.
const ATTRIBUTES_VALID: Duration = Duration::from_secs(60);

/// Whether the session is just telling it.
#[derive(Debug, Default)]
pub(crate) struct NoOpen {
    is_telling: AtomicBool,
}

impl NoOpen {
    /// Makes the kernel send an OPEN. Where that fails, files are closed with one request more; nothing else is lost.
    pub(crate) fn tell(&self, mountpoint: &Path) {
        self.is_telling.store(true, Ordering::SeqCst);
        let opened = File::open(mountpoint.join(NAME));
        self.is_telling.store(false, Ordering::SeqCst);
        if let Err(error) = opened {
            tracing::debug!(%error, "the kernel does not know yet that files need no open");
        }
    }

    /// The file, if it is this that is looked up.
    pub(crate) fn lookup(&self, parent: u64, name: &[u8]) -> Option<Entry> {
        let is_ours = self.is_telling.load(Ordering::SeqCst) && parent == crate::ROOT && name == NAME.as_bytes();
        let attr = Attr { ino: NODE, mode: libc::S_IFREG | 0o444, nlink: 1, ..Attr::default() };
        is_ours.then(|| Entry { node: NODE, attr, attr_valid: ATTRIBUTES_VALID, ..Entry::default() })
    }

    /// Whether a request is about the file.
    pub(crate) fn is_about(node: u64) -> bool {
        node == NODE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_finds_the_file_when_it_has_done_its_service() {
        let no_open = NoOpen::default();
        no_open.tell(Path::new("/nowhere"));
        assert_eq!(no_open.lookup(crate::ROOT, NAME.as_bytes()), None);
    }
}
