//! The results as Markdown.

use super::targets;
use serde_json::Value;
use std::fmt::Write as _;

const PEERS: &[&str] = &["before", "floor", "ext4", "xfs", "btrfs", "zfs-fuse", "passthrough"];
const REQUESTS_SHOWN_MAX: usize = 8;
const NOTHING: &str = "-";

/// Medians, their spread and ratios; then what each workload takes, what it asks, and the targets.
pub(super) fn markdown(results: &[Value]) -> String {
    let mut text = String::new();
    figures(&mut text, results);
    costs(&mut text, results);
    requests(&mut text, results);
    verdicts(&mut text, results);
    text
}

fn figures(text: &mut String, results: &[Value]) {
    line(text, "Medians (least to most of the rounds), and in brackets the ratio of Pantala's figure to the peer's.\n");
    line(text, &format!("| workload | better | pantala | {} |", PEERS.join(" | ")));
    line(text, &format!("|---|---|---|{}", "---|".repeat(PEERS.len())));
    for workload in results {
        let unit = workload["unit"].as_str().unwrap_or_default();
        let peer = |name: &str| {
            let peer = &workload["peers"][name];
            let Some(median) = peer["median"].as_f64() else { return NOTHING.to_owned() };
            let spread = match (peer["rounds"].as_u64(), peer["least"].as_f64(), peer["most"].as_f64()) {
                (Some(2..), Some(least), Some(most)) => format!(" ({} to {})", bare(least, unit), bare(most, unit)),
                _ => String::new(),
            };
            let ratio = peer["ratio"].as_f64().filter(|_| name != "pantala");
            let ratio = ratio.map_or_else(String::new, |ratio| format!(" [{ratio:.2}\u{d7}]"));
            format!("{}{spread}{ratio}", with_unit(median, unit))
        };
        let peers: Vec<String> = PEERS.iter().map(|name| peer(name)).collect();
        let (name, better) = (name(workload), workload["better"].as_str().unwrap_or_default());
        line(text, &format!("| {name} | {better} | {} | {} |", peer("pantala"), peers.join(" | ")));
    }
}

fn costs(text: &mut String, results: &[Value]) {
    line(
        text,
        "\nWhat it takes beside time: the daemon's processor time, the most that it had resident, and bytes written to the",
    );
    line(text, "disk for each byte that the programs wrote.\n");
    line(
        text,
        "| workload | pantala: CPU | floor: CPU | pantala: memory | written per byte: pantala | ext4 | xfs | btrfs |",
    );
    line(text, "|---|---|---|---|---|---|---|---|");
    for workload in results.iter().filter(|workload| !workload["peers"]["pantala"]["peak_bytes"].is_null()) {
        let figure = |peer: &str, figure: &str, scale: f64, unit: &str| {
            let value = workload["peers"][peer][figure].as_f64();
            value.map_or_else(|| NOTHING.to_owned(), |value| format!("{:.2}{unit}", value * scale))
        };
        let written = ["pantala", "ext4", "xfs", "btrfs"].map(|peer| figure(peer, "written_per_byte_given", 1.0, ""));
        let name = name(workload);
        let cpu = ["pantala", "floor"].map(|peer| figure(peer, "daemon_cpu_seconds", 1.0, " s"));
        let memory = workload["peers"]["pantala"]["peak_bytes"].as_f64().map_or(0.0, |bytes| bytes / MIB);
        line(text, &format!("| {name} | {} | {memory:.0} MiB | {} |", cpu.join(" | "), written.join(" | ")));
    }
}

fn requests(text: &mut String, results: &[Value]) {
    line(text, "\nRequests that the kernel sent to Pantala, the most frequent first.\n");
    line(text, "| workload | requests |\n|---|---|");
    for workload in results {
        let Some(counts) = workload["peers"]["pantala"]["requests"].as_object().filter(|counts| !counts.is_empty())
        else {
            continue;
        };
        let mut counts: Vec<(&String, u64)> =
            counts.iter().filter_map(|(name, count)| Some((name, count.as_u64()?))).collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let shown = counts.iter().take(REQUESTS_SHOWN_MAX).map(|(name, count)| format!("{count} {name}"));
        line(text, &format!("| {} | {} |", name(workload), shown.collect::<Vec<_>>().join(", ")));
    }
}

fn verdicts(text: &mut String, results: &[Value]) {
    line(text, "\n| workload | target | figure | met |\n|---|---|---|---|");
    for verdict in targets::verdicts(results) {
        let met = if verdict.is_met { "yes" } else { "**no**" };
        line(text, &format!("| {} | {} | {:.2} | {met} |", verdict.workload, verdict.target, verdict.figure));
    }
}

const MIB: f64 = (1 << 20) as f64;

fn name(workload: &Value) -> &str {
    workload["workload"].as_str().unwrap_or_default()
}

fn with_unit(value: f64, unit: &str) -> String {
    let unit_shown = match unit {
        "bytes/s" => " MiB/s",
        "bytes" => " MiB",
        "1/s" => "/s",
        _ => " s",
    };
    format!("{}{unit_shown}", bare(value, unit))
}

fn bare(value: f64, unit: &str) -> String {
    let value = if unit.starts_with("bytes") { value / MIB } else { value };
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}
