//! `pantala store repair`.

use super::scrub_text;
use crate::arguments::Repair;
use crate::clock::now;
use crate::control::Client;
use crate::runtime::Runtime;
use crate::scrub::{FindingRecord, Running, ScrubRecord, ScrubStatus, UnderWay};
use crate::{defaults, output, past};
use anyhow::{Context, Result, bail, ensure};
use block::{OpenMode, Store, StoreOptions};
use serde::Serialize;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use volume::{Fallback, Pool, PoolOptions, RepairedVolume};

/// Findings that are shown; `--json` has them all.
const FINDINGS_MAX: usize = 50;

/// What is damaged, and what a repair makes of it.
#[derive(Serialize)]
struct Report {
    store: PathBuf,
    /// What keeps the log from being gone on with.
    log: Option<String>,
    /// Stretches of the log that cannot be read, where the index does not reach.
    lost: Vec<LostRange>,
    /// Blocks that were damaged as the store was opened.
    blocks: Vec<String>,
    volumes: Vec<VolumeReport>,
    /// What cannot be read afterwards, with the files that use it; none if nobody looked.
    findings: Vec<FindingRecord>,
    repaired: bool,
}

#[derive(Serialize)]
struct LostRange {
    position: String,
    bytes: u32,
    what: String,
}

#[derive(Serialize)]
struct VolumeReport {
    name: String,
    what: String,
    goes_on_with: &'static str,
    /// When the state was that of the volume; for a checkpoint with a journal behind it, when it was made.
    taken: Option<String>,
}

pub(super) fn run(arguments: Repair) -> Result<()> {
    let path = defaults::store(arguments.store.store.clone())?;
    let shown = path.display();
    ensure!(
        Client::connect(&path)?.is_none(),
        "cannot repair {shown}: its node is up; take it down with `pantala down --store {shown}`"
    );
    ensure!(
        arguments.yes || arguments.dry_run || io::stdin().is_terminal(),
        "cannot repair {shown}: there is no terminal to ask on; confirm with --yes"
    );
    let mut report = look(&path, arguments.quick).with_context(|| format!("cannot look through {shown}"))?;
    if !arguments.json {
        output::print_lines(&report.lines())?;
    }
    if report.is_needed() && !arguments.dry_run {
        if !arguments.yes && !confirm()? {
            bail!("{shown} was not repaired");
        }
        repair(&path).with_context(|| format!("cannot repair {shown}"))?;
        report.repaired = true;
    }
    match arguments.json {
        true => output::print_json(&report)?,
        false if report.repaired => output::print(&format!("repaired: `pantala up --store {shown}` brings it up\n"))?,
        false => {}
    }
    Ok(())
}

fn options() -> PoolOptions {
    PoolOptions { background: false, ..PoolOptions::new(crate::node::owner()) }
}

/// Finds out what is damaged and what a repair would make of it; nothing in the store is changed.
fn look(path: &Path, is_quick: bool) -> Result<Report> {
    let runtime = Runtime::make(path)?;
    let bar = output::reading_bar();
    let mut progress = |read_bytes, all_bytes| {
        bar.set_length(all_bytes);
        bar.set_position(read_bytes);
    };
    let store = Store::open_directory_read_only(path, &runtime.index(), StoreOptions::default(), &mut progress)?;
    bar.finish_and_clear();
    let store = Arc::new(store);
    let log = store.damage().map(str::to_owned);
    let lost = if log.is_some() { store.damages_behind_index()? } else { Vec::new() };
    let lost = lost.into_iter().map(|damage| LostRange {
        position: damage.position.to_string(),
        bytes: damage.bytes,
        what: damage.what,
    });
    let (pool, volumes) = Pool::repair(store, options())?;
    let blocks = pool.store().damaged().into_iter().map(|block| block.what).collect();
    let mut report = Report {
        store: path.to_owned(),
        log,
        lost: lost.collect(),
        blocks,
        volumes: volumes.iter().map(VolumeReport::of).collect(),
        findings: Vec::new(),
        repaired: false,
    };
    if report.is_needed() && !is_quick {
        report.findings = scrub(&pool)?;
    }
    Ok(report)
}

/// Reads all that the pool leads to, and names what cannot be read.
fn scrub(pool: &Pool) -> Result<Vec<FindingRecord>> {
    let under_way = UnderWay::new(now(), None);
    let (mut running, bar) = (Running::new(&under_way), scrub_text::bar()?);
    let mut shown = ScrubRecord::new(now());
    shown.under_way = Some(under_way.clone());
    let report = loop {
        running.step(pool, None).context("the store cannot be read to its end")?;
        if let Some(report) = running.report(&under_way) {
            break report;
        }
        scrub_text::show(&bar, &ScrubStatus::of(&shown, Some(&running.pulse()), None));
    };
    bar.finish_and_clear();
    Ok(report.findings)
}

fn repair(path: &Path) -> Result<()> {
    let open = || Store::open_directory(path, StoreOptions::default(), OpenMode::MustExist);
    let store = open()?;
    store.mend()?;
    drop(store);
    Pool::repair(Arc::new(open()?), options())?;
    Ok(())
}

fn confirm() -> Result<bool> {
    output::print("Give up what is damaged, and make the store writable again? Its bytes stay where they are. [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

impl Report {
    fn is_needed(&self) -> bool {
        self.log.is_some() || !self.blocks.is_empty() || !self.volumes.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        if !self.is_needed() {
            return vec![
                "nothing keeps the store from being opened; `pantala scrub` looks for damage in all of it".into(),
            ];
        }
        let log = self.log.iter().map(|what| format!("the log is damaged: {what}"));
        let lost =
            self.lost.iter().map(|lost| format!("lost: {} bytes at {}: {}", lost.bytes, lost.position, lost.what));
        let blocks = self.blocks.iter().map(|what| format!("damaged, and made anew where there is a copy: {what}"));
        let volumes = self.volumes.iter().map(VolumeReport::line);
        let findings =
            self.findings.iter().take(FINDINGS_MAX).map(|finding| format!("not readable: {}", finding.line()));
        let more = self.findings.len().saturating_sub(FINDINGS_MAX);
        let more = (more > 0).then(|| format!("and {more} more; --json shows them all"));
        log.chain(lost).chain(blocks).chain(volumes).chain(findings).chain(more).collect()
    }
}

impl VolumeReport {
    fn of(volume: &RepairedVolume) -> Self {
        let (goes_on_with, taken) = match volume.outcome {
            Fallback::Journal { checkpoint } => ("journal", Some(checkpoint)),
            Fallback::OlderRoot { checkpoint } => ("older root", Some(checkpoint)),
            Fallback::Kept { taken } => ("kept state", Some(taken)),
            Fallback::Empty => ("nothing", None),
        };
        let (name, what, taken) = (volume.name.clone(), volume.what.clone(), taken.map(past::utc));
        Self { name, what, goes_on_with, taken }
    }

    fn line(&self) -> String {
        let Self { name, what, goes_on_with, taken } = self;
        let taken = taken.as_deref().map(past::local).unwrap_or_default();
        let outcome = match *goes_on_with {
            "journal" => format!("it goes on with the checkpoint of {taken} and the changes after it up to the damage"),
            "older root" => {
                format!("it falls back to the checkpoint of {taken}, with the changes after it that can be read")
            }
            "kept state" => format!("it falls back to its state of {taken}, which was kept"),
            _ => "nothing of it is left: it begins anew, empty".to_owned(),
        };
        format!("volume {name}: {what}; {outcome}")
    }
}
