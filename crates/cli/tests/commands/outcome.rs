//! What a command said, and how it ended.

use std::process::{Command, Output};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("the command starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), output: text(stdout), errors: text(stderr) }
    }

    /// It worked and had nothing to complain; returns what it printed.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{}", self.output);
        self.output
    }

    /// It ended with a code of its own and had nothing to complain; returns what it printed.
    #[track_caller]
    pub(crate) fn exited_with(self, code: i32) -> String {
        assert_eq!((self.code, self.errors.as_str()), (Some(code), ""), "{}", self.output);
        self.output
    }

    /// It failed with one line of complaint that holds all of these; returns the line.
    #[track_caller]
    pub(crate) fn failed_saying(self, words: &[&str]) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.output, "", "{self:?}");
        assert!(self.errors.starts_with("pantala: ") && self.errors.ends_with('\n'), "{self:?}");
        assert_eq!(self.errors.lines().count(), 1, "{self:?}");
        assert!(words.iter().all(|word| self.errors.contains(word)), "{words:?} in {self:?}");
        self.errors
    }
}
