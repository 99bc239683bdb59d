//! The socket `control.sock` in a store's directory.
//!
//! A socket's address holds 108 bytes, a path may be longer: the socket is reached through a descriptor of its directory.

use crate::runtime;
use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::socket_peercred;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

const SOCKET_FILE: &str = "control.sock";

/// Where a node is asked.
pub(crate) struct Listener(UnixListener);

/// The file of a [`Listener`], which goes away with this.
pub(crate) struct SocketFile(PathBuf);

/// Opens the socket of a store that is locked by this process, so whatever socket is there belongs to nobody.
///
/// The process's umask decides who may connect.
pub(crate) fn listen(store: &Path) -> io::Result<(Listener, SocketFile)> {
    let path = store.join(SOCKET_FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let directory = open_directory(store)?;
    let listener = UnixListener::bind(address(&directory))?;
    Ok((Listener(listener), SocketFile(path)))
}

impl Listener {
    /// The next command that connects.
    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.0.accept()?.0)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "the control socket stays behind");
        }
    }
}

/// Connects to the node of a store; `None` if there is none. One that writes nothing in the store has its socket beside it.
pub(super) fn connect(store: &Path) -> io::Result<Option<UnixStream>> {
    match connect_in(store)? {
        Some(stream) => Ok(Some(stream)),
        None => connect_in(&runtime::path(store)),
    }
}

fn connect_in(home: &Path) -> io::Result<Option<UnixStream>> {
    let connected = open_directory(home).and_then(|directory| UnixStream::connect(address(&directory)));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether who connected may give orders: the node's own user, and root.
pub(crate) fn is_allowed(stream: &UnixStream) -> io::Result<bool> {
    let peer = socket_peercred(stream)?;
    Ok(peer.uid.is_root() || peer.uid == rustix::process::geteuid())
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

fn address(directory: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}/{SOCKET_FILE}", directory.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_deep_down_is_reached_and_a_stale_one_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("d".repeat(200));
        assert!(connect(&store).unwrap().is_none(), "no directory");
        fs::create_dir(&store).unwrap();
        assert!(connect(&store).unwrap().is_none(), "no socket");
        std::mem::forget(listen(&store).unwrap());
        let (listener, file) = listen(&store).unwrap();
        assert!(is_allowed(&connect(&store).unwrap().unwrap()).unwrap());
        drop((listener, file));
        assert!(connect(&store).unwrap().is_none() && !store.join(SOCKET_FILE).exists());
    }
}
