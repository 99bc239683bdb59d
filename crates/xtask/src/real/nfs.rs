//! NFS-Ganesha serves the mount again, by handles of its files (name_to_handle_at(2)), and a client in user space reads
//! and writes it.

use super::Scene;
use crate::program::{Program, last_lines_of};
use crate::setup;
use anyhow::{Result, bail};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// What the server writes to its log when it serves.
const SERVES: &str = "NFS SERVER INITIALIZED";
/// Where it keeps what it needs while it runs.
const STATE: &[&str] = &["/run/ganesha", "/var/lib/nfs/ganesha"];
/// Longer than what a client asks for at once.
const CONTENT_BYTES: usize = 3 << 20;
/// The client (libnfs 4.0.0) sends no longer writes.
const WRITTEN_BYTES: usize = 1_000;

pub(super) fn play(scene: &Scene) -> Result<()> {
    if !setup::is_root() {
        println!("only root can open files by handles");
        return Ok(());
    }
    let exported = scene.pool.mount().join("exported");
    fs::create_dir_all(exported.join("below"))?;
    let content = super::chance::Chance::new(scene.seed).bytes(CONTENT_BYTES);
    fs::write(exported.join("below/file"), &content)?;
    STATE.iter().try_for_each(fs::create_dir_all)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (settings, log) = (scene.stage.dir().join("ganesha.conf"), scene.stage.log("ganesha"));
    fs::write(&settings, settings_for(&exported, port))?;
    let server = Program::new("ganesha.nfsd").arguments(["-F", "-f"]).argument(&settings).arguments(["-L"]);
    let server = server.argument(&log).argument("-p").argument(scene.stage.dir().join("ganesha.pid"));
    let mut server = server.start_into(&scene.stage.log("ganesha-output"))?;
    wait_for(&log, SERVES)?;
    let url = |path: &str| format!("nfs://127.0.0.1/exported{path}?nfsport={port}&version=4");
    let listed = Program::new("nfs-ls").argument(url("/below")).output()?;
    // To a file, since it is no text.
    let read = scene.stage.dir().join("read-over-nfs");
    let mut client = Program::new("nfs-cat").argument(url("/below/file")).start_into(&read)?;
    let status = client.wait(TIME_MAX)?;
    let written = write(scene, &url("/written"));
    super::process::kill(server.process())?;
    server.wait(TIME_MAX)?;
    let written = written?;
    if fs::read(exported.join("written"))? != written {
        bail!("what was written over NFS is not on the mount");
    }
    if !listed.contains("file") {
        bail!("over NFS, the directory has only: {listed}");
    }
    match status.success() && fs::read(&read)? == content {
        true => Ok(()),
        false => bail!("over NFS, the file is another one: {status}, {}", last_lines_of(&log)),
    }
}

/// Has the client write a new file, and returns what it holds.
fn write(scene: &Scene, url: &str) -> Result<Vec<u8>> {
    let local = scene.stage.dir().join("to-write-over-nfs");
    let content = super::chance::Chance::new(!scene.seed).bytes(WRITTEN_BYTES);
    fs::write(&local, &content)?;
    Program::new("nfs-cp").argument(local).argument(url).output()?;
    Ok(content)
}

fn settings_for(exported: &Path, port: u16) -> String {
    format!(
        "NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Enable_NLM = false; Enable_RQUOTA = false; Bind_addr = 127.0.0.1; }}\n\
         NFSV4 {{ Graceless = true; RecoveryBackend = fs; }}\n\
         EXPORT {{ Export_Id = 7; Path = \"{}\"; Pseudo = /exported; Access_Type = RW; Squash = None; SecType = sys; \
         Transports = TCP; FSAL {{ Name = VFS; }} }}\n",
        exported.display()
    )
}

fn wait_for(log: &Path, text: &str) -> Result<()> {
    let start = Instant::now();
    while !fs::read_to_string(log).unwrap_or_default().contains(text) {
        if start.elapsed() > TIME_MAX {
            bail!("the server does not serve after {} s: {}", TIME_MAX.as_secs(), last_lines_of(log));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
