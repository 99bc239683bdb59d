//! `pantala diff`.

use super::places::{self, shown, state};
use crate::arguments::Diff;
use crate::control::Client;
use crate::past::{DifferenceInfo, DifferencesInfo, PastAnswer, PastOrder, StateName};
use crate::{defaults, output};
use anyhow::{Context, Result, bail};
use similar::TextDiff;
use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than this are not shown line by line, in bytes.
const PATCH_BYTES_MAX: u64 = 16 << 20;

pub(super) fn run(arguments: Diff) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let (volume, before) = state(&store, &arguments.before)?;
    let after = match &arguments.after {
        Some(text) => state(&store, text)?,
        None => (volume.clone(), StateName::Now),
    };
    if after.0 != volume {
        bail!("the states are of different volumes; compare states of one");
    }
    let order = PastOrder::Differences { before: before.clone(), after: after.1.clone(), is_listed: !arguments.stat };
    let PastAnswer::Differences(found) = places::ask(&store, volume.clone(), order)? else {
        bail!("the node told no differences; take it down and up again");
    };
    match () {
        () if arguments.json => {
            output::print_json(&found)?;
        }
        () if arguments.stat => output::print(&statistics(&found))?,
        () if arguments.patch => patch(&mount_of(&store, volume.as_deref())?, [&before, &after.1], &found)?,
        () => found.differences.iter().try_for_each(|difference| output::print(&line(difference)))?,
    }
    Ok(())
}

fn statistics(found: &DifferencesInfo) -> String {
    format!(
        "{} added, {} removed, {} renamed, {} changed; {} before, {} after\n",
        found.added,
        found.removed,
        found.renamed,
        found.changed,
        output::bytes(found.bytes_before),
        output::bytes(found.bytes)
    )
}

fn line(difference: &DifferenceInfo) -> String {
    let slash = if difference.kind == "directory" { "/" } else { "" };
    let what = match (difference.content, difference.attributes) {
        (false, true) => "  (attributes)",
        (true, true) => "  (content, attributes)",
        (true, false) if difference.change == "renamed" => "  (content)",
        _ => "",
    };
    let path = &difference.path;
    match (difference.change.as_str(), &difference.path_before) {
        ("added", _) => format!("A  {path}{slash}\n"),
        ("removed", _) => format!("D  {path}{slash}\n"),
        ("renamed", Some(before)) => format!("R  {before}{slash} -> {path}{slash}{what}\n"),
        _ => format!("M  {path}{slash}{what}\n"),
    }
}

fn mount_of(store: &Path, volume: Option<&str>) -> Result<PathBuf> {
    let status = Client::connect_to_running(store)?.status()?;
    let first = status.volumes.iter().min_by_key(|volume| volume.id).map(|volume| volume.name.clone());
    let name = volume.map(str::to_owned).or(first).unwrap_or_default();
    let mount = status.mounts.into_iter().find(|mount| mount.volume == name);
    Ok(mount.with_context(|| format!("{name} is not mounted; `pantala up` mounts it"))?.mountpoint)
}

/// Prints what differs in text, in the unified format of diff(1).
fn patch(mountpoint: &Path, states: [&StateName; 2], found: &DifferencesInfo) -> Result<()> {
    let tops = states.map(|state| shown(mountpoint, state));
    for difference in found.differences.iter().filter(|difference| difference.content && difference.kind == "file") {
        let old_path = difference.path_before.as_ref().unwrap_or(&difference.path);
        let old = difference.size_before.map(|size| read(&tops[0].join(old_path), size)).transpose()?;
        let new = difference.size.map(|size| read(&tops[1].join(&difference.path), size)).transpose()?;
        output::print(&one_patch(old_path, old, &difference.path, new))?;
    }
    Ok(())
}

/// The text of a file; `None` if it is none, or too long to be compared.
fn read(path: &Path, size: u64) -> Result<Option<String>> {
    if size > PATCH_BYTES_MAX {
        return Ok(None);
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

fn one_patch(old_path: &str, old: Option<Option<String>>, path: &str, new: Option<Option<String>>) -> String {
    let (Some(old_text), Some(new_text)) = (text_or_nothing(&old), text_or_nothing(&new)) else {
        return format!("Binary files a/{old_path} and b/{path} differ\n");
    };
    let name = |side: &Option<_>, name| if side.is_some() { name } else { "/dev/null".to_owned() };
    let (old_name, new_name) = (name(&old, format!("a/{old_path}")), name(&new, format!("b/{path}")));
    TextDiff::from_lines(old_text, new_text).unified_diff().header(&old_name, &new_name).to_string()
}

/// What is not there is empty.
fn text_or_nothing(side: &Option<Option<String>>) -> Option<&str> {
    match side {
        None => Some(""),
        Some(text) => text.as_deref(),
    }
}
