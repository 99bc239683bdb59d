//! All figures of a run, and the file that keeps them.
//!
//! A run of some workloads replaces these in the file and leaves the others: every workload has its own date, rounds and machine.

use super::peers::Kind;
use super::scene::{Measure, Scale, Unit};
use super::statistics::{self, Summary};
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Figures of the rounds of one workload on one peer.
#[derive(Debug)]
pub(super) struct Rounds {
    unit: Unit,
    measures: Vec<Measure>,
}

/// Figures of a run, in the order in which workloads were first played.
#[derive(Debug, Default)]
pub(super) struct Results {
    workloads: Vec<(String, BTreeMap<Kind, Rounds>)>,
}

impl Results {
    pub(super) fn add(&mut self, kind: Kind, measures: Vec<Measure>) {
        for measure in measures {
            let place = self.workloads.iter().position(|(name, _)| *name == measure.workload).unwrap_or_else(|| {
                self.workloads.push((measure.workload.clone(), BTreeMap::new()));
                self.workloads.len() - 1
            });
            let rounds = self.workloads[place].1.entry(kind);
            rounds.or_insert(Rounds { unit: measure.unit, measures: Vec::new() }).measures.push(measure);
        }
    }

    pub(super) fn to_json(&self, scale: Scale, machine: &Value) -> Value {
        let workloads = self.workloads.iter().map(|(name, peers)| {
            let unit = peers.values().next().map_or("", |rounds| rounds.unit.name());
            let is_less_better = peers.values().next().is_some_and(|rounds| rounds.unit.is_less_better());
            let ours = peers.get(&Kind::Pantala).and_then(Rounds::summary);
            let peers: Map<String, Value> =
                peers.iter().map(|(kind, rounds)| (kind.name().to_owned(), rounds.to_json(ours))).collect();
            let better = if is_less_better { "less" } else { "more" };
            let run = json!({ "scale": scale.factor, "machine": machine });
            json!({ "workload": name, "unit": unit, "better": better, "run": run, "peers": peers })
        });
        Value::Array(workloads.collect())
    }
}

impl Rounds {
    fn summary(&self) -> Option<Summary> {
        statistics::summary(&self.values(|measure| Some(measure.value)))
    }

    fn values(&self, value: impl Fn(&Measure) -> Option<f64>) -> Vec<f64> {
        self.measures.iter().filter_map(value).collect()
    }

    fn median(&self, value: impl Fn(&Measure) -> Option<f64>) -> Option<f64> {
        statistics::summary(&self.values(value)).map(|summary| summary.median)
    }

    fn to_json(&self, ours: Option<Summary>) -> Value {
        let summary = self.summary();
        let median = summary.map(|summary| summary.median);
        let written_per_byte = |measure: &Measure| {
            let cost = &measure.cost;
            (cost.bytes_given > 0).then(|| cost.bytes_written as f64 / cost.bytes_given as f64)
        };
        let requests = self.measures.last().map(|measure| measure.cost.requests.clone()).unwrap_or_default();
        json!({
            "rounds": self.measures.len(),
            "median": median,
            "least": summary.map(|summary| summary.least),
            "most": summary.map(|summary| summary.most),
            // Ours to theirs, in the workload's unit.
            "ratio": ours.zip(median).map(|(ours, theirs)| ours.median / theirs),
            "daemon_cpu_seconds": self.median(|measure| measure.cost.daemon_cpu.map(|time| time.as_secs_f64())),
            "peak_bytes": self.median(|measure| measure.cost.peak_bytes.map(|bytes| bytes as f64)),
            "written_per_byte_given": self.median(written_per_byte),
            "requests": requests.into_iter().map(|(name, count)| (name, json!(count))).collect::<Map<_, _>>(),
        })
    }
}

/// Reads what earlier runs left; nothing if there is no file.
pub(super) fn read(path: &Path) -> Result<Vec<Value>> {
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} holds no results", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Brings a run's workloads in, in place of what an earlier run left of them.
pub(super) fn merge(mut results: Vec<Value>, run: Value) -> Vec<Value> {
    let Value::Array(run) = run else { return results };
    for workload in run {
        match results.iter_mut().find(|earlier| earlier["workload"] == workload["workload"]) {
            Some(earlier) => *earlier = workload,
            None => results.push(workload),
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::usage::Cost;

    fn measure(workload: &str, value: f64) -> Measure {
        Measure { workload: workload.to_owned(), unit: Unit::Seconds, value, cost: Cost::default() }
    }

    #[test]
    fn ratios_are_ours_to_theirs() {
        let mut results = Results::default();
        [6.0, 2.0, 4.0].into_iter().for_each(|value| results.add(Kind::Pantala, vec![measure("untar", value)]));
        results.add(Kind::Btrfs, vec![measure("untar", 2.0)]);
        let json = results.to_json(Scale { factor: 1.0, is_quick: false }, &Value::Null);
        assert_eq!(json[0]["peers"]["btrfs"]["ratio"], 2.0);
        assert_eq!(json[0]["peers"]["pantala"]["rounds"], 3);
    }

    #[test]
    fn a_run_of_one_workload_leaves_the_others() {
        let earlier = vec![json!({ "workload": "untar", "at": 1 }), json!({ "workload": "rm", "at": 1 })];
        let run = json!([{ "workload": "rm", "at": 2 }, { "workload": "sync", "at": 2 }]);
        let merged = merge(earlier, run);
        let names: Vec<(&str, i64)> =
            merged.iter().filter_map(|one| Some((one["workload"].as_str()?, one["at"].as_i64()?))).collect();
        assert_eq!(names, [("untar", 1), ("rm", 2), ("sync", 2)]);
    }
}
