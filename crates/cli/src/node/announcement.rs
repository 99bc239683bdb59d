//! What a daemon tells the `pantala up` that started it, once: a line of JSON on the pipe that is its standard output.

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;

/// How the start went.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Announcement {
    /// The mounts serve requests.
    Ready {
        /// What to tell the user.
        lines: Vec<String>,
        /// What did not work, though the node is up.
        warnings: Vec<String>,
    },
    /// Another process has the store open.
    Locked(String),
    /// The node did not start; why, in a line.
    Failed(String),
}

/// Longest announcement, in bytes.
const BYTES_MAX: u64 = 1 << 20;

impl Announcement {
    /// Sends it, and closes the pipe: whoever waits for its end goes on.
    pub(super) fn send(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(&line)?;
        let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(rustix::stdio::dup2_stdout(null)?)
    }

    /// Receives it; `None` if the daemon ended without a word.
    pub(super) fn receive(pipe: impl Read) -> io::Result<Option<Self>> {
        let mut line = String::new();
        BufReader::new(pipe.take(BYTES_MAX)).read_line(&mut line)?;
        Ok(match line.as_str() {
            "" => None,
            line => Some(serde_json::from_str(line)?),
        })
    }
}
