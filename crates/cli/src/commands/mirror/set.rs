//! `pantala mirror set`.

use super::{Definitions, Owner, Place, PlugFiles, PlugPlan, every_word, retention, tell_node};
use crate::arguments::MirrorSet;
use crate::{defaults, output};
use anyhow::{Context, Result};
use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

/// How a mirror is set. The field names are those of `--json`.
#[derive(Serialize)]
struct Set {
    mirror: String,
    every_seconds: Option<u64>,
    on_plug: bool,
    /// What its replica keeps of the past, if that was set now.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<String>,
}

pub(super) fn run(arguments: MirrorSet) -> Result<()> {
    let (store, name) = (defaults::store(arguments.store.store)?, arguments.name);
    let mut definitions = Definitions::read(&store)?;
    let files = PlugFiles::of(&store, &name);
    let place = definitions.get(&name)?.place()?;
    let owner = Owner::of(&store)?;
    let is_for_owner = owner.is_another() && (arguments.every.is_some() || arguments.retention.is_some());
    if is_for_owner {
        // The store, and the replica's, belong to the user.
        let mut words: Vec<OsString> = ["mirror", "set", "--store"].map(Into::into).into();
        words.push(store.clone().into());
        words.extend(arguments.every.into_iter().flat_map(|every| ["--every".into(), every_word(every).into()]));
        words.extend(arguments.retention.iter().flat_map(|kept| ["--retention".into(), kept.into()]));
        words.extend(["--".into(), name.clone().into()]);
        owner.run(&words, Stdio::null())?;
        definitions = Definitions::read(&store)?;
    } else if let Some(retention) = &arguments.retention {
        retention::set(&name, definitions.get(&name)?, retention)?;
    }
    match arguments.on_plug {
        Some(true) => install(&store, &name, &place)?,
        Some(false) => files.remove()?,
        None => {}
    }
    if let Some(every_seconds) = arguments.every.filter(|_| !is_for_owner) {
        definitions.set_every(&name, every_seconds)?;
        tell_node(&store)?;
    }
    let every_seconds = definitions.get(&name)?.every_seconds;
    let set = Set { mirror: name, every_seconds, on_plug: files.are_there(), retention: arguments.retention };
    if arguments.json { output::print_json(&set) } else { Ok(output::print(&text(&set))?) }
}

/// The syncs will run as the owner of the store: whether that can do it is seen now.
fn install(store: &Path, name: &str, place: &Place) -> Result<()> {
    let plug = PlugPlan::new(store, name, place)?;
    if plug.owner.is_another() {
        let mut words: Vec<OsString> = ["mirror", "sync", "--dry-run", "--store"].map(Into::into).into();
        words.extend([store.into(), "--".into(), name.into()]);
        let user = plug.owner.uid;
        plug.owner.run(&words, Stdio::null()).with_context(|| {
            format!(
                "user {user}, to whom {} belongs, cannot sync to {place}; try `chown -R {user} {place}`",
                store.display()
            )
        })?;
    }
    plug.install().map(drop)
}

fn text(set: &Set) -> String {
    let Set { mirror, every_seconds, on_plug, retention } = set;
    let every = every_seconds.map(|seconds| format!("every {} while the node is up", output::duration(seconds)));
    let when: Vec<_> = every.into_iter().chain(on_plug.then(|| "when its drive is plugged in".to_owned())).collect();
    let kept =
        retention.iter().map(|retention| format!("{mirror} keeps {retention} of the past, from its next sync on\n"));
    let synced = match when.is_empty() {
        true => format!("{mirror} is synced by `pantala mirror sync {mirror}` alone\n"),
        false => format!("{mirror} is synced {}\n", when.join(", and ")),
    };
    kept.chain([synced]).collect()
}
