//! The binary `pantala`: the commands, and the node daemon that wires the other crates together.
//!
//! - [`arguments`] is what a user may say; help, completions and man pages all come from there.
//! - [`commands`] has a file per command. A command is a short-lived process that talks to a node.
//! - [`node`] is the daemon: one process per store. It holds the store, the pool and the mounts.
//! - [`mirrors`] is what a store knows of its mirrors.
//! - [`control`] is the talk between the two, over a socket in the store's directory.
//!
//! Invariants:
//!
//! - A command that fails prints one line that says what failed, why, and what to do, and exits with 1 (2 for a command line
//!   that makes no sense, 3 for the status of a node that is not up, 4 for conflicts of a two-way sync).
//! - What is checked before anything is written: the mount directory, the device, the helper. So bad input leaves no traces.
//!
//! What this crate deliberately does not know: what is in a store, and how files are served.

mod arguments;
mod clock;
mod commands;
mod control;
mod defaults;
mod failure;
mod memory;
mod mirrors;
mod node;
mod output;
mod past;
mod record_file;
mod runtime;
mod scrub;
mod secrets;
mod space;
mod status;

use arguments::Arguments;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    memory::share_heaps();
    let arguments = Arguments::parse();
    match commands::run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&failure::line(&error));
            ExitCode::FAILURE
        }
    }
}
