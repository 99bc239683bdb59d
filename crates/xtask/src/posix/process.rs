//! A process that plays steps.
//!
//! It is a fork of the test, so it has the sequence already: it is told only the number of a step, and answers with the outcome.
//! It does nothing else, so between two steps it holds open files, mappings and locks, and waits for the next number.

use super::operation::Step;
use super::outcome::Outcome;
use super::player::Player;
use super::portable::Portable;
use super::raw;
use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long a call may take that does not wait for a lock.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// How long a process may take to die.
const DEATH_TIME_MAX: Duration = Duration::from_secs(60);
/// How long to wait for an answer before looking whether the process waits.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

pub(super) struct Process {
    pid: Pid,
    /// Becomes readable when the process has ended.
    end: OwnedFd,
    numbers: File,
    answers: File,
}

impl Process {
    /// Starts one with the user, current directory and umask of this thread.
    pub(super) fn start(steps: &[Step]) -> Result<Process> {
        let pipe = || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(from, to)| (File::from(from), File::from(to)));
        let (numbers_from, numbers) = pipe()?;
        let (answers, answers_to) = pipe()?;
        let pid = raw::fork(|| {
            // Nobody is there to be told of a failure; the test sees that the process has ended.
            let _ = serve(steps, &numbers_from, &answers_to);
        })
        .context("fork")?;
        let end = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Process { pid, end, numbers, answers })
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Tells it to play a step.
    pub(super) fn tell(&mut self, number: usize) -> Result<()> {
        Ok(self.numbers.write_all(&(number as u64).to_le_bytes())?)
    }

    /// Waits for the outcome of what it was told.
    pub(super) fn answer(&mut self) -> Result<Outcome> {
        if !is_ready(&self.answers, ANSWER_TIME_MAX)? {
            bail!("a call has not returned within {} s", ANSWER_TIME_MAX.as_secs());
        }
        let mut length = [0; 8];
        if self.answers.read_exact(&mut length).is_err() {
            return Ok(Outcome::Broken("the process ended".to_owned()));
        }
        let mut answer = vec![0; u64::from_le_bytes(length) as usize];
        self.answers.read_exact(&mut answer)?;
        Outcome::take_from(&mut &answer[..]).context("no outcome was answered")
    }

    /// Waits until it answers, or waits itself for a lock.
    pub(super) fn answer_or_wait(&mut self) -> Result<Outcome> {
        let mut seen_waiting = 0;
        loop {
            if is_ready(&self.answers, if seen_waiting == 0 { Duration::ZERO } else { LOOK_INTERVAL })? {
                return self.answer();
            }
            // A call may also sleep for a moment for another reason: then it does not do so for long.
            seen_waiting = if self.is_in_lock_call()? { seen_waiting + 1 } else { 0 };
            if seen_waiting == 2 {
                return Ok(Outcome::Waits);
            }
        }
    }

    /// Whether it sleeps in a call that may wait for a lock (proc_pid_syscall(5)).
    fn is_in_lock_call(&self) -> Result<bool> {
        let call = std::fs::read_to_string(format!("/proc/{}/syscall", self.id()))?;
        let number = call.split(' ').next().and_then(|number| number.parse().ok());
        Ok(number.is_some_and(|number: i64| [libc::SYS_fcntl, libc::SYS_flock].contains(&number)))
    }

    /// Ends the waiting for a lock by a signal that is handled.
    pub(super) fn interrupt(&mut self) -> Result<Outcome> {
        rustix::process::kill_process(self.pid, Signal::USR1)?;
        self.answer()
    }

    /// Kills it, and waits for its end.
    pub(super) fn kill(&self) -> Result<Outcome> {
        rustix::process::kill_process(self.pid, Signal::KILL)?;
        if !is_ready(&self.end, DEATH_TIME_MAX)? {
            return Ok(Outcome::Broken("it survives SIGKILL".to_owned()));
        }
        Ok(Outcome::Done)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that does not even die is left behind.
        if matches!(self.kill(), Ok(Outcome::Done)) {
            let _ = raw::signal_of(self.pid);
        }
    }
}

/// What the process does: it plays what it is told, until nobody tells it anything any more.
fn serve(steps: &[Step], mut numbers: &File, mut answers: &File) -> Result<()> {
    raw::close_all_but([numbers.as_fd(), answers.as_fd()])?;
    raw::handle_interruptions()?;
    let mut player = Player::new();
    let mut number = [0; 8];
    while numbers.read_exact(&mut number).is_ok() {
        let mut answer = Vec::new();
        player.play(&steps[u64::from_le_bytes(number) as usize]).put(&mut answer);
        answers.write_all(&[&(answer.len() as u64).to_le_bytes(), &answer[..]].concat())?;
    }
    Ok(())
}

fn is_ready(file: impl AsFd, time_max: Duration) -> Result<bool> {
    let time_max = Timespec { tv_sec: time_max.as_secs() as i64, tv_nsec: time_max.subsec_nanos().into() };
    let mut polled = [PollFd::new(&file, PollFlags::IN)];
    Ok(rustix::event::poll(&mut polled, Some(&time_max))? > 0)
}
