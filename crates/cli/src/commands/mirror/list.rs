//! `pantala mirror list`.

use super::{Definitions, Direction};
use crate::arguments::MirrorList;
use crate::commands::table;
use crate::{defaults, output};
use anyhow::Result;

pub(super) fn run(arguments: MirrorList) -> Result<()> {
    let definitions = Definitions::read(&defaults::store(arguments.store.store)?)?;
    let mirrors = definitions.all();
    if arguments.json {
        return output::print_json(mirrors);
    }
    let rows = mirrors.iter().map(|(name, mirror)| {
        let arrow = if mirror.direction == Direction::Push { "to" } else { "from" };
        let every = mirror.every_seconds.map_or_else(|| "-".to_owned(), output::duration);
        vec![name.clone(), mirror.volume.clone(), arrow.to_owned(), mirror.place.clone(), every]
    });
    Ok(output::print(&table::table(&["MIRROR", "VOLUME", "", "PLACE", "EVERY"], &[], rows))?)
}
