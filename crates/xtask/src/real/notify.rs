//! inotify(7) and fanotify(7) tell of changes on the mount what they tell of the same changes on the local disk.

use super::Scene;
use super::fanotify::Watch;
use crate::program::Program;
use crate::setup;
use anyhow::{Result, bail};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(120);
/// The last name that is made.
const END: &str = "end";

pub(super) fn play(scene: &Scene) -> Result<()> {
    let (mount, local) = (scene.pool.mount().join("notify"), scene.stage.local("notify")?);
    fs::create_dir_all(&mount)?;
    expect_same("inotifywait", &inotify(scene, &local)?, &inotify(scene, &mount)?)?;
    if setup::is_root() {
        expect_same("fanotify", &fanotify(&local)?, &fanotify(&mount)?)?;
    }
    Ok(())
}

fn expect_same(program: &str, local: &str, mount: &str) -> Result<()> {
    println!("{program:<10} {} events", local.lines().count());
    match local == mount && !local.is_empty() {
        true => Ok(()),
        false => bail!("{program} tells on the local disk:\n{local}\nand on the mount:\n{mount}"),
    }
}

fn inotify(scene: &Scene, directory: &Path) -> Result<String> {
    fs::create_dir(directory.join("below"))?;
    let log = scene.stage.log("inotify");
    // Not recursive: who watches a new directory comes too late for some of what happens in it.
    let watch = Program::new("inotifywait").arguments(["--monitor", "--format", "%e %w%f", "./", "./below/"]);
    let _watching = watch.directory(directory).start_into(&log)?;
    wait_for(&log, "Watches established")?;
    change(directory)?;
    fs::write(directory.join(END), "")?;
    wait_for(&log, &format!("CLOSE_WRITE,CLOSE ./{END}"))?;
    let told = fs::read_to_string(&log)?;
    Ok(told.lines().filter(|line| line.contains("./")).collect::<Vec<_>>().join("\n"))
}

fn fanotify(directory: &Path) -> Result<String> {
    let watch = Watch::of_mount(directory)?;
    change(&directory.join("below"))?;
    watch.events_below(directory)
}

/// What programs do: make, write, read, change attributes, rename, link, and remove.
fn change(directory: &Path) -> Result<()> {
    let at = |name: &str| directory.join(name);
    fs::write(at("file"), "content")?;
    let mut content = String::new();
    File::open(at("file"))?.read_to_string(&mut content)?;
    OpenOptions::new().append(true).open(at("file"))?.write_all(b" and more")?;
    OpenOptions::new().write(true).open(at("file"))?.set_len(3)?;
    fs::set_permissions(at("file"), Permissions::from_mode(0o600))?;
    fs::create_dir(at("directory"))?;
    fs::create_dir_all(at("below"))?;
    fs::rename(at("file"), at("below/renamed"))?;
    fs::hard_link(at("below/renamed"), at("link"))?;
    symlink("link", at("symlink"))?;
    fs::remove_file(at("symlink"))?;
    fs::write(at("replaced"), "by a rename")?;
    fs::rename(at("link"), at("replaced"))?;
    fs::remove_file(at("replaced"))?;
    fs::remove_file(at("below/renamed"))?;
    Ok(fs::remove_dir(at("directory"))?)
}

fn wait_for(log: &Path, text: &str) -> Result<()> {
    let start = Instant::now();
    while !fs::read_to_string(log)?.contains(text) {
        if start.elapsed() > TIME_MAX {
            bail!("not told within {} s: {text}\n{}", TIME_MAX.as_secs(), crate::program::last_lines_of(log));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
