//! PostgreSQL's own benchmark: a small bank, four clients.

use crate::bench::scene::{Scene, Unit};
use crate::program::{Program, Running};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const USER: &str = "postgres";
const BRANCHES: u64 = 10;
const CLIENTS: &str = "4";
const TIME: Duration = Duration::from_secs(5);
const START_TIME_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A database server, as long as this is there.
struct Server {
    programs: PathBuf,
    user: u32,
    sockets: PathBuf,
    running: Running,
}

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let server = Server::start(&scene.path("database"), &scene.aside.join("postgres"))?;
    let branches = scene.scale.of(BRANCHES, 1).to_string();
    server.pgbench(&["--initialize", "--quiet", "--scale", &branches])?;
    let seconds = scene.scale.time(TIME).as_secs().max(1).to_string();
    scene.rate("pgbench", Unit::PerSecond, 0, |_| {
        transactions_per_second(&server.pgbench(&["--client", CLIENTS, "--jobs", "2", "--time", &seconds])?)
    })?;
    server.stop()
}

impl Server {
    fn start(database: &Path, sockets: &Path) -> Result<Server> {
        let (programs, user) = (programs()?, user()?);
        for directory in [database, sockets] {
            fs::create_dir_all(directory)?;
            chown(directory, Some(user), Some(user))?;
        }
        let initdb = Program::new(programs.join("initdb")).arguments(["--auth=trust", "--pgdata"]).argument(database);
        initdb.directory(sockets).user(user).output()?;
        let postgres = Program::new(programs.join("postgres")).argument("-D").argument(database);
        let postgres = postgres.arguments(["-c", "listen_addresses=", "-k"]).argument(sockets);
        let running = postgres.directory(sockets).user(user).start_into(&sockets.join("log"))?;
        let mut server = Server { programs, user, sockets: sockets.to_owned(), running };
        server.await_ready()?;
        Ok(server)
    }

    fn await_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.call("pg_isready").end()?.status.success() {
            if self.running.has_ended()? || start.elapsed() > START_TIME_MAX {
                bail!("PostgreSQL does not start: {}", crate::program::last_lines_of(&self.sockets.join("log")));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn call(&self, program: &str) -> Program {
        let call = Program::new(self.programs.join(program)).argument("--host").argument(&self.sockets);
        call.directory(&self.sockets).user(self.user)
    }

    fn pgbench(&self, arguments: &[&str]) -> Result<String> {
        self.call("pgbench").arguments(arguments).argument("postgres").output()
    }

    /// Ends it with its children, so that nothing uses the file system any more.
    fn stop(mut self) -> Result<()> {
        let process = i32::try_from(self.running.process())?;
        let process = rustix::process::Pid::from_raw(process).context("a server has a process")?;
        rustix::process::kill_process(process, rustix::process::Signal::INT)?;
        self.running.wait(START_TIME_MAX).map(drop)
    }
}

/// Debian keeps the programs of each version apart.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("PostgreSQL is not installed")?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|programs| programs.join("pgbench").exists()).max().context("PostgreSQL has no pgbench")
}

fn user() -> Result<u32> {
    let number = Program::new("id").arguments(["-u", USER]).output()?;
    Ok(number.trim().parse()?)
}

fn transactions_per_second(printed: &str) -> Result<f64> {
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rate| rate.split_whitespace().next()?.parse().ok());
    rate.with_context(|| format!("pgbench printed no rate: {printed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_found_in_what_pgbench_prints() {
        let printed = "latency average = 2.3 ms\ntps = 1724.5 (without initial connection time)\n";
        assert_eq!(transactions_per_second(printed).unwrap(), 1724.5);
        assert!(transactions_per_second("tps = none\n").is_err());
    }
}
