//! A command's side of the control socket.

use super::limits::{END_TIME_MAX, RESPONSE_BYTES_MAX};
use super::message::{KeyTable, Request, Response};
use super::{frame, socket};
use crate::runtime;
use crate::status::Status;
use anyhow::{Context, Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A connection to a node, good for one request.
pub(crate) struct Client {
    stream: UnixStream,
    store: PathBuf,
}

/// What is said when a command needs a node that is not there.
pub(crate) fn not_up(store: &Path) -> String {
    let store = store.display();
    format!("the node of {store} is not up; start it with `pantala up --store {store}`")
}

impl Client {
    /// Connects to the node of a store; `None` if it is not up.
    pub(crate) fn connect(store: &Path) -> Result<Option<Self>> {
        let stream = socket::connect(store).with_context(|| format!("cannot ask the node of {}", store.display()))?;
        Ok(stream.map(|stream| Self { stream, store: store.to_owned() }))
    }

    /// Connects to the node of a store, which must be up.
    pub(crate) fn connect_to_running(store: &Path) -> Result<Self> {
        Self::connect(store)?.with_context(|| not_up(store))
    }

    /// Asks, and waits for the answer. An answer that says no is an error.
    pub(crate) fn ask(self, request: &Request) -> Result<Response> {
        let answer = self.answer(request);
        self.accept(answer)
    }

    fn answer(&self, request: &Request) -> io::Result<Response> {
        self.stream.set_read_timeout(Some(request.time_max()))?;
        frame::write(&self.stream, request)?;
        frame::read(&self.stream, RESPONSE_BYTES_MAX)
    }

    fn accept(&self, answer: io::Result<Response>) -> Result<Response> {
        match answer.map_err(|error| self.no_answer(&error))? {
            Response::Failed(line) => bail!(line),
            response => Ok(response),
        }
    }

    fn no_answer(&self, error: &io::Error) -> anyhow::Error {
        if was_never_read(error) {
            return anyhow!(not_up(&self.store));
        }
        let store = self.store.display();
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "it does not answer".to_owned(),
            _ if is_end(error) => "it ended before it answered".to_owned(),
            _ => error.to_string(),
        };
        anyhow!(
            "cannot talk to the node of {store}: {why}; look into its log node.log, in {store} or, if it was up read-only, in {}",
            runtime::path(&self.store).display()
        )
    }

    /// Asks for something that the node does, and returns what it tells the user.
    pub(crate) fn order(self, request: &Request) -> Result<Vec<String>> {
        let store = self.store.clone();
        self.order_unless_it_ended(request)?.with_context(|| not_up(&store))
    }

    /// As [`Client::order`]; `None` if the node had ended before it read the order. A killed one still takes connections for a
    /// moment.
    pub(crate) fn order_unless_it_ended(self, request: &Request) -> Result<Option<Vec<String>>> {
        // A command that was called inside a mount must not be what keeps it in use.
        std::env::set_current_dir("/").context("cannot leave the working directory")?;
        let answer = self.answer(request);
        if answer.as_ref().is_err_and(was_never_read) {
            return Ok(None);
        }
        match self.accept(answer)? {
            Response::Done(lines) => Ok(Some(lines)),
            _ => bail!("the node did not understand {request:?}; take it down and up again"),
        }
    }

    /// Turns the connection into one that speaks the mirror protocol.
    pub(crate) fn into_mirror(self) -> Result<UnixStream> {
        let stream = self.stream.try_clone().context("cannot share a socket")?;
        match self.ask(&Request::Mirror)? {
            Response::Done(_) => {}
            _ => bail!("the node does not know mirrors; take it down and up again"),
        }
        stream.set_read_timeout(None).context("cannot wait for the node")?;
        Ok(stream)
    }

    /// What opens an encrypted volume.
    pub(crate) fn key_table(self, volume: &str) -> Result<KeyTable> {
        match self.ask(&Request::KeyTable { name: volume.to_owned() })? {
            Response::KeyTable(table) => Ok(table),
            _ => bail!("the node told no key slots; take it down and up again"),
        }
    }

    /// How the node is.
    pub(crate) fn status(self) -> Result<Status> {
        let answer = self.answer(&Request::Status);
        self.accept_status(answer)
    }

    /// How the node is; `None` if it ends just now. A killed one still takes connections for a moment.
    pub(crate) fn status_unless_it_ends(self) -> Result<Option<Status>> {
        match self.answer(&Request::Status) {
            Err(error) if is_end(&error) => Ok(None),
            answer => self.accept_status(answer).map(Some),
        }
    }

    fn accept_status(&self, answer: io::Result<Response>) -> Result<Status> {
        match self.accept(answer)? {
            Response::Status(status) => Ok(*status),
            _ => bail!("the node told no status; take it down and up again"),
        }
    }

    /// The node's process, to wait for its end; `None` if it has ended.
    pub(crate) fn process(&self) -> Result<Option<NodeProcess>> {
        let pid = socket_peercred(&self.stream).context("cannot tell the node's process")?.pid;
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(NodeProcess { pid, descriptor })),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error).context("cannot watch the node's process"),
        }
    }
}

/// Whether the other side is gone.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Whether the other side was gone before it read the request: the kernel resets a connection of which something was not read,
/// or that nobody accepted.
fn was_never_read(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// A node's process.
pub(crate) struct NodeProcess {
    pid: Pid,
    descriptor: OwnedFd,
}

impl NodeProcess {
    /// Waits until it has ended.
    pub(crate) fn wait(&self) -> Result<()> {
        let timeout = Timespec { tv_sec: END_TIME_MAX.as_secs() as i64, tv_nsec: 0 };
        let mut descriptors = [PollFd::new(&self.descriptor, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)).context("cannot wait for the node's end")? {
            0 => bail!("the node's process {} does not end; look into its log node.log, or kill it", self.pid),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_node_that_had_ended_is_not_up_and_one_that_read_the_order_ended_before_it_answered() {
        let store = tempfile::tempdir().unwrap();
        let client = || Client::connect(store.path()).unwrap().unwrap();
        let (listener, _file) = socket::listen(store.path()).unwrap();
        let (unaccepted, other) = (client(), client());
        drop(listener);
        assert!(unaccepted.order_unless_it_ended(&Request::Sync).unwrap().is_none());
        let refused = other.order(&Request::Sync).unwrap_err().to_string();
        assert!(refused.contains("is not up; start it with"), "{refused}");

        let (listener, _file) = socket::listen(store.path()).unwrap();
        let client = client();
        let stream = listener.accept().unwrap();
        let node = thread::spawn(move || frame::read::<Request>(&stream, RESPONSE_BYTES_MAX).unwrap());
        let error = client.order_unless_it_ended(&Request::Sync).unwrap_err().to_string();
        assert!(error.contains("it ended before it answered"), "{error}");
        node.join().unwrap();
    }
}
