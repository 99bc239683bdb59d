//! A sequence on two sides: played on each in a directory of its own, at the same time, and compared.

use super::allowances;
use super::name::Name;
use super::operation::Step;
use super::outcome::Outcome;
use super::peer::Peer;
use super::processes::Processes;
use anyhow::{Context, Result, anyhow};
use rustix::thread::UnshareFlags;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

/// Paths with `..` behind symbolic links lead out of where a sequence begins, by a few levels at the most.
const LEVELS: &str = "level/level/level/level";

/// Where sequences are played: two directories on different file systems.
pub(super) struct Sides {
    pub(super) on: PathBuf,
    pub(super) beside: PathBuf,
    pub(super) peer: Peer,
}

/// The first step whose outcomes differ, and those.
pub(super) struct Difference {
    pub(super) index: usize,
    pub(super) on: Outcome,
    pub(super) beside: Outcome,
}

impl Difference {
    /// The same for differences that have the same cause, as far as one can tell.
    pub(super) fn signature(&self, steps: &[Step]) -> String {
        let word = steps.get(self.index).map_or_else(String::new, |step| step.operation.word());
        format!("{word}: {}", self.on.signature(&self.beside))
    }
}

/// What a sequence gave on both sides.
pub(super) struct Played {
    pub(super) on: Vec<Outcome>,
    pub(super) beside: Vec<Outcome>,
}

impl Sides {
    /// Plays a sequence in new directories of this name, which are removed afterwards.
    pub(super) fn play(&self, name: &str, steps: &[Step]) -> Result<Played> {
        let played = self.play_and_leave(name, steps);
        for side in [&self.on, &self.beside] {
            let top = side.join(name);
            fs::remove_dir_all(&top).with_context(|| format!("{} cannot be removed", top.display()))?;
        }
        played
    }

    /// Plays a sequence in new directories of this name.
    pub(super) fn play_and_leave(&self, name: &str, steps: &[Step]) -> Result<Played> {
        let (on, beside) = thread::scope(|scope| {
            let on = scope.spawn(|| play_in(&self.on.join(name), steps));
            let beside = scope.spawn(|| play_in(&self.beside.join(name), steps));
            (on.join(), beside.join())
        });
        let panicked = |_| anyhow!("the play panicked");
        Ok(Played { on: on.map_err(panicked)??, beside: beside.map_err(panicked)?? })
    }
}

impl Played {
    pub(super) fn calls(&self) -> usize {
        self.beside.len()
    }

    /// The calls that did something on the side to compare with.
    pub(super) fn successes(&self) -> usize {
        let is_success = |outcome: &&Outcome| !matches!(outcome, Outcome::Failed(_) | Outcome::Nothing);
        self.beside.iter().filter(is_success).count()
    }

    pub(super) fn difference(self, steps: &[Step], peer: Peer) -> Option<Difference> {
        let mut both = self.on.into_iter().zip(self.beside).enumerate();
        let is_equal = |index: usize, on: &Outcome, beside: &Outcome| {
            on == beside || allowances::is_allowed(peer, &steps[index].operation, on, beside)
        };
        let (index, (on, beside)) = both.find(|(index, (on, beside))| !is_equal(*index, on, beside))?;
        Some(Difference { index, on, beside })
    }
}

/// Plays a sequence in a new directory, from a thread with a current directory and a umask of its own.
fn play_in(top: &Path, steps: &[Step]) -> Result<Vec<Outcome>> {
    // SAFETY: file descriptors stay shared.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FS) }.context("unshare")?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let start = top.join(LEVELS);
    fs::create_dir_all(&start).with_context(|| format!("{} cannot be made", start.display()))?;
    fs::set_permissions(&start, Permissions::from_mode(0o777))?;
    std::env::set_current_dir(&start)?;
    let top = Name(top.as_os_str().as_bytes().to_vec());
    let mut processes = Processes::start(&top, steps)?;
    (0..steps.len()).map(|number| processes.play(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::operation::{Bits, Operation};
    use super::super::user::User;
    use super::*;

    fn root(operation: Operation) -> Step {
        Step { process: 0, user: User::Root, operation }
    }

    fn mkdir(path: &str) -> Step {
        root(Operation::Mkdir { path: path.into(), mode: Bits(0o755) })
    }

    #[test]
    fn two_directories_of_one_file_system_do_not_differ() {
        let directory = tempfile::tempdir().unwrap();
        let [on, beside] = ["on", "beside"].map(|name| directory.path().join(name));
        let sides = Sides { on, beside, peer: Peer::Ext4 };
        let steps = [mkdir("a"), mkdir("a"), mkdir("b/a"), root(Operation::Tree)];
        let played = sides.play("sequence", &steps).unwrap();
        assert_eq!((played.calls(), played.successes()), (4, 2));
        assert!(played.difference(&steps, Peer::Ext4).is_none());
    }

    #[test]
    fn the_first_difference_is_found() {
        let steps = [mkdir("a"), mkdir("b"), mkdir("c")];
        let played = Played {
            on: vec![Outcome::Done, Outcome::Nothing, Outcome::Done],
            beside: vec![Outcome::Done, Outcome::Done, Outcome::Nothing],
        };
        assert_eq!(played.difference(&steps, Peer::Ext4).unwrap().index, 1);
    }
}
