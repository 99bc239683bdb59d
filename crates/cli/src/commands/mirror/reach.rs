//! Reaching a store, whoever has it: nobody, a node of this machine, another machine, or a server of objects.

use crate::control::Client as NodeClient;
use crate::failure;
use crate::mirrors::Place;
use crate::node::owner;
use anyhow::{Context, Result, bail};
use block::{OpenMode, Store, StoreOptions, Thrift};
use mirror::{
    Client, Listed, LocalPeer, LocalReplica, LocalSource, LocalVerifiable, Origin, PeerVolume, ReplicaMode,
    ReplicaVolume, SourceVolume, Verifiable,
};
use objects::{Bucket, ObjectPlace};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use volume::{Pool, PoolOptions};

/// A store that was reached.
pub(super) enum Reached {
    /// Opened by this process.
    Here(Pool),
    /// Asked through a node's socket, or through `ssh`.
    Elsewhere { client: Client, _ssh: Option<Ssh> },
    /// Objects, of which this process makes sense itself.
    Objects { place: ObjectPlace, is_file: bool },
}

/// The `ssh` that a connection goes through.
pub(super) struct Ssh(Child);

impl Drop for Ssh {
    /// Its pipes are closed by now, so it ends by itself, with the other side.
    fn drop(&mut self) {
        if let Err(error) = self.0.wait() {
            tracing::debug!(%error, "ssh cannot be waited for");
        }
    }
}

/// What to do when a directory holds no store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    Fail,
    Make,
}

impl Reached {
    /// The store at a place.
    pub(super) fn open(place: &Place, if_missing: IfMissing) -> Result<Self> {
        match place {
            Place::Directory(path) => Self::open_directory(path, if_missing),
            Place::Machine { host, port, path } => Self::open_machine(host, *port, path, if_missing),
            Place::Objects(url) => Self::open_objects(url, if_missing),
        }
        .with_context(|| format!("cannot reach {place}"))
    }

    fn open_directory(path: &Path, if_missing: IfMissing) -> Result<Self> {
        match Holder::find(path, if_missing)? {
            Holder::Node(node) => Ok(Self::Elsewhere { client: connect(node.into_mirror()?)?, _ssh: None }),
            Holder::Here(pool) => Ok(Self::Here(pool)),
        }
    }

    fn open_objects(url: &str, if_missing: IfMissing) -> Result<Self> {
        let bucket = Bucket::open(url, if_missing == IfMissing::Make)?;
        Ok(Self::Objects { place: ObjectPlace::new(bucket), is_file: url.starts_with(objects::FILE) })
    }

    fn open_machine(host: &str, port: Option<u16>, path: &str, if_missing: IfMissing) -> Result<Self> {
        let mut command = ssh_command(host, port, path, if_missing)?;
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.context("cannot run ssh")?;
        let (reader, writer) = child.stdout.take().zip(child.stdin.take()).context("cannot talk to ssh")?;
        match Client::connect(Box::new(reader), Box::new(writer)) {
            Ok(client) => Ok(Self::Elsewhere { client, _ssh: Some(Ssh(child)) }),
            Err(error) => {
                let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                bail!("{error} ({status}); try `ssh {host} pantala --version`")
            }
        }
    }

    /// Its volumes.
    pub(super) fn list(&self) -> Result<Vec<Listed>> {
        Ok(match self {
            Self::Here(pool) => mirror::list(pool)?,
            Self::Elsewhere { client, .. } => client.list()?,
            Self::Objects { place, .. } => place.list()?,
        })
    }

    /// A volume to copy from, by name or identity.
    pub(super) fn source(&self, which: &str) -> Result<Box<dyn SourceVolume + '_>> {
        Ok(match self {
            Self::Here(pool) => Box::new(LocalSource::open(pool, which)?),
            Self::Elsewhere { client, .. } => Box::new(client.open_source(which)?),
            Self::Objects { place, .. } => Box::new(place.source(which)?),
        })
    }

    /// A replica to copy to.
    pub(super) fn replica(&self, origin: &Origin, mode: ReplicaMode) -> Result<Box<dyn ReplicaVolume + '_>> {
        let Origin { identity, name, state, .. } = origin;
        Ok(match self {
            Self::Here(pool) => Box::new(LocalReplica::open(pool, *identity, name, state, mode)?),
            Self::Elsewhere { client, .. } => Box::new(client.open_replica(*identity, name, state, mode)?),
            Self::Objects { place, .. } => Box::new(place.replica(origin, mode)?),
        })
    }

    /// A volume as a side of a two-way sync, by name or identity.
    pub(super) fn peer(&self, which: &str) -> Result<Box<dyn PeerVolume + '_>> {
        Ok(match self {
            Self::Here(pool) => Box::new(LocalPeer::open(pool, which)?),
            Self::Elsewhere { client, .. } => Box::new(client.open_peer(which)?),
            Self::Objects { .. } => {
                bail!("an object store holds replicas and is nobody's original: sync without --both")
            }
        })
    }

    /// The store, to verify it.
    pub(super) fn verifiable(&self) -> Box<dyn Verifiable + '_> {
        match self {
            Self::Here(pool) => Box::new(LocalVerifiable::new(pool)),
            Self::Elsewhere { client, .. } => Box::new(client),
            Self::Objects { place, .. } => Box::new(place.verifiable()),
        }
    }

    /// Whether this process alone has the store, so that nobody has it once this process has ended.
    pub(super) fn is_here(&self) -> bool {
        matches!(self, Self::Here(_) | Self::Objects { is_file: true, .. })
    }

    /// Gives back the space of what nothing needs, if this process alone has the store: there is no node that would. False if it
    /// does not have it.
    pub(super) fn collect_garbage(&self) -> Result<bool> {
        let Self::Here(pool) = self else { return Ok(false) };
        if let Some(mut collection) = pool.begin_collection(Thrift::SpaceIsShort)? {
            while collection.step()? {}
        }
        Ok(true)
    }

    /// Leaves the store so that the next one who opens it does not have to read much.
    pub(super) fn close(self) -> Result<()> {
        if let Self::Here(pool) = &self {
            pool.store().keep_opening_short()?;
        }
        Ok(())
    }
}

/// Who has a store of this machine.
pub(super) enum Holder {
    /// Its node.
    Node(NodeClient),
    /// This process, which opened it.
    Here(Pool),
}

impl Holder {
    /// Asks the node, or opens the store. Waits for another command to be done with it, or for a node that starts.
    pub(super) fn find(path: &Path, if_missing: IfMissing) -> Result<Self> {
        let began = Instant::now();
        loop {
            if let Some(node) = NodeClient::connect(path)? {
                return Ok(Self::Node(node));
            }
            match open_pool(path, if_missing) {
                Err(error) if failure::is_of_lock(&error) && began.elapsed() < LOCK_TIME_MAX => {
                    thread::sleep(POLL_INTERVAL);
                }
                opened => return opened.map(Self::Here),
            }
        }
    }
}

/// How long to wait for another command to be done with a store. One that copies takes longer, and is told of.
const LOCK_TIME_MAX: Duration = Duration::from_secs(10);
/// How often to look whether it is.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

fn open_pool(path: &Path, if_missing: IfMissing) -> Result<Pool> {
    let mode = if if_missing == IfMissing::Make { OpenMode::Create } else { OpenMode::MustExist };
    let store = Arc::new(Store::open_directory(path, StoreOptions::default(), mode)?);
    let options = PoolOptions { background: false, ..PoolOptions::new(owner()) };
    Ok(Pool::open_as_it_is(store, options)?)
}

fn connect(stream: UnixStream) -> Result<Client> {
    let reader = stream.try_clone().context("cannot share a socket")?;
    Ok(Client::connect(Box::new(reader), Box::new(stream))?)
}

/// What to run instead of `ssh`, with arguments: for keys and ports that its configuration does not know.
const SSH_VARIABLE: &str = "PANTALA_SSH";

/// The link is lost when the other side does not answer for so many times so many seconds.
const ALIVE: [&str; 4] = ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"];

fn ssh_command(host: &str, port: Option<u16>, path: &str, if_missing: IfMissing) -> Result<Command> {
    let ssh = std::env::var(SSH_VARIABLE).unwrap_or_else(|_| "ssh".to_owned());
    let mut words = ssh.split_whitespace();
    let mut command = Command::new(words.next().with_context(|| format!("{SSH_VARIABLE} is empty"))?);
    command.args(words).args(ALIVE);
    if let Some(port) = port {
        command.arg("-p").arg(port.to_string());
    }
    let create = if if_missing == IfMissing::Make { " --create" } else { "" };
    command.arg(host).arg(format!("pantala mirror serve --stdio{create} --store {}", quoted(path)));
    Ok(command)
}

/// A path for a shell. The home directory is for that shell to find.
fn quoted(path: &str) -> String {
    let (home, rest) = match path.strip_prefix("~/") {
        Some(rest) => ("~/", rest),
        None => ("", path),
    };
    format!("{home}'{}'", rest.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reaches_the_other_shell_as_it_is() {
        assert_eq!(quoted("/srv/a b"), "'/srv/a b'");
        assert_eq!(quoted("~/it's; rm -rf"), r"~/'it'\''s; rm -rf'");
    }
}
