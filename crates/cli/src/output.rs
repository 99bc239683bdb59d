//! What goes to the terminal.

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Prints to standard output. A reader that has seen enough (`pantala status | head`) is no error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints lines to standard output.
pub(crate) fn print_lines(lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| print(&format!("{line}\n")))
}

/// What a script asked for with `--json`.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value).context("cannot write JSON")? + "\n")
}

/// Prints what a script asked for with `--json`.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print(&json(value)?)?)
}

/// Prints a command's one line of complaint.
pub(crate) fn complain(line: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr(), "pantala: {line}");
}

/// Rate and remaining time; indicatif shows nothing where standard error is no terminal.
const READING_BAR: &str = "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";

/// How far reading a log is.
pub(crate) fn reading_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(READING_BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// What a word says about the state of things.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Bad,
    Quiet,
}

/// Colours a word, if standard output is a terminal and nobody asked for plain text (<https://no-color.org>).
pub(crate) fn toned(text: &str, tone: Tone) -> String {
    let wants_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if wants_plain || !io::stdout().is_terminal() {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Quiet => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A number of bytes as people read it: `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let unit = (bytes.ilog2() / 10) as usize;
    let value = bytes as f64 / (1u64 << (10 * unit)) as f64;
    let digits = if value < 10.0 { 1 } else { 0 };
    format!("{value:.digits$} {}", UNITS[unit - 1])
}

/// A length of time as people read it: `2h 3m`, `5s`.
pub(crate) fn duration(seconds: u64) -> String {
    let rounded = match seconds {
        0..3600 => seconds,
        3600..86_400 => seconds / 60 * 60,
        _ => seconds / 3600 * 3600,
    };
    let (days, rest) = (rounded / 86_400, rounded % 86_400);
    let rest = jiff::SignedDuration::from_secs(rest as i64);
    match (days, rest.is_zero()) {
        (0, _) => format!("{rest:#}"),
        (_, true) => format!("{days}d"),
        (_, false) => format!("{days}d {rest:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_two_digits_at_least() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (20 << 30, "20 GiB")];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(u64::MAX), "16 EiB");
    }

    #[test]
    fn durations_lose_what_nobody_asks() {
        for (seconds, text) in [(0, "0s"), (61, "1m 1s"), (3661, "1h 1m"), (86_400, "1d"), (90_061, "1d 1h")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
