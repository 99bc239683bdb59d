//! One process's play of a sequence: its open files, its mappings, and the system call of each operation.

use super::allowances;
use super::content::Content;
use super::data;
use super::facts;
use super::listing;
use super::mapping::Mapping;
use super::name::Name;
use super::operation::{Operation, Position, SLOTS, Slot, Step, SyncMode, Target};
use super::outcome::Outcome;
use super::raw;
use super::tree;
use super::user::User;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, IFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
};
use rustix::io::{Errno, IoSlice, IoSliceMut, Result};
use std::array;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The times of an open file: of its content, and of anything.
type Times = ((i64, u32), (i64, u32));

pub(super) struct Player {
    user: User,
    files: [Option<OwnedFd>; SLOTS],
    /// What [`Operation::TimesChanged`] saw the last time.
    times: [Option<Times>; SLOTS],
    mappings: [Option<Mapping>; SLOTS],
}

/// A file that has more flags of chattr(1) for a while.
struct Flagged {
    file: OwnedFd,
    before: IFlags,
}

impl Flagged {
    fn new(path: &Name, flags: IFlags) -> Result<Flagged> {
        let file =
            rustix::fs::openat(CWD, &path.0, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
        // On xfs, other kinds of files have flags, too.
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Directory) {
            return Err(Errno::NOTTY);
        }
        let before = rustix::fs::ioctl_getflags(&file)?;
        rustix::fs::ioctl_setflags(&file, before | flags)?;
        Ok(Flagged { file, before })
    }

    fn end(self) -> Result<()> {
        rustix::fs::ioctl_setflags(self.file, self.before)
    }
}

impl Player {
    /// One that plays in the current directory, as a process of its own.
    pub(super) fn new() -> Player {
        Player {
            user: User::Root,
            files: array::from_fn(|_| None),
            times: [None; SLOTS],
            mappings: array::from_fn(|_| None),
        }
    }

    pub(super) fn play(&mut self, step: &Step) -> Outcome {
        if let Err(error) = self.become_user(step.user) {
            return Outcome::Broken(format!("cannot become {:?}: {error}", step.user));
        }
        self.call(&step.operation).unwrap_or_else(Outcome::Failed)
    }

    fn become_user(&mut self, user: User) -> Result<()> {
        if user != self.user {
            user.become_current()?;
            self.user = user;
        }
        Ok(())
    }

    fn call(&mut self, operation: &Operation) -> Result<Outcome> {
        if let Some(outcome) = self.direct(operation)? {
            return Ok(outcome);
        }
        Ok(match operation {
            Operation::Open { slot, path, flags, mode } => self.open(*slot, path, *flags, mode.0)?.into(),
            Operation::Close { slot } => self.close(*slot)?.into(),
            Operation::SetStatusFlags { slot, flags } => rustix::fs::fcntl_setfl(self.file(*slot)?, *flags)?.into(),
            Operation::LockFile { slot, kind, wait } => self.lock_file(*slot, *kind, *wait)?.into(),
            Operation::LockRange { slot, lock, wait } => self.lock_range(*slot, *lock, *wait)?.into(),
            Operation::TestLock { slot, lock } => self.test_lock(*slot, *lock)?,
            Operation::Sync { slot, mode } => self.sync(*slot, *mode)?.into(),
            Operation::Mkdir { path, mode } => rustix::fs::mkdirat(CWD, &path.0, Mode::from_raw_mode(mode.0))?.into(),
            Operation::Rmdir { path } => rustix::fs::unlinkat(CWD, &path.0, AtFlags::REMOVEDIR)?.into(),
            Operation::Unlink { path } => rustix::fs::unlinkat(CWD, &path.0, AtFlags::empty())?.into(),
            Operation::Rename { from, to, flags } => rename(from, to, *flags)?.into(),
            Operation::Link { from, to, follow } => {
                let flags = if *follow { AtFlags::SYMLINK_FOLLOW } else { AtFlags::empty() };
                rustix::fs::linkat(CWD, &from.0, CWD, &to.0, flags)?.into()
            }
            Operation::LinkOpen { slot, to, by_itself } => self.link_open(*slot, to, *by_itself)?.into(),
            Operation::Symlink { to, path } => rustix::fs::symlinkat(&to.0, CWD, &path.0)?.into(),
            Operation::ReadLink { path } => read_link(path)?.into(),
            Operation::Mknod { path, kind, mode, device } => {
                rustix::fs::mknodat(CWD, &path.0, *kind, Mode::from_raw_mode(mode.0), *device)?.into()
            }
            Operation::List { path } => tree::names(path)?.into(),
            Operation::ListChanging { path } => listing::list_changing(path),
            Operation::Stat { on } => self.stat(on)?.into(),
            Operation::Access { path, access, effective } => {
                let flags = if *effective { AtFlags::EACCESS } else { AtFlags::empty() };
                rustix::fs::accessat(CWD, &path.0, *access, flags)?.into()
            }
            Operation::Chmod { on, mode } => self.chmod(on, Mode::from_raw_mode(mode.0))?.into(),
            Operation::Chown { on, uid, gid } => self.chown(on, uid.map(Uid::from_raw), gid.map(Gid::from_raw))?.into(),
            Operation::SetTimes { on, accessed, modified } => self.set_times(on, *accessed, *modified)?.into(),
            Operation::SetInodeFlags { slot, flags } => self.set_inode_flags(*slot, *flags)?.into(),
            Operation::GetInodeFlags { slot } => {
                let flags = rustix::fs::ioctl_getflags(self.file(*slot)?)?;
                Outcome::from(u64::from((flags & allowances::INODE_FLAGS).bits()))
            }
            Operation::WithInodeFlags { path, flags, call } => self.with_inode_flags(path, *flags, call)?,
            Operation::Umask { mask } => {
                Outcome::from(u64::from(rustix::process::umask(Mode::from_raw_mode(mask.0)).as_raw_mode()))
            }
            Operation::TimesChanged { slot } => self.times_changed(*slot)?,
            Operation::SetXattr { on, name, value, flags } => self.set_xattr(on, name, &value.to_vec(), *flags)?.into(),
            Operation::GetXattr { on, name, buffer_bytes } => self.get_xattr(on, name, *buffer_bytes)?,
            Operation::ListXattrs { on, buffer_bytes } => self.list_xattrs(on, *buffer_bytes)?,
            Operation::RemoveXattr { on, name } => self.remove_xattr(on, name)?.into(),
            Operation::Truncate { on, size } => self.truncate(on, *size)?.into(),
            Operation::Read { slot, at, bytes } => self.read(*slot, *at, *bytes)?.into(),
            Operation::Write { slot, at, content } => self.write(*slot, *at, *content)?.into(),
            Operation::ReadVector { slot, at, bytes } => self.read_vector(*slot, *at, *bytes)?.into(),
            Operation::WriteVector { slot, at, contents } => self.write_vector(*slot, *at, *contents)?.into(),
            // Positions in a directory are each file system's own affair.
            Operation::Seek { slot, .. } | Operation::SeekData { slot, .. } | Operation::SeekHole { slot, .. }
                if self.is_directory(*slot)? =>
            {
                Outcome::Nothing
            }
            Operation::Seek { slot, to } => rustix::fs::seek(self.file(*slot)?, *to)?.into(),
            Operation::SeekData { slot, offset } => data::seek_data(self.file(*slot)?, *offset),
            Operation::SeekHole { slot, offset } => data::seek_hole(self.file(*slot)?, *offset),
            Operation::Allocate { slot, mode, offset, length } => {
                rustix::fs::fallocate(self.file(*slot)?, *mode, *offset, *length)?.into()
            }
            Operation::CopyRange { from, from_offset, to, to_offset, bytes } => {
                self.copy_range((*from, *from_offset), (*to, *to_offset), *bytes)?.into()
            }
            Operation::Map { slot, shared, writable } => {
                self.mappings[*slot] = Some(Mapping::new(self.file(*slot)?, *shared, *writable)?);
                Outcome::Done
            }
            Operation::Unmap { slot } => self.mappings[*slot].take().map_or(Outcome::Nothing, |_| Outcome::Done),
            Operation::MapRead { slot, offset, bytes } => self.map_read(*slot, *offset, *bytes)?,
            Operation::MapWrite { slot, offset, content, flush } => self.map_write(*slot, *offset, *content, *flush)?,
            Operation::MapSync { slot } => match &self.mappings[*slot] {
                Some(mapping) => mapping.sync()?.into(),
                None => Outcome::Nothing,
            },
            Operation::Evict { slot } => data::evict(self.file(*slot)?)?.into(),
            Operation::MapTouch { slot, offset, write } => match &self.mappings[*slot] {
                Some(mapping) => mapping.touch(*offset, *write)?.map_or(Outcome::Done, Outcome::Signal),
                None => Outcome::Nothing,
            },
            // Those who lead the play do it.
            Operation::Tree | Operation::Interrupt | Operation::Kill => Outcome::Nothing,
        })
    }

    pub(super) fn file(&self, slot: Slot) -> Result<BorrowedFd<'_>> {
        self.files[slot].as_ref().map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    fn is_directory(&self, slot: Slot) -> Result<bool> {
        let mode = rustix::fs::fstat(self.file(slot)?)?.st_mode;
        Ok(FileType::from_raw_mode(mode) == FileType::Directory)
    }

    /// What was in the slot is closed, if there is something new for it.
    fn open(&mut self, slot: Slot, path: &Name, flags: OFlags, mode: u32) -> Result<()> {
        self.files[slot] = Some(rustix::fs::openat(CWD, &path.0, flags, Mode::from_raw_mode(mode))?);
        self.times[slot] = None;
        Ok(())
    }

    fn close(&mut self, slot: Slot) -> Result<()> {
        self.times[slot] = None;
        let file = self.files[slot].take().ok_or(Errno::BADF)?;
        raw::close(file)
    }

    /// The other flags stay: some say how a local file system keeps the file.
    fn set_inode_flags(&self, slot: Slot, flags: IFlags) -> Result<()> {
        let others = rustix::fs::ioctl_getflags(self.file(slot)?)? - allowances::INODE_FLAGS;
        rustix::fs::ioctl_setflags(self.file(slot)?, others | flags)
    }

    fn with_inode_flags(&mut self, path: &Name, flags: IFlags, call: &Operation) -> Result<Outcome> {
        let user = self.user;
        self.become_user(User::Root)?;
        let flagged = Flagged::new(path, flags);
        self.become_user(user)?;
        let flagged = flagged?;
        let outcome = self.call(call);
        self.become_user(User::Root)?;
        flagged.end()?;
        outcome
    }

    fn link_open(&self, slot: Slot, to: &Name, by_itself: bool) -> Result<()> {
        let file = self.file(slot)?;
        if by_itself {
            return rustix::fs::linkat(file, c"", CWD, &to.0, AtFlags::EMPTY_PATH);
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::linkat(CWD, path, CWD, &to.0, AtFlags::SYMLINK_FOLLOW)
    }

    fn sync(&self, slot: Slot, mode: SyncMode) -> Result<()> {
        let file = self.file(slot)?;
        match mode {
            SyncMode::All => rustix::fs::fsync(file),
            SyncMode::Data => rustix::fs::fdatasync(file),
            SyncMode::Range => raw::sync_file_range(file),
        }
    }

    fn stat(&self, on: &Target) -> Result<facts::Facts> {
        let found = match on {
            Target::Path(path) => facts::at(&path.0, AtFlags::empty()),
            Target::Link(path) => facts::at(&path.0, AtFlags::SYMLINK_NOFOLLOW),
            Target::Slot(slot) => facts::of_open(self.file(*slot)?, AtFlags::empty()),
        };
        Ok(found?.0)
    }

    fn times_changed(&mut self, slot: Slot) -> Result<Outcome> {
        let (facts, identity) = facts::of_open(self.file(slot)?, AtFlags::empty())?;
        if !allowances::has_times(facts.kind) {
            return Ok(Outcome::Nothing);
        }
        let now = (identity.modified, identity.changed);
        Ok(match self.times[slot].replace(now) {
            None => Outcome::Nothing,
            Some(before) => Outcome::Times { modified: before.0 != now.0, changed: before.1 != now.1 },
        })
    }

    fn chmod(&self, on: &Target, mode: Mode) -> Result<()> {
        match on {
            Target::Path(path) => rustix::fs::chmodat(CWD, &path.0, mode, AtFlags::empty()),
            Target::Link(path) => raw::chmod_link(&path.0, mode),
            Target::Slot(slot) => rustix::fs::fchmod(self.file(*slot)?, mode),
        }
    }

    fn chown(&self, on: &Target, uid: Option<Uid>, gid: Option<Gid>) -> Result<()> {
        match on {
            Target::Path(path) => rustix::fs::chownat(CWD, &path.0, uid, gid, AtFlags::empty()),
            Target::Link(path) => rustix::fs::chownat(CWD, &path.0, uid, gid, AtFlags::SYMLINK_NOFOLLOW),
            Target::Slot(slot) => rustix::fs::fchown(self.file(*slot)?, uid, gid),
        }
    }

    fn set_times(&self, on: &Target, last_access: Timespec, last_modification: Timespec) -> Result<()> {
        let times = Timestamps { last_access, last_modification };
        match on {
            Target::Path(path) => rustix::fs::utimensat(CWD, &path.0, &times, AtFlags::empty()),
            Target::Link(path) => rustix::fs::utimensat(CWD, &path.0, &times, AtFlags::SYMLINK_NOFOLLOW),
            Target::Slot(slot) => rustix::fs::futimens(self.file(*slot)?, &times),
        }
    }

    fn truncate(&self, on: &Target, size: i64) -> Result<()> {
        match on {
            Target::Path(path) | Target::Link(path) => raw::truncate(&path.0, size),
            Target::Slot(slot) => rustix::fs::ftruncate(self.file(*slot)?, size as u64),
        }
    }

    fn read(&self, slot: Slot, at: Position, bytes: usize) -> Result<Vec<u8>> {
        let file = self.file(slot)?;
        let mut buffer = vec![0; bytes];
        let length = match at {
            Some(offset) => rustix::io::pread(file, &mut buffer[..], offset),
            None => rustix::io::read(file, &mut buffer[..]),
        }?;
        buffer.truncate(length);
        Ok(buffer)
    }

    fn write(&self, slot: Slot, at: Position, content: Content) -> Result<usize> {
        let file = self.file(slot)?;
        match at {
            Some(offset) => rustix::io::pwrite(file, &content.to_vec(), offset),
            None => rustix::io::write(file, &content.to_vec()),
        }
    }

    fn read_vector(&self, slot: Slot, at: Position, bytes: [usize; 3]) -> Result<Vec<u8>> {
        let file = self.file(slot)?;
        let mut buffers = bytes.map(|bytes| vec![0; bytes]);
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        let length = match at {
            Some(offset) => rustix::io::preadv(file, &mut slices, offset),
            None => rustix::io::readv(file, &mut slices),
        }?;
        let mut read = buffers.concat();
        read.truncate(length);
        Ok(read)
    }

    fn write_vector(&self, slot: Slot, at: Position, contents: [Content; 3]) -> Result<usize> {
        let file = self.file(slot)?;
        let buffers = contents.map(Content::to_vec);
        let slices = buffers.each_ref().map(|buffer| IoSlice::new(buffer));
        match at {
            Some(offset) => rustix::io::pwritev(file, &slices, offset),
            None => rustix::io::writev(file, &slices),
        }
    }

    /// Copies in as many calls as the file system likes.
    fn copy_range(&self, from: (Slot, u64), to: (Slot, u64), bytes: usize) -> Result<usize> {
        let (source, target) = (self.file(from.0)?, self.file(to.0)?);
        let (mut read_at, mut write_at) = (from.1, to.1);
        let mut copied = 0;
        loop {
            let (at, to) = (Some(&mut read_at), Some(&mut write_at));
            match rustix::fs::copy_file_range(source, at, target, to, bytes - copied) {
                Ok(0) => return Ok(copied),
                Ok(length) => copied += length,
                Err(error) => return Err(error),
            }
        }
    }

    fn map_read(&self, slot: Slot, offset: usize, bytes: usize) -> Result<Outcome> {
        let Some(mapping) = &self.mappings[slot] else { return Ok(Outcome::Nothing) };
        Ok(mapping.read(offset, bytes)?.map_or(Outcome::Nothing, Outcome::Bytes))
    }

    fn map_write(&self, slot: Slot, offset: usize, content: Content, flush: bool) -> Result<Outcome> {
        let Some(mapping) = &self.mappings[slot] else { return Ok(Outcome::Nothing) };
        let written = mapping.write(offset, &content.to_vec())?;
        if flush {
            mapping.flush()?;
        }
        Ok(written.map_or(Outcome::Nothing, Outcome::from))
    }
}

/// ext4 makes a whiteout first, and then finds out that the other directory is not empty: its directory's time has changed.
fn rename(from: &Name, to: &Name, flags: RenameFlags) -> Result<()> {
    let renamed = rustix::fs::renameat_with(CWD, &from.0, CWD, &to.0, flags);
    if renamed == Err(Errno::NOTEMPTY) && flags.contains(RenameFlags::WHITEOUT) {
        let [now, omit] = [UTIME_NOW, UTIME_OMIT].map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
        let times = Timestamps { last_access: omit, last_modification: now };
        rustix::fs::utimensat(CWD, &from.parent().0, &times, AtFlags::empty())?;
    }
    renamed
}

fn read_link(path: &Name) -> Result<Vec<u8>> {
    let mut target = vec![0; 5000];
    let length = rustix::fs::readlinkat_raw(CWD, &path.0, &mut target[..])?;
    target.truncate(length);
    Ok(target)
}
