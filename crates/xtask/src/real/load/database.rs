//! SQLite databases, one with a write-ahead log and one with a rollback journal, that take one transaction after the other.
//!
//! The shell prints a transaction's number to a file outside of the mount when its COMMIT has returned.

use crate::program::{Program, Running};
use crate::real::stage::Stage;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than a round comes to.
const TRANSACTIONS: u64 = 20_000;
/// What each transaction's row holds; its length differs from row to row.
const CONTENT: &str = "printf('%0*d', 1 + number * 37 % 3000, number)";

struct Database {
    file: PathBuf,
    /// What the shell printed.
    told: PathBuf,
    shell: Running,
}

pub(super) struct Databases(Vec<Database>);

impl Databases {
    pub(super) fn begin(stage: &Stage, directory: &Path) -> Result<Databases> {
        ["wal", "delete"].iter().map(|mode| Database::begin(stage, directory, mode)).collect::<Result<_>>().map(Self)
    }

    /// Whether each has committed something.
    pub(super) fn have_begun(&self) -> Result<bool> {
        Ok(self.0.iter().map(Database::committed).collect::<Result<Vec<u64>>>()?.iter().all(|number| *number > 0))
    }

    pub(super) fn expect_ended(&mut self, time_max: Duration) -> Result<()> {
        for database in &mut self.0 {
            if database.shell.wait(time_max).context("SQLite hangs on a dead mount")?.success() {
                bail!("{}: all transactions were done before the kill", database.file.display());
            }
        }
        Ok(())
    }

    /// Every committed transaction is there. Gives how many were.
    pub(super) fn expect_kept(&self) -> Result<u64> {
        self.0.iter().map(Database::expect_kept).sum()
    }
}

impl Database {
    fn begin(stage: &Stage, directory: &Path, mode: &str) -> Result<Database> {
        let (file, told) = (directory.join(mode), stage.log(&format!("sqlite-{mode}")));
        let script = stage.dir().join(format!("transactions-{mode}.sql"));
        fs::write(&script, statements(mode)?)?;
        // Without a buffer, so that what was committed shows at once.
        let shell = Program::new("stdbuf")
            .arguments(["-oL", "sqlite3", "-bail"])
            .argument(&file)
            .input(File::open(&script)?)
            .start_into(&told)?;
        Ok(Database { file, told, shell })
    }

    /// The last transaction whose COMMIT has returned.
    fn committed(&self) -> Result<u64> {
        let told = fs::read_to_string(&self.told)?;
        let whole = told.rsplit_once('\n').map_or("", |(lines, _)| lines);
        Ok(whole.lines().filter_map(|line| line.parse().ok()).next_back().unwrap_or(0))
    }

    fn expect_kept(&self) -> Result<u64> {
        let committed = self.committed()?;
        let checked = self.ask("pragma integrity_check")?;
        if checked != "ok" {
            bail!("{} is damaged: {checked}", self.file.display());
        }
        let question = format!("select count(*), max(number), total(content <> {CONTENT}) from done");
        let answer = self.ask(&question)?;
        let is_kept = [committed, committed + 1].iter().any(|count| answer == format!("{count}|{count}|0.0"));
        match is_kept {
            true => Ok(committed),
            false => bail!("{}: {committed} transactions were committed, found {answer}", self.file.display()),
        }
    }

    fn ask(&self, question: &str) -> Result<String> {
        let answer = Program::new("sqlite3").argument("-bail").argument(&self.file).argument(question).output()?;
        Ok(answer.trim_end().to_owned())
    }
}

/// A rollback journal's removal is what commits: only `extra` syncs the directory after it. Other rows change along with each new
/// one, so that a torn transaction shows.
fn statements(mode: &str) -> Result<String> {
    let mut sql = format!(
        "pragma journal_mode = {mode};\npragma synchronous = extra;\n\
         create table done(number integer primary key, content text);\ncreate index by_content on done(content);\n"
    );
    for number in 1..=TRANSACTIONS {
        writeln!(
            sql,
            "begin immediate; insert into done(number) values({number}); update done set content = {CONTENT} \
             where number > {number} - 3; commit;\nselect {number};"
        )?;
    }
    Ok(sql)
}
