//! Files with access control lists (acl(5)), made by `setfacl`.

use crate::program::Program;
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Fills a directory with files and directories that have lists, also such as what is made in them inherits.
pub(super) fn make(directory: &Path) -> Result<()> {
    let team = directory.join("team");
    fs::create_dir_all(team.join("drafts"))?;
    fs::write(team.join("minutes"), "who was there")?;
    fs::write(directory.join("plain"), "no list")?;
    set(&team.join("minutes"), "user:1001:rw,group:2000:r,mask::r")?;
    set(&team.join("drafts"), "user:1002:rwx,default:user:1002:rwx,default:group:2000:rx,default:other::-")?;
    fs::write(team.join("drafts/inherited"), "a list of its own")?;
    fs::create_dir_all(team.join("drafts/deeper/still"))?;
    fs::write(team.join("drafts/deeper/still/file"), "")?;
    Ok(())
}

/// What `getfacl` shows of everything in a directory, by paths relative to it.
pub(super) fn shown(directory: &Path) -> Result<Vec<String>> {
    let shown = Program::new("getfacl").arguments(["--recursive", "--numeric", "."]).directory(directory).output()?;
    let mut lists: Vec<String> = shown.split("\n\n").map(str::to_owned).collect();
    // They come in the order of the directory.
    lists.sort();
    Ok(lists)
}

fn set(path: &Path, entries: &str) -> Result<()> {
    Program::new("setfacl").arguments(["--modify", entries]).argument(path).output()?;
    Ok(())
}
