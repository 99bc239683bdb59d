//! A scrub as people read it.

use crate::clock::now;
use crate::output;
use crate::scrub::{Report, ScrubState, ScrubStatus};
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// Rate and remaining time; indicatif shows nothing where standard error is no terminal.
const BAR: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left {msg}";

/// Findings that are shown; `--json` has them all.
const FINDINGS_MAX: usize = 50;

/// A bar that shows how far a scrub is.
pub(super) fn bar() -> Result<ProgressBar> {
    Ok(ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?))
}

/// Brings a bar up to date.
pub(super) fn show(bar: &ProgressBar, status: &ScrubStatus) {
    bar.set_length(status.bytes_total);
    bar.set_position(status.bytes_done);
    if status.state == ScrubState::Walking {
        bar.set_message(format!("({} blocks followed)", status.blocks_walked));
    }
}

/// All of it.
pub(super) fn scrub(status: &ScrubStatus) -> String {
    let mut lines = vec![line(status)];
    lines.extend(status.problem.clone());
    if let (ScrubState::Idle, Some(last)) = (status.state, &status.last) {
        let shown = last.findings.iter().take(FINDINGS_MAX).map(|finding| finding.line());
        lines.extend(shown);
        let more = last.findings.len().saturating_sub(FINDINGS_MAX);
        lines.extend((more > 0).then(|| format!("and {more} more; --json shows them all")));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// It in a line.
pub(super) fn line(status: &ScrubStatus) -> String {
    let done = || {
        let percent = status.bytes_done * 100 / status.bytes_total.max(1);
        format!("{} of {} ({percent} %)", output::bytes(status.bytes_done), output::bytes(status.bytes_total))
    };
    match status.state {
        ScrubState::Idle => format!("{}{}", last(status.last.as_ref()), next(status)),
        ScrubState::Paused => format!("paused at {}", output::bytes(status.bytes_done)),
        ScrubState::Walking => format!("following links, {} blocks so far", status.blocks_walked),
        ScrubState::Reading => format!("reading, {}{}", done(), pace(status)),
    }
}

fn pace(status: &ScrubStatus) -> String {
    let rate = status.bytes_per_second.map(|rate| format!(", {}/s", output::bytes(rate)));
    let left = status.seconds_left.map(|seconds| format!(", {} left", output::duration(seconds)));
    rate.into_iter().chain(left).collect()
}

fn last(last: Option<&Report>) -> String {
    let Some(last) = last else { return "never yet".to_owned() };
    let found = match last.findings.len() {
        0 => "nothing is damaged".to_owned(),
        1 => "1 thing is damaged".to_owned(),
        count => format!("{count} things are damaged"),
    };
    let ago = output::duration(now().saturating_sub(last.ended));
    let time = output::duration(last.ended.saturating_sub(last.started));
    format!("{found}: {} read in {time}, {ago} ago", output::bytes(last.bytes))
}

fn next(status: &ScrubStatus) -> String {
    match status.next {
        Some(next) => format!("; the next one begins in {}", output::duration(next.saturating_sub(now()))),
        None => "; none begins by itself".to_owned(),
    }
}
