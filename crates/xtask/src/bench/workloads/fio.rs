//! Reads and writes of one large file, by fio.

use crate::bench::scene::{Scene, Unit};
use crate::program::Program;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const FILE_BYTES: u64 = 1 << 30;
const FILE_BYTES_MIN: u64 = 16 << 20;
/// A random read may take no longer than this: its rate is known by then.
const RANDOM_READ_TIME_MAX: Duration = Duration::from_secs(4);

/// Of the random writes; fio's own, with which the file is made and read, is 0x89.
const SEED_FIRST: u64 = 1000;

/// How fio gets at the file.
struct Access {
    name: &'static str,
    options: &'static [&'static str],
}

const ACCESSES: &[Access] = &[
    Access { name: "buffered 1", options: &["--ioengine=psync"] },
    Access { name: "buffered 16", options: &["--ioengine=io_uring", "--iodepth=16"] },
    Access { name: "direct 1", options: &["--ioengine=psync", "--direct=1"] },
    Access { name: "direct 16", options: &["--ioengine=io_uring", "--iodepth=16", "--direct=1"] },
];

pub(super) fn sequential(scene: &mut Scene) -> Result<()> {
    let bytes = scene.scale.of(FILE_BYTES, FILE_BYTES_MIN);
    let file = scene.path("file");
    let write = |workload: &str, options: &[&str], scene: &mut Scene| {
        scene.rate(workload, Unit::BytesPerSecond, bytes, |_| {
            let fio = fio(&file, bytes, "write").arguments(["--bs=1M", "--end_fsync=1"]).arguments(options);
            rate(fio, "write", "bw_bytes")
        })
    };
    write("seq write compressible", &["--refill_buffers", "--buffer_compress_percentage=60"], scene)?;
    std::fs::remove_file(&file)?;
    write("seq write incompressible", &["--refill_buffers"], scene)?;
    scene.cool()?;
    for workload in ["seq read cold", "seq read warm"] {
        scene.rate(workload, Unit::BytesPerSecond, 0, |_| {
            rate(fio(&file, bytes, "read").arguments(["--bs=1M", "--invalidate=0"]), "read", "bw_bytes")
        })?;
    }
    Ok(())
}

pub(super) fn random(scene: &mut Scene) -> Result<()> {
    let bytes = scene.scale.of(FILE_BYTES, FILE_BYTES_MIN);
    let file = scene.path("file");
    fio(&file, bytes, "write").arguments(["--bs=1M", "--end_fsync=1", "--refill_buffers"]).output()?;
    let runtime = format!("--runtime={}", scene.scale.time(RANDOM_READ_TIME_MAX).as_secs().max(1));
    for access in ACCESSES {
        scene.cool()?;
        scene.rate(&format!("rand read {}", access.name), Unit::PerSecond, 0, |_| {
            let fio = fio(&file, bytes, "randread").arguments(["--bs=4k", "--invalidate=0"]).argument(&runtime);
            rate(fio.arguments(access.options), "read", "iops")
        })?;
    }
    for (seed, access) in (SEED_FIRST..).zip(ACCESSES) {
        scene.rate(&format!("rand write {}", access.name), Unit::PerSecond, bytes / 4, |_| {
            let fio = fio(&file, bytes, "randwrite").arguments(["--bs=4k", "--end_fsync=1", "--invalidate=0"]);
            // The same content as before would not have to be stored again.
            let fio = fio.argument(format!("--randseed={seed}"));
            let fio = fio.argument(format!("--io_size={}", bytes / 4)).arguments(["--refill_buffers"]);
            rate(fio.arguments(access.options), "write", "iops")
        })?;
    }
    Ok(())
}

fn fio(file: &Path, bytes: u64, pattern: &str) -> Program {
    let fio = Program::new("fio").arguments(["--name=bench", "--output-format=json"]);
    let fio = fio.argument(format!("--filename={}", file.display()));
    fio.argument(format!("--size={bytes}")).argument(format!("--rw={pattern}"))
}

/// Runs fio and takes one figure out of what it reports.
fn rate(fio: Program, direction: &str, figure: &str) -> Result<f64> {
    let printed = fio.output()?;
    // Warnings may come before the JSON.
    let json = printed.find('{').map_or("", |start| &printed[start..]);
    let report: Value = serde_json::from_str(json).with_context(|| format!("fio printed no report: {printed}"))?;
    report["jobs"][0][direction][figure].as_f64().with_context(|| format!("fio's report has no {direction}.{figure}"))
}
