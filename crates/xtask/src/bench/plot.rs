//! The ratios as a picture (SVG): a row for each workload, a dot for each peer, on a logarithmic axis.

use serde_json::Value;
use std::fmt::Write as _;

const PEERS: &[(&str, &str)] = &[
    ("floor", "#444444"),
    ("ext4", "#1f77b4"),
    ("xfs", "#17a2a2"),
    ("btrfs", "#2ca02c"),
    ("zfs-fuse", "#d62728"),
    ("passthrough", "#ff7f0e"),
];
const ROW: f64 = 20.0;
const LEFT: f64 = 190.0;
const PLOT: f64 = 600.0;
const TOP: f64 = 60.0;
/// Ends of the axis, as powers of ten.
const LEAST: f64 = -1.5;
const MOST: f64 = 1.5;
const MARKS: &[f64] = &[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];

/// How many times as fast as each peer Pantala is.
pub(super) fn ratios(results: &[Value]) -> String {
    let compared: Vec<&Value> = results.iter().filter(|workload| !speeds(workload).is_empty()).collect();
    let height = TOP + ROW * (compared.len() as f64 + 1.0);
    let mut svg = String::new();
    put(
        &mut svg,
        &format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">",
            LEFT + PLOT + 20.0
        ),
    );
    put(&mut svg, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
    legend(&mut svg);
    for mark in MARKS {
        let (x, bottom) = (across(*mark), height - ROW);
        let colour = if *mark == 1.0 { "#000000" } else { "#dddddd" };
        put(&mut svg, &format!("<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"{colour}\"/>"));
        put(
            &mut svg,
            &format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}\u{d7}</text>", bottom + 14.0),
        );
    }
    for (row, workload) in compared.iter().enumerate() {
        let y = TOP + ROW * (row as f64 + 0.5);
        let name = workload["workload"].as_str().unwrap_or_default();
        put(&mut svg, &format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0, y + 4.0));
        for (peer, colour, speed) in speeds(workload) {
            let x = across(speed);
            put(
                &mut svg,
                &format!(
                    "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\" fill-opacity=\"0.8\"><title>{peer}: {speed:.2}\u{d7}</title></circle>"
                ),
            );
        }
    }
    put(&mut svg, "</svg>");
    svg
}

fn legend(svg: &mut String) {
    let title = "Pantala's speed beside each peer's: right of 1\u{d7} it is faster";
    put(svg, &format!("<text x=\"{LEFT}\" y=\"18\" font-weight=\"bold\">{title}</text>"));
    for (index, (peer, colour)) in PEERS.iter().enumerate() {
        let x = LEFT + 95.0 * index as f64;
        put(svg, &format!("<circle cx=\"{}\" cy=\"38\" r=\"5\" fill=\"{colour}\"/>", x + 5.0));
        put(svg, &format!("<text x=\"{}\" y=\"42\">{peer}</text>", x + 14.0));
    }
}

/// Peers with how many times as fast as they Pantala is.
fn speeds(workload: &Value) -> Vec<(&'static str, &'static str, f64)> {
    let is_less_better = workload["better"] == "less";
    let speed = |peer: &str| {
        let ratio = workload["peers"][peer]["ratio"].as_f64().filter(|ratio| *ratio > 0.0)?;
        Some(if is_less_better { 1.0 / ratio } else { ratio })
    };
    PEERS.iter().filter_map(|(peer, colour)| Some((*peer, *colour, speed(peer)?))).collect()
}

/// Where a ratio lies; what is beyond the axis lies at its end.
fn across(ratio: f64) -> f64 {
    let part = (ratio.log10().clamp(LEAST, MOST) - LEAST) / (MOST - LEAST);
    LEFT + PLOT * part
}

fn put(svg: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_faster_workload_lies_right_of_the_middle() {
        let time = json!({ "better": "less", "peers": { "btrfs": { "ratio": 0.5 } } });
        let rate = json!({ "better": "more", "peers": { "btrfs": { "ratio": 2.0 } } });
        assert_eq!(speeds(&time)[0].2, 2.0);
        assert_eq!(speeds(&rate)[0].2, 2.0);
        assert!(across(2.0) > across(1.0) && across(1.0) > across(0.5));
        assert_eq!(ratios(&[time, rate]).matches("<title>").count(), 2);
    }
}
