//! `pantala space`.

use super::table::table;
use crate::arguments::Space;
use crate::control::{Client, Request, Response};
use crate::output::bytes;
use crate::space::{SpaceInfo, VolumeSpaceInfo};
use crate::{defaults, output};
use anyhow::{Result, bail};

pub(super) fn run(arguments: Space) -> Result<()> {
    let client = Client::connect_to_running(&defaults::store(arguments.store.store)?)?;
    let Response::Space(space) = client.ask(&Request::Space)? else {
        bail!("the node told no space; take it down and up again");
    };
    let text = match arguments.json {
        true => output::json(&space)?,
        false => text(&space),
    };
    Ok(output::print(&text)?)
}

fn text(space: &SpaceInfo) -> String {
    let parts = [
        ("newest states of the volumes", space.newest_bytes),
        ("snapshots alone", space.snapshots_bytes),
        ("history alone", space.history_bytes),
        ("journals, roots, uncollected garbage", space.other_bytes),
        ("reserve for a full disk", space.reserve_bytes),
        ("index", space.index_bytes),
        ("free on the disk", space.free_bytes),
    ];
    let parts = table(&["SPACE", "BYTES"], &[1], parts.iter().map(|(name, sum)| vec![(*name).to_owned(), bytes(*sum)]));
    let volumes = table(
        &["TO DELETE FREES", "SNAPSHOTS", "HISTORY", "BOTH", "VOLUME"],
        &[1, 2, 3, 4],
        space.volumes.iter().map(volume),
    );
    let snapshots: Vec<_> = space.volumes.iter().flat_map(snapshots).collect();
    let snapshots = match snapshots.is_empty() {
        true => String::new(),
        false => "\n".to_owned() + &table(&["TO DELETE ALONE", "FREES"], &[1], snapshots.into_iter()),
    };
    let taken = crate::past::local(&space.as_of);
    format!("{parts}\n{volumes}{snapshots}\nas of {taken}\n")
}

fn volume(volume: &VolumeSpaceInfo) -> Vec<String> {
    vec![
        volume.volume.clone(),
        bytes(volume.snapshots_free_bytes),
        bytes(volume.history_frees_bytes),
        bytes(volume.past_frees_bytes),
        bytes(volume.volume_frees_bytes),
    ]
}

fn snapshots(volume: &VolumeSpaceInfo) -> impl Iterator<Item = Vec<String>> {
    volume
        .snapshots
        .iter()
        .map(|snapshot| vec![format!("{}@{}", volume.volume, snapshot.name), bytes(snapshot.frees_bytes)])
}
