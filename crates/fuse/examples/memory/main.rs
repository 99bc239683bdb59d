//! A file system in memory.
//!
//! ```sh
//! cargo run --release -p fuse --example memory -- [--transport auto|uring|device] [--threads N] [--depth N]
//!     [--allow-other] [--sole-writer] [--block-device DEVICE] MOUNTPOINT
//! ```
//!
//! It does what a local file system does, keeps nothing, and does little itself: so it shows how to write one, and how much
//! of a file system's time the kernel's protocol takes.

mod data;
mod directory;
mod filesystem;
mod inode;
mod options;

use filesystem::Memory;
use fuse::Session;
use options::Options;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => run(&options),
        Err(problem) => {
            eprintln!("{problem}\n{}", options::USAGE);
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options) -> fuse::Result<()> {
    let session = Session::mount(Arc::new(Memory::new()), &options.mountpoint, &options.mount, &options.session)?;
    println!("mounted on {}: {:?}", session.mountpoint().display(), session.capabilities());
    println!("unmount with `umount` or `fusermount3 -u`");
    session.wait()
}
