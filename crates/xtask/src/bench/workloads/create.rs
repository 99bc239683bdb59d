//! Empty files in one directory, made and removed by processes beside each other.

use crate::bench::scene::{Scene, Unit};
use crate::bench::worker;
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::time::Instant;

const FILES: u64 = 100_000;

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let files = scene.scale.of(FILES, 400);
    for processes in [1, 4] {
        let directory = scene.path(&format!("by-{processes}"));
        fs::create_dir(&directory)?;
        for action in ["create", "unlink"] {
            let workload = format!("{action} {processes}");
            scene.rate(&workload, Unit::PerSecond, 0, |_| by_processes(action, &directory, processes, files))?;
        }
    }
    Ok(())
}

/// Gives files per second.
fn by_processes(action: &str, directory: &Path, processes: u64, files: u64) -> Result<f64> {
    let each = files / processes;
    let start = Instant::now();
    let running = (0..processes).map(|process| {
        let range = [process * each, (process + 1) * each].map(|number| number.to_string());
        worker::start([action, &directory.to_string_lossy(), &range[0], &range[1]])
    });
    let running: Vec<worker::Work> = running.collect::<Result<_>>()?;
    running.into_iter().try_for_each(worker::Work::wait)?;
    Ok((each * processes) as f64 / start.elapsed().as_secs_f64())
}
