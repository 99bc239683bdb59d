//! What is made from the definitions of the commands.

use crate::pool::Pool;
use std::fs;

#[test]
fn every_shell_gets_completions() {
    let pool = Pool::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(pool.run(&["completions", shell]).succeeded().contains("volume"), "{shell}");
    }
}

#[test]
fn every_command_has_a_man_page_with_its_example() {
    let pool = Pool::new();
    assert!(pool.run(&["man"]).succeeded().contains(".TH pantala"));
    let pages = pool.home().join("man");
    pool.run(&["man", "--dir", pages.to_str().unwrap()]).succeeded();
    for page in ["pantala", "pantala-up", "pantala-down", "pantala-status", "pantala-volume-create"] {
        let text = fs::read_to_string(pages.join(page).with_extension("1")).unwrap();
        assert!(text.contains("Example"), "{page}");
    }
    assert!(!pages.join("pantala-node.1").exists(), "the daemon is nobody's command");
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let pool = Pool::new();
    for arguments in [&["up", "--bogus"][..], &["volume"], &["nonsense"], &[]] {
        assert_eq!(pool.run(arguments).code, Some(2), "{arguments:?}");
    }
}
