//! `pantala erase`.

use super::gc;
use super::places::Place;
use crate::arguments::Erase;
use crate::control::Request;
use crate::output::{self, bytes};
use crate::past::{ErasureInfo, PastAnswer, PastOrder};
use crate::status::GarbageStatus;
use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

/// Names that a line shows.
const NAMES_SHOWN: usize = 8;

/// How often what shows that something goes on changes.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: Erase) -> Result<()> {
    let path = arguments.path.display();
    if !arguments.everywhere {
        bail!(
            "`rm` removes {path} from the live volume and leaves its past; --everywhere erases it from all snapshots and history too"
        );
    }
    let place = Place::of(&arguments.path)?;
    if place.path.components().any(|component| component.as_os_str() == ".snapshots") {
        bail!("{path} is in .snapshots; give the path that it has in the volume: it is erased from all states at once");
    }
    // A command that was called inside a directory that goes must not keep it in use.
    std::env::set_current_dir("/").context("cannot leave the working directory")?;
    let looking = busy("looking through all that is kept");
    let plan = place.ask(PastOrder::PlanErase { path: place.bytes() });
    looking.finish_and_clear();
    let plan = match plan? {
        PastAnswer::Erasure(plan) => *plan,
        PastAnswer::Purging { awaited } => return finish(&arguments, &place, awaited),
        _ => bail!("the node did not understand; take it down and up again"),
    };
    if arguments.dry_run {
        let text = changes(&plan) + "nothing was erased\n";
        return if arguments.json { output::print_json(&plan) } else { Ok(output::print(&text)?) };
    }
    if !plan.held_snapshots.is_empty() && !arguments.held {
        bail!(
            "{path} is in held snapshots: {}; --held erases it there too, `pantala snapshot release NAME` lets one go",
            names(&plan.held_snapshots)
        );
    }
    if !arguments.yes && !confirm(&arguments, &plan)? {
        bail!("{path} was not erased");
    }
    let erasing = busy("taking it out of all states");
    let done = place.ask(PastOrder::Erase { path: place.bytes(), also_held: arguments.held });
    erasing.finish_and_clear();
    match done? {
        PastAnswer::Erasure(done) => purge(&arguments, &place, *done),
        PastAnswer::Purging { awaited } => finish(&arguments, &place, awaited),
        _ => bail!("the node did not understand; take it down and up again"),
    }
}

/// Shows that something goes on.
fn busy(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

fn confirm(arguments: &Erase, plan: &ErasureInfo) -> Result<bool> {
    if arguments.json || !io::stdin().is_terminal() {
        let path = arguments.path.display();
        bail!("cannot erase {path}: there is no terminal to ask on; confirm with --yes, or look with --dry-run");
    }
    output::print(&(changes(plan) + "Erase it for good? This cannot be undone. [y/N] "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

/// What changes, in lines.
fn changes(plan: &ErasureInfo) -> String {
    let mut lines = vec![format!("{} of the volume {}, everywhere:", plan.path, plan.volume)];
    let mut line = |what: &str, how: String| lines.push(format!("  {what:<16}{how}"));
    if plan.live_names > 0 {
        line("newest state", format!("{}: {}", count(plan.live_names, "name"), names(&plan.live_paths)));
    }
    for (what, some) in [("snapshots", &plan.snapshots), ("held snapshots", &plan.held_snapshots)] {
        if !some.is_empty() {
            line(what, format!("{}: {}", some.len(), names(some)));
        }
    }
    if plan.history > 0 {
        line("history", count(plan.history, "root"));
    }
    if plan.sync_states > 0 {
        line("two-way syncs", format!("{} in common with others", count(plan.sync_states, "state")));
    }
    let (inodes, versions) = (count(plan.inodes, "inode"), count(plan.versions, "version"));
    let content = format!("{inodes}, {versions}, {} in {}", bytes(plan.stored_bytes), count(plan.blocks, "block"));
    line("content", content);
    lines.join("\n") + "\n"
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn names(names: &[String]) -> String {
    let shown = names.iter().take(NAMES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Waits until the store is rid of it.
fn purge(arguments: &Erase, place: &Place, done: ErasureInfo) -> Result<()> {
    let garbage = wait(place, done.awaited)?;
    let (still_needed_blocks, still_needed_bytes) = (garbage.still_needed_blocks, garbage.still_needed_bytes);
    let done = ErasureInfo { still_needed_blocks, still_needed_bytes, ..done };
    if arguments.json {
        return output::print_json(&done);
    }
    let said = if arguments.yes { changes(&done) } else { String::new() };
    Ok(output::print(&(said + &outcome(&done, &garbage)))?)
}

/// Ends an erase that was cut off before.
fn finish(arguments: &Erase, place: &Place, awaited: u64) -> Result<()> {
    if arguments.dry_run {
        bail!("no state has {} any more; what was erased is still to go from the store", arguments.path.display());
    }
    wait(place, awaited)?;
    if arguments.json {
        return output::print_json(&ErasureInfo {
            path: place.path.display().to_string(),
            erased: true,
            ..Default::default()
        });
    }
    let path = arguments.path.display();
    Ok(output::print(&format!("no state has {path} any more; what was erased before is gone from the store now\n"))?)
}

fn wait(place: &Place, awaited: u64) -> Result<GarbageStatus> {
    let garbage = gc::ask(&place.store, &Request::Garbage { finished: 0 })?;
    let garbage = gc::wait(&place.store, awaited, garbage)?;
    if garbage.is_purge_due {
        let why = garbage.last.as_ref().and_then(|last| last.error.clone());
        bail!(
            "no state has it any more, but its content is still in the store: {}; the node tries it again by itself, `pantala gc --status` \
             shows how it goes",
            why.unwrap_or_else(|| "something else was erased meanwhile".to_owned())
        );
    }
    Ok(garbage)
}

fn outcome(done: &ErasureInfo, garbage: &GarbageStatus) -> String {
    let states = count(done.history + done.snapshots.len() as u64 + done.held_snapshots.len() as u64, "kept state");
    let mut lines = vec![format!("{} is erased: from {states} and the newest one", done.path)];
    let written = garbage.last.as_ref().map_or(0, |last| last.collection.copied_bytes);
    match done.still_needed_blocks {
        0 => lines.push(format!("its content is gone from the store; {} were written anew for that", bytes(written))),
        some => lines.push(format!(
            "{} of its content, {}, are needed by something else and stay: another file or volume has them too",
            count(some, "block"),
            bytes(done.still_needed_bytes)
        )),
    }
    if done.open > 0 {
        lines.push(format!(
            "{} of it are still open: what is written there from now on stays until it is closed",
            done.open
        ));
    }
    if done.sync_states > 0 {
        lines.push(
            "two-way syncs: erase it on the other side before the next one, which would bring it back".to_owned(),
        );
    }
    lines.push("replicas of mirrors keep their own past: after the next sync, erase it there too".to_owned());
    lines.join("\n") + "\n"
}
