//! PostgreSQL on the mount: a cluster is made, loaded, killed under load, recovered, and checked in all the ways that it offers.

use super::Scene;
use super::reach::Reach;
use crate::program::{Ended, Program, Running};
use crate::setup;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Debian's `nobody`: the server refuses to run as root.
const USER: u32 = 65534;
/// Branches of pgbench's bank, 100,000 accounts each.
const SCALE: &str = "2";
const CLIENTS: &str = "4";
const LOAD_SECONDS: &str = "4";
/// How long a program may run on after the server is gone.
const END_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// What the bank has to agree on: all its sums are that of its history.
const SUMS: &str = "select (select sum(abalance) from pgbench_accounts) = (select coalesce(sum(delta), 0) from pgbench_history) \
     and (select sum(bbalance) from pgbench_branches) = (select coalesce(sum(delta), 0) from pgbench_history) \
     and (select sum(tbalance) from pgbench_tellers) = (select coalesce(sum(delta), 0) from pgbench_history), \
     (select count(*) from pgbench_history)";

pub(super) fn play(scene: &Scene) -> Result<()> {
    if !setup::is_root() {
        println!("only root can change to the user who runs the server");
        return Ok(());
    }
    let directory = scene.pool.mount().join("postgres");
    fs::create_dir(&directory)?;
    chown(&directory, Some(USER), Some(USER))?;
    let reach = Reach::new(scene, &directory)?;
    let cluster = Cluster::make(reach.point())?;
    let server = cluster.start()?;
    cluster.output("createdb", &["bank"])?;
    cluster.output("pgbench", &["--initialize", "--quiet", "--scale", SCALE, "bank"])?;
    let before = cluster.expect_sums()?;
    cluster.load(LOAD_SECONDS)?.output()?;
    let loaded = cluster.expect_sums()?;
    let killed = cluster.kill_under_load(server)?;
    let server = cluster.start()?;
    let recovered = cluster.expect_sums()?;
    println!("postgres   {} transactions, {} with those before a kill", loaded - before, recovered - before);
    if recovered <= loaded {
        bail!("no transaction was there after the kill, of those whose end {killed} clients were told");
    }
    cluster.output("pg_amcheck", &["--install-missing", "--heapallindexed", "bank"])?;
    cluster.stop(server)?;
    cluster.output_of(cluster.program("pg_checksums").argument("--check").argument(&cluster.data))?;
    Ok(())
}

struct Cluster {
    programs: PathBuf,
    /// Where the server's socket is.
    directory: PathBuf,
    data: PathBuf,
}

impl Cluster {
    fn make(directory: &Path) -> Result<Cluster> {
        let cluster =
            Cluster { programs: programs()?, directory: directory.to_path_buf(), data: directory.join("data") };
        let initdb = cluster.program("initdb").arguments(["--data-checksums", "--auth=trust", "--username=postgres"]);
        cluster.output_of(initdb.argument("--pgdata").argument(&cluster.data))?;
        Ok(cluster)
    }

    /// Starts the server, and waits until it serves.
    fn start(&self) -> Result<Running> {
        let log = self.directory.join("log");
        let server = self.program("postgres").argument("-D").argument(&self.data).arguments(["-h", "", "-k"]);
        let server = server.argument(&self.directory).start_into(&log)?;
        let start = std::time::Instant::now();
        while !self.program("pg_isready").end()?.status.success() {
            if start.elapsed() > END_TIME_MAX {
                bail!("the server does not serve: {}", crate::program::last_lines_of(&log));
            }
        }
        Ok(server)
    }

    fn stop(&self, mut server: Running) -> Result<()> {
        self.output_of(self.program("pg_ctl").arguments(["stop", "--mode=fast", "--pgdata"]).argument(&self.data))?;
        server.wait(END_TIME_MAX)?;
        Ok(())
    }

    /// A run of pgbench's transactions, not yet begun.
    fn load(&self, seconds: &str) -> Result<Program> {
        let arguments = ["--client", CLIENTS, "--jobs", "2", "--time", seconds, "--no-vacuum", "bank"];
        Ok(self.program("pgbench").arguments(arguments))
    }

    /// Kills the server and all its processes while transactions run. Returns how many clients there were.
    fn kill_under_load(&self, mut server: Running) -> Result<usize> {
        let history = self.history()?;
        let mut load = self.load("60")?.start_into(&self.directory.join("load.log"))?;
        while self.history()? == history {
            if load.has_ended()? {
                bail!("the load ended before it began");
            }
        }
        // As after a crash: no checkpoint, and what is not in the log is lost.
        let stop = self.program("pg_ctl").arguments(["stop", "--mode=immediate", "--pgdata"]).argument(&self.data);
        self.output_of(stop)?;
        server.wait(END_TIME_MAX)?;
        load.wait(END_TIME_MAX).context("the load goes on without a server")?;
        Ok(CLIENTS.parse()?)
    }

    /// Fails unless all balances fit together; returns the number of transactions.
    fn expect_sums(&self) -> Result<u64> {
        let told = self.output("psql", &["--tuples-only", "--no-align", "--command", SUMS, "bank"])?;
        match told.trim().split_once('|') {
            Some(("t", count)) => Ok(count.parse()?),
            _ => bail!("the balances do not fit together: {told}"),
        }
    }

    fn history(&self) -> Result<u64> {
        let count = "select count(*) from pgbench_history";
        Ok(self.output("psql", &["--tuples-only", "--no-align", "--command", count, "bank"])?.trim().parse()?)
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.output_of(self.program(program).arguments(arguments))
    }

    fn output_of(&self, program: Program) -> Result<String> {
        let ended: Ended = program.end()?;
        match ended.status.success() {
            true => Ok(ended.output),
            false => bail!("{}\n{}", ended.failure(), crate::program::last_lines_of(&self.directory.join("log"))),
        }
    }

    /// One of PostgreSQL's programs, as the server's user, for this server.
    fn program(&self, name: &str) -> Program {
        let program = Program::new(self.programs.join(name)).directory(&self.directory).user(USER);
        program.environment("PGHOST", &self.directory).environment("PGUSER", "postgres").environment("LC_ALL", "C")
    }
}

/// Where the newest version keeps its programs: most are not in `PATH`.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(setup::POSTGRES_VERSIONS).context("PostgreSQL is not there")?;
    let mut programs: Vec<PathBuf> =
        versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).filter(|bin| bin.is_dir()).collect();
    programs.sort_by_key(|bin| bin.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok()));
    programs.pop().context("PostgreSQL's programs are not there")
}
