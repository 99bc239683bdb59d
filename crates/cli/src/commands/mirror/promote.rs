//! `pantala mirror promote`.

use super::reach::{Holder, IfMissing};
use crate::arguments::MirrorPromote;
use crate::control::Request;
use crate::{defaults, output};
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;
use volume::Role;

/// What is a primary now. The field names are those of `--json`.
#[derive(Serialize)]
struct Promoted {
    volume: String,
    role: &'static str,
}

pub(super) fn run(arguments: MirrorPromote) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let lines = promote(&store, &arguments.volume)?;
    match arguments.json {
        true => output::print_json(&Promoted { volume: arguments.volume, role: "primary" }),
        false => Ok(output::print_lines(&lines)?),
    }
}

/// Has it done by the node that has the store, or does it; returns what to tell.
fn promote(store: &Path, name: &str) -> Result<Vec<String>> {
    let failed = || format!("cannot promote {name}");
    let pool = match Holder::find(store, IfMissing::Fail).with_context(failed)? {
        Holder::Node(node) => return node.order(&Request::PromoteVolume { name: name.to_owned() }),
        Holder::Here(pool) => pool,
    };
    pool.set_role(name, Role::Primary).with_context(failed)?;
    pool.sync().with_context(failed)?;
    pool.store().keep_opening_short().with_context(failed)?;
    Ok(vec![format!("{name} is writable now")])
}
