//! Whether `docs/posix.md` is true: each test that it names exists.

use crate::real;
use crate::workspace;
use std::fs;

/// What stands for a whole test program, or for none.
const OTHER_TESTS: [&str; 3] = ["model", "fsx", "by hand"];

/// Each row of a table as its cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("|---"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What is wrong with one of the tests that a row names.
fn fault(test: &str) -> Option<String> {
    if OTHER_TESTS.contains(&test) {
        return None;
    }
    if let Some(scenario) = test.strip_prefix("real ") {
        return (!real::has_scenario(scenario)).then(|| format!("there is no scenario `{scenario}`"));
    }
    let Some(named) = test.strip_prefix('`').and_then(|test| test.strip_suffix('`')) else {
        return Some(format!("`{test}` names no test"));
    };
    let (path, function) = named.split_once("::").unwrap_or((named, ""));
    let Ok(source) = fs::read_to_string(workspace::root().join("crates").join(path)) else {
        return Some(format!("there is no {path}"));
    };
    let is_there = function.is_empty() || source.contains(&format!("#[test]\nfn {function}()"));
    let is_there = is_there || source.contains(&format!("    #[test]\n    fn {function}()"));
    (!is_there).then(|| format!("{path} has no test {function}"))
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = fs::read_to_string(workspace::root().join("docs/posix.md")).unwrap();
    let rows = rows(&page);
    assert!(rows.len() > 50, "only {} rows were found", rows.len());
    let is_head = |row: &[&str]| row.last() == Some(&"test");
    let faults: Vec<String> = rows
        .iter()
        .filter(|row| !is_head(row))
        .flat_map(|row| row.last().into_iter().flat_map(|tests| tests.split(", ")).map(move |test| (row[0], test)))
        .filter_map(|(call, test)| Some(format!("{call}: {}", fault(test)?)))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_does_not_exist_is_found() {
    for test in ["", "some model", "real nothing", "`mount/tests/posix/none.rs`", "`xtask/src/posix_table.rs::none`"] {
        assert!(fault(test).is_some(), "{test}");
    }
    assert_eq!(fault("`xtask/src/posix_table.rs::what_does_not_exist_is_found`"), None);
}
