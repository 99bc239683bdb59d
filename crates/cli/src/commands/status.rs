//! `pantala status`.

use super::status_text;
use crate::arguments::Status as StatusArguments;
use crate::control::{Client, not_up};
use crate::{defaults, output};
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// The exit code that tells a script that the node is not up.
const NOT_UP: u8 = 3;

pub(super) fn run(arguments: StatusArguments) -> Result<ExitCode> {
    let store = defaults::store(arguments.store.store)?;
    let Some(client) = Client::connect(&store)? else {
        output::print(&text_of_absence(&store, arguments.json))?;
        return Ok(ExitCode::from(NOT_UP));
    };
    let status = client.status()?;
    let text = match arguments.json {
        true => output::json(&status)?,
        false => status_text::status(&status),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn text_of_absence(store: &Path, is_json: bool) -> String {
    if !is_json {
        return not_up(store) + "\n";
    }
    let status = json!({
        "node": { "pid": null, "version": env!("CARGO_PKG_VERSION"), "store": store.to_string_lossy() },
        "mounts": [],
        "volumes": [],
        "space": null,
        "dirty_bytes": null,
        "scrub": null,
        "health": "down",
        "problems": [not_up(store)],
    });
    format!("{status:#}\n")
}
