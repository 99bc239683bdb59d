//! `pantala scrub`: in the node if it is up, otherwise here.

use super::scrub_text;
use crate::arguments::Scrub;
use crate::clock::now;
use crate::control::{Client, Request, Response, ScrubOrder, not_up};
use crate::scrub::{Running, ScrubRecord, ScrubState, ScrubStatus, UnderWay};
use crate::{defaults, output};
use anyhow::{Context, Result, bail};
use block::{OpenMode, Store, StoreOptions};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use volume::{Pool, PoolOptions};

/// The exit code that tells a script that something is damaged.
const DAMAGED: u8 = 4;

/// How often the position is written down.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) fn run(arguments: Scrub) -> Result<ExitCode> {
    let store = defaults::store(arguments.store.store.clone())?;
    let is_up = Client::connect(&store)?.is_some();
    let order = order(&arguments);
    let status = match (&order, is_up) {
        (ScrubOrder::Begin { .. }, true) => follow(&store, &order)?,
        (_, true) => ask(&store, &order)?,
        (ScrubOrder::Begin { limit_rate }, false) => scrub_here(&store, *limit_rate)?,
        (ScrubOrder::Pause | ScrubOrder::Resume { .. }, false) => bail!(not_up(&store)),
        (_, false) => change_record(&store, &order)?,
    };
    let text = match arguments.json {
        true => output::json(&status)?,
        false => scrub_text::scrub(&status),
    };
    output::print(&text)?;
    exit_code(&order, &status)
}

fn order(arguments: &Scrub) -> ScrubOrder {
    let limit_rate = arguments.limit_rate;
    match arguments.every {
        Some(every_seconds) => ScrubOrder::Schedule { every_seconds },
        None if arguments.status => ScrubOrder::Show,
        None if arguments.pause => ScrubOrder::Pause,
        None if arguments.resume => ScrubOrder::Resume { limit_rate },
        None if arguments.cancel => ScrubOrder::Cancel,
        None => ScrubOrder::Begin { limit_rate },
    }
}

/// One that was begun here must have ended; the exit code tells what it found. A question is answered with what the last one found.
fn exit_code(order: &ScrubOrder, status: &ScrubStatus) -> Result<ExitCode> {
    let is_damaged = status.last.as_ref().is_some_and(|last| !last.findings.is_empty());
    match (order, status.state) {
        (ScrubOrder::Begin { .. }, ScrubState::Idle) | (ScrubOrder::Show, _) if is_damaged => {
            Ok(ExitCode::from(DAMAGED))
        }
        (ScrubOrder::Begin { .. }, ScrubState::Idle) => Ok(ExitCode::SUCCESS),
        (ScrubOrder::Begin { .. }, _) => match &status.problem {
            Some(problem) => bail!("{problem}"),
            None => bail!("the scrub was paused by somebody; `pantala scrub --resume` goes on with it"),
        },
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn ask(store: &Path, order: &ScrubOrder) -> Result<ScrubStatus> {
    match Client::connect_to_running(store)?.ask(&Request::Scrub(order.clone()))? {
        Response::Scrub(status) => Ok(*status),
        _ => bail!("the node did not understand the order; take it down and up again"),
    }
}

/// Begins one in the node and shows how far it is until it has ended.
fn follow(store: &Path, begin: &ScrubOrder) -> Result<ScrubStatus> {
    let bar = scrub_text::bar()?;
    let begun = ask(store, begin)?;
    let mut status = begun.clone();
    while matches!(status.state, ScrubState::Reading | ScrubState::Walking) {
        scrub_text::show(&bar, &status);
        status = ask(store, &ScrubOrder::Watch)?;
    }
    bar.finish_and_clear();
    let ended = status.last.as_ref().map(|last| last.started);
    if status.state == ScrubState::Idle && ended != begun.started && begun.started.is_some() {
        bail!("the scrub was cancelled by somebody; `pantala scrub` begins another one");
    }
    Ok(status)
}

/// Scrubs a store whose node is down.
fn scrub_here(store: &Path, limit_rate: Option<u64>) -> Result<ScrubStatus> {
    let opened = Store::open_directory(store, StoreOptions::default(), OpenMode::MustExist);
    let opened = Arc::new(opened.with_context(|| format!("cannot scrub {}", store.display()))?);
    let options = PoolOptions { background: false, ..PoolOptions::new(crate::node::owner()) };
    let pool = Pool::open(opened, options).context("cannot open the pool")?;
    let mut record = ScrubRecord::read(store, now())?;
    let mut under_way = record.under_way.take().unwrap_or_else(|| UnderWay::new(now(), limit_rate));
    let mut running = Running::new(&under_way);
    let (bar, mut pace, mut saved) = (scrub_text::bar()?, crate::scrub::Pace::new(), Instant::now());
    let report = loop {
        let bytes = running.step(&pool, limit_rate).context("the scrub cannot go on")?;
        running.note(&mut under_way);
        if let Some(report) = running.report(&under_way) {
            break report;
        }
        record.under_way = Some(under_way.clone());
        scrub_text::show(&bar, &ScrubStatus::of(&record, Some(&running.pulse()), None));
        if saved.elapsed() >= SAVE_INTERVAL {
            record.write(store)?;
            saved = Instant::now();
        }
        thread::sleep(pace.count(bytes, limit_rate).saturating_duration_since(Instant::now()));
    };
    bar.finish_and_clear();
    pool.checkpoint().context("cannot end the scrub")?;
    (record.under_way, record.last) = (None, Some(report));
    record.write(store)?;
    Ok(ScrubStatus::of(&record, None, None))
}

/// What can be asked and said without a node.
fn change_record(store: &Path, order: &ScrubOrder) -> Result<ScrubStatus> {
    if !store.join("segments").is_dir() {
        bail!("{} is not a Pantala store; give one with --store", store.display());
    }
    let mut record = ScrubRecord::read(store, now())?;
    match order {
        ScrubOrder::Schedule { every_seconds } => record.every_seconds = *every_seconds,
        ScrubOrder::Cancel if record.under_way.take().is_none() => bail!("no scrub is under way"),
        _ => {}
    }
    if !matches!(order, ScrubOrder::Show) {
        record.write(store)?;
    }
    Ok(ScrubStatus::of(&record, None, None))
}
