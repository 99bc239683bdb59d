//! A volume at a mount point.

use crate::router::Router;
use fuse::{Features, Filesystem, LoopDevice, Session, SessionConfig, Transport};
use std::path::Path;
use std::sync::Arc;
use volume::{AccessTimes, Volume, Watcher};

/// How a volume is mounted.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// What `mount` and `df` show as the device.
    pub source: String,
    /// Whether other users than the one who mounts may use it.
    pub allow_other: bool,
    /// Whether everything that would change it is refused.
    pub read_only: bool,
    /// How requests travel.
    pub transport: Transport,
}

/// A volume that is mounted. It stays so until it is unmounted, from here or from outside.
pub struct VolumeMount {
    session: Session,
    /// The volume tells it what changes.
    _caches: Arc<dyn Watcher>,
    /// Why sync(2) does not reach it, if it does not.
    unsynced: Option<String>,
    follows: bool,
}

impl VolumeMount {
    /// Mounts a volume, as these options and its setting `mount-options` say. It serves requests when this returns.
    pub fn start(volume: Arc<Volume>, mountpoint: &Path, options: MountOptions) -> fuse::Result<Self> {
        let wanted = volume.mount_options();
        let read_only = options.read_only || wanted.read_only;
        let access_times = if read_only { AccessTimes::Never } else { wanted.access_times };
        let filesystem = Arc::new(Router::new(volume.clone(), access_times));
        let (notifications, caches) = (filesystem.notifications().clone(), Arc::new(filesystem.kernel_caches()));
        let is_root = rustix::process::geteuid().is_root();
        let mount = fuse::MountOptions {
            source: options.source.into(),
            subtype: "pantala".into(),
            allow_other: options.allow_other,
            default_permissions: true,
            read_only,
            nosuid: !is_root || wanted.no_set_user_id,
            nodev: !is_root || wanted.no_devices,
            noexec: wanted.no_programs,
            noatime: wanted.access_times == AccessTimes::Never,
            ..fuse::MountOptions::default()
        };
        let config = SessionConfig { transport: options.transport, no_open: true, ..SessionConfig::default() };
        let follows = volume.is_replica();
        let config = match follows {
            // The pages of a file go when its times or its size have changed.
            true => config.with(Features::AUTO_INVAL_DATA),
            // Only this mount changes the volume: pages stay right when times change.
            false => config.without(Features::AUTO_INVAL_DATA).with(Features::EXPLICIT_INVAL_DATA),
        };
        let config = config.with(Features::HANDLE_KILLPRIV_V2);
        let config = config.with(Features::POSIX_ACL | Features::DONT_MASK | Features::EXPORT_SUPPORT);
        let (session, unsynced) = mount_synced(filesystem, mountpoint, mount, &config)?;
        notifications
            .begin(session.notifier())
            .map_err(|source| fuse::Error::Transport { what: "a thread for notifications", source })?;
        let caches: Arc<dyn Watcher> = caches;
        volume.watch(Arc::downgrade(&caches));
        Ok(Self { session, unsynced, follows, _caches: caches })
    }

    /// Why sync(2) and syncfs(2) do not make what is written here durable; `None` if they do.
    pub fn unsynced(&self) -> Option<&str> {
        self.unsynced.as_deref()
    }

    /// Whether the kernel asks again for what a mirror may have changed: the volume was a replica when it was mounted.
    pub fn follows(&self) -> bool {
        self.follows
    }

    /// Where it is mounted.
    pub fn mountpoint(&self) -> &Path {
        self.session.mountpoint()
    }

    /// How requests travel.
    pub fn transport(&self) -> &'static str {
        if self.session.capabilities().transport.is_uring() { "io_uring" } else { "/dev/fuse" }
    }

    /// How long an idle CPU may take to wake up while requests are frequent, in microseconds; `None` if the kernel is not asked for
    /// anything.
    pub fn idle_latency(&self) -> Option<u32> {
        self.session.capabilities().idle_latency
    }

    /// How many requests of each kind the kernel has sent, by name.
    pub fn requests(&self) -> Vec<(&'static str, u64)> {
        self.session.requests()
    }

    /// Unmounts. Fails if something on the mount is in use.
    pub fn unmount(&self) -> fuse::Result<()> {
        self.session.unmount()
    }

    /// Takes the mount away from the tree; what is in use goes on until it is closed.
    pub fn detach(&self) -> fuse::Result<()> {
        self.session.detach()
    }

    /// Waits until the volume is unmounted.
    pub fn wait(&self) -> fuse::Result<()> {
        self.session.wait()
    }
}

/// Mounts so that sync(2) and syncfs(2) reach the volume, which they do on a block device only; where there is none to be had,
/// mounts without, and says why.
fn mount_synced(
    filesystem: Arc<dyn Filesystem>,
    mountpoint: &Path,
    options: fuse::MountOptions,
    config: &SessionConfig,
) -> fuse::Result<(Session, Option<String>)> {
    if !rustix::process::geteuid().is_root() {
        let why = "the kernel tells an ordinary user's mount nothing of it";
        return Ok((Session::mount(filesystem, mountpoint, &options, config)?, Some(why.to_owned())));
    }
    let device = match LoopDevice::new(&options.source) {
        Ok(device) => device,
        Err(error) => {
            let why = format!("there is no loop device to be had ({error})");
            return Ok((Session::mount(filesystem, mountpoint, &options, config)?, Some(why)));
        }
    };
    let on_device = fuse::MountOptions { block_device: Some(device.path().to_owned()), ..options.clone() };
    match Session::mount(filesystem.clone(), mountpoint, &on_device, config) {
        Ok(session) => Ok((session, None)),
        Err(fuse::Error::Mount { source, .. }) => {
            let why = format!("the kernel mounts no {} ({source})", device.path().display());
            Ok((Session::mount(filesystem, mountpoint, &options, config)?, Some(why)))
        }
        Err(error) => Err(error),
    }
}
