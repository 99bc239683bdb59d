//! `pantala mirror set`.

use super::{Definitions, PlugFiles, PlugPlan, tell_node};
use crate::arguments::MirrorSet;
use crate::{defaults, output};
use anyhow::Result;
use serde::Serialize;

/// How a mirror is set. The field names are those of `--json`.
#[derive(Serialize)]
struct Set {
    mirror: String,
    every_seconds: Option<u64>,
    on_plug: bool,
}

pub(super) fn run(arguments: MirrorSet) -> Result<()> {
    let (store, name) = (defaults::store(arguments.store.store)?, arguments.name);
    let mut definitions = Definitions::read(&store)?;
    let files = PlugFiles::of(&store, &name);
    let place = definitions.get(&name)?.place()?;
    match arguments.on_plug {
        Some(true) => PlugPlan::new(&store, &name, &place)?.install()?,
        Some(false) => files.remove()?,
        None => {}
    }
    if let Some(every_seconds) = arguments.every {
        definitions.set_every(&name, every_seconds)?;
        tell_node(&store)?;
    }
    let every_seconds = definitions.get(&name)?.every_seconds;
    let set = Set { mirror: name, every_seconds, on_plug: files.are_there() };
    if arguments.json { output::print_json(&set) } else { Ok(output::print(&text(&set))?) }
}

fn text(set: &Set) -> String {
    let Set { mirror, every_seconds, on_plug } = set;
    let every = every_seconds.map(|seconds| format!("every {} while the node is up", output::duration(seconds)));
    let when: Vec<_> = every.into_iter().chain(on_plug.then(|| "when its drive is plugged in".to_owned())).collect();
    match when.is_empty() {
        true => format!("{mirror} is synced by `pantala mirror sync {mirror}` alone\n"),
        false => format!("{mirror} is synced {}\n", when.join(", and ")),
    }
}
