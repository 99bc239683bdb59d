//! Signals that ask for the node's end.

use super::events::Event;
use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::mpsc::Sender;
use std::thread;

/// Makes them events. Whoever asks a second time does not want to wait: the process then ends at once.
pub(super) fn forward(events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot watch for signals")?;
    let forward = move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked || events.send(Event::Signal(signal)).is_err() {
                signal_hook::low_level::exit(128 + signal);
            }
            asked = true;
        }
    };
    thread::Builder::new().name("signals".into()).spawn(forward).context("cannot start a thread")?;
    Ok(())
}
