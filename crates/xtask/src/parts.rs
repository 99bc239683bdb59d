//! Parts of a chore, run one after another: a heading and a time for each, and a summary at the end.
//!
//! A part that fails does not keep the later ones from running; it makes the whole fail.

use anyhow::{Result, bail};
use clap::Args;
use std::time::{Duration, Instant};

/// Which parts to run.
#[derive(Args, Default)]
pub(crate) struct Selection {
    /// Run only these parts
    #[arg(long, value_name = "PART", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Show the parts and run none
    #[arg(long)]
    list: bool,
}

/// One part of a chore.
pub(crate) struct Part<'a> {
    pub(crate) name: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    pub(crate) run: Box<dyn Fn() -> Result<()> + 'a>,
}

impl<'a> Part<'a> {
    pub(crate) fn new(name: &'static str, about: &'static str, run: impl Fn() -> Result<()> + 'a) -> Part<'a> {
        Part { name, about, run: Box::new(run) }
    }
}

struct Outcome {
    name: &'static str,
    ok: bool,
    time: Duration,
}

/// Runs the parts of a chore that are selected. `chore` is the command that the parts belong to.
pub(crate) fn run(parts: &[Part], selection: &Selection, chore: &str) -> Result<()> {
    if selection.list {
        list(parts);
        return Ok(());
    }
    refuse_unknown(&selection.only, parts)?;
    let selected =
        parts.iter().filter(|part| selection.only.is_empty() || selection.only.iter().any(|n| n == part.name));
    let outcomes: Vec<Outcome> = selected.map(run_one).collect();
    summarise(&outcomes, chore);
    let failed: Vec<&str> = outcomes.iter().filter(|outcome| !outcome.ok).map(|outcome| outcome.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

fn list(parts: &[Part]) {
    for part in parts {
        println!("{:<10} {}", part.name, part.about);
    }
}

fn refuse_unknown(names: &[String], parts: &[Part]) -> Result<()> {
    for name in names {
        if !parts.iter().any(|part| part.name == name) {
            let known: Vec<&str> = parts.iter().map(|part| part.name).collect();
            bail!("there is no part `{name}`; the parts are {}", known.join(", "));
        }
    }
    Ok(())
}

fn run_one(part: &Part) -> Outcome {
    println!("\n=== {}: {}", part.name, part.about);
    let start = Instant::now();
    let result = (part.run)();
    let time = start.elapsed();
    match &result {
        Ok(()) => println!("=== {}: ok, {:.1} s", part.name, time.as_secs_f64()),
        Err(error) => println!("=== {}: FAILED after {:.1} s: {error:#}", part.name, time.as_secs_f64()),
    }
    Outcome { name: part.name, ok: result.is_ok(), time }
}

fn summarise(outcomes: &[Outcome], chore: &str) {
    println!("\n=== summary");
    for Outcome { name, ok, time } in outcomes {
        let seconds = time.as_secs_f64();
        match ok {
            true => println!("{name:<10} ok     {seconds:>8.1} s"),
            false => println!("{name:<10} FAILED {seconds:>8.1} s   again with: {chore} --only {name}"),
        }
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.ok).count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_failing_part_fails_the_whole_after_the_others_ran() {
        let ran = RefCell::new(Vec::new());
        let note = |name: &'static str| ran.borrow_mut().push(name);
        let parts = [
            Part::new("first", "fails", || {
                note("first");
                bail!("on purpose")
            }),
            Part::new("second", "succeeds", || {
                note("second");
                Ok(())
            }),
        ];
        let error = run(&parts, &Selection::default(), "again").unwrap_err();
        assert_eq!(error.to_string(), "failed: first");
        assert_eq!(*ran.borrow(), ["first", "second"]);
    }

    #[test]
    fn a_part_that_does_not_exist_is_refused() {
        let parts = [Part::new("first", "succeeds", || Ok(()))];
        let selection = Selection { only: vec!["frist".to_owned()], list: false };
        let error = run(&parts, &selection, "again").unwrap_err();
        assert_eq!(error.to_string(), "there is no part `frist`; the parts are first");
    }
}
