//! Keeps a thread on the CPU whose requests it answers, as long as it gets that CPU.
//!
//! An answer is fastest where the request was made: no other CPU has to be woken. But a program that keeps its CPU busy while it
//! waits, as io_uring does when it reads through the page cache, leaves a pinned thread to stand in line while other CPUs idle. So
//! the thread looks now and then at how long it stood in line. If that is long, and the machine has idled meanwhile, it may run
//! anywhere for a while.
//!
//! Invariant: what is pinned is the calling thread, so a `Pinning` stays on the thread that made it.

use rustix::param::clock_ticks_per_second;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How many waits there are at least between two looks.
const WAITS_PER_LOOK: u32 = 64;

/// How much time there is at least between two looks: the machine counts idle time in steps of a tenth of it.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a thread may run anywhere before it is tried at home again.
const RELEASED_FOR: Duration = Duration::from_secs(2);

/// A thread and its CPU.
pub(crate) struct Pinning {
    home: CpuSet,
    anywhere: CpuSet,
    /// What the scheduler counts of this thread, and of the machine; `None` where it counts nothing.
    counts: Option<Counts>,
    waits: u32,
    looked: Instant,
    place: Place,
}

/// Where the thread may run.
#[derive(Debug)]
enum Place {
    /// On its CPU.
    Home {
        /// Its times at the last look.
        times: Times,
        /// How long the machine had idled then, if the thread was crowded.
        idled: Option<Duration>,
    },
    /// Anywhere until then.
    Anywhere(Instant),
}

struct Counts {
    thread: File,
    machine: File,
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
        let counts = Counts::open();
        let times = counts.as_ref().and_then(Counts::times).unwrap_or_default();
        let place = Place::Home { times, idled: None };
        Ok(Self { home, anywhere, counts, waits: 0, looked: Instant::now(), place })
    }

    /// To be called each time the thread waited.
    pub(crate) fn waited(&mut self) {
        self.waits += 1;
        if self.waits < WAITS_PER_LOOK {
            return;
        }
        self.waits = 0;
        let now = Instant::now();
        let since = now - self.looked;
        if since >= LOOK_INTERVAL {
            self.looked = now;
            self.look(now, since);
        }
    }

    fn look(&mut self, now: Instant, since: Duration) {
        let Some(counts) = &self.counts else { return };
        let times = counts.times().unwrap_or_default();
        self.place = match self.place {
            Place::Anywhere(until) if now < until => return,
            Place::Anywhere(_) if moved(&self.home) => Place::Home { times, idled: None },
            Place::Anywhere(_) => Place::Anywhere(now + RELEASED_FOR),
            Place::Home { times: before, idled: before_idled } => {
                let idled = if times.is_crowded_since(before) { counts.idled() } else { None };
                if is_idle_enough(before_idled, idled, since) && moved(&self.anywhere) {
                    Place::Anywhere(now + RELEASED_FOR)
                } else {
                    Place::Home { times, idled }
                }
            }
        };
    }
}

/// Lets the calling thread run on these CPUs; false if it stays where it was: they may be offline by now, or not allowed any more.
fn moved(cpus: &CpuSet) -> bool {
    sched_setaffinity(None, cpus).inspect_err(|error| tracing::debug!(%error, "a thread stays on its CPUs")).is_ok()
}

impl Counts {
    fn open() -> Option<Self> {
        let open = |path| File::open(path).ok();
        Some(Self { thread: open("/proc/thread-self/schedstat")?, machine: open("/proc/stat")? })
    }

    fn times(&self) -> Option<Times> {
        Times::parse(&read_start(&self.thread)?)
    }

    /// How long all CPUs together have idled, whether or not a disk was waited for.
    fn idled(&self) -> Option<Duration> {
        parse_idle_ticks(&read_start(&self.machine)?)
            .map(|ticks| Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
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

/// Whether the machine has idled between two looks for as long as a CPU that idles a quarter of the time.
fn is_idle_enough(before: Option<Duration>, now: Option<Duration>, since: Duration) -> bool {
    let (Some(before), Some(now)) = (before, now) else { return false };
    now.saturating_sub(before) >= since / 4
}

/// Parses how long the CPUs of a `/proc/stat` have idled, in clock ticks.
fn parse_idle_ticks(text: &str) -> Option<u64> {
    let mut numbers = text.strip_prefix("cpu ")?.split_ascii_whitespace().skip(3).map(str::parse::<u64>);
    Some(numbers.next()?.ok()? + numbers.next()?.ok()?)
}

/// What a file of the kernel's begins with.
fn read_start(file: &File) -> Option<String> {
    let mut text = [0; 160];
    let length = file.read_at(&mut text, 0).ok()?;
    Some(String::from_utf8_lossy(&text[..length]).into_owned())
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
    fn idle_time_counts_with_and_without_a_disk_that_is_waited_for() {
        assert_eq!(parse_idle_ticks("cpu  1 2 3 40 50 6 7 8 9 0\ncpu0 1 2 3 4"), Some(90));
        assert_eq!(parse_idle_ticks("cpu  1 2 3"), None);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert!(is_idle_enough(seconds(10), seconds(11), Duration::from_secs(4)));
        assert!(!is_idle_enough(seconds(10), seconds(11), Duration::from_secs(5)));
        assert!(!is_idle_enough(None, seconds(11), Duration::from_secs(1)));
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
    fn a_thread_whose_cpu_is_gone_goes_on_elsewhere() {
        let all = sched_getaffinity(None).expect("the kernel tells");
        thread::spawn(move || {
            let mut pinning = Pinning::new(first_cpu()).expect("pinned");
            pinning.place = Place::Anywhere(Instant::now());
            assert!(moved(&all));
            // No CPU at all: the kernel refuses that as it refuses one that is offline.
            pinning.home = CpuSet::new();
            pinning.look(Instant::now(), LOOK_INTERVAL);
            assert!(matches!(pinning.place, Place::Anywhere(until) if until > Instant::now()));
            assert_eq!(sched_getaffinity(None).expect("the kernel tells"), all);
        })
        .join()
        .expect("no panic");
    }

    #[test]
    fn a_thread_whose_cpu_is_taken_while_others_idle_may_run_anywhere_and_goes_home_again() {
        let all = sched_getaffinity(None).expect("the kernel tells");
        let taken = AtomicBool::new(true);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _pinned = Pinning::new(first_cpu()).expect("pinned");
                while taken.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            scope.spawn(|| {
                let mut pinning = Pinning::new(first_cpu()).expect("pinned");
                let look = |pinning: &mut Pinning| {
                    let start = Instant::now();
                    while start.elapsed() < LOOK_INTERVAL {
                        std::hint::spin_loop();
                    }
                    // Whether other CPUs idle is up to the machine.
                    if let Place::Home { idled: Some(idled), .. } = &mut pinning.place {
                        *idled = Duration::ZERO;
                    }
                    pinning.look(Instant::now(), LOOK_INTERVAL);
                };
                let start = Instant::now();
                while matches!(pinning.place, Place::Home { .. }) && start.elapsed() < PATIENCE {
                    look(&mut pinning);
                }
                taken.store(false, Ordering::Relaxed);
                assert_eq!(sched_getaffinity(None).expect("the kernel tells"), all);
                pinning.place = Place::Anywhere(Instant::now());
                look(&mut pinning);
                assert_eq!(sched_getaffinity(None).expect("the kernel tells"), pinning.home);
            });
        });
    }
}
