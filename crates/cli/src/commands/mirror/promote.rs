//! `pantala mirror promote`.

use super::reach::{IfMissing, close_pool, open_pool};
use crate::arguments::MirrorPromote;
use crate::control::{Client, Request};
use crate::{defaults, output};
use anyhow::{Context, Result};
use volume::Role;

pub(super) fn run(arguments: MirrorPromote) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let name = arguments.volume;
    if let Some(node) = Client::connect(&store)? {
        return Ok(output::print_lines(&node.order(&Request::PromoteVolume { name })?)?);
    }
    let failed = || format!("cannot promote {name}");
    let pool = open_pool(&store, IfMissing::Fail).with_context(failed)?;
    pool.set_role(&name, Role::Primary).with_context(failed)?;
    pool.sync().with_context(failed)?;
    close_pool(&pool).with_context(failed)?;
    Ok(output::print(&format!("{name} is writable now\n"))?)
}
