//! `pantala mirror set`.

use super::{Definitions, tell_node};
use crate::arguments::MirrorSet;
use crate::{defaults, output};
use anyhow::Result;
use serde::Serialize;

/// How a mirror is set. The field names are those of `--json`.
#[derive(Serialize)]
struct Set {
    mirror: String,
    every_seconds: Option<u64>,
}

pub(super) fn run(arguments: MirrorSet) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let every_seconds = arguments.every;
    Definitions::read(&store)?.set_every(&arguments.name, every_seconds)?;
    tell_node(&store)?;
    if arguments.json {
        return output::print_json(&Set { mirror: arguments.name, every_seconds });
    }
    let line = match every_seconds {
        Some(seconds) => {
            format!("{} is synced every {} while the node is up\n", arguments.name, output::duration(seconds))
        }
        None => format!("{} is synced by `pantala mirror sync {}` alone\n", arguments.name, arguments.name),
    };
    Ok(output::print(&line)?)
}
