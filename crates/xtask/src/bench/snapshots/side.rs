//! One of the two file systems, and its commands about snapshots.

use crate::bench::peers::{self, Ground, Kind, Mounted};
use crate::bench::usage;
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Names for one call of a command, which have to fit into its arguments.
const NAMES_PER_CALL: u64 = 10_000;
/// Where the files lie in btrfs, which makes snapshots of subvolumes.
const SUBVOLUME: &str = "files";
const SNAPSHOTS: &str = "snapshots";

pub(super) struct Side {
    kind: Kind,
    mounted: Box<dyn Mounted>,
    program: OsString,
    store: PathBuf,
    snapshots: u64,
}

impl Side {
    pub(super) fn make(kind: Kind, ground: &Ground) -> Result<Side> {
        let mounted = peers::make(kind, ground)?;
        let program = match kind {
            Kind::Pantala => ground.pantala.as_os_str().to_owned(),
            Kind::Btrfs => "btrfs".into(),
            _ => bail!("{} has no snapshots", kind.name()),
        };
        let side = Side { kind, mounted, program, store: peers::pantala::store(ground.directory), snapshots: 0 };
        if kind == Kind::Btrfs {
            side.call(&["subvolume".into(), "create".into(), side.top().into()])?;
            fs::create_dir(side.mounted.point().join(SNAPSHOTS))?;
        }
        Ok(side)
    }

    /// Where the files lie.
    pub(super) fn top(&self) -> PathBuf {
        match self.kind {
            Kind::Btrfs => self.mounted.point().join(SUBVOLUME),
            _ => self.mounted.point().to_owned(),
        }
    }

    /// How many there are.
    pub(super) fn snapshots(&self) -> u64 {
        self.snapshots
    }

    /// Makes a snapshot; gives how the commands call it.
    pub(super) fn create_named(&mut self) -> Result<OsString> {
        let name = self.next_name();
        self.create_of(std::slice::from_ref(&name))?;
        Ok(name)
    }

    pub(super) fn create(&mut self) -> Result<()> {
        self.create_named().map(drop)
    }

    /// Makes up to a number of snapshots with one call of the command, or one where it takes only one.
    pub(super) fn create_many(&mut self, count: u64) -> Result<()> {
        let count = if self.kind == Kind::Btrfs { 1 } else { count.min(NAMES_PER_CALL) };
        let names: Vec<OsString> = (0..count).map(|_| self.next_name()).collect();
        self.create_of(&names)
    }

    pub(super) fn list(&mut self) -> Result<()> {
        match self.kind {
            Kind::Btrfs => self.call(&["subvolume".into(), "list".into(), "-s".into(), self.mounted.point().into()]),
            _ => self.call(&["snapshot".into(), "list".into()]),
        }
    }

    /// Finds what differs. btrfs tells it as the stream that would bring a copy of the one to the other, here without data.
    pub(super) fn difference(&self, before: &OsString, after: &OsString) -> Result<()> {
        match self.kind {
            Kind::Btrfs => {
                let point = self.mounted.point();
                let null = ["-f".into(), "/dev/null".into()];
                let parent = ["-p".into(), point.join(before).into_os_string(), point.join(after).into_os_string()];
                self.call(&[&["send".into(), "--no-data".into(), "-q".into()][..], &null, &parent].concat())
            }
            _ => self.call(&["diff".into(), before.clone(), after.clone(), "--stat".into()]),
        }
    }

    /// Unmounts and mounts, so that nothing is in memory.
    pub(super) fn remount(&mut self) -> Result<()> {
        self.mounted.sync()?;
        self.mounted.remount()?;
        fs::write("/proc/sys/vm/drop_caches", "3").context("cannot drop the kernel's caches")
    }

    /// Memory of the daemon, if there is one.
    pub(super) fn resident_bytes(&self) -> Result<Option<u64>> {
        self.mounted.daemon()?.map(usage::resident_bytes).transpose()
    }

    fn next_name(&mut self) -> OsString {
        self.snapshots += 1;
        let name = format!("state-{:06}", self.snapshots);
        if self.kind == Kind::Btrfs { format!("{SNAPSHOTS}/{name}").into() } else { name.into() }
    }

    fn create_of(&self, names: &[OsString]) -> Result<()> {
        match (self.kind, names) {
            (Kind::Btrfs, [name]) => {
                let place = self.mounted.point().join(name);
                let arguments = ["subvolume".into(), "snapshot".into(), "-r".into(), self.top().into(), place.into()];
                self.call(&arguments)
            }
            _ => self.call(&[&["snapshot".into(), "create".into()][..], names].concat()),
        }
    }

    /// Runs a command to its end, without the pauses of one that is watched.
    fn call(&self, arguments: &[OsString]) -> Result<()> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("PANTALA_STORE", &self.store).stdin(Stdio::null()).stdout(Stdio::null());
        let ended = command.stderr(Stdio::piped()).output().context("a command about snapshots cannot be started")?;
        if !ended.status.success() {
            let shown = arguments.iter().take(4).collect::<Vec<_>>();
            bail!("{:?} {shown:?} failed: {}", self.program, String::from_utf8_lossy(&ended.stderr).trim());
        }
        Ok(())
    }
}
