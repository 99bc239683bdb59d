//! What the syncs took, as JSON, as a table, and as a picture.

use super::super::statistics::{Summary, summary};
use super::STEPS;
use crate::workspace;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

const TABLE_BEGIN: &str = "<!-- bench mirror: begin -->\n";
const TABLE_END: &str = "<!-- bench mirror: end -->\n";

#[derive(Default)]
struct Figures {
    seconds: Vec<f64>,
    written: Vec<f64>,
    sent: Vec<f64>,
}

/// By step and peer.
#[derive(Default)]
pub(super) struct Results(BTreeMap<(String, String), Figures>);

impl Results {
    pub(super) fn add(&mut self, peer: &str, step: &str, took: Duration, written: u64, sent: Option<u64>) {
        let figures = self.0.entry((step.to_owned(), peer.to_owned())).or_default();
        figures.seconds.push(took.as_secs_f64());
        figures.written.push(written as f64);
        figures.sent.extend(sent.map(|bytes| bytes as f64));
    }

    /// Brings them into what is kept with the sources.
    pub(super) fn keep(&self, about: &str, machine: &Value) -> Result<()> {
        let root = workspace::root();
        let all = json!({ "tree": about, "machine": machine, "steps": self.to_json() });
        fs::write(root.join("bench/mirror.json"), serde_json::to_string_pretty(&all)? + "\n")?;
        fs::write(root.join("bench/mirror.svg"), self.picture())?;
        let page = root.join("docs/performance-mirrors.md");
        let text = fs::read_to_string(&page)?;
        let (before, rest) =
            text.split_once(TABLE_BEGIN).context("docs/performance-mirrors.md has no place for the table")?;
        let (_, behind) = rest.split_once(TABLE_END).context("docs/performance-mirrors.md has no end of the table")?;
        let table = self.markdown(about);
        Ok(fs::write(&page, format!("{before}{TABLE_BEGIN}\n{table}\n{TABLE_END}{behind}"))?)
    }

    fn to_json(&self) -> Value {
        let figures = |((step, peer), figures): (&(String, String), &Figures)| {
            json!({ "step": step, "peer": peer, "seconds": figures.seconds, "bytes_written": figures.written,
                    "bytes_sent": figures.sent })
        };
        self.0.iter().map(figures).collect()
    }

    /// A row for each step: medians of seconds, and what Pantala wrote and sent.
    pub(super) fn markdown(&self, about: &str) -> String {
        let mut text = format!("{about}. Seconds, medians; in brackets the least and the most.\n\n| sync after |");
        let peers = self.peers();
        peers.iter().for_each(|peer| put(&mut text, format_args!(" {peer} |")));
        put(
            &mut text,
            format_args!(" Pantala sent | written on its target |\n|---|{}---|---|\n", "---|".repeat(peers.len())),
        );
        for (step, ..) in STEPS {
            put(&mut text, format_args!("| {step} |"));
            for peer in &peers {
                let seconds = self.summary(step, peer, |figures| &figures.seconds);
                put(&mut text, format_args!(" {} |", seconds.map_or_else(|| "-".to_owned(), seconds_text)));
            }
            let bytes =
                |of: fn(&Figures) -> &Vec<f64>| self.summary(step, "pantala", of).map_or(0.0, |bytes| bytes.median);
            let (sent, written) = (bytes(|figures| &figures.sent), bytes(|figures| &figures.written));
            put(&mut text, format_args!(" {} | {} |\n", bytes_text(sent), bytes_text(written)));
        }
        text
    }

    /// Pantala first.
    fn peers(&self) -> Vec<&str> {
        super::PEERS.iter().map(|(name, ..)| *name).filter(|name| self.0.keys().any(|(_, peer)| peer == name)).collect()
    }

    fn summary(&self, step: &str, peer: &str, of: fn(&Figures) -> &Vec<f64>) -> Option<Summary> {
        summary(of(self.0.get(&(step.to_owned(), peer.to_owned()))?))
    }

    /// Seconds on a logarithmic axis: a row for each step, a dot for each peer.
    fn picture(&self) -> String {
        let height = TOP + ROW * (STEPS.len() as f64 + 1.0);
        let width = LEFT + PLOT + 30.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        put(&mut svg, format_args!("<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">Seconds of a sync</text>\n"));
        for (index, (peer, colour)) in self.peers().into_iter().zip(COLOURS).enumerate() {
            let x = LEFT + 95.0 * index as f64;
            put(&mut svg, format_args!("<circle cx=\"{}\" cy=\"38\" r=\"5\" fill=\"{colour}\"/>", x + 5.0));
            put(&mut svg, format_args!("<text x=\"{}\" y=\"42\">{peer}</text>\n", x + 14.0));
        }
        for power in LEAST..=MOST {
            let (x, bottom) = (across(10f64.powi(power)), height - ROW);
            put(
                &mut svg,
                format_args!("<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>"),
            );
            let mark = 10f64.powi(power);
            put(
                &mut svg,
                format_args!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>\n", bottom + 14.0),
            );
        }
        for (row, (step, ..)) in STEPS.iter().enumerate() {
            let y = TOP + ROW * (row as f64 + 0.5);
            put(
                &mut svg,
                format_args!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{step}</text>\n", LEFT - 8.0, y + 4.0),
            );
            for (peer, colour) in self.peers().into_iter().zip(COLOURS) {
                let Some(seconds) = self.summary(step, peer, |figures| &figures.seconds) else { continue };
                let x = across(seconds.median);
                put(
                    &mut svg,
                    format_args!(
                        "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\" fill-opacity=\"0.8\"><title>{peer}: {:.3} s</title></circle>\n",
                        seconds.median
                    ),
                );
            }
        }
        svg + "</svg>\n"
    }
}

const COLOURS: [&str; 6] = ["#000000", "#1f77b4", "#ff7f0e", "#9467bd", "#2ca02c", "#d62728"];
const ROW: f64 = 24.0;
const LEFT: f64 = 190.0;
const PLOT: f64 = 600.0;
const TOP: f64 = 60.0;
/// Ends of the axis, as powers of ten.
const LEAST: i32 = -3;
const MOST: i32 = 3;

fn across(seconds: f64) -> f64 {
    let (least, most) = (f64::from(LEAST), f64::from(MOST));
    LEFT + PLOT * (seconds.max(f64::MIN_POSITIVE).log10().clamp(least, most) - least) / (most - least)
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

fn seconds_text(seconds: Summary) -> String {
    let digits = if seconds.median < 1.0 { 3 } else { 1 };
    let Summary { median, least, most } = seconds;
    format!("{median:.digits$} ({least:.digits$}-{most:.digits$})")
}

fn bytes_text(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1024.0 => format!("{bytes:.0} B"),
        bytes if bytes < 1024.0 * 1024.0 => format!("{:.0} KiB", bytes / 1024.0),
        bytes => format!("{:.1} MiB", bytes / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_step_and_a_column_for_each_peer() {
        let mut results = Results::default();
        for peer in ["pantala", "rsync"] {
            results.add(peer, "nothing changed", Duration::from_millis(20), 2048, Some(100));
        }
        let table = results.markdown("a tree");
        assert_eq!(table.lines().filter(|line| line.starts_with('|')).count(), STEPS.len() + 2);
        assert!(table.contains("| nothing changed | 0.020 (0.020-0.020) | 0.020 (0.020-0.020) | 100 B | 2 KiB |"));
        assert_eq!(results.picture().matches("<title>").count(), 2);
    }
}
