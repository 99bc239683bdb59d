//! A name that changes with a sync.

use serde::Serialize;
use std::fmt;
use volume::Happened;

/// What becomes of a name. The field names are those of `--json`.
#[derive(Serialize)]
pub(super) struct Change {
    change: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_before: Option<String>,
}

impl Change {
    pub(super) fn new(happened: Happened, path: String, path_before: Option<String>) -> Self {
        let change = match happened {
            Happened::Added => "added",
            Happened::Removed => "removed",
            Happened::Renamed => "renamed",
            Happened::Changed => "changed",
        };
        Self { change, path, path_before }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, path, path_before } = self;
        match path_before {
            Some(before) => write!(formatter, "{change} {before} -> {path}"),
            None => write!(formatter, "{change} {path}"),
        }
    }
}
