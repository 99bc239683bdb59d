//! What the chores need beside Rust itself, and how it gets there.
//!
//! Only what is missing is installed: Debian's packages by root, Cargo's tools by anyone. A tool that is there already is
//! used as it is, whatever its version; the versions here are those that a fresh machine gets.

use crate::program::{Program, is_installed};
use crate::workspace;
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const FUSE_DEVICE_MODE: u32 = 0o666;

/// The package `postgresql` has a directory in this one for each version of the server.
pub(crate) const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";

/// A Debian package, and the program by which one can tell that it is there.
struct Package {
    name: &'static str,
    program: &'static str,
}

const PACKAGES: &[Package] = &[
    // An ordinary user mounts by its set-uid helper.
    Package { name: "fuse3", program: "fusermount3" },
    // Real programs that run on the mount.
    Package { name: "git", program: "git" },
    Package { name: "sqlite3", program: "sqlite3" },
    Package { name: "tar", program: "tar" },
    Package { name: "rsync", program: "rsync" },
    Package { name: "dbench", program: "dbench" },
    Package { name: "inotify-tools", program: "inotifywait" },
    Package { name: "debootstrap", program: "debootstrap" },
    // A server that exports the mount again, its part for local file systems, and a client that is no kernel's.
    Package { name: "nfs-ganesha", program: "ganesha.nfsd" },
    Package { name: "nfs-ganesha-vfs", program: "ganesha.nfsd" },
    Package { name: "libnfs-utils", program: "nfs-cat" },
    Package { name: "samba", program: "smbd" },
    Package { name: "smbclient", program: "smbclient" },
    // Only some of its programs are in `PATH`.
    Package { name: "postgresql", program: "pg_ctlcluster" },
    // libFuzzer is C++.
    Package { name: "g++", program: "g++" },
    // Local file systems to compare with.
    Package { name: "e2fsprogs", program: "mkfs.ext4" },
    Package { name: "xfsprogs", program: "mkfs.xfs" },
    // What a user would look at attributes and mounts with.
    Package { name: "acl", program: "setfacl" },
    Package { name: "attr", program: "setfattr" },
    Package { name: "iproute2", program: "ip" },
    Package { name: "mount", program: "losetup" },
    // Says whether a unit is one, and boots a machine of a test.
    Package { name: "systemd", program: "systemd-analyze" },
    // Mirrors on another machine.
    Package { name: "openssh-client", program: "ssh" },
    Package { name: "openssh-server", program: "sshd" },
    // Installs the server of S3.
    Package { name: "python3-pip", program: "pip3" },
];

/// What the benchmark needs beside that.
const BENCH_PACKAGES: &[Package] = &[
    Package { name: "fio", program: "fio" },
    Package { name: "btrfs-progs", program: "mkfs.btrfs" },
    Package { name: "bindfs", program: "bindfs" },
    Package { name: "postgresql", program: "pg_ctlcluster" },
];

/// What the benchmark compares with where Debian has it.
const BENCH_PACKAGES_OPTIONAL: &[Package] = &[Package { name: "zfs-fuse", program: "zfs-fuse" }];

/// What the benchmark of mirrors compares with.
const MIRROR_BENCH_PACKAGES: &[Package] = &[
    Package { name: "xfsprogs", program: "mkfs.xfs" },
    Package { name: "mount", program: "losetup" },
    Package { name: "rsync", program: "rsync" },
    Package { name: "restic", program: "restic" },
    Package { name: "borgbackup", program: "borg" },
    Package { name: "btrfs-progs", program: "mkfs.btrfs" },
];

/// A subcommand of Cargo, pinned.
pub(crate) struct CargoTool {
    name: &'static str,
    pub(crate) version: &'static str,
    options: &'static [&'static str],
}

/// Licences and sources. Without its default features it needs no TLS of its own, and builds in half the time.
pub(crate) const CARGO_DENY: CargoTool =
    CargoTool { name: "cargo-deny", version: "0.20.2", options: &["--no-default-features"] };
/// Fuzzing with libFuzzer.
pub(crate) const CARGO_FUZZ: CargoTool = CargoTool { name: "cargo-fuzz", version: "0.13.2", options: &[] };

const FSX_VERSION: &str = "0.3.2";
/// `objects/tests/s3.rs` looks for this version.
const MOTO_VERSION: &str = "5.2.5";

/// Installs everything that the tests need.
pub(crate) fn run() -> Result<()> {
    packages(PACKAGES)?;
    fuse_device()?;
    fsx()?;
    moto()?;
    udev()?;
    cargo_tool(&CARGO_FUZZ)
}

/// The file system exerciser. It is no subcommand of Cargo, so it lies in the target directory and not in the user's `PATH`.
pub(crate) fn fsx() -> Result<PathBuf> {
    let root = workspace::target_dir()?.join(format!("fsx-{FSX_VERSION}"));
    let program = root.join("bin/fsx");
    if !program.is_file() {
        let pinned = format!("fsx@{FSX_VERSION}");
        println!("installing {pinned}");
        workspace::cargo(["install", "--quiet", "--locked", &pinned, "--root"]).argument(root).run()?;
    }
    Ok(program)
}

/// A server that speaks S3. It lies in the target directory, so that no package of Python's that the machine has changes.
fn moto() -> Result<()> {
    let directory = workspace::target_dir()?.join(format!("moto-{MOTO_VERSION}"));
    if directory.join("moto/server.py").is_file() {
        return Ok(());
    }
    let pinned = format!("moto[server,s3]=={MOTO_VERSION}");
    println!("installing {pinned}");
    let pip =
        Program::new("pip3").arguments(["install", "--quiet", "--no-warn-conflicts", "--target"]).argument(directory);
    pip.argument(pinned).environment("PIP_ROOT_USER_ACTION", "ignore").run()
}

/// What makes devices known in a machine of a test's own, which only root can boot. On a machine without it, a container most likely, it
/// would be of no use but for that: it lies in the target directory and is not installed.
fn udev() -> Result<()> {
    let target = workspace::target_dir()?;
    let directory = target.join("udev");
    if !is_root() || directory.is_dir() || Path::new("/usr/lib/systemd/systemd-udevd").exists() {
        return Ok(());
    }
    println!("unpacking udev");
    apt_get(&["update"])?;
    let download = tempfile::tempdir_in(&target)?;
    let fetch =
        Program::new("apt-get").arguments(["--quiet", "--option", "APT::Sandbox::User=root", "download", "udev"]);
    fetch.directory(download.path()).run()?;
    let package = std::fs::read_dir(download.path())?.next().context("apt-get has downloaded nothing")??.path();
    let unpacked = download.path().join("unpacked");
    Program::new("dpkg").argument("--extract").argument(package).argument(&unpacked).run()?;
    Ok(std::fs::rename(unpacked, directory)?)
}

/// Installs what the benchmark needs beside what [`run`] installs.
pub(crate) fn bench_packages() -> Result<()> {
    packages(PACKAGES)?;
    fuse_device()?;
    packages(BENCH_PACKAGES)?;
    packages(BENCH_PACKAGES_OPTIONAL).unwrap_or_else(|error| println!("going on without: {error:#}"));
    Ok(())
}

/// Installs what the benchmark of mirrors needs.
pub(crate) fn mirror_bench_packages() -> Result<()> {
    fuse_device()?;
    packages(MIRROR_BENCH_PACKAGES)?;
    packages(BENCH_PACKAGES_OPTIONAL).unwrap_or_else(|error| println!("going on without: {error:#}"));
    Ok(())
}

/// Installs a subcommand of Cargo if there is none.
pub(crate) fn cargo_tool(tool: &CargoTool) -> Result<()> {
    let subcommand = tool.name.trim_start_matches("cargo-");
    if workspace::cargo([subcommand, "--version"]).end()?.status.success() {
        return Ok(());
    }
    let pinned = format!("{}@{}", tool.name, tool.version);
    println!("installing {pinned}");
    workspace::cargo(["install", "--quiet", "--locked", &pinned]).arguments(tool.options).run()
}

/// Adds rustfmt and clippy to a minimal toolchain.
pub(crate) fn rust_components() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if workspace::cargo([subcommand, "--version"]).end()?.status.success() {
            continue;
        }
        if !is_installed("rustup") {
            bail!("`cargo {subcommand}` is missing, and there is no rustup to add it; install {component}");
        }
        Program::new("rustup").arguments(["component", "add", component]).run()?;
    }
    Ok(())
}

/// Whether this process may do anything.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn packages(packages: &[Package]) -> Result<()> {
    let missing = || packages.iter().filter(|package| !is_installed(package.program)).map(|package| package.name);
    let names: Vec<&str> = missing().collect();
    if names.is_empty() {
        return Ok(());
    }
    if !is_root() || !is_installed("apt-get") {
        bail!("missing packages; as root: apt-get install {}", names.join(" "));
    }
    println!("installing {}", names.join(" "));
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], names.as_slice()].concat())?;
    match missing().next() {
        Some(name) => bail!("package {name} is installed, but its program is not there"),
        None => Ok(()),
    }
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let apt_get = Program::new("apt-get").argument("--quiet").arguments(arguments);
    apt_get.environment("DEBIAN_FRONTEND", "noninteractive").run()
}

fn fuse_device() -> Result<()> {
    let device = Path::new("/dev/fuse");
    if !device.exists() && is_root() && is_installed("modprobe") {
        Program::new("modprobe").argument("fuse").end()?;
    }
    if !device.exists() {
        bail!("there is no /dev/fuse: the kernel's fuse module is not loaded; as root: modprobe fuse");
    }
    open_to_users(device)
}

/// Gives the device the mode that Debian's udev rule for it has, on a machine that runs no udev.
fn open_to_users(device: &Path) -> Result<()> {
    let is_open = device.metadata()?.permissions().mode() & FUSE_DEVICE_MODE == FUSE_DEVICE_MODE;
    if !is_open && is_root() {
        println!("opening {} to ordinary users", device.display());
        std::fs::set_permissions(device, Permissions::from_mode(FUSE_DEVICE_MODE))?;
    }
    Ok(())
}
