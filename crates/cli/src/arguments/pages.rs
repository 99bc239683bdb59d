//! Completions and man pages.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

/// Print a shell's completions
#[derive(Args)]
#[command(after_help = "Example:\n  pantala completions bash > /etc/bash_completion.d/pantala")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Print the man page, or write one per command
#[derive(Args)]
#[command(after_help = "Example:\n  pantala man | man -l -\n  pantala man --dir /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Write one page per command into this directory, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
