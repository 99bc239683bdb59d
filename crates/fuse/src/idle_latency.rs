//! Keeps idle CPUs from deep sleep while requests follow close on one another.
//!
//! Each request wakes a thread of ours and then its caller, often on a CPU that has just become idle. Where idle CPUs sleep deeply, or a
//! virtual machine gives them back to its host, such a wake-up takes many times longer than the request. Root may ask the kernel for
//! less sleep (PM QoS, `/dev/cpu_dma_latency`); that costs power, so it is asked for only while requests are frequent, and not while
//! the machine runs on its battery.
//!
//! Invariants:
//! - The kernel drops the bound with the descriptor: it does not outlive the session, however that ends.
//! - A request costs one load of a value that hardly ever changes, and while the bound is not in force an addition.
//! - No thread that serves requests makes a system call for this.

use parking_lot::{Condvar, Mutex};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const DEVICE: &str = "/dev/cpu_dma_latency";
const IDLE_DRIVER: &str = "/sys/devices/system/cpu/cpuidle/current_driver";
const IDLE_STATES: &str = "/sys/devices/system/cpu/cpu0/cpuidle";
const POWER_SUPPLIES: &str = "/sys/class/power_supply";

/// Requests are frequent when one thread takes so many
const BURST_REQUESTS: u32 = 6;
/// in this time, and as long as all threads together do.
const BURST_TIME: Duration = Duration::from_millis(20);

/// What the device takes for "no bound", in microseconds: the kernel's own default.
const NO_BOUND: i32 = 2_000_000_000;

/// Nothing can be asked of the kernel.
const UNAVAILABLE: u8 = 0;
/// Requests are rare.
const AT_REST: u8 = 1;
/// Requests are frequent.
const BUSY: u8 = 2;

/// Whether requests are frequent, as all threads of a session see it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    state: AtomicU8,
    control: Mutex<Control>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Control {
    is_busy: bool,
    is_over: bool,
}

/// How fast requests come to one thread.
#[derive(Debug)]
pub(crate) struct Burst {
    requests: u32,
    since: Instant,
}

impl Default for Burst {
    fn default() -> Self {
        Self { requests: 0, since: Instant::now() }
    }
}

impl Pace {
    /// Takes note of a request.
    pub(crate) fn note(&self, burst: &mut Burst) {
        if self.state.load(Ordering::Relaxed) != AT_REST {
            return;
        }
        burst.requests += 1;
        if burst.requests < BURST_REQUESTS {
            return;
        }
        let now = Instant::now();
        let took = now - burst.since;
        *burst = Burst { requests: 0, since: now };
        if took < BURST_TIME {
            self.state.store(BUSY, Ordering::Relaxed);
            self.control.lock().is_busy = true;
            self.changed.notify_one();
        }
    }

    /// Waits until requests are frequent. False when the session is over.
    fn wait_until_busy(&self) -> bool {
        let mut control = self.control.lock();
        while !control.is_busy && !control.is_over {
            self.changed.wait(&mut control);
        }
        !control.is_over
    }

    /// Waits until fewer requests came in a while than make it busy.
    fn wait_until_rest(&self, requests: &dyn Fn() -> u64) {
        let mut before = requests();
        let mut control = self.control.lock();
        while !control.is_over {
            self.changed.wait_while_for(&mut control, |control| !control.is_over, BURST_TIME);
            let now = requests();
            if now - before < BURST_REQUESTS as u64 {
                break;
            }
            before = now;
        }
        control.is_busy = false;
        self.state.store(AT_REST, Ordering::Relaxed);
    }
}

/// The thread that asks the kernel.
#[derive(Debug)]
pub(crate) struct IdleLatency {
    pace: Arc<Pace>,
    bound: u32,
    thread: Option<JoinHandle<()>>,
}

impl IdleLatency {
    /// Begins to watch the pace, if this user may ask and the kernel would listen. `requests` tells how many came in all.
    pub(crate) fn start(pace: Arc<Pace>, requests: impl Fn() -> u64 + Send + 'static) -> Option<Self> {
        let bound = shallow_sleep()?;
        match OpenOptions::new().write(true).open(DEVICE) {
            Ok(device) => Self::with(pace, bound, device, requests),
            Err(error) => {
                tracing::debug!(%error, "idle CPUs sleep as they like");
                None
            }
        }
    }

    fn with(
        pace: Arc<Pace>,
        bound: u32,
        mut device: impl Write + Send + 'static,
        requests: impl Fn() -> u64 + Send + 'static,
    ) -> Option<Self> {
        let watched = pace.clone();
        let work = move || {
            while watched.wait_until_busy() {
                let is_bound = !on_battery(Path::new(POWER_SUPPLIES)) && ask(&mut device, bound as i32);
                watched.wait_until_rest(&requests);
                if is_bound {
                    ask(&mut device, NO_BOUND);
                }
            }
        };
        pace.state.store(AT_REST, Ordering::Relaxed);
        match thread::Builder::new().name("fuse-idle".into()).spawn(work) {
            Ok(thread) => Some(Self { pace, bound, thread: Some(thread) }),
            Err(error) => {
                tracing::debug!(%error, "idle CPUs sleep as they like");
                pace.state.store(UNAVAILABLE, Ordering::Relaxed);
                None
            }
        }
    }

    /// How long an idle CPU may take to wake up while requests are frequent, in microseconds.
    pub(crate) fn bound(&self) -> u32 {
        self.bound
    }
}

impl Drop for IdleLatency {
    fn drop(&mut self) {
        self.pace.control.lock().is_over = true;
        self.pace.changed.notify_one();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the thread that watches the pace of requests panicked");
        }
        self.pace.state.store(UNAVAILABLE, Ordering::Relaxed);
    }
}

/// True if the kernel took it.
fn ask(device: &mut impl Write, microseconds: i32) -> bool {
    let asked = device.write_all(microseconds.as_bytes());
    if let Err(error) = &asked {
        tracing::debug!(%error, microseconds, "the kernel takes no bound on the latency of idle CPUs");
    }
    asked.is_ok()
}

/// How long CPUs take, in microseconds, to wake up from the shallowest sleep that is worth it; `None` where the kernel does not
/// choose among sleeps.
fn shallow_sleep() -> Option<u32> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let driver = read(Path::new(IDLE_DRIVER))?;
    shallow_sleep_of(driver.trim(), |state| {
        read(&Path::new(IDLE_STATES).join(format!("state{state}/latency")))?.trim().parse().ok()
    })
}

fn shallow_sleep_of(driver: &str, latency: impl Fn(usize) -> Option<u32>) -> Option<u32> {
    match driver {
        "" | "none" => None,
        // Its only sleep leaves the virtual machine, whatever latency it gives for that.
        "haltpoll" => Some(0),
        // State 0 is a loop that looks for work.
        _ => latency(1),
    }
}

/// Whether a battery feeds the machine now.
fn on_battery(supplies: &Path) -> bool {
    let Ok(supplies) = fs::read_dir(supplies) else { return false };
    supplies.flatten().any(|supply| {
        let says =
            |file: &str, what: &str| fs::read_to_string(supply.path().join(file)).is_ok_and(|text| text.trim() == what);
        // A mouse has a battery, too.
        says("type", "Battery") && says("status", "Discharging") && !says("scope", "Device")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicU64;

    fn next(device: &mut UnixStream) -> i32 {
        let mut microseconds = 0_i32;
        device.read_exact(microseconds.as_mut_bytes()).expect("the thread asks");
        microseconds
    }

    fn burst(pace: &Pace) {
        let mut burst = Burst::default();
        while pace.state.load(Ordering::Relaxed) == AT_REST {
            pace.note(&mut burst);
        }
    }

    #[test]
    fn the_bound_is_asked_for_while_requests_are_frequent_and_no_longer() {
        let (mut kernel, device) = UnixStream::pair().expect("a socket");
        let (pace, requests) = (Arc::new(Pace::default()), Arc::new(AtomicU64::new(0)));
        let counted = requests.clone();
        // As if 100 came each time it looks, five times.
        let count = move || counted.fetch_add(100, Ordering::Relaxed).min(500);
        let watching = IdleLatency::with(pace.clone(), 7, device, count).expect("a thread");
        burst(&pace);
        assert_eq!(next(&mut kernel), 7);
        assert_eq!(next(&mut kernel), NO_BOUND);
        assert!(requests.load(Ordering::Relaxed) > 500, "it was given up while requests came");
        burst(&pace);
        assert_eq!(next(&mut kernel), 7, "not asked for again");
        drop(watching);
        assert_eq!(next(&mut kernel), NO_BOUND);
        assert_eq!(kernel.read(&mut [0; 4]).expect("the end"), 0);
    }

    #[test]
    fn slow_requests_change_nothing_and_neither_do_those_of_which_nobody_watches_the_pace() {
        let pace = Pace::default();
        let mut fast = Burst::default();
        (0..BURST_REQUESTS).for_each(|_| pace.note(&mut fast));
        assert_eq!(pace.state.load(Ordering::Relaxed), UNAVAILABLE);
        pace.state.store(AT_REST, Ordering::Relaxed);
        let long_ago = Instant::now().checked_sub(BURST_TIME).expect("the machine runs for longer");
        let mut slow = Burst { requests: 0, since: long_ago };
        (0..BURST_REQUESTS).for_each(|_| pace.note(&mut slow));
        assert_eq!(pace.state.load(Ordering::Relaxed), AT_REST);
    }

    #[test]
    fn the_shallowest_sleep_is_allowed_except_where_it_leaves_the_virtual_machine() {
        let latency = |state| [0, 2, 60].get(state).copied();
        assert_eq!(shallow_sleep_of("intel_idle", latency), Some(2));
        assert_eq!(shallow_sleep_of("haltpoll", latency), Some(0));
        assert_eq!(shallow_sleep_of("none", latency), None);
        assert_eq!(shallow_sleep_of("acpi_idle", |_| None), None);
    }

    #[test]
    fn only_a_battery_of_the_machine_that_discharges_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let supply = |name: &str, files: &[(&str, &str)]| {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).expect("a folder");
            files.iter().for_each(|(file, text)| fs::write(path.join(file), text).expect("a file"));
        };
        assert!(!on_battery(&folder.path().join("missing")));
        supply("AC", &[("type", "Mains\n"), ("online", "1\n")]);
        supply("mouse", &[("type", "Battery\n"), ("status", "Discharging\n"), ("scope", "Device\n")]);
        supply("BAT0", &[("type", "Battery\n"), ("status", "Charging\n")]);
        assert!(!on_battery(folder.path()));
        supply("BAT0", &[("status", "Discharging\n")]);
        assert!(on_battery(folder.path()));
    }
}
