//! Passphrases and key files as users give them: typed where nobody sees them, or in files. Never as arguments or in the environment,
//! where other processes read them.

use crate::output;
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use seal::{KEY_FILE_BYTES_MAX, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Unlocking};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// This process leaves no core dump, as long as it may have a key.
pub(crate) fn protect() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "a core dump may hold a key");
    }
}

/// The passphrase, or recovery key, in a file; `-` is standard input. A line break at its end is none of it.
pub(crate) fn passphrase_file(path: &Path) -> Result<Unlocking> {
    let mut text = read(path, PASSPHRASE_BYTES_MAX + 2)?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Ok(Unlocking::typed(text))
}

/// The content of a key file; `-` is standard input.
pub(crate) fn key_file(path: &Path) -> Result<Unlocking> {
    let content = read(path, KEY_FILE_BYTES_MAX + 1)?;
    Unlocking::key_file(content).with_context(|| format!("cannot use {}", path.display()))
}

fn read(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>> {
    // Never moved while it grows, so that nothing stays behind.
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max));
    let read = match path.as_os_str() == "-" {
        true => io::stdin().lock().take(bytes_max as u64).read_to_end(&mut content),
        false => File::open(path).and_then(|file| {
            warn_if_open_to_others(path, &file)?;
            file.take(bytes_max as u64).read_to_end(&mut content)
        }),
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(content)
}

fn warn_if_open_to_others(path: &Path, file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        output::complain(&format!("warning: others may read {path}; `chmod 600 {path}` lets only you"));
    }
    Ok(())
}

/// Whether there is a terminal to ask on.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Asks for the passphrase, or the recovery key, of a volume.
pub(crate) fn ask(volume: &str) -> Result<Unlocking> {
    Ok(Unlocking::typed(ask_hidden(&format!("Passphrase or recovery key of {volume}: "))?))
}

/// Asks for a new passphrase, twice.
pub(crate) fn ask_new(volume: &str) -> Result<Unlocking> {
    let text = ask_hidden(&format!("New passphrase for {volume}: "))?;
    if text.len() < PASSPHRASE_BYTES_MIN {
        bail!(
            "a passphrase has at least {PASSPHRASE_BYTES_MIN} bytes; several words are better than a few odd characters"
        );
    }
    if *ask_hidden("The same again: ")? != *text {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(Unlocking::Passphrase(text))
}

/// Asks on the terminal without showing what is typed.
fn ask_hidden(question: &str) -> Result<Zeroizing<Vec<u8>>> {
    if !is_terminal() {
        bail!(
            "there is no terminal to ask for a passphrase on; give --passphrase-file or --key-file (`-` is standard input)"
        );
    }
    let mut tty = File::options().read(true).write(true).open("/dev/tty").context("cannot open the terminal")?;
    tty.write_all(question.as_bytes()).context("cannot ask on the terminal")?;
    let mut line = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
    let hidden = Hidden::begin(&tty)?;
    let read = BufReader::new(&tty).take(PASSPHRASE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
    drop(hidden);
    let _ = tty.write_all(b"\n");
    read.context("cannot read the answer")?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(line)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Hidden<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn begin(tty: &'a File) -> Result<Self> {
        let before = tcgetattr(tty).context("cannot hide what is typed")?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(tty, OptionalActions::Flush, &hidden).context("cannot hide what is typed")?;
        Ok(Self { tty, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.tty, OptionalActions::Flush, &self.before);
    }
}
