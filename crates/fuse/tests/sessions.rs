//! Mounted sessions: their ends, their failures, what reaches the file system. Needs root.

mod common;

use common::probe::{Probe, SIZE};
use common::{Mounted, Mountpoint, eventually, transports};
use fuse::{
    Error, Features, MountOptions, Notification, NotifierQueue, ROOT, Session, SessionConfig, Transport, mounts,
};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// Tells a child of the tests where to mount.
const MOUNTPOINT: &str = "FUSE_TEST_MOUNTPOINT";
const TRANSPORT: &str = "FUSE_TEST_TRANSPORT";

#[test]
fn unmounting_a_busy_file_system_says_so_and_waits_for_nothing() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let file = File::open(mounted.path("plain")).expect("opened");
        assert!(matches!(mounted.unmount(), Err(Error::Busy(_))));
        assert!(!probe.destroyed.load(Ordering::SeqCst));
        drop(file);
        unmount_soon(&mounted);
        mounted.wait().expect("no thread failed");
        assert!(probe.destroyed.load(Ordering::SeqCst));
        mounted.unmount().expect("unmounting twice does no harm");
    }
}

/// A file's release may come a moment after its close.
fn unmount_soon(mounted: &Mounted) {
    eventually("unmounted", || mounted.unmount().is_ok());
}

#[test]
fn a_detached_file_system_serves_what_is_open() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let mut file = File::open(mounted.path("plain")).expect("opened");
        mounted.detach().expect("detached");
        assert!(!mounted.path("plain").exists());
        file.read_exact(&mut [0; 4096]).expect("still served");
        assert!(!probe.destroyed.load(Ordering::SeqCst));
        drop(file);
        mounted.wait().expect("no thread failed");
        assert!(probe.destroyed.load(Ordering::SeqCst));
    }
}

#[test]
fn a_panic_in_a_handler_answers_eio_and_the_session_goes_on() {
    for transport in transports() {
        let mounted = Mounted::new(Arc::new(Probe::default()), transport);
        let error = fs::read(mounted.path("panics")).expect_err("the handler panics");
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        File::open(mounted.path("plain")).expect("served").read_exact(&mut [0; 10]).expect("served");
    }
}

#[test]
fn a_reader_that_is_killed_ends_at_once() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let mut reader = spawn("cat", &mounted.path("blocks"));
        eventually("the reader blocks", || probe.blocked.load(Ordering::SeqCst) == 1);
        let killed = Instant::now();
        reader.kill().expect("killed");
        reader.wait().expect("ended");
        assert!(killed.elapsed() < Duration::from_secs(2));
        eventually("the handler ends", || probe.interrupted.load(Ordering::SeqCst) == 1);
    }
}

#[test]
fn requests_that_wait_hold_up_no_others_and_can_be_killed() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        // More than there are threads that take requests.
        let count = 2 * std::thread::available_parallelism().expect("a number").get().max(2);
        let mut readers: Vec<_> = (0..count).map(|_| spawn("cat", &mounted.path("waits"))).collect();
        eventually("all of them wait", || probe.blocked.load(Ordering::SeqCst) == count);
        File::open(mounted.path("plain")).expect("served").read_exact(&mut [0; 10]).expect("served");
        for reader in &mut readers {
            reader.kill().expect("killed");
            reader.wait().expect("ended");
        }
        eventually("the handlers end", || probe.interrupted.load(Ordering::SeqCst) == count);
        let reads = mounted.requests().into_iter().find(|(name, _)| *name == "Read").expect("there were reads");
        assert!(reads.1 < 2 * count as u64, "a request is counted once: {reads:?}");
    }
}

#[test]
fn an_aborted_session_ends_with_requests_that_wait() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let mut reader = spawn("cat", &mounted.path("waits"));
        eventually("the reader waits", || probe.blocked.load(Ordering::SeqCst) == 1);
        mounted.abort().expect("aborted");
        reader.wait().expect("ended");
        mounted.wait().expect("no thread failed");
        assert!(probe.destroyed.load(Ordering::SeqCst));
    }
}

#[test]
fn a_wait_for_a_lock_that_is_killed_ends_at_once() {
    if let Some((path, _)) = as_child() {
        return wait_for_a_lock(&path);
    }
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let config = SessionConfig { transport, ..SessionConfig::default() }.with(Features::POSIX_LOCKS);
        let mounted = Mounted::with(probe.clone(), &MountOptions::default(), &config);
        let mut waiter = child("a_wait_for_a_lock_that_is_killed_ends_at_once", &mounted.path("plain"), transport)
            .spawn()
            .expect("spawned");
        eventually("the waiter blocks", || probe.blocked.load(Ordering::SeqCst) == 1);
        waiter.kill().expect("killed");
        waiter.wait().expect("ended");
        eventually("the handler ends", || probe.interrupted.load(Ordering::SeqCst) == 1);
    }
}

/// The process that can be killed.
fn wait_for_a_lock(path: &Path) {
    let file = File::options().read(true).write(true).open(path).expect("opened");
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the kernel only reads the lock.
    unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&file), libc::F_SETLKW, &raw const lock) };
}

#[test]
fn requests_of_one_mebibyte_arrive_whole() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        assert_eq!(mounted.capabilities().max_write, 1 << 20);
        let mut file = File::options();
        let mut file = file.write(true).open(mounted.path("plain")).expect("opened");
        for _ in 0..SIZE >> 20 {
            file.write_all(&vec![1; 1 << 20]).expect("written");
        }
        drop(file);
        assert_eq!(largest(&probe.writes), 1 << 20);
        mounted.notifier().invalidate_inode(2, 0, 0).expect("what was written is cached");
        fs::read(mounted.path("plain")).expect("read");
        assert_eq!(largest(&probe.reads), 1 << 20);
        let mut direct = File::options();
        let direct = direct.read(true).custom_flags(libc::O_DIRECT).open(mounted.path("plain")).expect("opened");
        probe.reads.lock().expect("not poisoned").clear();
        read_aligned(direct, 4 << 20);
        assert_eq!(largest(&probe.reads), 1 << 20);
    }
}

fn largest(sizes: &std::sync::Mutex<Vec<usize>>) -> usize {
    sizes.lock().expect("not poisoned").iter().copied().max().expect("there were some")
}

fn read_aligned(mut file: File, length: usize) {
    let mut buffer = vec![0; length + 4096];
    let skip = buffer.as_ptr().align_offset(4096);
    file.read_exact(&mut buffer[skip..skip + length]).expect("read");
}

#[test]
fn what_is_cached_stays_until_a_notification() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let first = || {
            let mut byte = [0];
            File::open(mounted.path("plain")).expect("opened").read_exact(&mut byte).expect("read");
            byte[0]
        };
        assert_eq!(first(), 0);
        probe.byte.store(7, Ordering::SeqCst);
        assert_eq!(first(), 0);
        mounted.notifier().invalidate_inode(2, 0, 0).expect("the kernel takes it");
        assert_eq!(first(), 7);
        mounted.notifier().store(2, 0, &[9; 4096]).expect("the kernel takes it");
        assert_eq!(first(), 9);
    }
}

#[test]
fn names_are_looked_up_again_after_a_notification() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let queue = NotifierQueue::new(mounted.notifier(), 16).expect("a thread");
        let name: Box<[u8]> = b"plain"[..].into();
        let lookups = || {
            let before = probe.lookups.load(Ordering::SeqCst);
            fs::metadata(mounted.path("plain")).expect("it is there");
            probe.lookups.load(Ordering::SeqCst) - before
        };
        assert_eq!(lookups(), 1);
        assert_eq!(lookups(), 0);
        for notification in [
            Notification::InvalidateEntry { parent: ROOT, name: name.clone() },
            Notification::ExpireEntry { parent: ROOT, name: name.clone() },
            Notification::Delete { parent: ROOT, child: 2, name: name.clone() },
            Notification::IncrementEpoch,
        ] {
            queue.push(notification.clone()).expect("there is room");
            queue.flush();
            assert_eq!((lookups(), lookups()), (1, 0), "{notification:?}");
        }
        mounted.notifier().invalidate_entry(ROOT, b"unknown").expect("nothing to do");
        mounted.notifier().prune(&[2, 3]).expect("the kernel takes it");
    }
}

#[test]
fn a_session_whose_process_is_killed_leaves_a_dead_mount_that_can_be_taken_away() {
    if let Some((path, transport)) = as_child() {
        return serve_until_killed(&path, transport);
    }
    for transport in transports() {
        let mountpoint = Mountpoint::new();
        let path = mountpoint.path();
        let mut daemon = child(KILLED, &path, transport).spawn().expect("spawned");
        eventually("mounted", || path.join("plain").exists());
        assert!(!mounts::is_dead(&path));
        daemon.kill().expect("killed");
        daemon.wait().expect("ended");
        eventually("dead", || mounts::is_dead(&path));
        let refused = Session::mount(Arc::new(Probe::default()), &path, &MountOptions::default(), &config(transport));
        assert!(matches!(refused, Err(Error::MountpointDead(_))), "{refused:?}");
        let mount = mounts::find(&path).expect("/proc").expect("still mounted");
        assert!(mount.is_dead() && mount.kind == "fuse");
        mount.detach().expect("taken away");
        assert_eq!(mounts::find(&path).expect("/proc"), None);
        assert!(fs::read_dir(&path).expect("the directory below").next().is_none());
    }
}

const KILLED: &str = "a_session_whose_process_is_killed_leaves_a_dead_mount_that_can_be_taken_away";

/// The process that is killed.
fn serve_until_killed(path: &Path, transport: Transport) {
    let probe = Arc::new(Probe::default());
    let session = Session::mount(probe, path, &MountOptions::default(), &config(transport));
    session.expect("mounted").wait().expect("served");
}

#[test]
fn an_aborted_session_ends_with_handlers_still_waiting() {
    for transport in transports() {
        let probe = Arc::new(Probe::default());
        let mounted = Mounted::new(probe.clone(), transport);
        let mut reader = spawn("cat", &mounted.path("blocks"));
        eventually("the reader blocks", || probe.blocked.load(Ordering::SeqCst) == 1);
        mounted.abort().expect("aborted");
        mounted.wait().expect("no thread failed");
        assert!(!reader.wait().expect("ended").success());
        assert!(probe.destroyed.load(Ordering::SeqCst));
    }
}

#[test]
fn what_cannot_be_mounted_is_refused_with_a_reason() {
    let mount = |path: &str| {
        Session::mount(Arc::new(Probe::default()), Path::new(path), &MountOptions::default(), &SessionConfig::default())
    };
    assert!(matches!(mount("/nonexistent"), Err(Error::MountpointMissing(_))));
    assert!(matches!(mount("/etc/passwd"), Err(Error::MountpointNotDirectory(_))));
}

#[test]
fn a_file_system_that_does_not_start_is_not_mounted() {
    struct Refuses;
    impl fuse::Filesystem for Refuses {
        fn init(&self, _: &fuse::Capabilities) -> Result<(), fuse::Errno> {
            Err(fuse::Errno::ENOMEM)
        }
        fn destroy(&self) {
            panic!("it never started");
        }
    }
    for transport in transports() {
        let mountpoint = Mountpoint::new();
        let refused =
            Session::mount(Arc::new(Refuses), &mountpoint.path(), &MountOptions::default(), &config(transport));
        assert!(matches!(refused, Err(Error::Refused(fuse::Errno::ENOMEM))), "{refused:?}");
        assert_eq!(mounts::find(&mountpoint.path()).expect("/proc"), None);
    }
}

#[test]
fn an_ordinary_user_mounts_through_the_helper() {
    if let Some((path, transport)) = as_child() {
        return mount_and_unmount_as_a_user(&path, transport);
    }
    for transport in transports() {
        let mountpoint = Mountpoint::new();
        let path = mountpoint.path();
        std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).expect("owned by nobody");
        let output =
            as_nobody(&child("an_ordinary_user_mounts_through_the_helper", &path, transport)).output().expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

const NOBODY: u32 = 65534;

/// Runs a command as an ordinary user who may open `/dev/fuse`, as is usual: a mount namespace of its own sees to that.
fn as_nobody(command: &Command) -> Command {
    const SCRIPT: &str = "set -e; node=$(mktemp -u); mknod -m 666 $node c 10 229; mount --bind $node /dev/fuse; rm $node; \
                          exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let mut user = Command::new("unshare");
    user.args(["--mount", "sh", "-c", SCRIPT, "sh"]).arg(command.get_program()).args(command.get_args());
    user.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    user
}

/// The process of another user.
fn mount_and_unmount_as_a_user(path: &Path, transport: Transport) {
    let probe = Arc::new(Probe::default());
    let open_to_all = MountOptions { allow_other: true, ..MountOptions::default() };
    let refused = Session::mount(probe.clone(), path, &open_to_all, &config(transport));
    assert!(matches!(refused, Err(Error::AllowOther)), "{refused:?}");
    let session = Session::mount(probe, path, &MountOptions::default(), &config(transport)).expect("mounted");
    let file = File::open(path.join("plain")).expect("opened");
    assert!(matches!(session.unmount(), Err(Error::Busy(_))));
    drop(file);
    eventually("unmounted", || session.unmount().is_ok());
    session.wait().expect("served");
}

#[test]
fn without_io_uring_the_device_serves_and_the_reason_is_told() {
    let mounted = Mounted::with(
        Arc::new(Probe::default()),
        &MountOptions::default(),
        &SessionConfig { transport: Transport::Device, device_threads: 3, ..SessionConfig::default() },
    );
    let expected = fuse::ActiveTransport::Device { threads: 3, fallback: None };
    assert_eq!(mounted.capabilities().transport, expected);
}

/// What the kernel allows now, whoever asked for it, in microseconds.
fn idle_latency() -> i32 {
    let mut microseconds = 0_i32;
    let mut device = File::open("/dev/cpu_dma_latency").expect("opened");
    device.read_exact(microseconds.as_mut_bytes()).expect("readable");
    microseconds
}

fn is_on_battery() -> bool {
    let supplies = fs::read_dir("/sys/class/power_supply").into_iter().flatten().flatten();
    let mut states = supplies.filter_map(|supply| fs::read_to_string(supply.path().join("status")).ok());
    states.any(|state| state.trim() == "Discharging")
}

#[test]
fn idle_cpus_wake_up_fast_while_requests_are_frequent() {
    for transport in transports() {
        let mounted = Mounted::new(Arc::new(Probe::default()), transport);
        let Some(bound) = mounted.capabilities().idle_latency else {
            println!("left out: this kernel does not choose among the sleeps of idle CPUs");
            return;
        };
        if is_on_battery() {
            println!("left out: a machine on its battery is left alone");
            return;
        }
        eventually("asked for", || {
            (0..100).for_each(|number| drop(fs::metadata(mounted.path(&format!("missing-{number}")))));
            idle_latency() <= bound as i32
        });
        let config = SessionConfig { idle_latency: false, ..config(transport) };
        let other = Mounted::with(Arc::new(Probe::default()), &MountOptions::default(), &config);
        assert_eq!(other.capabilities().idle_latency, None);
    }
}

fn config(transport: Transport) -> SessionConfig {
    SessionConfig { transport, ..SessionConfig::default() }
}

fn spawn(program: &str, path: &Path) -> Child {
    Command::new(program).arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("spawned")
}

/// What a test is to do as the process that [`child`] makes of it; `None` in the test itself.
fn as_child() -> Option<(PathBuf, Transport)> {
    let (path, transport) = (std::env::var_os(MOUNTPOINT)?, std::env::var_os(TRANSPORT)?);
    Some((path.into(), if transport == "Uring" { Transport::Uring } else { Transport::Device }))
}

/// A test of this file, as a process of its own that does its other part.
fn child(test: &str, path: &Path, transport: Transport) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).stdin(Stdio::null()).stdout(Stdio::null());
    command.env(MOUNTPOINT, path).env(TRANSPORT, format!("{transport:?}"));
    command
}

#[test]
fn sync_reaches_a_file_system_on_a_block_device() {
    for transport in transports() {
        let Ok(device) = fuse::LoopDevice::new("test".as_ref()) else {
            println!("skipping: no loop device to be had");
            return;
        };
        let probe = Arc::new(Probe::default());
        let options = MountOptions { block_device: Some(device.path().to_owned()), ..MountOptions::default() };
        let mounted = Mounted::with(probe.clone(), &options, &config(transport));
        assert_eq!(mounts::find(mounted.root()).expect("/proc").expect("mounted").kind, "fuseblk");
        let root = File::open(mounted.root()).expect("opened");
        // SAFETY: the descriptor is open.
        let result = unsafe { libc::syncfs(std::os::fd::AsRawFd::as_raw_fd(&root)) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
        assert!(probe.syncs.load(Ordering::SeqCst) > 0);
        drop(root);
        unmount_soon(&mounted);
        assert!(probe.destroyed.load(Ordering::SeqCst), "unmounting waits for destroy on a block device");
        mounted.wait().expect("no thread failed");
    }
}
