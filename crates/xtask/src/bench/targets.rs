//! What the figures are meant to be, beside the peers of the same run.

use serde_json::Value;

/// Which peer, or which figure of Pantala's own.
#[derive(Clone, Copy, Debug)]
enum Subject {
    /// The ratio of ours to a peer's.
    Peer(&'static str),
    /// The ratio of ours to that of another workload of ours.
    Own(&'static str),
    /// One of the figures of our cost.
    Cost(&'static str),
    /// Our figure itself.
    Figure,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};
use Subject::{Cost, Figure, Own, Peer};

const MIB: f64 = (1 << 20) as f64;

/// A workload, or all whose names begin so, where the name ends in a space.
const TARGETS: &[(&str, Subject, Bound)] = &[
    ("untar", Peer("floor"), AtMost(1.3)),
    ("untar", Peer("btrfs"), AtMost(2.5)),
    ("untar", Peer("zfs-fuse"), AtMost(1.0 / 3.0)),
    ("untar", Peer("passthrough"), AtMost(1.0 / 3.0)),
    ("stat cold", Peer("floor"), AtMost(1.5)),
    ("stat cold", Peer("btrfs"), AtMost(1.3)),
    ("stat warm", Peer("btrfs"), AtMost(1.5)),
    ("grep cold", Peer("btrfs"), AtMost(1.0)),
    ("grep warm", Peer("floor"), AtMost(1.2)),
    ("rm", Peer("floor"), AtMost(1.3)),
    ("rm", Peer("btrfs"), AtMost(2.0)),
    ("create ", Peer("floor"), AtLeast(0.8)),
    ("build", Peer("ext4"), AtMost(1.15)),
    ("git ", Peer("ext4"), AtMost(1.15)),
    ("seq write incompressible", Peer("btrfs"), AtLeast(1.0)),
    ("seq read cold", Peer("btrfs"), AtLeast(1.0)),
    ("seq read warm", Peer("ext4"), AtLeast(0.9)),
    ("rand read ", Peer("btrfs"), AtLeast(0.8)),
    ("rand write ", Peer("btrfs"), AtLeast(3.0)),
    ("sync append 1", Peer("ext4"), AtLeast(1.0)),
    ("sync append 1", Peer("xfs"), AtLeast(1.0)),
    ("sync append 1", Peer("btrfs"), AtLeast(2.0)),
    ("sync append 1", Own("sync bare 1"), AtLeast(0.8)),
    ("sync append 8", Own("sync append 1"), AtLeast(3.0)),
    ("sync overwrite 1", Peer("ext4"), AtLeast(1.0)),
    ("sync overwrite 1", Peer("xfs"), AtLeast(1.0)),
    ("sync overwrite 1", Peer("btrfs"), AtLeast(2.0)),
    ("sync overwrite 1", Own("sync bare 1"), AtLeast(0.8)),
    ("sync overwrite 8", Own("sync overwrite 1"), AtLeast(3.0)),
    ("append beside collection", Own("append alone"), AtLeast(0.7)),
    ("sync create 1", Peer("ext4"), AtLeast(1.0)),
    ("sync create 1", Peer("xfs"), AtLeast(1.0)),
    ("sync create 1", Peer("btrfs"), AtLeast(2.0)),
    ("sync create 1", Own("sync bare 1"), AtLeast(0.8)),
    ("sync create 8", Own("sync create 1"), AtLeast(3.0)),
    ("", Cost("peak_bytes"), AtMost(300.0 * MIB)),
    ("idle memory", Figure, AtMost(64.0 * MIB)),
    ("seq write ", Cost("written_per_byte_given"), AtMost(1.3)),
    ("rand write ", Cost("written_per_byte_given"), AtMost(3.0)),
];

/// How one figure is beside its target.
pub(super) struct Verdict {
    pub(super) workload: String,
    /// What it is beside, and what it should be.
    pub(super) target: String,
    pub(super) figure: f64,
    pub(super) is_met: bool,
}

/// All targets for which there are figures.
pub(super) fn verdicts(results: &[Value]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (pattern, subject, bound) in TARGETS {
        let covered = results.iter().filter(|workload| is_covered(pattern, name(workload)));
        verdicts.extend(covered.filter_map(|workload| verdict(workload, results, *subject, *bound)));
    }
    verdicts
}

fn name(workload: &Value) -> &str {
    workload["workload"].as_str().unwrap_or_default()
}

fn is_covered(pattern: &str, name: &str) -> bool {
    if pattern.is_empty() || pattern.ends_with(' ') { name.starts_with(pattern) } else { name == pattern }
}

fn verdict(workload: &Value, results: &[Value], subject: Subject, bound: Bound) -> Option<Verdict> {
    let ours = &workload["peers"]["pantala"];
    let (beside, figure, unit) = match subject {
        Peer(peer) => (peer.to_owned(), workload["peers"][peer]["ratio"].as_f64()?, "\u{d7}"),
        Own(other) => {
            let other = results.iter().find(|workload| name(workload) == other)?;
            let theirs = other["peers"]["pantala"]["median"].as_f64()?;
            (name(other).to_owned(), ours["median"].as_f64()? / theirs, "\u{d7}")
        }
        Cost("peak_bytes") => ("memory".to_owned(), ours["peak_bytes"].as_f64()? / MIB, " MiB"),
        Cost(figure) => ("bytes written per byte given".to_owned(), ours[figure].as_f64()?, "\u{d7}"),
        Figure => ("memory".to_owned(), ours["median"].as_f64()? / MIB, " MiB"),
    };
    let in_unit = |limit: f64| if unit == "\u{d7}" { limit } else { limit / MIB };
    let (words, limit, is_met) = match bound {
        AtMost(limit) => ("at most", in_unit(limit), figure <= in_unit(limit)),
        AtLeast(limit) => ("at least", in_unit(limit), figure >= in_unit(limit)),
    };
    let target = format!("{beside}: {words} {}{unit}", (limit * 100.0).round() / 100.0);
    Some(Verdict { workload: name(workload).to_owned(), target, figure, is_met })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_target_is_met_or_not_by_the_ratio() {
        let peers =
            json!({ "pantala": { "peak_bytes": 400 << 20 }, "floor": { "ratio": 1.2 }, "btrfs": { "ratio": 2.6 } });
        let results = [json!({ "workload": "untar", "peers": peers })];
        let found: Vec<(String, bool)> =
            verdicts(&results).into_iter().map(|verdict| (verdict.target, verdict.is_met)).collect();
        let expected = [
            ("floor: at most 1.3\u{d7}", true),
            ("btrfs: at most 2.5\u{d7}", false),
            ("memory: at most 300 MiB", false),
        ];
        assert_eq!(found, expected.map(|(target, is_met)| (target.to_owned(), is_met)));
    }
}
