//! What has a mirror synced when its drive appears: a udev rule, which knows the drive by its file system, and a systemd unit, which
//! syncs as the owner of the store.
//!
//! Both are files of the system, so only root can make and remove them. That they are there is all that is remembered of it.
//!
//! systemd starts what a device wants whenever the device has an event and the unit is not active: a check of the file system is one, too.
//! So a unit stays active after its sync, until the drive goes.

use super::{Owner, Place};
use anyhow::{Context, Result, bail, ensure};
use block::Block;
use serde::Deserialize;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where rules of this machine lie (udev(7)).
const RULES: &str = "/etc/udev/rules.d";
/// Where its units lie (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";

/// Digits of a hash that tell a store's mirrors from those of other stores.
const HASH_DIGITS: usize = 12;

/// The two files for a mirror.
pub(crate) struct PlugFiles {
    rule: PathBuf,
    unit: PathBuf,
    unit_name: String,
}

/// The two files and what is to be in them.
pub(crate) struct PlugPlan {
    files: PlugFiles,
    rule: String,
    unit: String,
    /// Whom the store belongs to.
    pub(crate) owner: Owner,
}

impl PlugFiles {
    /// Those of a store's mirror.
    pub(crate) fn of(store: &Path, mirror: &str) -> Self {
        let key = format!("{}\n{mirror}", store.display());
        let hash = Block::data(key.into_bytes().into()).name().to_string();
        let unit_name = format!("pantala-mirror-{}.service", &hash[..HASH_DIGITS]);
        let rule = Path::new(RULES).join(format!("90-pantala-mirror-{}.rules", &hash[..HASH_DIGITS]));
        Self { rule, unit: Path::new(UNITS).join(&unit_name), unit_name }
    }

    pub(crate) fn are_there(&self) -> bool {
        self.unit.exists()
    }

    /// Removes them, if they are there. A sync that the unit has begun ends.
    pub(crate) fn remove(&self) -> Result<()> {
        if self.are_there() && does_systemd_run() {
            ask("systemctl", &["stop", &self.unit_name])?;
        }
        let mut removed = false;
        for path in [&self.rule, &self.unit] {
            match fs::remove_file(path) {
                Ok(()) => removed = true,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot remove {}", path.display())),
            }
        }
        if removed { tell_system() } else { Ok(()) }
    }
}

impl PlugPlan {
    /// What would be written for a mirror. Refuses what could not work; writes nothing.
    pub(crate) fn new(store: &Path, mirror: &str, place: &Place) -> Result<Self> {
        let Place::Directory(directory) = place else {
            bail!("--on-plug is for a drive, and {place} is none; --every syncs it on time");
        };
        ensure!(
            rustix::process::geteuid().is_root(),
            "--on-plug makes a udev rule and a systemd unit, which only root can; the sync itself runs as the owner of {store}: try \
             `sudo pantala mirror set {mirror} --on-plug --store {store}`",
            store = store.display()
        );
        let drive = Drive::under(directory)?;
        let owner = Owner::of(store)?;
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let files = PlugFiles::of(store, mirror);
        let text = UnitText { mirror, store, directory, owner: owner.uid, program: &program, uuid: &drive.uuid };
        Ok(Self { rule: rule_text(mirror, &drive.uuid, &files.unit_name), unit: text.write()?, files, owner })
    }

    /// Writes the files, whole or not at all, and begins a first sync: the drive is there. Gives what follows that sync, where
    /// systemd runs.
    pub(crate) fn install(&self) -> Result<Option<String>> {
        for (path, text) in [(&self.files.unit, &self.unit), (&self.files.rule, &self.rule)] {
            let write = || {
                path.parent().map_or(Ok(()), fs::create_dir_all)?;
                let new = path.with_extension("new");
                fs::write(&new, text)?;
                fs::rename(&new, path)
            };
            write().with_context(|| format!("cannot write {}", path.display()))?;
        }
        tell_system()?;
        if !does_systemd_run() {
            return Ok(None);
        }
        let unit_name = &self.files.unit_name;
        ask("systemctl", &["restart", "--no-block", unit_name])?;
        Ok(Some(format!("journalctl -u {unit_name}")))
    }
}

/// A file system that comes and goes.
struct Drive {
    uuid: String,
}

/// What findmnt(8) prints.
#[derive(Deserialize)]
struct Found {
    filesystems: Vec<FoundMount>,
}

#[derive(Deserialize)]
struct FoundMount {
    uuid: Option<String>,
    target: PathBuf,
}

impl Drive {
    /// The one that a directory, which may not be there yet, lies on.
    fn under(directory: &Path) -> Result<Self> {
        let there = directory.ancestors().find(|path| path.exists()).context("the root directory is missing")?;
        let mut findmnt = Command::new("findmnt");
        findmnt.args(["--json", "--output", "uuid,target", "--target"]).arg(there);
        let output = findmnt.output().context("cannot run findmnt, which tells what is mounted where")?;
        let unknown = || format!("cannot tell which drive {} is on", directory.display());
        ensure!(output.status.success(), "{}: {}", unknown(), String::from_utf8_lossy(&output.stderr).trim());
        let found: Found = serde_json::from_slice(&output.stdout).with_context(unknown)?;
        let mount = found.filesystems.into_iter().next_back().with_context(unknown)?;
        ensure!(
            mount.target != Path::new("/"),
            "{} is on no drive that comes and goes, but on the system's own; mount the drive first, or use --every",
            directory.display()
        );
        let nameless =
            || format!("the file system at {} has no UUID by which it could be known", mount.target.display());
        let uuid = mount.uuid.with_context(nameless)?;
        ensure!(uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), nameless());
        Ok(Self { uuid })
    }
}

fn rule_text(mirror: &str, uuid: &str, unit_name: &str) -> String {
    format!(
        "# Made by `pantala mirror` for the mirror {mirror}, and removed with it.\n\
         ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{{ID_FS_UUID}}==\"{uuid}\", TAG+=\"systemd\", \
         ENV{{SYSTEMD_WANTS}}+=\"{unit_name}\"\n"
    )
}

/// What goes into a unit.
struct UnitText<'a> {
    mirror: &'a str,
    store: &'a Path,
    directory: &'a Path,
    owner: u32,
    program: &'a Path,
    uuid: &'a str,
}

impl UnitText<'_> {
    fn write(&self) -> Result<String> {
        let Self { mirror, store, directory, owner, program, uuid } = self;
        let [directory, program] = [directory, program].map(|path| quoted(path.to_str()));
        let [store, mirror] = [store.to_str(), Some(*mirror)].map(argument);
        // In a device's name a dash stands for a slash (systemd-escape(1)).
        let device = format!("dev-disk-by\\x2duuid-{}.device", uuid.replace('-', "\\x2d"));
        Ok(format!(
            "# Made by `pantala mirror`, and removed with the mirror.\n\
             [Unit]\n\
             Description=Sync of the mirror {mirror} to the drive that has just come\n\
             RequiresMountsFor={directory}\n\
             BindsTo={device}\n\
             After={device}\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             RemainAfterExit=yes\n\
             SuccessExitStatus=SIGTERM\n\
             User={owner}\n\
             ExecStart={program} mirror sync --plugged --store {store} -- {mirror}\n",
            directory = directory?,
            program = program?,
            store = store?,
            mirror = mirror?,
        ))
    }
}

/// A word as systemd reads it (systemd.syntax(7)).
fn quoted(text: Option<&str>) -> Result<String> {
    let text = text.filter(|text| !text.contains(|letter: char| letter.is_control()));
    let text = text.context("systemd takes only names in UTF-8 and without control characters")?;
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    Ok(format!("\"{escaped}\""))
}

/// The same as an argument of a command, where a dollar stands for a variable.
fn argument(text: Option<&str>) -> Result<String> {
    Ok(quoted(text)?.replace('$', "$$"))
}

/// Has udev and systemd read their files again, where they run.
fn tell_system() -> Result<()> {
    if !does_systemd_run() {
        tracing::debug!("systemd does not run here");
        return Ok(());
    }
    ask("udevadm", &["control", "--reload"])?;
    ask("systemctl", &["daemon-reload"])
}

/// As sd_booted(3) has it.
fn does_systemd_run() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn ask(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", arguments.join(" "), complaint.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_holds_names_as_they_are() {
        let text = UnitText {
            mirror: "the $drive",
            store: Path::new("/home/me/50%"),
            directory: Path::new("/media/me/a \"b\" $c"),
            owner: 1000,
            program: Path::new("/usr/bin/pantala"),
            uuid: "12AB-34CD",
        };
        let unit = text.write().unwrap();
        for line in [
            "RequiresMountsFor=\"/media/me/a \\\"b\\\" $c\"",
            "BindsTo=dev-disk-by\\x2duuid-12AB\\x2d34CD.device",
            "User=1000",
            "ExecStart=\"/usr/bin/pantala\" mirror sync --plugged --store \"/home/me/50%%\" -- \"the $$drive\"",
        ] {
            assert!(unit.lines().any(|found| found == line), "{line} is not in {unit}");
        }
        assert!(quoted(Some("two\nlines")).is_err());
    }
}
