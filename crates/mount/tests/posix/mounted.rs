//! A volume in memory, mounted in a temporary folder for as long as the test runs.

use block::{MemoryIndex, Store, StoreOptions};
use fuse::Transport;
use mount::{MountOptions, VolumeMount};
use sim::SimDisk;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use volume::{Creator, Pool, PoolOptions, Volume, VolumeId};

pub(crate) struct Mounted {
    mount: Option<VolumeMount>,
    pub(crate) pool: Pool,
    folder: TempDir,
}

impl Mounted {
    pub(crate) fn new() -> Self {
        let store = Store::create(Arc::new(SimDisk::new()), Box::<MemoryIndex>::default(), StoreOptions::default());
        let owner = Creator { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw() };
        let pool = Pool::open(Arc::new(store.unwrap()), PoolOptions::new(owner)).unwrap();
        let folder = tempfile::Builder::new().prefix("pantala-mount-").tempdir().unwrap();
        let mut mounted = Self { mount: None, pool, folder };
        mounted.mount();
        mounted
    }

    fn mount(&mut self) {
        let options = MountOptions {
            source: "pantala-test".into(),
            allow_other: rustix::process::geteuid().is_root(),
            read_only: false,
            transport: Transport::Auto,
        };
        self.mount = Some(VolumeMount::start(self.volume(), self.folder.path(), options).unwrap());
    }

    /// Unmounts and mounts again: the kernel forgets everything.
    pub(crate) fn remount(&mut self) {
        let mount = self.mount.take().expect("it is mounted");
        // A child of another test may have the files of this one open, until it runs its program.
        mount.detach().unwrap();
        mount.wait().unwrap();
        self.mount();
    }

    pub(crate) fn volume(&self) -> Arc<Volume> {
        self.pool.volume(VolumeId::FIRST).expect("a pool has a first volume")
    }

    /// Changes a setting of the volume.
    pub(crate) fn set(&self, key: &str, value: &str) {
        self.pool.set_volume("main", &[(key.to_owned(), value.to_owned())]).unwrap();
    }

    /// The mount's options as the kernel shows them.
    pub(crate) fn kernel_options(&self) -> String {
        let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let of_mount = |line: &str| {
            let mut fields = line.split(' ').skip(1);
            let is_ours = fields.next()? == self.top().to_str()?;
            is_ours.then(|| fields.nth(1).map(str::to_owned))?
        };
        table.lines().find_map(of_mount).expect("it is mounted")
    }

    pub(crate) fn top(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.top().join(name)
    }

    /// A new file with a content, open for reading and writing.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> File {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        File::options().read(true).write(true).open(path).unwrap()
    }
}
