//! `pantala up`.

use crate::arguments::Up;
use crate::control::Client;
use crate::node::announcement::Announcement;
use crate::node::{self, daemon, mountpoint};
use crate::status::Status;
use crate::{defaults, output};
use anyhow::{Result, bail};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a node that has its store already and cannot be asked yet.
const OTHER_START_TIME_MAX: Duration = Duration::from_secs(3);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(super) fn run(arguments: Up) -> Result<()> {
    let store = defaults::store(arguments.store.store)?;
    let mount = arguments.mount.as_deref().map(defaults::absolute).transpose()?;
    if let Some(client) = Client::connect(&store)? {
        return already_up(client, mount.as_deref());
    }
    let options = node::Options { store, mount };
    if arguments.foreground {
        return node::run_in_foreground(&options);
    }
    match daemon::start(&options)? {
        Announcement::Ready { lines, warnings } => {
            warnings.iter().for_each(|warning| output::complain(warning));
            Ok(output::print_lines(&lines)?)
        }
        Announcement::Locked(line) => match wait_for_other(&options.store)? {
            Some(client) => already_up(client, options.mount.as_deref()),
            None => bail!(line),
        },
        Announcement::Failed(line) => bail!(line),
    }
}

/// Another `pantala up` may have been quicker.
fn wait_for_other(store: &Path) -> Result<Option<Client>> {
    let started = Instant::now();
    loop {
        let client = Client::connect(store)?;
        if client.is_some() || started.elapsed() > OTHER_START_TIME_MAX {
            return Ok(client);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn already_up(client: Client, wanted: Option<&Path>) -> Result<()> {
    let status = client.status()?;
    if let Some(wanted) = wanted {
        check_place(&status, wanted)?;
    }
    let mounts = status.mounts.iter();
    let lines: Vec<_> = mounts
        .map(|mount| format!("already up: {} is mounted at {}", mount.volume, mount.mountpoint.display()))
        .collect();
    Ok(output::print_lines(&lines)?)
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
