//! `pantala mirror verify`.

use super::reach::{IfMissing, Reached};
use super::{Definitions, sides};
use crate::arguments::MirrorVerify;
use crate::{defaults, output};
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use mirror::Verified;
use serde::Serialize;
use std::time::{Duration, Instant};

/// What came of it. The field names are those of `--json`.
#[derive(Serialize)]
struct Report {
    mirror: String,
    seconds: f64,
    source: SideReport,
    replica: SideReport,
}

#[derive(Serialize)]
struct SideReport {
    place: String,
    /// Names of blocks that were damaged and are whole again.
    healed: Vec<String>,
    /// Names of blocks that neither side has.
    lost: Vec<String>,
}

const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &MirrorVerify) -> Result<()> {
    let (started, name) = (Instant::now(), &arguments.name);
    let store = defaults::store(arguments.store.store.clone())?;
    let (_, definition) = Definitions::read(&store)?.select(std::slice::from_ref(name))?.remove(0);
    let (from, to) = sides(&store, &definition)?;
    let source = Reached::open(&from, IfMissing::Fail)?;
    let replica = Reached::open(&to, IfMissing::Fail)?;
    let bar = ProgressBar::new_spinner().with_message(format!("reading {from} and {to}"));
    bar.enable_steady_tick(TICK);
    let verified = mirror::verify(&*source.verifiable(), &*replica.verifiable());
    bar.finish_and_clear();
    let (of_source, of_replica) = verified.with_context(|| format!("cannot verify {name}"))?;
    source.close()?;
    replica.close()?;
    let report = Report {
        mirror: name.clone(),
        seconds: started.elapsed().as_secs_f64(),
        source: side(from.to_string(), &of_source),
        replica: side(to.to_string(), &of_replica),
    };
    let lost = report.source.lost.len() + report.replica.lost.len();
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&report).context("cannot print what came of it")? + "\n",
        false => text(&report),
    };
    output::print(&text)?;
    ensure!(lost == 0, "{lost} blocks are lost on both sides; `pantala scrub` says which files need them");
    Ok(())
}

fn side(place: String, verified: &Verified) -> SideReport {
    let names = |names: &std::collections::BTreeSet<block::Name>| names.iter().map(ToString::to_string).collect();
    SideReport { place, healed: names(&verified.healed), lost: names(&verified.lost) }
}

fn text(report: &Report) -> String {
    let line = |side: &SideReport| match (side.healed.len(), side.lost.len()) {
        (0, 0) => format!("{}: all is there\n", side.place),
        (healed, 0) => format!("{}: {healed} damaged blocks healed from the other side\n", side.place),
        (healed, lost) => format!("{}: {healed} damaged blocks healed, {lost} lost\n", side.place),
    };
    format!("{}{}verified in {:.1} s\n", line(&report.source), line(&report.replica), report.seconds)
}
