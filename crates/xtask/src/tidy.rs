//! How every source of the project has to look, as far as a few lines can tell.

use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 800;
/// What may not be left in the tree; split, so that this file does not hold them.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

#[test]
fn every_source_opens_with_what_it_is_for() {
    expect_of_each(|source| (!source.starts_with("//!")).then(|| "opens with no //! line".to_owned()));
}

#[test]
fn no_source_is_more_than_one_thing() {
    expect_of_each(|source| {
        let lines = source.lines().count();
        (lines > LINES_MAX).then(|| format!("has {lines} lines, more than {LINES_MAX}"))
    });
}

#[test]
fn nothing_is_left_unfinished() {
    expect_of_each(|source| {
        let mark = UNFINISHED.iter().find(|mark| source.contains(**mark))?;
        Some(format!("holds {mark}"))
    });
}

#[test]
fn every_source_is_ascii() {
    expect_of_each(|source| {
        let line = source.lines().position(|line| !line.is_ascii())?;
        Some(format!("has other than ASCII in line {}", line + 1))
    });
}

/// Fails with everything that the rule finds, file by file.
fn expect_of_each(rule: impl Fn(&str) -> Option<String>) {
    let sources = sources();
    assert!(!sources.is_empty(), "no sources were found");
    let found: Vec<String> = sources
        .iter()
        .filter_map(|path| Some((path, rule(&read(path))?)))
        .map(|(path, broken)| format!("{} {broken}", path.display()))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// Every Rust file in the `src` of every crate.
fn sources() -> Vec<PathBuf> {
    let crates = fs::read_dir(workspace::root().join("crates")).unwrap();
    let mut sources = Vec::new();
    crates.for_each(|entry| add_sources(&entry.unwrap().path().join("src"), &mut sources));
    sources
}

fn add_sources(directory: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => add_sources(&path, sources),
            Some(extension) if extension == "rs" => sources.push(path),
            _ => (),
        }
    }
}
