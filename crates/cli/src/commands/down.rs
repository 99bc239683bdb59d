//! `pantala down`.

use crate::arguments::Down;
use crate::control::{Client, Request};
use crate::node::mountpoint;
use crate::node::places::Places;
use crate::{defaults, output};
use anyhow::Result;
use std::path::Path;

pub(super) fn run(arguments: Down) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let Some(client) = Client::connect(&store)? else { return clean(&store) };
    let Some(process) = client.process()? else { return clean(&store) };
    let ordered = client.order_unless_it_ended(&Request::Down { force: arguments.force });
    if ordered.is_ok() || arguments.force {
        process.wait()?;
    }
    match ordered? {
        Some(lines) => Ok(output::print_lines(&lines)?),
        None => clean(&store),
    }
}

/// Takes away what a killed node left mounted.
fn clean(store: &Path) -> Result<()> {
    let places = Places::read(store).unwrap_or_default();
    for place in places.all() {
        mountpoint::clear_dead(place)?;
    }
    output::print(&format!("the node of {} is not up\n", store.display()))?;
    Ok(())
}
