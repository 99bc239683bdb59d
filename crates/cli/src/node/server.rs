//! The node's side of the control socket.

use super::events::Event;
use super::{Node, mirrors};
use crate::control::{self, Listener, REQUEST_BYTES_MAX, REQUEST_TIME_MAX, Request, Response, ScrubOrder};
use crate::failure;
use anyhow::{Context, Result};
use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// Requests answered at the same time; more wait for their turn.
const THREADS: usize = 4;

const STACK_BYTES: usize = 512 << 10;

/// After a failure to accept, which may be a lack of descriptors that passes.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Starts to answer requests. The socket goes away when the node does.
pub(super) fn start(node: &Arc<Node>, listener: Listener) -> Result<()> {
    let listener = Arc::new(listener);
    for index in 0..THREADS {
        let (node, listener) = (Arc::downgrade(node), listener.clone());
        let thread = thread::Builder::new().name(format!("control-{index}")).stack_size(STACK_BYTES);
        thread.spawn(move || serve(&node, &listener)).context("cannot start a thread")?;
    }
    Ok(())
}

fn serve(node: &Weak<Node>, listener: &Listener) {
    loop {
        let stream = match listener.accept() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a request");
                thread::sleep(RETRY_INTERVAL);
                continue;
            }
        };
        let Some(node) = node.upgrade() else { return };
        // A request that panics is in the log; the thread goes on with the next one.
        let Ok(answered) = catch_unwind(AssertUnwindSafe(|| answer(&node, &stream))) else { continue };
        match answered {
            // Whoever connected only wanted to know whether the node is there.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => tracing::warn!(%error, "a request went unanswered"),
            Ok(()) => {}
        }
    }
}

fn answer(node: &Arc<Node>, stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_TIME_MAX))?;
    stream.set_write_timeout(Some(REQUEST_TIME_MAX))?;
    if !control::is_allowed(stream)? {
        let why = "the node takes orders from its own user and from root only".to_owned();
        return control::write(stream, &Response::Failed(why));
    }
    let request = match control::read(stream, REQUEST_BYTES_MAX) {
        Ok(request) => request,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let why = format!("{error}; take the node down with the pantala that runs it, then up with this one");
            return control::write(stream, &Response::Failed(why));
        }
        Err(error) => return Err(error),
    };
    if matches!(request, Request::Mirror) {
        return mirrors::start(node, stream);
    }
    let (response, is_end) = node.answer(request);
    let written = control::write(stream, &response);
    if is_end {
        // The main thread is there until this event.
        let _ = node.events.send(Event::Stop);
    }
    written
}

impl Node {
    /// Does what is asked. True if the node is to end now.
    fn answer(&self, request: Request) -> (Response, bool) {
        tracing::debug!(?request, "asked");
        let is_force = matches!(request, Request::Down { force: true });
        let is_down = matches!(request, Request::Down { .. });
        let done = match request {
            Request::Status => return (Response::Status(Box::new(self.status())), false),
            Request::Mirror => unreachable!("its connection is handed over before"),
            Request::MirrorsChanged => {
                self.mirror_schedule.look_again();
                Ok(Vec::new())
            }
            Request::PromoteVolume { name } => self.promote_volume(&name),
            Request::Past { volume, order } => return (self.past(volume.as_deref(), order), false),
            Request::Space => return (self.space_use(), false),
            Request::Scrub(order) => return (self.scrub(&order), false),
            Request::Mount => self.mount_missing().map(|()| Vec::new()),
            Request::CollectGarbage => return (Response::Garbage(Box::new(self.collect_garbage())), false),
            Request::Garbage { finished } => return (Response::Garbage(Box::new(self.garbage(finished))), false),
            Request::Sync => self.sync(),
            Request::Down { force: false } => self.take_down().map(|()| vec!["the pool is down".to_owned()]),
            Request::Down { force: true } => self.take_down_by_force().map(|()| vec!["the pool is down".to_owned()]),
            Request::CreateVolume { name, mount, encryption } => {
                self.create_volume(&name, mount.as_deref(), encryption.as_ref())
            }
            Request::KeyTable { name } => match self.key_table(&name) {
                Ok(table) => return (Response::KeyTable(table), false),
                Err(error) => Err(error),
            },
            Request::UnlockVolume { name, key } => self.unlock_volume(&name, &key),
            Request::LockVolume { name } => self.lock_volume(&name),
            Request::SetKeySlots { name, key, slots } => self.set_key_slots(&name, &key, &slots),
            Request::DeleteVolume { name } => self.delete_volume(&name),
            Request::SetVolume { name, settings } => self.set_volume(&name, &settings),
            Request::RenameVolume { name, new_name } => self.rename_volume(&name, &new_name),
        };
        let is_end = is_force || is_down && done.is_ok();
        (response(done), is_end)
    }

    fn scrub(&self, order: &ScrubOrder) -> Response {
        let scrubber = &self.scrubber;
        let done = match *order {
            ScrubOrder::Watch => return Response::Scrub(Box::new(scrubber.watch())),
            ScrubOrder::Show => Ok(()),
            ScrubOrder::Begin { limit_rate } => scrubber.begin(limit_rate),
            ScrubOrder::Resume { limit_rate } => scrubber.resume(limit_rate),
            ScrubOrder::Pause => scrubber.pause(),
            ScrubOrder::Cancel => scrubber.cancel(),
            ScrubOrder::Schedule { every_seconds } => scrubber.schedule(every_seconds),
        };
        match done {
            Ok(()) => Response::Scrub(Box::new(scrubber.status())),
            Err(error) => Response::Failed(failure::line(&error)),
        }
    }

    fn sync(&self) -> Result<Vec<String>> {
        self.pool.sync().context("cannot sync")?;
        Ok(Vec::new())
    }
}

fn response(done: Result<Vec<String>>) -> Response {
    match done {
        Ok(lines) => Response::Done(lines),
        Err(error) => {
            let line = failure::line(&error);
            tracing::warn!("{line}");
            Response::Failed(line)
        }
    }
}
