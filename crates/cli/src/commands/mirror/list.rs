//! `pantala mirror list`.

use super::{Definition, Definitions, Direction, PlugFiles};
use crate::arguments::MirrorList;
use crate::commands::table;
use crate::{defaults, output};
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// A mirror. The field names are those of `--json`.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    definition: &'a Definition,
    on_plug: bool,
}

pub(super) fn run(arguments: MirrorList) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let definitions = Definitions::read(&store)?;
    let on_plug = |name| PlugFiles::of(&store, name).are_there();
    let listed = definitions.all().iter();
    let listed = listed.map(|(name, definition)| (name, Listed { definition, on_plug: on_plug(name) }));
    let mirrors: BTreeMap<&String, Listed<'_>> = listed.collect();
    if arguments.json {
        return output::print_json(&mirrors);
    }
    let rows = mirrors.iter().map(|(name, mirror)| {
        let Definition { volume, place, direction, .. } = mirror.definition;
        let arrow = if *direction == Direction::Push { "to" } else { "from" };
        vec![(*name).clone(), volume.clone(), arrow.to_owned(), place.clone(), when(mirror)]
    });
    Ok(output::print(&table::table(&["MIRROR", "VOLUME", "", "PLACE", "BY ITSELF"], &[], rows))?)
}

/// When it is synced without a command.
fn when(mirror: &Listed<'_>) -> String {
    let every = mirror.definition.every_seconds.map(|seconds| format!("every {}", output::duration(seconds)));
    let when: Vec<_> = every.into_iter().chain(mirror.on_plug.then(|| "on plug".to_owned())).collect();
    if when.is_empty() { "-".to_owned() } else { when.join(", ") }
}
