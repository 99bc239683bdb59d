//! The daemon's log: `node.log` in the store, and `node.log.1` before it.
//!
//! Nothing is written before the store is known to be one, so that a path that is none stays as it was: until
//! [`Log::open`], lines wait in memory.
//!
//! The log lies on the disk whose failures it tells of. A line that cannot be written is lost and counted, and never an error: there is
//! nobody left to tell.

use anyhow::{Context, Result};
use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

const LOG_FILE: &str = "node.log";
const OLD_LOG_FILE: &str = "node.log.1";

/// A log file that is longer is put aside, and the one before it goes.
const LOG_BYTES_MAX: u64 = 8 << 20;

/// Lines that wait for the file, in bytes; more are lost.
const WAITING_BYTES_MAX: usize = 256 << 10;

/// The environment variable that says what is logged, such as `debug` or `volume=debug,info`.
const LEVEL_VARIABLE: &str = "PANTALA_LOG";

/// The index reports its housekeeping as information.
const DEFAULT_LEVELS: &str = "info,fjall=warn,lsm_tree=warn";

/// A log on its way to a file.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<Sink>>);

enum Sink {
    Waiting(Vec<u8>),
    File(LogFile),
}

impl Log {
    /// Logs to standard error.
    pub(super) fn to_stderr() {
        let colours = io::stderr().is_terminal();
        let log = tracing_subscriber::fmt().with_env_filter(filter()).log_internal_errors(false);
        log.with_ansi(colours).with_writer(io::stderr).init();
        log_panics();
    }

    /// Logs to memory, until it has a file.
    pub(super) fn to_file() -> Self {
        let log = Self(Arc::new(Mutex::new(Sink::Waiting(Vec::new()))));
        let writer = log.clone();
        // Such an error would go to standard error, which is the same file, and end the node.
        let fmt = tracing_subscriber::fmt().with_env_filter(filter()).log_internal_errors(false);
        fmt.with_ansi(false).with_writer(move || writer.clone()).init();
        log_panics();
        log
    }

    /// Goes on in a store's log file, to which standard error goes from now on, too.
    pub(super) fn open(&self, store: &Path) -> Result<()> {
        let file = LogFile::open(store).with_context(|| format!("cannot open the log in {}", store.display()))?;
        rustix::stdio::dup2_stderr(&file.file).context("cannot send standard error to the log")?;
        let mut sink = self.0.lock();
        if let Sink::Waiting(lines) = std::mem::replace(&mut *sink, Sink::File(file)) {
            sink.write_all(&lines).context("cannot write to the log")?;
        }
        Ok(())
    }
}

fn filter() -> EnvFilter {
    let levels = std::env::var(LEVEL_VARIABLE).unwrap_or_default();
    let levels = if levels.is_empty() { DEFAULT_LEVELS } else { &levels };
    EnvFilter::builder().parse_lossy(levels)
}

/// A panic of any thread is in the log.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("?"), "{panic}");
    }));
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Waiting(waiting) if waiting.len() > WAITING_BYTES_MAX => Ok(bytes.len()),
            Self::Waiting(waiting) => waiting.write(bytes),
            Self::File(file) => {
                file.write_line(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that does not grow for ever.
struct LogFile {
    store: PathBuf,
    file: File,
    bytes: u64,
    /// Lines that could not be written since the last one that could.
    lost: u64,
}

impl LogFile {
    fn open(store: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(store.join(LOG_FILE))?;
        let bytes = file.metadata()?.len();
        Ok(Self { store: store.to_owned(), file, bytes, lost: 0 })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        std::fs::rename(self.store.join(LOG_FILE), self.store.join(OLD_LOG_FILE))?;
        *self = Self::open(&self.store)?;
        Ok(())
    }

    /// Writes a line, or counts it as lost.
    fn write_line(&mut self, line: &[u8]) {
        match self.try_write(line) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += 1,
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.bytes >= LOG_BYTES_MAX {
            self.put_aside()?;
        }
        let lost =
            if self.lost > 0 { format!("{} lines before this one are lost\n", self.lost) } else { String::new() };
        let text = [lost.as_bytes(), line].concat();
        self.file.write_all(&text)?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_too_long_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(folder.path()).unwrap();
        log.bytes = LOG_BYTES_MAX;
        log.write_line(b"new");
        assert_eq!(std::fs::read(folder.path().join(LOG_FILE)).unwrap(), b"new");
        assert!(folder.path().join(OLD_LOG_FILE).exists());
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(folder.path()).unwrap();
        let sound = std::mem::replace(&mut log.file, File::options().write(true).open("/dev/full").unwrap());
        log.write_line(b"lost\n");
        log.write_line(b"lost\n");
        log.file = sound;
        log.write_line(b"new\n");
        log.write_line(b"newer\n");
        let text = std::fs::read_to_string(folder.path().join(LOG_FILE)).unwrap();
        assert_eq!(text, "2 lines before this one are lost\nnew\nnewer\n");
    }
}
