//! `pantala mirror verify`.

use super::reach::{IfMissing, Reached};
use super::{Definition, Definitions, sides, with_each};
use crate::arguments::MirrorVerify;
use crate::{defaults, output};
use anyhow::{Result, ensure};
use indicatif::ProgressBar;
use mirror::Verified;
use serde::Serialize;
use std::path::Path;
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
    let store = defaults::store(arguments.store.store.clone())?;
    let mirrors = Definitions::read(&store)?.select(&arguments.names)?;
    let mut reports = Vec::new();
    let verified = with_each(
        &mirrors,
        |name| format!("cannot verify {name}"),
        |name, definition| {
            let report = verify(&store, name, definition)?;
            let lost = report.source.lost.len() + report.replica.lost.len();
            match arguments.json {
                true => reports.push(report),
                false => output::print(&text(&report))?,
            }
            ensure!(lost == 0, "{lost} blocks are lost on both sides; `pantala scrub` says which files need them");
            Ok(())
        },
    );
    if arguments.json {
        output::print_json(&reports)?;
    }
    verified
}

fn verify(store: &Path, name: &str, definition: &Definition) -> Result<Report> {
    let started = Instant::now();
    let (from, to) = sides(store, definition)?;
    let source = Reached::open(&from, IfMissing::Fail)?;
    let replica = Reached::open(&to, IfMissing::Fail)?;
    let bar = ProgressBar::new_spinner().with_message(format!("reading {from} and {to}"));
    bar.enable_steady_tick(TICK);
    let verified = mirror::verify(&*source.verifiable(), &*replica.verifiable());
    bar.finish_and_clear();
    let (of_source, of_replica) = verified?;
    source.close()?;
    replica.close()?;
    Ok(Report {
        mirror: name.to_owned(),
        seconds: started.elapsed().as_secs_f64(),
        source: side(from.to_string(), &of_source),
        replica: side(to.to_string(), &of_replica),
    })
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
    format!("{}{}{} verified in {:.1} s\n", line(&report.source), line(&report.replica), report.mirror, report.seconds)
}
