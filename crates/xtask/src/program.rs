//! Calls of other programs.
//!
//! - No call reads standard input, unless it is given a file as such.
//! - Kept output goes to a file and not to a pipe: a daemon that a program leaves behind would hold a pipe open for ever.
//! - A call that fails names its whole command line, how it ended, and the last lines it printed.

use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may run whose output is kept, unless it says otherwise.
const RUN_TIME_MAX: Duration = Duration::from_secs(600);
/// How often a running program is asked whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// What of a failed program's output goes into the error.
const ERROR_LINES_MAX: usize = 30;

/// A call of another program, not yet made.
pub(crate) struct Program {
    command: Command,
    run_time_max: Duration,
}

impl Program {
    /// A call of `name`, looked up in `PATH` if it is not a path.
    pub(crate) fn new(name: impl AsRef<OsStr>) -> Program {
        let mut command = Command::new(name);
        command.stdin(Stdio::null());
        Program { command, run_time_max: RUN_TIME_MAX }
    }

    pub(crate) fn argument(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.command.arg(argument);
        self
    }

    pub(crate) fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Program {
        self.command.args(arguments);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Program {
        self.command.current_dir(directory);
        self
    }

    pub(crate) fn environment(mut self, key: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(key, value);
        self
    }

    /// Runs it without the variables that a rule tells.
    pub(crate) fn without(mut self, is_left_out: impl Fn(&str) -> bool) -> Program {
        for (key, _) in std::env::vars_os() {
            if key.to_str().is_some_and(&is_left_out) {
                self.command.env_remove(key);
            }
        }
        self
    }

    pub(crate) fn input(mut self, file: File) -> Program {
        self.command.stdin(file);
        self
    }

    /// Runs the program as another user, with no other groups.
    pub(crate) fn user(mut self, user: u32) -> Program {
        self.command.uid(user).gid(user);
        self
    }

    pub(crate) fn run_time_max(mut self, run_time_max: Duration) -> Program {
        self.run_time_max = run_time_max;
        self
    }

    /// The command line, as a person would read it.
    pub(crate) fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }

    /// Runs the program to its end, showing what it prints.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        let status = self.command.status().with_context(|| format!("`{line}` cannot be started"))?;
        if !status.success() {
            bail!("`{line}` failed: {status}");
        }
        Ok(())
    }

    /// Runs the program to its end and returns its standard output.
    pub(crate) fn output(self) -> Result<String> {
        let ended = self.end()?;
        if !ended.status.success() {
            bail!(ended.failure());
        }
        Ok(ended.output)
    }

    /// Runs the program to its end, however it ends.
    pub(crate) fn end(self) -> Result<Ended> {
        let mut output = tempfile::tempfile()?;
        let mut errors = tempfile::tempfile()?;
        let run_time_max = self.run_time_max;
        let mut running = self.start_with(output.try_clone()?, errors.try_clone()?)?;
        let status = running.wait(run_time_max);
        let (output, errors) = (text(&mut output)?, text(&mut errors)?);
        let status = status.with_context(|| last_lines(&format!("{output}{errors}")))?;
        Ok(Ended { line: running.line.clone(), status, output, errors })
    }

    /// Starts the program, its output going to one file.
    pub(crate) fn start_into(self, log: &Path) -> Result<Running> {
        let log = File::create(log)?;
        self.start_with(log.try_clone()?, log)
    }

    /// Starts the program; what it prints is shown.
    pub(crate) fn start(mut self) -> Result<Running> {
        self.spawn()
    }

    fn start_with(mut self, output: File, errors: File) -> Result<Running> {
        self.command.stdout(output).stderr(errors);
        self.spawn()
    }

    fn spawn(&mut self) -> Result<Running> {
        let line = self.line();
        let child = self.command.spawn().with_context(|| format!("`{line}` cannot be started"))?;
        Ok(Running { line, child })
    }
}

/// A program that has ended, well or badly.
pub(crate) struct Ended {
    line: String,
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Ended {
    /// What to tell about a program that should have ended well.
    pub(crate) fn failure(&self) -> String {
        let printed = format!("{}{}", self.output, self.errors);
        format!("`{}` failed: {}\n{}", self.line, self.status, last_lines(&printed))
    }
}

/// A program that runs beside this one, and is killed when nobody waits for it any more.
pub(crate) struct Running {
    line: String,
    child: Child,
}

impl Running {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for the end; a program that takes too long is killed and is an error.
    pub(crate) fn wait(&mut self, time_max: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() >= time_max {
                // Killed when it goes out of scope, and not waited for: it may hang in the very file system under test.
                bail!("`{}` did not end within {} s", self.line, time_max.as_secs());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Does nothing to a program whose end has been seen.
        let _ = self.child.kill();
    }
}

/// Whether the user's `PATH`, or a directory that only root's has, holds this program.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.any(|directory| directory.join(name).is_file())
}

fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The end of what a program printed.
pub(crate) fn last_lines(printed: &str) -> String {
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    lines[lines.len().saturating_sub(ERROR_LINES_MAX)..].join("\n")
}

/// The end of what a program wrote to a log.
pub(crate) fn last_lines_of(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    last_lines(OsString::from(OsStr::from_bytes(&bytes)).to_string_lossy().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_what_the_program_printed() {
        assert_eq!(Program::new("echo").argument("hello").output().unwrap(), "hello\n");
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_printed() {
        let failed = Program::new("sh").arguments(["-c", "echo no such luck >&2; exit 3"]).output();
        let message = format!("{:#}", failed.unwrap_err());
        assert!(message.contains("sh -c"), "{message}");
        assert!(message.contains("exit status: 3") && message.contains("no such luck"), "{message}");
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let hung = Program::new("sleep").argument("60").run_time_max(Duration::from_millis(50)).output();
        assert!(format!("{:#}", hung.unwrap_err()).contains("did not end"));
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_the_call() {
        let start = Instant::now();
        let output = Program::new("sh").arguments(["-c", "sleep 5 & echo up"]).output().unwrap();
        assert_eq!(output, "up\n");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
