//! SQLite as it is by default: a rollback journal, every transaction durable.

use crate::bench::scene::{Scene, Unit};
use crate::program::Program;
use anyhow::Result;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::time::Instant;

const TRANSACTIONS: u64 = 2000;

pub(super) fn play(scene: &mut Scene) -> Result<()> {
    let transactions = scene.scale.of(TRANSACTIONS, 20);
    let script = scene.aside.join("transactions.sql");
    fs::write(&script, statements(transactions)?)?;
    let database = scene.path("database");
    let sqlite = |statement: &str| Program::new("sqlite3").argument(&database).argument(statement).output();
    sqlite(
        "create table entries (number integer primary key, content text); create index by_content on entries (content);",
    )?;
    scene.rate("sqlite", Unit::PerSecond, 0, |_| {
        let start = Instant::now();
        Program::new("sqlite3").argument(&database).input(File::open(&script)?).output()?;
        Ok(transactions as f64 / start.elapsed().as_secs_f64())
    })
}

/// Each statement is a transaction of its own.
fn statements(count: u64) -> Result<String> {
    let mut script = String::new();
    for number in 0..count {
        writeln!(script, "insert into entries (content) values ('{}');", blake3::hash(&number.to_le_bytes()))?;
    }
    Ok(script)
}
