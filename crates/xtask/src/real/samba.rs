//! Samba serves the mount again, and a client in user space puts, gets, renames, lists and deletes.

use super::chance::Chance;
use super::{Scene, process};
use crate::program::{Program, Running, last_lines_of};
use crate::setup;
use anyhow::{Result, bail, ensure};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// Longer than what a client asks for at once.
const CONTENT_BYTES: usize = 9 << 20;
/// What the client puts, as a tree.
const FILES: [(&str, usize); 3] = [("tree/file", CONTENT_BYTES), ("tree/below/small", 1), ("tree/below/deep/empty", 0)];

pub(super) fn play(scene: &Scene) -> Result<()> {
    if !setup::is_root() {
        println!("only root can serve under other users' names");
        return Ok(());
    }
    let shared = scene.pool.mount().join("shared");
    fs::create_dir_all(&shared)?;
    let local = scene.stage.local("samba")?;
    let mut chance = Chance::new(scene.seed);
    for (name, length) in FILES {
        let file = local.join(name);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, chance.bytes(length))?;
    }
    let server = Server::start(scene, &shared)?;
    let played = exchange(&server, &local, &shared);
    server.end()?;
    played
}

fn exchange(server: &Server, local: &Path, shared: &Path) -> Result<()> {
    let back = local.join("back");
    fs::create_dir_all(&back)?;
    let go = |directory: &Path| format!("lcd {}; recurse; prompt", directory.display());
    server.client(&format!("{}; mput tree", go(local)))?;
    server.client(&format!("{}; mget tree", go(&back)))?;
    for (name, _) in FILES {
        let content = fs::read(local.join(name))?;
        ensure!(fs::read(shared.join(name))? == content, "what was put over SMB is not on the mount: {name}");
        ensure!(fs::read(back.join(name))? == content, "what was got over SMB is another file: {name}");
    }
    server.client("rename tree\\file tree\\renamed; del tree\\below\\small; mkdir made; rename made moved")?;
    let listed = server.client("recurse; ls")?;
    let shows = |name: &str| listed.lines().any(|line| line.split_whitespace().next() == Some(name));
    ensure!(["renamed", "empty", "moved"].into_iter().all(shows), "over SMB, names are missing: {listed}");
    ensure!(!["file", "small", "made"].into_iter().any(shows), "over SMB, names are too many: {listed}");
    let on_mount = |name: &str| shared.join(name).exists();
    ensure!(on_mount("tree/renamed") && on_mount("moved") && !on_mount("tree/file") && !on_mount("tree/below/small"));
    server.client("rmdir moved; deltree tree")?;
    ensure!(fs::read_dir(shared)?.next().is_none(), "what was deleted over SMB is there");
    match server.client("get nothing") {
        Err(error) if format!("{error:#}").contains("NT_STATUS_OBJECT_NAME_NOT_FOUND") => Ok(()),
        outcome => bail!("over SMB, a file that is not there is got: {outcome:?}"),
    }
}

/// smbd with all its processes in a namespace of their own: when its first one is killed, none is left.
struct Server {
    running: Running,
    settings: PathBuf,
    port: u16,
}

impl Server {
    fn start(scene: &Scene, shared: &Path) -> Result<Server> {
        let state = scene.stage.dir().join("samba");
        fs::create_dir_all(&state)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = state.join("smb.conf");
        fs::write(&settings, settings_for(shared, &state, port))?;
        let server = Program::new("unshare").arguments(["--pid", "--fork", "--kill-child", "smbd", "--foreground"]);
        let server = server.arguments(["--no-process-group", "--configfile"]).argument(&settings);
        let log = scene.stage.log("samba");
        let mut server = Server { running: server.start_into(&log)?, settings, port };
        server.wait_until_it_serves(&log)?;
        Ok(server)
    }

    fn wait_until_it_serves(&mut self, log: &Path) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.running.has_ended()? || start.elapsed() > TIME_MAX {
                bail!("the server does not serve: {}", last_lines_of(log));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What the client prints for some commands.
    fn client(&self, commands: &str) -> Result<String> {
        let client = Program::new("smbclient").arguments(["//127.0.0.1/shared", "--no-pass", "--configfile"]);
        let client = client.argument(&self.settings).arguments(["--port", &self.port.to_string()]);
        client.arguments(["--command", commands]).run_time_max(TIME_MAX).output()
    }

    fn end(mut self) -> Result<()> {
        process::kill(self.running.process())?;
        self.running.wait(TIME_MAX)?;
        Ok(())
    }
}

/// Whoever comes is a guest, and a guest does everything as root, who owns the mount.
fn settings_for(shared: &Path, state: &Path, port: u16) -> String {
    let state = state.display();
    let directories = ["private dir", "state directory", "cache directory", "lock directory", "pid directory"];
    let directories: String = directories.into_iter().map(|name| format!("{name} = {state}\n")).collect();
    format!(
        "[global]\nserver role = standalone server\nmap to guest = Bad User\nsmb ports = {port}\n\
         interfaces = 127.0.0.1\nbind interfaces only = yes\ndisable netbios = yes\n\
         load printers = no\ndisable spoolss = yes\nprintcap name = /dev/null\n\
         {directories}ncalrpc dir = {state}/ncalrpc\nlog file = {state}/log\n\
         [shared]\npath = {}\nguest ok = yes\nread only = no\nforce user = root\n",
        shared.display()
    )
}
