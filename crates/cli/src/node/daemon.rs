//! The node in the background: a process of its own session, started by `pantala up`.

use super::announcement::Announcement;
use super::log::Log;
use super::{Node, Options, start};
use crate::{arguments, failure, output};
use anyhow::{Context, Result};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The program that runs, also when its file was replaced meanwhile.
const PROGRAM: &str = "/proc/self/exe";

/// Starts the daemon and waits until it serves, or says why it does not.
pub(crate) fn start(options: &Options) -> Result<Announcement> {
    let mut child = command(options).spawn().context("cannot start the node")?;
    let pipe = child.stdout.take().context("cannot listen to the node")?;
    let bar = output::reading_bar();
    let mut show = |read_bytes, all_bytes| {
        bar.set_length(all_bytes);
        bar.set_position(read_bytes);
    };
    let announcement = Announcement::receive(pipe, &mut show).context("cannot listen to the node")?;
    bar.finish_and_clear();
    Ok(match announcement {
        Some(announcement) => announcement,
        None => Announcement::Failed(last_words(&mut child)),
    })
}

/// How often is said how far a long start is.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How long the allocator keeps free pages, in milliseconds. Its own default, a second, left a third more resident after a
/// million files were written; none at all made large files slower.
const PURGE_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

fn command(options: &Options) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg0("pantala").arg("node").arg("--store").arg(&options.store);
    if let Some(mount) = &options.mount {
        command.arg("--mount").arg(mount);
    }
    if options.read_only {
        command.arg("--read-only");
    }
    command.env("PANTALA_STORE", &options.store).env(PURGE_DELAY.0, PURGE_DELAY.1).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a daemon left on its standard error as it ended without an announcement.
fn last_words(child: &mut Child) -> String {
    let mut words = String::new();
    if let Some(mut pipe) = child.stderr.take() {
        // It may have written anything; what can be read is shown.
        let _ = pipe.read_to_string(&mut words);
    }
    let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    let words = words.trim().replace('\n', " ");
    format!(
        "cannot start the node: its process ended ({status}) without saying why: {words}; look into its log node.log"
    )
}

/// The daemon's side.
pub(crate) fn run(arguments: arguments::Node) -> ExitCode {
    let options = Options { store: arguments.store, mount: arguments.mount, read_only: arguments.read_only };
    match run_until_end(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", failure::line(&error));
            // Who started it may be gone already.
            let _ = announcement(&error).send();
            ExitCode::FAILURE
        }
    }
}

fn run_until_end(options: &Options) -> Result<()> {
    leave_terminal();
    let log = Log::to_file();
    let mut heralds = Instant::now();
    let mut progress = |read_bytes, all_bytes| {
        if heralds.elapsed() >= PROGRESS_INTERVAL {
            heralds = Instant::now();
            // Who started it may be gone already.
            let _ = Announcement::Reading { read_bytes, all_bytes }.herald();
        }
    };
    let (node, events) = start::start(options, |home: &Path| log.open(home), &mut progress)?;
    // Who started it may be gone already.
    let _ = node.announcement().send();
    Node::serve(node, &events);
    Ok(())
}

fn leave_terminal() {
    // It fails for the leader of a process group only, which a child of `up` is not unless someone made it so; then it stays.
    let _ = rustix::process::setsid();
    let _ = rustix::thread::set_name(c"pantala");
}

fn announcement(error: &anyhow::Error) -> Announcement {
    let line = failure::line(error);
    if failure::is_of_lock(error) { Announcement::Locked(line) } else { Announcement::Failed(line) }
}
