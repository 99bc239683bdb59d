//! An error as one line: what failed, why, and what to do.

use std::error::Error;
use std::io::{self, ErrorKind};

/// The line, without the `pantala: ` before it.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let mut line = causes(error);
    if let Some(advice) = error.chain().find_map(advice).flatten() {
        line.push_str("; ");
        line.push_str(advice);
    }
    one_line(&line)
}

/// Whether it is that another process has the store.
pub(crate) fn is_of_lock(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(block_error(cause), Some(block::Error::Locked { .. })))
}

/// All causes from the outside in. Many errors name their cause themselves; it is not said twice.
fn causes(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// Without line breaks and without the numbers that the standard library adds.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut line = lines.join(" ");
    while let Some(start) = line.find(" (os error ")
        && let Some(length) = line[start..].find(')')
    {
        line.replace_range(start..=start + length, "");
    }
    line
}

/// What to do about an error, if it is one that is known here and does not say so itself. `None` for an unknown one.
fn advice(error: &(dyn Error + 'static)) -> Option<Option<&'static str>> {
    if let Some(error) = block_error(error) {
        return Some(of_block(error));
    }
    if let Some(error) = error.downcast_ref::<fuse::Error>() {
        return Some(of_fuse(error));
    }
    if let Some(mirror::Error::Store { side, error }) = error.downcast_ref() {
        return Some(of_side(*side, error));
    }
    error.downcast_ref::<io::Error>().map(|error| Some(of_io(error.kind())))
}

/// The store's error behind one of a layer above.
fn block_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a block::Error> {
    if let Some(error) = error.downcast_ref::<block::Error>() {
        return Some(error);
    }
    let error = match error.downcast_ref::<volume::PoolError>() {
        Some(volume::PoolError::Volume(error)) => error,
        _ => error.downcast_ref::<volume::Error>()?,
    };
    match error {
        volume::Error::Tree(tree::Error::Block(error)) => Some(error),
        _ => None,
    }
}

fn of_block(error: &block::Error) -> Option<&'static str> {
    match error {
        block::Error::Full => Some("make room on it, or give a store on another disk with --store"),
        block::Error::ReadOnly { .. } => Some("see to the disk, then `pantala down --force` and `pantala up`"),
        block::Error::Corrupt { .. } | block::Error::Missing { .. } => Some(
            "`pantala store reindex` helps if only the index is damaged; otherwise bring the store back from a copy",
        ),
        block::Error::Disk { source, .. } => Some(of_io(source.kind())),
        _ => None,
    }
}

/// The store of one side of a mirror.
fn of_side(side: mirror::Side, error: &block::Error) -> Option<&'static str> {
    match (side, error) {
        (mirror::Side::Target, block::Error::Full) => {
            Some("make room there; the replica keeps what it had, and the next sync goes on from there")
        }
        (_, block::Error::Corrupt { .. } | block::Error::Missing { .. }) => {
            Some("`pantala mirror verify` heals each side from the other")
        }
        _ => None,
    }
}

fn of_io(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => "run it as a user who may, or give another directory",
        ErrorKind::ReadOnlyFilesystem => "give a directory on a disk that can be written",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk",
        ErrorKind::NotADirectory => "give a directory with --store",
        ErrorKind::NotFound => "give a path that is there",
        _ => "see to the disk, or give another directory",
    }
}

fn of_fuse(error: &fuse::Error) -> Option<&'static str> {
    match error {
        fuse::Error::Device(_) => Some("run as root, or let this user open the device"),
        fuse::Error::Fusermount(_) => Some("give an empty directory of your own with --mount"),
        fuse::Error::Mount { .. } => Some("mounting needs root with CAP_SYS_ADMIN, which many containers lack"),
        fuse::Error::Unmount { .. } => Some("`pantala down --force` detaches it"),
        fuse::Error::Handshake(_) | fuse::Error::Transport { .. } => Some("the kernel's log may say more"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_said_once_and_an_advice_added() {
        let source = std::sync::Arc::new(io::Error::from_raw_os_error(13));
        let error = block::Error::Disk { operation: "list", path: "/x".into(), source };
        let error = Err::<(), _>(error).context("cannot open the store").unwrap_err();
        let expected = "cannot open the store: cannot list /x: Permission denied; \
                        run it as a user who may, or give another directory";
        assert_eq!(line(&error), expected);
    }

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        assert_eq!(line(&anyhow::anyhow!("one; do\n  two\n")), "one; do two");
    }

    #[test]
    fn a_full_disk_is_seen_through_the_layers() {
        let error = volume::PoolError::from(block::Error::Full);
        assert!(line(&error.into()).ends_with("--store"));
    }
}
