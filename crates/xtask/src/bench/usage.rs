//! What a workload takes beside time: the daemon's processor time and memory, and what reaches the disk.

use crate::real::process;
use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// Fields of `/proc/PID/stat` behind the command's name (proc_pid_stat(5)): time in user mode, and in the kernel.
const USER_TIME_FIELD: usize = 11;
const SYSTEM_TIME_FIELD: usize = 12;
/// In which those are counted: `USER_HZ`, the same on every architecture that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
/// What to write to `/proc/PID/clear_refs` so that the peak of the memory begins anew.
const RESET_PEAK: &str = "5";

/// What a workload took.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    /// Processor time of the daemon; none for a file system of the kernel.
    pub(super) daemon_cpu: Option<Duration>,
    /// The most that the daemon had resident.
    pub(super) peak_bytes: Option<u64>,
    /// What the programs wrote.
    pub(super) bytes_given: u64,
    /// What reached the disk, with a sync behind the end.
    pub(super) bytes_written: u64,
    /// Requests of the kernel, by name, where the daemon counts them.
    pub(super) requests: Vec<(String, u64)>,
}

/// Processor time that a process has taken.
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a process's figures")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| anyhow::Ok(fields.get(field).context("a process's times")?.parse::<u64>()?);
    let ticks = ticks(USER_TIME_FIELD)? + ticks(SYSTEM_TIME_FIELD)?;
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// Lets the peak of a process's memory begin anew.
pub(super) fn reset_peak(process: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{process}/clear_refs"), RESET_PEAK)?)
}

/// The most memory that a process has had resident since the peak began.
pub(super) fn peak_bytes(process: u32) -> Result<u64> {
    memory_field(process, "VmHWM")
}

/// The memory that a process has resident.
pub(super) fn resident_bytes(process: u32) -> Result<u64> {
    memory_field(process, "VmRSS")
}

fn memory_field(process: u32, field: &str) -> Result<u64> {
    let text = process::status_field(process, field)?;
    let kibibytes = text.split_whitespace().next().context("a figure of memory")?;
    Ok(kibibytes.parse::<u64>()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_processor_time_and_memory() {
        let process = std::process::id();
        let before = cpu_time(process).unwrap();
        let mut bytes = vec![0u8; 32 << 20];
        while cpu_time(process).unwrap() < before + Duration::from_millis(30) {
            bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
        }
        assert!(peak_bytes(process).unwrap() >= bytes.len() as u64);
        assert!(resident_bytes(process).unwrap() > 0);
    }
}
