//! What the workloads work on: an archive of real files of this machine, and a repository made of some of them.

use super::scene::Scale;
use crate::program::Program;
use crate::workspace;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const FILES: u64 = 70_000;
/// Larger files are left out: the archive is about many files.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// Every so manieth file of the archive is in the repository, a half of them in each of its two states.
const REPOSITORY_STRIDE: usize = 5;

pub(super) struct Inputs {
    /// A tar archive, in the page cache.
    pub(super) archive: PathBuf,
    /// Bytes of the files in it.
    pub(super) archive_bytes: u64,
    pub(super) files: usize,
    /// A repository with two commits, `old` and `new`, that share nothing.
    pub(super) repository: PathBuf,
    pub(super) repository_bytes: u64,
}

impl Inputs {
    pub(super) fn make(directory: &Path, scale: Scale) -> Result<Inputs> {
        fs::create_dir_all(directory)?;
        let files = chosen(scale.of(FILES, 500) as usize)?;
        let archive = directory.join("files.tar");
        write_archive(&archive, &directory.join("files"), &files)?;
        let repository = directory.join("repository");
        let repository_bytes = make_repository(&repository, &files)?;
        let archive_bytes = files.iter().map(|(_, bytes)| bytes).sum();
        Ok(Inputs { archive, archive_bytes, files: files.len(), repository, repository_bytes })
    }

    /// Reads the archive, so that it comes from memory.
    pub(super) fn warm(&self) -> Result<()> {
        std::io::copy(&mut fs::File::open(&self.archive)?, &mut std::io::sink())?;
        Ok(())
    }
}

/// Files with their sizes, from all over the machine: sources, headers, documents, programs.
fn chosen(count: usize) -> Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for root in roots()? {
        add_files(&root, &mut files)?;
    }
    files.sort();
    let all = files.len();
    let count = count.min(all);
    Ok((0..count).map(|index| files[index * all / count].clone()).collect())
}

fn roots() -> Result<Vec<PathBuf>> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from).context("HOME is not set")?;
    let cargo_home = cargo_home.unwrap_or_else(|| home.join(".cargo"));
    let machine = ["/usr/share", "/usr/lib", "/usr/include"].map(PathBuf::from);
    Ok(machine.into_iter().chain([cargo_home.join("registry/src")]).filter(|root| root.is_dir()).collect())
}

fn add_files(directory: &Path, files: &mut Vec<(PathBuf, u64)>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            add_files(&entry.path(), files)?;
        } else if kind.is_file() {
            let bytes = entry.metadata()?.len();
            files.extend((bytes <= FILE_BYTES_MAX).then(|| (entry.path(), bytes)));
        }
    }
    Ok(())
}

fn write_archive(archive: &Path, list: &Path, files: &[(PathBuf, u64)]) -> Result<()> {
    let names: Vec<&[u8]> = files.iter().map(|(path, _)| path.as_os_str().as_bytes()).collect();
    fs::write(list, names.join(&0))?;
    let tar = Program::new("tar").arguments(["--create", "--format=posix", "--hard-dereference", "--file"]);
    tar.argument(archive).arguments(["--null", "--files-from"]).argument(list).output().map(drop)
}

fn make_repository(repository: &Path, files: &[(PathBuf, u64)]) -> Result<u64> {
    fs::create_dir_all(repository)?;
    git(repository).arguments(["init", "--quiet", "--initial-branch=main"]).output()?;
    let mut bytes = 0;
    for (half, tag) in ["old", "new"].into_iter().enumerate() {
        git(repository).arguments(["rm", "-r", "--quiet", "--ignore-unmatch", "."]).output()?;
        for (path, length) in files.iter().skip(half).step_by(2 * REPOSITORY_STRIDE) {
            let copy = repository.join("tree").join(path.strip_prefix("/")?);
            fs::create_dir_all(copy.parent().context("a file is in a directory")?)?;
            fs::copy(path, &copy)?;
            bytes += length;
        }
        git(repository).arguments(["add", "--force", "."]).output()?;
        git(repository).arguments(["commit", "--quiet", "--message", tag]).output()?;
        git(repository).arguments(["tag", tag]).output()?;
    }
    Ok(bytes)
}

/// A call of git that heeds no settings of this machine.
pub(super) fn git(directory: &Path) -> Program {
    let git = Program::new("git").argument("-C").argument(directory).directory(&workspace::root());
    ["AUTHOR", "COMMITTER"].into_iter().fold(git.environment("GIT_CONFIG_GLOBAL", "/dev/null"), |git, role| {
        let git = git.environment(&format!("GIT_{role}_NAME"), "Bench");
        git.environment(&format!("GIT_{role}_EMAIL"), "bench@example.org")
    })
}
