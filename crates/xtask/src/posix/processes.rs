//! The processes of one side of a play.
//!
//! Invariants, which make a play the same every time:
//! - One step is played at a time: the next begins when the process has answered, or waits for a lock.
//! - At most one process waits. A second one that would is interrupted at once.
//! - After each step it is known whether the one that waits still does: whoever lets go of a lock makes those run that wait for
//!   it before the call returns (`locks_wake_up_blocks` in the kernel), so it is seen running, or with an answer.

use super::name::Name;
use super::operation::{Operation, PROCESSES, Step};
use super::outcome::Outcome;
use super::process::Process;
use super::tree;
use anyhow::Result;

pub(super) struct Processes<'a> {
    /// The directory that holds all that the sequence can reach.
    top: &'a Name,
    steps: &'a [Step],
    processes: Vec<Process>,
    waiting: Option<usize>,
}

impl<'a> Processes<'a> {
    /// Starts them in this thread's current directory.
    pub(super) fn start(top: &'a Name, steps: &'a [Step]) -> Result<Processes<'a>> {
        let used = 1 + steps.iter().map(|step| step.process).max().unwrap_or(0);
        let processes = (0..used.min(PROCESSES)).map(|_| Process::start(steps)).collect::<Result<_>>()?;
        Ok(Processes { top, steps, processes, waiting: None })
    }

    /// Plays one step.
    pub(super) fn play(&mut self, number: usize) -> Result<Outcome> {
        let Step { process, operation, .. } = &self.steps[number];
        let outcome = match operation {
            Operation::Tree => tree::see(self.top).map_or_else(Outcome::Failed, Outcome::Tree),
            Operation::Kill => self.kill(*process)?,
            Operation::Interrupt if self.waiting != Some(*process) => Outcome::Nothing,
            Operation::Interrupt => self.interrupt(*process)?,
            _ if self.waiting == Some(*process) => Outcome::Nothing,
            _ => self.tell(*process, number, operation.may_wait())?,
        };
        self.with_who_woke(outcome)
    }

    fn tell(&mut self, process: usize, number: usize, may_wait: bool) -> Result<Outcome> {
        self.processes[process].tell(number)?;
        if !may_wait {
            let outcome = self.processes[process].answer()?;
            return Ok(self.with_holder(outcome));
        }
        match self.processes[process].answer_or_wait()? {
            Outcome::Waits if self.waiting.is_some() => self.processes[process].interrupt(),
            Outcome::Waits => {
                self.waiting = Some(process);
                Ok(Outcome::Waits)
            }
            outcome => Ok(outcome),
        }
    }

    fn interrupt(&mut self, process: usize) -> Result<Outcome> {
        self.waiting = None;
        self.processes[process].interrupt()
    }

    /// Another process takes the place of the one that dies.
    fn kill(&mut self, process: usize) -> Result<Outcome> {
        let outcome = self.processes[process].kill()?;
        if self.waiting == Some(process) {
            self.waiting = None;
        }
        self.processes[process] = Process::start(self.steps)?;
        Ok(outcome)
    }

    /// The outcome of a step, and what the process got that waited until then.
    fn with_who_woke(&mut self, outcome: Outcome) -> Result<Outcome> {
        let Some(process) = self.waiting.filter(|_| outcome != Outcome::Waits) else { return Ok(outcome) };
        match self.processes[process].answer_or_wait()? {
            Outcome::Waits => Ok(outcome),
            got => {
                self.waiting = None;
                Ok(Outcome::Woke { by: Box::new(outcome), process, got: Box::new(got) })
            }
        }
    }

    /// Names a process that holds a lock by its place here, and not by its number in the machine.
    fn with_holder(&self, outcome: Outcome) -> Outcome {
        let place = |id: u32| self.processes.iter().position(|process| process.id() == id).map(|place| place as u32);
        match outcome {
            Outcome::Lock { kind, start, length, holder } => {
                Outcome::Lock { kind, start, length, holder: holder.and_then(place) }
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::{Bits, LockKind, LockOwner, RangeLock};
    use super::super::sequence::Sides;
    use super::super::{peer::Peer, user::User};
    use super::*;
    use rustix::fs::OFlags;

    fn open(process: usize) -> Step {
        let (path, flags) = (Name::from("file"), OFlags::RDWR | OFlags::CREATE);
        by(process, Operation::Open { slot: 0, path, flags, mode: Bits(0o644) })
    }

    fn by(process: usize, operation: Operation) -> Step {
        Step { process, user: User::Root, operation }
    }

    fn lock(process: usize, kind: LockKind, wait: bool) -> Step {
        by(process, Operation::LockFile { slot: 0, kind, wait })
    }

    fn lock_byte(process: usize, start: i64) -> Step {
        let lock = RangeLock { owner: LockOwner::Process, kind: LockKind::Exclusive, start, length: 1 };
        by(process, Operation::LockRange { slot: 0, lock, wait: true })
    }

    fn played(steps: &[Step]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let [on, beside] = ["on", "beside"].map(|name| directory.path().join(name));
        let played = Sides { on, beside, peer: Peer::Ext4 }.play("sequence", steps).unwrap();
        assert!(played.on == played.beside);
        played.on.iter().map(|outcome| outcome.to_string()).collect()
    }

    #[test]
    fn who_waits_gets_the_lock_when_the_other_lets_go() {
        let (exclusive, unlock) = (LockKind::Exclusive, LockKind::Unlock);
        let steps = [
            open(0),
            open(1),
            lock(0, exclusive, true),
            lock(1, exclusive, false),
            lock(1, exclusive, true),
            lock(1, unlock, true),
            lock(0, unlock, true),
        ];
        assert_eq!(
            played(&steps),
            ["done", "done", "done", "EAGAIN", "waits", "nothing", "done, and process 1 got: done"]
        );
    }

    #[test]
    fn two_that_would_wait_for_each_other_do_not() {
        let steps = [open(0), open(1), lock_byte(0, 0), lock_byte(1, 1), lock_byte(0, 1), lock_byte(1, 0)];
        assert_eq!(played(&steps)[2..], ["done", "done", "waits", "EDEADLK"]);
    }

    #[test]
    fn a_signal_ends_the_waiting_and_a_second_one_does_not_begin() {
        let steps = [
            open(0),
            open(1),
            open(2),
            lock_byte(0, 0),
            lock_byte(1, 0),
            lock_byte(2, 0),
            by(1, Operation::Interrupt),
            by(1, Operation::Interrupt),
        ];
        assert_eq!(played(&steps)[3..], ["done", "waits", "EINTR", "EINTR", "nothing"]);
    }

    #[test]
    fn a_killed_process_holds_nothing_any_more() {
        let steps = [
            open(0),
            open(1),
            lock_byte(0, 0),
            lock_byte(1, 0),
            by(0, Operation::Kill),
            by(0, Operation::Close { slot: 0 }),
            by(1, Operation::Kill),
        ];
        let played = played(&steps);
        assert_eq!(played[2..], ["done", "waits", "done, and process 1 got: done", "EBADF", "done"]);
    }

    #[test]
    fn who_holds_a_lock_is_named_by_its_place() {
        let lock = RangeLock { owner: LockOwner::Process, kind: LockKind::Shared, start: 0, length: 10 };
        let steps = [open(0), open(1), lock_byte(1, 3), by(0, Operation::TestLock { slot: 0, lock })];
        assert_eq!(played(&steps)[3], "Exclusive from 3, 1 bytes, of process Some(1)");
    }

    #[test]
    fn a_mapping_behind_the_end_kills_who_touches_it() {
        let touch = |offset| by(0, Operation::MapTouch { slot: 0, offset, write: true });
        let size = |size| by(0, Operation::Truncate { on: super::super::operation::Target::Slot(0), size });
        let map = by(0, Operation::Map { slot: 0, shared: true, writable: true });
        let steps = [open(0), size(5000), map, touch(4096), size(10), touch(4096), touch(0)];
        let bus = format!("died of signal {}", libc::SIGBUS);
        assert_eq!(played(&steps)[3..], ["done", "done", &bus, "done"]);
    }

    #[test]
    fn a_process_that_ends_by_itself_is_told() {
        let mut process = Process::start(&[]).unwrap();
        // There is no such step.
        process.tell(7).unwrap();
        assert!(matches!(process.answer().unwrap(), Outcome::Broken(_)));
    }
}
