//! SQLite's shell on the mount: both journal modes, two processes at once, and the same content as on the local disk.

use super::Scene;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROWS: u32 = 10_000;
const ROWS_PER_TRANSACTION: u32 = 100;
/// What each of two processes writes, a transaction for each row.
const SHARED_ROWS: u32 = 300;
const SHARED_TIME_MAX: Duration = Duration::from_secs(10 * 60);
/// How long the one who holds the lock may take to get it.
const LOCK_TIME_MAX: Duration = Duration::from_secs(120);

pub(super) fn play(scene: &Scene) -> Result<()> {
    let script = script(scene)?;
    for mode in ["delete", "wal"] {
        let local = scene.stage.local("databases")?.join(mode);
        let mount = on_mount(scene, mode);
        fs::create_dir_all(scene.pool.mount().join("databases"))?;
        fill(&local, mode, &script)?;
        fill(&mount, mode, &script)?;
        expect_equal(&local, &mount)?;
        expect_exclusion(&mount)?;
        expect_shared(scene, &mount)?;
    }
    Ok(())
}

/// Compares the databases that the scenario has left with those on the local disk.
pub(super) fn expect_still_equal(scene: &Scene) -> Result<()> {
    for mode in ["delete", "wal"] {
        expect_equal(&scene.stage.local("databases")?.join(mode), &on_mount(scene, mode))?;
    }
    Ok(())
}

/// Whether the scenario has been played.
pub(super) fn is_filled(scene: &Scene) -> bool {
    on_mount(scene, "wal").exists()
}

fn on_mount(scene: &Scene, mode: &str) -> PathBuf {
    scene.pool.mount().join("databases").join(mode)
}

/// Statements that make, fill, change and thin out two tables.
fn script(scene: &Scene) -> Result<PathBuf> {
    let mut sql = String::from(
        "create table item(id integer primary key, name text unique, weight real, note blob);\n\
         create table event(id integer primary key, item integer references item(id), at integer);\n\
         create index event_by_item on event(item, at);\n",
    );
    for first in (0..ROWS).step_by(ROWS_PER_TRANSACTION as usize) {
        sql.push_str("begin;\n");
        for id in first..first + ROWS_PER_TRANSACTION {
            writeln!(sql, "insert into item values({id}, 'item {id}', {id} / 7.0, zeroblob({}));", id % 500)?;
            writeln!(sql, "insert into event(item, at) values({}, {id});", id * 7919 % (id + 1))?;
        }
        sql.push_str("commit;\n");
    }
    sql.push_str(
        "update item set name = name || ' again' where id % 3 = 0;\ndelete from item where id % 10 = 1;\nvacuum;\n",
    );
    let script = scene.stage.dir().join("script.sql");
    fs::write(&script, sql)?;
    Ok(script)
}

fn fill(database: &Path, mode: &str, script: &Path) -> Result<()> {
    let set = sqlite(database, &format!("pragma journal_mode = {mode}"))?;
    if set.trim() != mode {
        bail!("{} has journal mode {} instead of {mode}", database.display(), set.trim());
    }
    let start = Instant::now();
    Program::new("sqlite3").argument("-bail").argument(database).input(File::open(script)?).output()?;
    println!("{mode:<10} {ROWS} rows in {:.2} s in {}", start.elapsed().as_secs_f64(), database.display());
    Ok(())
}

fn expect_equal(local: &Path, mount: &Path) -> Result<()> {
    let checked = sqlite(mount, "pragma integrity_check")?;
    if checked != "ok\n" {
        bail!("{} is damaged: {checked}", mount.display());
    }
    match sqlite(local, ".dump")? == sqlite(mount, ".dump")? {
        true => Ok(()),
        false => bail!("{} holds something else than {}", mount.display(), local.display()),
    }
}

/// While one process writes, a second one may not, and says so at once.
fn expect_exclusion(database: &Path) -> Result<()> {
    let held = database.with_extension("held");
    let hold = format!(".shell touch '{0}'; while [ -e '{0}' ]; do sleep 0.05; done", held.display());
    let mut holder = Program::new("sqlite3")
        .argument(database)
        .arguments(["begin immediate", &hold, "rollback"])
        .start_into(Path::new("/dev/null"))?;
    let start = Instant::now();
    while !held.exists() {
        if start.elapsed() > LOCK_TIME_MAX {
            bail!("{} could not be locked", database.display());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = Program::new("sqlite3").argument(database).argument("begin immediate").end()?;
    fs::remove_file(&held)?;
    if second.status.success() || !second.errors.contains("locked") {
        bail!("two processes write to {} at once: {}", database.display(), second.failure());
    }
    holder.wait(LOCK_TIME_MAX).context("the first process did not let go")?;
    Ok(())
}

/// Two processes write at the same time, one transaction after the other, and nothing is lost.
fn expect_shared(scene: &Scene, database: &Path) -> Result<()> {
    sqlite(database, "create table shared(writer integer, number integer)")?;
    let writers = [1, 2].map(|writer| {
        let script = scene.stage.dir().join(format!("writer-{writer}.sql"));
        let insert = |number| format!("begin immediate; insert into shared values({writer}, {number}); commit;\n");
        let statements: String = (0..SHARED_ROWS).map(insert).collect();
        fs::write(&script, format!(".timeout 600000\n{statements}"))?;
        let shell = Program::new("sqlite3").argument("-bail").argument(database).input(File::open(&script)?);
        shell.start_into(&scene.stage.log("sqlite"))
    });
    for writer in writers {
        let status = writer?.wait(SHARED_TIME_MAX)?;
        if !status.success() {
            bail!("one of two who write to {} fails: {status}", database.display());
        }
    }
    let count = sqlite(database, "select count(*), count(distinct writer * 100000 + number) from shared")?;
    if count.trim() != format!("{0}|{0}", 2 * SHARED_ROWS) {
        bail!("two processes wrote {SHARED_ROWS} rows each to {}, and it has {count}", database.display());
    }
    // For the comparison with the local disk, where nobody did so.
    sqlite(database, "drop table shared; vacuum")?;
    match sqlite(database, "pragma integrity_check")?.as_str() {
        "ok\n" => Ok(()),
        damage => bail!("{} is damaged: {damage}", database.display()),
    }
}

fn sqlite(database: &Path, statement: &str) -> Result<String> {
    Program::new("sqlite3").argument("-bail").argument(database).argument(statement).output()
}
