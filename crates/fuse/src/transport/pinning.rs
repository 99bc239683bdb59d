//! Keeps a thread on the CPU whose requests it answers, as long as it gets that CPU.
//!
//! An answer is fastest where the request was made: no other CPU has to be woken. But a program that keeps its CPU busy while it
//! waits, as io_uring does when it reads through the page cache, leaves a pinned thread to stand in line while other CPUs idle. So
//! the thread looks, every so many waits, at how long it stood in line, and if that is long it may run anywhere for a while.
//!
//! Invariant: what is pinned is the calling thread, so a `Pinning` stays on the thread that made it.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How many waits there are between two looks: some milliseconds for a thread that has much to do.
const WAITS_PER_LOOK: u32 = 256;

/// How long a thread may run anywhere before it is tried at home again.
const RELEASED_FOR: Duration = Duration::from_secs(1);

/// A thread and its CPU.
pub(crate) struct Pinning {
    home: CpuSet,
    anywhere: CpuSet,
    /// What the scheduler counts of this thread; `None` where it counts nothing.
    counts: Option<File>,
    waits: u32,
    place: Place,
}

/// Where the thread may run.
enum Place {
    /// On its CPU; with what the scheduler had counted at the last look.
    Home(Times),
    /// Anywhere until then.
    Anywhere(Instant),
}

/// Nanoseconds since the thread began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    ran: u64,
    /// Ready to run, on a CPU that ran something else.
    stood_in_line: u64,
}

impl Pinning {
    /// Pins the calling thread to a CPU.
    pub(crate) fn new(cpu: usize) -> io::Result<Self> {
        let anywhere = sched_getaffinity(None)?;
        let mut home = CpuSet::new();
        home.set(cpu);
        sched_setaffinity(None, &home)?;
        let counts = File::open("/proc/thread-self/schedstat").ok();
        let mut pinning = Self { home, anywhere, counts, waits: 0, place: Place::Home(Times::default()) };
        pinning.place = Place::Home(pinning.times().unwrap_or_default());
        Ok(pinning)
    }

    /// To be called each time the thread waited.
    pub(crate) fn waited(&mut self) -> io::Result<()> {
        self.waits += 1;
        if self.waits < WAITS_PER_LOOK {
            return Ok(());
        }
        self.waits = 0;
        self.look()
    }

    fn look(&mut self) -> io::Result<()> {
        let Some(now) = self.times() else { return Ok(()) };
        match self.place {
            Place::Home(before) if now.is_crowded_since(before) => {
                sched_setaffinity(None, &self.anywhere)?;
                self.place = Place::Anywhere(Instant::now() + RELEASED_FOR);
            }
            Place::Anywhere(until) if Instant::now() < until => {}
            Place::Anywhere(_) => {
                sched_setaffinity(None, &self.home)?;
                self.place = Place::Home(now);
            }
            Place::Home(_) => self.place = Place::Home(now),
        }
        Ok(())
    }

    fn times(&self) -> Option<Times> {
        let mut text = [0; 96];
        let length = self.counts.as_ref()?.read_at(&mut text, 0).ok()?;
        Times::parse(std::str::from_utf8(&text[..length]).ok()?)
    }
}

impl Times {
    /// Parses the first two numbers of a `schedstat`.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        Some(Self { ran: numbers.next()?.ok()?, stood_in_line: numbers.next()?.ok()? })
    }

    /// Whether the thread has stood in line for at least half as long as it ran.
    fn is_crowded_since(self, before: Self) -> bool {
        let stood_in_line = self.stood_in_line.saturating_sub(before.stood_in_line);
        stood_in_line.saturating_mul(2) >= self.ran.saturating_sub(before.ran).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn first_cpu() -> usize {
        let cpus = sched_getaffinity(None).expect("the kernel tells");
        (0..CpuSet::MAX_CPU).find(|&cpu| cpus.is_set(cpu)).expect("a CPU")
    }

    #[test]
    fn a_schedstat_is_parsed() {
        assert_eq!(Times::parse("120 45 7\n"), Some(Times { ran: 120, stood_in_line: 45 }));
        assert_eq!(Times::parse("120"), None);
        assert_eq!(Times::parse("a b c"), None);
    }

    #[test]
    fn half_as_long_in_line_as_at_work_is_a_crowd() {
        let before = Times { ran: 1000, stood_in_line: 500 };
        let after = |ran: u64, stood_in_line: u64| Times { ran: 1000 + ran, stood_in_line: 500 + stood_in_line };
        assert!(after(100, 50).is_crowded_since(before));
        assert!(!after(100, 49).is_crowded_since(before));
        assert!(!after(0, 0).is_crowded_since(before));
    }

    #[test]
    fn a_thread_whose_cpu_is_taken_may_run_anywhere_and_goes_home_again() {
        let (cpu, is_over) = (first_cpu(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let _pinned = Pinning::new(cpu).expect("pinned");
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            let own = scope.spawn(|| {
                let all = sched_getaffinity(None).expect("the kernel tells");
                let mut pinning = Pinning::new(cpu).expect("pinned");
                let start = Instant::now();
                while matches!(pinning.place, Place::Home(_)) && start.elapsed() < PATIENCE {
                    pinning.waited().expect("the thread may move");
                }
                let released = sched_getaffinity(None).expect("the kernel tells");
                is_over.store(true, Ordering::Relaxed);
                while matches!(pinning.place, Place::Anywhere(_)) && start.elapsed() < PATIENCE {
                    pinning.waited().expect("the thread may move");
                }
                let back = sched_getaffinity(None).expect("the kernel tells");
                (all, released, back)
            });
            let (all, released, back) = own.join().expect("no panic");
            assert_eq!(released, all);
            assert!(back.is_set(cpu) && back.count() == 1, "at home again");
        });
    }
}
