//! A Debian tree on the mount, made by `debootstrap` from this machine's own sources, entered by chroot(2), and one more package
//! installed in it.

use super::Scene;
use super::mounts;
use crate::program::Program;
use crate::{setup, workspace};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Small, and prints the same everywhere.
const PACKAGE: &str = "hello";
const PRINTED: &str = "Hello, world!\n";
/// All of it goes through the mount, and what is not cached yet through the network.
const BOOTSTRAP_TIME_MAX: Duration = Duration::from_secs(30 * 60);

pub(super) fn play(scene: &Scene) -> Result<()> {
    if !setup::is_root() {
        println!("only root can make and enter a tree of its own");
        return Ok(());
    }
    let tree = tree(scene);
    let played = bootstrap(&tree).and_then(|()| install(&tree));
    // Whatever was mounted in the tree, for the time that it took.
    mounts::detach_below(&tree)?;
    played
}

/// Whether the scenario has been played.
pub(super) fn is_installed(scene: &Scene) -> bool {
    tree(scene).join("usr/bin").join(PACKAGE).exists()
}

/// Fails unless the tree's own packages find all their files as they were, and its programs run.
pub(super) fn expect_still_installed(scene: &Scene) -> Result<()> {
    let tree = tree(scene);
    let printed = chroot(&tree, [PACKAGE]).output()?;
    if printed != PRINTED {
        bail!("{PACKAGE} in the tree prints {printed:?}");
    }
    // Half installed packages, and files with other checksums.
    let audit = chroot(&tree, ["dpkg", "--audit"]).output()?;
    let changed = chroot(&tree, ["dpkg", "--verify"]).output()?;
    let changed: Vec<&str> = changed.lines().filter(|line| !line.contains(" c ")).collect();
    match audit.is_empty() && changed.is_empty() {
        true => Ok(()),
        false => bail!("dpkg finds faults in the tree: {audit}{}", changed.join("\n")),
    }
}

fn tree(scene: &Scene) -> PathBuf {
    scene.pool.mount().join("debian")
}

fn bootstrap(tree: &Path) -> Result<()> {
    let source = Source::of_this_machine()?;
    // Packages that an earlier run has fetched are not fetched again.
    let cache = workspace::target_dir()?.join("debootstrap");
    fs::create_dir_all(&cache)?;
    fs::create_dir_all(tree)?;
    let debootstrap = Program::new("debootstrap").arguments(["--variant=minbase", "--cache-dir"]).argument(cache);
    let debootstrap = debootstrap.argument(&source.suite).argument(tree).argument(&source.mirror);
    let bootstrapped = debootstrap.run_time_max(BOOTSTRAP_TIME_MAX).end()?;
    if !bootstrapped.status.success() {
        let log = crate::program::last_lines_of(&tree.join("debootstrap/debootstrap.log"));
        bail!("{}\n{log}", bootstrapped.failure());
    }
    Ok(())
}

fn install(tree: &Path) -> Result<()> {
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        if Path::new(file).exists() {
            fs::copy(file, tree.join(&file[1..]))?;
        }
    }
    chroot(tree, ["apt-get", "--quiet", "update"]).output()?;
    let install = chroot(tree, ["apt-get", "--quiet", "--yes", "--no-install-recommends", "install", PACKAGE]);
    install.environment("DEBIAN_FRONTEND", "noninteractive").output()?;
    let printed = chroot(tree, [PACKAGE]).output()?;
    match printed == PRINTED {
        true => Ok(()),
        false => bail!("{PACKAGE} in the tree prints {printed:?}"),
    }
}

fn chroot<const N: usize>(tree: &Path, command: [&str; N]) -> Program {
    Program::new("chroot").argument(tree).arguments(command).environment("LC_ALL", "C")
}

/// Where packages come from.
#[derive(Debug, PartialEq)]
struct Source {
    suite: String,
    mirror: String,
}

impl Source {
    /// The first of apt's sources (sources.list(5)) that is for this machine's own release.
    fn of_this_machine() -> Result<Source> {
        let release = fs::read_to_string("/etc/os-release")?;
        let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        let suite = suite.context("/etc/os-release names no VERSION_CODENAME")?.trim_matches('"');
        let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
        if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
            files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
        files.sort();
        let texts: Vec<String> = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
        let found =
            texts.iter().find_map(|text| Source::in_lines(text, suite).or_else(|| Source::in_fields(text, suite)));
        found.with_context(|| format!("apt's sources have none for {suite}"))
    }

    /// In the form of one line for each.
    fn in_lines(text: &str, suite: &str) -> Option<Source> {
        text.lines().find_map(|line| {
            let line = line.strip_prefix("deb ")?;
            let behind_options =
                line.trim_start().strip_prefix('[').map_or(Some(line), |rest| Some(rest.split_once(']')?.1));
            let mut words = behind_options?.split_whitespace();
            let (mirror, its_suite) = (words.next()?, words.next()?);
            (its_suite == suite && words.any(|component| component == "main")).then(|| Source::new(suite, mirror))
        })
    }

    /// In the form of fields (deb822).
    fn in_fields(text: &str, suite: &str) -> Option<Source> {
        text.split("\n\n").find_map(|stanza| {
            let field = |name: &str| {
                let line = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                line.map(|words| words.split_whitespace().collect::<Vec<_>>()).unwrap_or_default()
            };
            let is_right = field("Types").contains(&"deb")
                && field("Suites").contains(&suite)
                && field("Components").contains(&"main");
            is_right.then(|| field("URIs").first().map(|mirror| Source::new(suite, mirror)))?
        })
    }

    fn new(suite: &str, mirror: &str) -> Source {
        Source { suite: suite.to_owned(), mirror: mirror.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_in_lines() {
        let text = "# deb http://old trixie main\ndeb [signed-by=/a b=c] http://here/debian trixie main\n";
        assert_eq!(Source::in_lines(text, "trixie"), Some(Source::new("trixie", "http://here/debian")));
        assert_eq!(Source::in_lines(text, "bookworm"), None);
    }

    #[test]
    fn a_source_is_found_in_fields() {
        let other = "Types: deb\nURIs: http://other\nSuites: nodistro\nComponents: main\n\n";
        let text = format!(
            "{other}Types: deb\n# a remark\nURIs: http://here\nSuites: trixie trixie-updates\nComponents: main\n"
        );
        assert_eq!(Source::in_fields(&text, "trixie"), Some(Source::new("trixie", "http://here")));
    }
}
