//! A status as people read it.

use super::{scrub_text, table};
use crate::output::{self, Tone, toned};
use crate::status::{Encryption, Health, MountStatus, SpaceStatus, Status, VolumeStatus};
use volume::{SETTINGS, Setting};

/// Digits of a root hash that tell one from another; `--json` has them all.
const ROOT_DIGITS: usize = 16;

/// All of it.
pub(super) fn status(status: &Status) -> String {
    let node = &status.node;
    let uptime = output::duration(node.uptime_seconds);
    let facts = [
        ("node", format!("up for {uptime}, process {}, pantala {}", node.pid, node.version)),
        ("store", node.store.display().to_string()),
        ("transport", node.transport.clone()),
        ("sync(2)", synced(&status.mounts)),
        ("space", space(&status.space)),
        ("dirty", output::bytes(status.dirty_bytes)),
        ("scrub", scrub_text::line(&status.scrub)),
        ("health", health(status)),
    ];
    let facts = facts.map(|(name, fact)| format!("{} {fact}\n", toned(&format!("{name:<9}"), Tone::Quiet)));
    format!("{}\n{}", facts.concat(), volumes(&status.volumes))
}

/// Whether sync(2) makes the mounts durable.
fn synced(mounts: &[MountStatus]) -> String {
    let mut unsynced = mounts.iter().filter_map(|mount| Some((mount, mount.unsynced.as_deref()?)));
    let Some((mount, why)) = unsynced.next() else { return "reaches all mounts".to_owned() };
    let others = match unsynced.count() {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    format!("does not reach {}{others}: {why}; `pantala sync` does what it would", mount.volume)
}

/// The volumes alone.
pub(super) fn volumes(volumes: &[VolumeStatus]) -> String {
    let heads = ["VOLUME", "MOUNTED AT", "INODES", "LOGICAL", "DIRTY", "CHECKPOINT", "ROOT"];
    table::table(&heads, &[2, 3, 4], volumes.iter().map(volume))
}

/// One volume, with all that can be set.
pub(super) fn volume_with_settings(volume: &VolumeStatus) -> String {
    let heads = ["SETTING", "VALUE", "DEFAULT", "WHAT IT DOES"];
    let shown = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let row = |setting: &Setting| {
        let value = volume.settings.get(setting.key).map_or(setting.default, String::as_str);
        vec![setting.key.to_owned(), shown(value), shown(setting.default), setting.about.to_owned()]
    };
    format!("{}\n{}", volumes(std::slice::from_ref(volume)), table::table(&heads, &[], SETTINGS.iter().map(row)))
}

fn volume(volume: &VolumeStatus) -> Vec<String> {
    let unmounted = if volume.encryption == Encryption::Locked { "(locked)" } else { "-" };
    let mountpoint = volume.mountpoint.as_ref().map_or(unmounted.to_owned(), |path| path.display().to_string());
    let root = volume.root.as_deref().unwrap_or("-");
    vec![
        volume.name.clone(),
        mountpoint,
        volume.inodes.to_string(),
        output::bytes(volume.logical_bytes),
        output::bytes(volume.overlay_bytes),
        format!("{} ago", output::duration(volume.checkpoint_age_seconds)),
        root.get(..ROOT_DIGITS).unwrap_or(root).to_owned(),
    ]
}

fn space(space: &SpaceStatus) -> String {
    let ratio = space.ratio.map_or(String::new(), |ratio| format!(" ({ratio:.2} : 1)"));
    format!(
        "{} logical, {} stored{ratio}, {} of it dead, {} of {} free",
        output::bytes(space.logical_bytes),
        output::bytes(space.stored_bytes),
        output::bytes(space.dead_bytes),
        output::bytes(space.free_bytes),
        output::bytes(space.total_bytes),
    )
}

fn health(status: &Status) -> String {
    let tone = if status.health == Health::Ok { Tone::Good } else { Tone::Bad };
    let word = toned(status.health.word(), tone);
    let problems = status.problems.iter().map(|problem| format!("\n{:<10}{problem}", ""));
    format!("{word}{}", problems.collect::<String>())
}
