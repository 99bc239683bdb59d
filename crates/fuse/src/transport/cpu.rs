//! Which CPUs there are, and which thread serves which CPU's requests.

use rustix::thread::{CpuSet, sched_getaffinity};
use std::fs;
use std::io;

/// The queues that one thread serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// The CPU that the thread is pinned to.
    pub(crate) cpu: Option<usize>,
    /// The queues it serves: its own CPU's, and its part of those whose CPUs this process may not use.
    pub(crate) queues: Vec<Queue>,
}

/// The queue of one CPU's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Its number, which is the CPU's.
    pub(crate) number: u16,
    /// How many requests it holds ready.
    pub(crate) depth: usize,
}

/// Gives every possible CPU's queue to a thread: the kernel uses io_uring only when all of them are served.
pub(crate) fn shares(depth: usize) -> io::Result<Vec<Share>> {
    let possible = read_list("/sys/devices/system/cpu/possible")?.len();
    let online = read_list("/sys/devices/system/cpu/online")?;
    Ok(divide(possible, &online, &allowed()?, depth))
}

/// How many CPUs this process may use.
pub(crate) fn allowed_count() -> usize {
    allowed().map_or(1, |cpus| cpus.len())
}

fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

fn divide(possible: usize, online: &[usize], allowed: &[usize], depth: usize) -> Vec<Share> {
    let own = |cpu: usize| cpu < possible && allowed.contains(&cpu);
    let queue = |cpu: usize| Queue { number: cpu as u16, depth: if online.contains(&cpu) { depth } else { 1 } };
    let mut shares: Vec<Share> =
        (0..possible).filter(|&cpu| own(cpu)).map(|cpu| Share { cpu: Some(cpu), queues: vec![queue(cpu)] }).collect();
    if shares.is_empty() {
        shares.push(Share { cpu: None, queues: Vec::new() });
    }
    let count = shares.len();
    for (index, cpu) in (0..possible).filter(|&cpu| !own(cpu)).enumerate() {
        shares[index % count].queues.push(queue(cpu));
    }
    shares
}

fn read_list(path: &str) -> io::Result<Vec<usize>> {
    let text = fs::read_to_string(path)?;
    parse_list(text.trim()).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{path} holds {text:?}")))
}

/// A list of CPUs as the kernel prints it: `0-3,8,10-11`.
fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(share: &Share) -> Vec<(u16, usize)> {
        share.queues.iter().map(|queue| (queue.number, queue.depth)).collect()
    }

    #[test]
    fn lists_of_cpus_are_parsed() {
        assert_eq!(parse_list("0-3,8,10-11"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(parse_list("0"), Some(vec![0]));
        assert_eq!(parse_list("a-b"), None);
    }

    #[test]
    fn every_queue_is_served_once() {
        let shares = divide(6, &[0, 1, 2, 3], &[1, 3], 8);
        assert_eq!(shares.len(), 2);
        assert_eq!((shares[0].cpu, numbers(&shares[0])), (Some(1), vec![(1, 8), (0, 8), (4, 1)]));
        assert_eq!((shares[1].cpu, numbers(&shares[1])), (Some(3), vec![(3, 8), (2, 8), (5, 1)]));
    }

    #[test]
    fn without_an_allowed_cpu_one_thread_serves_all() {
        let shares = divide(2, &[0, 1], &[7], 4);
        assert_eq!((shares[0].cpu, numbers(&shares[0])), (None, vec![(0, 4), (1, 4)]));
    }
}
