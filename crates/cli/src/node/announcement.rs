//! What a daemon tells the `pantala up` that started it, a line of JSON on the pipe that is its standard output.

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
    /// It is reading the log to make an index; more is to come.
    Reading {
        /// Bytes that were read.
        read_bytes: u64,
        /// Bytes to read.
        all_bytes: u64,
    },
    /// Another process has the store open.
    Locked(String),
    /// The node did not start; why, in a line.
    Failed(String),
}

/// Longest announcement, in bytes.
const BYTES_MAX: u64 = 1 << 20;

impl Announcement {
    /// Sends it before others.
    pub(super) fn herald(&self) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(&line)
    }

    /// Sends it, and closes the pipe: whoever waits for its end goes on.
    pub(super) fn send(&self) -> io::Result<()> {
        self.herald()?;
        let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(rustix::stdio::dup2_stdout(null)?)
    }

    /// Receives it; `None` if the daemon ended without a word. `reading` is called with how far the daemon is meanwhile.
    pub(super) fn receive(pipe: impl Read, reading: &mut dyn FnMut(u64, u64)) -> io::Result<Option<Self>> {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = String::new();
            pipe.by_ref().take(BYTES_MAX).read_line(&mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            match serde_json::from_str(&line)? {
                Self::Reading { read_bytes, all_bytes } => reading(read_bytes, all_bytes),
                announcement => return Ok(Some(announcement)),
            }
        }
    }
}
