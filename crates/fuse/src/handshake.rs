//! The first exchange on a connection: the kernel offers, we choose.

use crate::device::Device;
use crate::{Error, Features, Result, SessionConfig, Transport, uring, wire};
use rustix::io::{Errno, IoSlice};
use std::fs;
use zerocopy::{FromBytes, IntoBytes};

/// What a kernel without `/proc/sys/fs/fuse/max_pages_limit` takes.
const MAX_PAGES_DEFAULT: usize = 256;
/// What a kernel without [`Features::MAX_PAGES`] takes.
const MAX_PAGES_OLD: usize = 32;
/// The kernel refuses to be read with a smaller buffer.
const BUFFER_SIZE: usize = 64 * 1024;
/// Features that the file system has no say in.
const ALWAYS: Features = Features::BIG_WRITES.union(Features::MAX_PAGES).union(Features::INIT_EXT);

/// What the kernel offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) protocol: (u32, u32),
    unique: u64,
    features: Features,
    max_readahead: usize,
}

/// What we choose from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) features: Features,
    pub(crate) max_write: usize,
    pub(crate) max_readahead: usize,
    max_pages: u16,
    max_background: u16,
    time_granularity: u32,
}

impl Offer {
    /// Waits for the kernel's first message.
    pub(crate) fn receive(device: &Device) -> Result<Self> {
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            let length = read(device, &mut buffer)?;
            let offer = Self::parse(&buffer[..length])?;
            match offer.protocol.0 {
                wire::MAJOR if offer.protocol.1 >= wire::MINOR_MIN => return Ok(offer),
                // A newer kernel offers again when it hears what we speak.
                major if major > wire::MAJOR => send(device, offer.unique, &version())?,
                _ => return Err(Error::Protocol(offer.protocol.0, offer.protocol.1)),
            }
        }
    }

    fn parse(message: &[u8]) -> Result<Self> {
        let (header, body) = wire::InHeader::read_from_prefix(message).map_err(|_| broken("a short message"))?;
        if header.opcode != wire::Opcode::Init as u32 {
            return Err(broken("another request than INIT"));
        }
        let mut init = wire::InitIn::default();
        let length = body.len().min(size_of_val(&init));
        init.as_mut_bytes()[..length].copy_from_slice(&body[..length]);
        if length < wire::INIT_IN_SIZE_OLD {
            return Err(broken("a short INIT"));
        }
        let low = Features::from_words(init.flags, 0);
        let extended = low.contains(Features::INIT_EXT) && length == size_of_val(&init);
        Ok(Self {
            protocol: (init.major, init.minor),
            unique: header.unique,
            features: Features::from_words(init.flags, if extended { init.flags2 } else { 0 }),
            max_readahead: init.max_readahead as usize,
        })
    }

    /// Chooses: what the file system wants, as far as the kernel offers it.
    pub(crate) fn choose(&self, config: &SessionConfig) -> Choice {
        let mut wanted = config.features | ALWAYS;
        if config.transport != Transport::Device && uring::status() == uring::Status::Enabled {
            wanted |= Features::OVER_IO_URING;
        }
        let features = wanted.intersection(self.features);
        let page = rustix::param::page_size();
        let limit = if features.contains(Features::MAX_PAGES) { max_pages_limit() } else { MAX_PAGES_OLD };
        let pages = (config.max_write / page).clamp(1, limit);
        Choice {
            features,
            max_write: pages * page,
            max_readahead: config.max_readahead,
            max_pages: pages as u16,
            max_background: config.max_background,
            time_granularity: config.time_granularity.as_nanos().clamp(1, 1_000_000_000) as u32,
        }
    }

    /// Tells the kernel what was chosen. From here on requests come.
    pub(crate) fn answer(&self, device: &Device, choice: &Choice) -> Result<()> {
        let background = choice.max_background.max(1);
        let reply = wire::InitOut {
            minor: self.protocol.1.min(wire::MINOR),
            max_readahead: choice.max_readahead as u32,
            flags: choice.features.low(),
            max_background: background,
            congestion_threshold: (background - background / 4).max(1),
            max_write: choice.max_write as u32,
            time_granularity: choice.time_granularity,
            max_pages: choice.max_pages,
            flags2: choice.features.high(),
            ..version()
        };
        send(device, self.unique, &reply)
    }

    /// Tells the kernel that the connection will not come about.
    pub(crate) fn refuse(&self, device: &Device) {
        let header =
            wire::OutHeader { len: size_of::<wire::OutHeader>() as u32, error: -libc::EIO, unique: self.unique };
        if let Err(error) = device.write(&[IoSlice::new(header.as_bytes())]) {
            tracing::debug!(%error, "cannot refuse the kernel's first message");
        }
    }

    /// The read-ahead that the kernel grants by itself, in bytes.
    pub(crate) fn max_readahead(&self) -> usize {
        self.max_readahead
    }
}

fn version() -> wire::InitOut {
    wire::InitOut { major: wire::MAJOR, minor: wire::MINOR, ..Default::default() }
}

fn max_pages_limit() -> usize {
    let text = fs::read_to_string("/proc/sys/fs/fuse/max_pages_limit").unwrap_or_default();
    text.trim().parse().unwrap_or(MAX_PAGES_DEFAULT).clamp(1, usize::from(u16::MAX))
}

fn read(device: &Device, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match device.read(buffer) {
            Ok(length) => return Ok(length),
            Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => {}
            Err(error) => return Err(Error::Handshake(error.into())),
        }
    }
}

fn send(device: &Device, unique: u64, body: &wire::InitOut) -> Result<()> {
    let len = (size_of::<wire::OutHeader>() + size_of_val(body)) as u32;
    let header = wire::OutHeader { len, error: 0, unique };
    let parts = [IoSlice::new(header.as_bytes()), IoSlice::new(body.as_bytes())];
    device.write(&parts).map_err(|error| Error::Handshake(error.into()))
}

fn broken(what: &str) -> Error {
    Error::Handshake(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("the kernel sent {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(init: &[u8]) -> Vec<u8> {
        let header = wire::InHeader { opcode: 26, unique: 2, ..Default::default() };
        [header.as_bytes(), init].concat()
    }

    fn offer(features: Features) -> Offer {
        Offer { protocol: (7, 45), unique: 2, features, max_readahead: 131_072 }
    }

    #[test]
    fn the_second_word_of_features_counts_only_when_announced() {
        let parse = |init: &[u8]| Offer::parse(&message(init)).map(|offer| offer.features.high()).ok();
        let mut init = wire::InitIn { major: 7, minor: 45, flags: 1 << 30, flags2: 1 << 9, ..Default::default() };
        assert_eq!(parse(init.as_bytes()), Some(1 << 9));
        init.flags = 0;
        assert_eq!(parse(init.as_bytes()), Some(0));
        assert_eq!(parse(&init.as_bytes()[..16]), Some(0));
        assert_eq!(parse(&init.as_bytes()[..15]), None);
    }

    #[test]
    fn only_what_is_offered_is_chosen() {
        let config = SessionConfig { transport: Transport::Device, ..SessionConfig::default() };
        let choice = offer(Features::MAX_PAGES | Features::ASYNC_READ | Features::POSIX_LOCKS).choose(&config);
        assert_eq!(choice.features, Features::MAX_PAGES | Features::ASYNC_READ);
    }

    #[test]
    fn requests_are_whole_pages_and_small_on_old_kernels() {
        let config = SessionConfig { max_write: 1 << 30, ..SessionConfig::default() };
        let page = rustix::param::page_size();
        assert_eq!(offer(Features::NONE).choose(&config).max_write, 32 * page);
        let config = SessionConfig { max_write: 1, ..config };
        assert_eq!(offer(Features::MAX_PAGES).choose(&config).max_write, page);
    }
}
