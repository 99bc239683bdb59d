//! From a connection to threads that serve it.

use crate::device::Device;
use crate::handshake::{Choice, Offer};
use crate::rings::Rings;
use crate::transport::cpu;
use crate::transport::device::Traffic;
use crate::waiting::WaitingThreads;
use crate::workers::Workers;
use crate::{ActiveTransport, Capabilities, Error, Features, Filesystem, Result, SessionConfig, Transport, uring};
use std::sync::Arc;

/// Fewer threads on `/dev/fuse` would let one slow request hold up all others.
const DEVICE_THREADS_MIN: usize = 2;

/// Makes the first exchange with the kernel and starts the threads.
pub(crate) fn start(
    filesystem: &dyn Filesystem,
    workers: &Arc<Workers>,
    device: &Arc<Device>,
    config: &SessionConfig,
) -> Result<Capabilities> {
    let offer = Offer::receive(device)?;
    let result = agree(filesystem, workers, device, config, &offer);
    if result.is_err() {
        offer.refuse(device);
    }
    let (agreed, mut capabilities) = result?;
    workers.initialised();
    offer.answer(device, &agreed.choice)?;
    agreed.run(workers, device, config, &mut capabilities)?;
    Ok(capabilities)
}

/// What was agreed on before the kernel hears of it.
struct Agreed {
    choice: Choice,
    rings: Option<Rings>,
    waiting: Arc<WaitingThreads>,
}

fn agree(
    filesystem: &dyn Filesystem,
    workers: &Arc<Workers>,
    device: &Arc<Device>,
    config: &SessionConfig,
    offer: &Offer,
) -> Result<(Agreed, Capabilities)> {
    let mut choice = offer.choose(config);
    let waiting = WaitingThreads::new(workers.clone(), choice.features, config.waiting_threads);
    let (rings, transport) = match rings(workers, device, config, &choice, &waiting) {
        Ok(rings) => {
            let transport = uring_transport(&rings, config);
            (Some(rings), transport)
        }
        Err(error) => {
            choice.features = choice.features.without(Features::OVER_IO_URING);
            (None, fall_back(config, error)?)
        }
    };
    let capabilities = Capabilities {
        protocol: offer.protocol,
        features: choice.features,
        max_write: choice.max_write,
        max_readahead: choice.max_readahead.min(offer.max_readahead()),
        transport,
        idle_latency: None,
    };
    filesystem.init(&capabilities).map_err(Error::Refused)?;
    Ok((Agreed { choice, rings, waiting }, capabilities))
}

/// Prepares io_uring, or says why not.
fn rings(
    workers: &Arc<Workers>,
    device: &Arc<Device>,
    config: &SessionConfig,
    choice: &Choice,
    waiting: &Arc<WaitingThreads>,
) -> Result<Rings> {
    if choice.features.contains(Features::OVER_IO_URING) {
        return Rings::prepare(workers, device, choice, waiting, config.uring_depth);
    }
    let reason = match uring::status() {
        uring::Status::Disabled => "it is turned off; as root: echo Y > /sys/module/fuse/parameters/enable_uring",
        _ => "the kernel does not offer it (Linux 6.14 or newer does)",
    };
    Err(Error::Uring(reason.to_owned()))
}

fn uring_transport(rings: &Rings, config: &SessionConfig) -> ActiveTransport {
    ActiveTransport::Uring {
        queues: rings.queue_count(),
        depth: config.uring_depth.max(1),
        threads: rings.thread_count(),
    }
}

/// Without io_uring, goes on with `/dev/fuse` where that is allowed.
fn fall_back(config: &SessionConfig, error: Error) -> Result<ActiveTransport> {
    let fallback = match config.transport {
        Transport::Uring => return Err(error),
        Transport::Device => None,
        Transport::Auto => {
            tracing::warn!(%error, "using /dev/fuse instead");
            Some(error.to_string())
        }
    };
    Ok(ActiveTransport::Device { threads: device_threads(config), fallback })
}

fn device_threads(config: &SessionConfig) -> usize {
    match config.device_threads {
        0 => cpu::allowed_count().max(DEVICE_THREADS_MIN),
        threads => threads,
    }
}

impl Agreed {
    /// Starts to serve. If the kernel takes no queue after all, `/dev/fuse` has to do.
    fn run(
        self,
        workers: &Arc<Workers>,
        device: &Arc<Device>,
        config: &SessionConfig,
        capabilities: &mut Capabilities,
    ) -> Result<()> {
        if let Some(rings) = &self.rings
            && let Err(error) = rings.start()
        {
            capabilities.transport = fall_back(config, error)?;
        }
        let spawn = |index, device, traffic| workers.spawn_device(index, device, &self.choice, &self.waiting, traffic);
        let ActiveTransport::Device { threads, .. } = &capabilities.transport else {
            return spawn(0, device.clone(), Traffic::Notices);
        };
        spawn(0, device.clone(), Traffic::All)?;
        (1..*threads).try_for_each(|index| spawn(index, another(device), Traffic::All))
    }
}

/// A descriptor for one more thread: one of its own, or the common one where this user may not open the device.
fn another(device: &Arc<Device>) -> Arc<Device> {
    match device.clone_connection() {
        Ok(clone) => Arc::new(clone),
        Err(error) => {
            tracing::debug!(%error, "threads share a descriptor");
            device.clone()
        }
    }
}
