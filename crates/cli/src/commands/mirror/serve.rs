//! `pantala mirror serve`: the other end of a sync over ssh.

use super::reach::{Holder, IfMissing};
use crate::arguments::MirrorServe;
use crate::defaults;
use anyhow::{Context, Result};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

pub(super) fn run(arguments: &MirrorServe) -> Result<()> {
    let store = defaults::store(Some(arguments.store.clone()))?;
    let if_missing = if arguments.create { IfMissing::Make } else { IfMissing::Fail };
    let pool = match Holder::find(&store, if_missing)? {
        Holder::Node(node) => return relay(node.into_mirror()?),
        Holder::Here(pool) => pool,
    };
    let served = mirror::serve(Box::new(io::stdin()), Box::new(io::stdout()), &pool);
    pool.store().keep_opening_short()?;
    Ok(served?)
}

/// The node has the store: bytes go through to it.
fn relay(stream: UnixStream) -> Result<()> {
    let mut to_node = stream.try_clone().context("cannot share a socket")?;
    let forth = thread::spawn(move || {
        let copied = copy(&mut io::stdin().lock(), &mut to_node);
        to_node.shutdown(Shutdown::Write).and(copied)
    });
    copy(&mut &stream, &mut io::stdout().lock()).context("cannot pass on what the node says")?;
    // The node has said all; who still sends has no use for it.
    drop(forth);
    Ok(())
}

const BUFFER_BYTES: usize = 256 << 10;

/// Hands on what came at once, since somebody waits for it.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => to.write_all(&buffer[..length]).and_then(|()| to.flush())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
