//! `pantala up`.

use crate::arguments::Up;
use crate::control::{Client, Request};
use crate::node::announcement::Announcement;
use crate::node::{self, Options, daemon, mountpoint};
use crate::status::Status;
use crate::{defaults, output};
use anyhow::{Result, bail, ensure};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a node that has the store and cannot be asked.
const OTHER_NODE_TIME_MAX: Duration = Duration::from_secs(10);

const POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: Up) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let mount = arguments.mount.as_deref().map(defaults::absolute).transpose()?;
    let options = Options { store, mount, read_only: arguments.read_only };
    if is_up_already(&options)? {
        return Ok(());
    }
    if arguments.foreground {
        return node::run_in_foreground(&options);
    }
    start(&options)
}

/// Starts the node. Another one that has the store may be starting, and can be asked soon, or ending, and leaves the store soon.
fn start(options: &Options) -> Result<()> {
    let started = Instant::now();
    loop {
        let locked = match daemon::start(options)? {
            Announcement::Ready { lines, warnings } => {
                warnings.iter().for_each(|warning| output::complain(warning));
                return Ok(output::print_lines(&lines)?);
            }
            Announcement::Failed(line) => bail!(line),
            Announcement::Reading { .. } => bail!("the node said twice that it starts; look into its log node.log"),
            Announcement::Locked(line) => line,
        };
        thread::sleep(POLL_INTERVAL);
        if is_up_already(options)? {
            return Ok(());
        }
        ensure!(started.elapsed() < OTHER_NODE_TIME_MAX, locked);
    }
}

/// Whether the node is up; what is not mounted any more is mounted again.
fn is_up_already(options: &Options) -> Result<bool> {
    let status = Client::connect(&options.store)?.map(Client::status_unless_it_ends).transpose()?;
    let Some(before) = status.flatten() else { return Ok(false) };
    if let Some(wanted) = &options.mount {
        check_place(&before, wanted)?;
    }
    Client::connect_to_running(&options.store)?.order(&Request::Mount)?;
    let status = Client::connect_to_running(&options.store)?.status()?;
    status.problems.iter().for_each(|problem| output::complain(problem));
    let mounts = status.mounts.iter();
    let lines =
        mounts.map(|mount| format!("already up: {} is mounted at {}", mount.volume, mount.mountpoint.display()));
    output::print_lines(&lines.collect::<Vec<_>>())?;
    Ok(true)
}

/// A pool that is up does not move.
fn check_place(status: &Status, wanted: &Path) -> Result<()> {
    let is_there = status.volumes.first().and_then(|volume| volume.mountpoint.as_deref());
    match is_there {
        Some(place) if mountpoint::resolve(wanted).is_ok_and(|wanted| wanted == place) => Ok(()),
        Some(place) => bail!(
            "cannot mount at {}: the pool is up already, at {}; take it down first",
            wanted.display(),
            place.display()
        ),
        None => Ok(()),
    }
}
