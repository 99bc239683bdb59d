//! What a snapshot may be called: it is the name of a directory in `.snapshots`, and stands behind `VOLUME@` in commands.

use crate::limits::SNAPSHOT_NAME_BYTES_MAX;

/// Says what is wrong with a name.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > SNAPSHOT_NAME_BYTES_MAX {
        Err("it is longer than 200 bytes")
    } else if name.chars().any(|character| character.is_control() || "/@".contains(character)) {
        Err("`/`, `@` and control characters cannot be in it")
    } else if name.starts_with(['.', '-']) {
        Err("it cannot begin with `.` or `-`")
    } else if name.trim() != name {
        Err("it cannot begin or end with a space")
    } else {
        Ok(())
    }
}
