//! Files that several processes write, read, map and truncate at the same time.

use crate::mounted::Mounted;
use rustix::fs::{Mode, OFlags};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAGE: usize = 4096;

/// A shared mapping of a file, taken away when dropped.
struct Mapping {
    start: *mut std::ffi::c_void,
    length: usize,
}

impl Mapping {
    fn new(file: &File, length: usize) -> Self {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at a place of the kernel's choice, touches nothing that is there.
        let start = unsafe { mmap(std::ptr::null_mut(), length, access, MapFlags::SHARED, file, 0) }.unwrap();
        Self { start, length }
    }

    fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.length);
        // SAFETY: the place lies in the mapping, and nobody holds a reference into it.
        unsafe { self.start.cast::<u8>().add(offset).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
    }

    fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        assert!(offset + length <= self.length);
        let mut bytes = vec![0; length];
        // SAFETY: as for writing.
        unsafe { self.start.cast::<u8>().add(offset).copy_to_nonoverlapping(bytes.as_mut_ptr(), length) }
        bytes
    }

    fn sync(&self) {
        // SAFETY: the range is the mapping.
        unsafe { msync(self.start, self.length, MsyncFlags::SYNC) }.unwrap();
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nobody uses the mapping any more.
        unsafe { munmap(self.start, self.length) }.unwrap();
    }
}

#[test]
fn lines_that_processes_append_are_all_there_and_whole() {
    const PROCESSES: usize = 6;
    const LINES: usize = 400;
    let mounted = Mounted::new();
    let append = |number: usize| {
        let script = format!("for i in $(seq {LINES}); do echo \"process {number} line $i of a log\"; done >> log");
        Command::new("sh").args(["-c", &script]).current_dir(mounted.top()).spawn().unwrap()
    };
    let processes: Vec<_> = (0..PROCESSES).map(append).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let log = fs::read_to_string(mounted.path("log")).unwrap();
    let mut next = BTreeMap::new();
    for line in log.lines() {
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((words.len(), words[0], words[6]), (7, "process", "log"), "{line}");
        let expected = next.entry(words[1]).or_insert(1);
        assert_eq!(words[3], expected.to_string(), "each process's lines stay in order");
        *expected += 1;
    }
    assert!(next.len() == PROCESSES && next.values().all(|next| *next == LINES + 1));
}

#[test]
fn direct_reads_and_writes_and_the_page_cache_see_each_other() {
    let mounted = Mounted::new();
    let cached = mounted.file("file", &[1; 8 * PAGE]);
    let path = mounted.path("file");
    let direct: File = rustix::fs::open(&path, OFlags::RDWR | OFlags::DIRECT, Mode::empty()).unwrap().into();
    let mut byte = [0];
    cached.read_exact_at(&mut byte, PAGE as u64).unwrap();
    direct.write_all_at(&[2; PAGE], PAGE as u64).unwrap();
    cached.read_exact_at(&mut byte, PAGE as u64).unwrap();
    assert_eq!(byte, [2]);
    cached.write_all_at(&[3; PAGE], 2 * PAGE as u64).unwrap();
    let mut page = [0; PAGE];
    direct.read_exact_at(&mut page, 2 * PAGE as u64).unwrap();
    assert_eq!(page, [3; PAGE]);
    let mapping = Mapping::new(&cached, 8 * PAGE);
    mapping.write(5 * PAGE, &[4; PAGE]);
    direct.read_exact_at(&mut page, 5 * PAGE as u64).unwrap();
    assert_eq!(page, [4; PAGE]);
}

#[test]
fn mappings_reads_and_writes_show_each_other_at_once() {
    let mut mounted = Mounted::new();
    let file = mounted.file("file", &[0; 2 * PAGE]);
    let (one, other) = (Mapping::new(&file, 2 * PAGE), Mapping::new(&file, 2 * PAGE));
    one.write(10, b"by mapping");
    assert_eq!(other.read(10, 10), b"by mapping");
    let mut read = [0; 10];
    file.read_exact_at(&mut read, 10).unwrap();
    assert_eq!(&read, b"by mapping");
    file.write_all_at(b"by writing", PAGE as u64 + 5).unwrap();
    assert_eq!(one.read(PAGE + 5, 10), b"by writing");
    one.sync();
    drop((one, other, file));
    mounted.remount();
    let content = fs::read(mounted.path("file")).unwrap();
    assert_eq!((&content[10..20], &content[PAGE + 5..PAGE + 15]), (&b"by mapping"[..], &b"by writing"[..]));
}

#[test]
fn what_a_truncation_takes_from_a_mapped_file_does_not_come_back() {
    let mut mounted = Mounted::new();
    let file = mounted.file("file", &[7; 4 * PAGE]);
    let mapping = Mapping::new(&file, 4 * PAGE);
    mapping.write(3 * PAGE, &[8; PAGE]);
    mapping.write(PAGE, &[9; PAGE]);
    file.set_len(PAGE as u64 + 100).unwrap();
    file.set_len(4 * PAGE as u64).unwrap();
    assert_eq!(mapping.read(PAGE, PAGE), [vec![9; 100], vec![0; PAGE - 100]].concat());
    assert_eq!(mapping.read(3 * PAGE, PAGE), vec![0; PAGE]);
    mapping.write(2 * PAGE, b"after");
    drop((mapping, file));
    mounted.remount();
    let mut expected = [vec![7; PAGE], vec![9; 100], vec![0; 3 * PAGE - 100]].concat();
    expected[2 * PAGE..2 * PAGE + 5].copy_from_slice(b"after");
    assert!(fs::read(mounted.path("file")).unwrap() == expected);
}

#[test]
fn reading_a_mapping_behind_the_end_is_a_bus_error() {
    let mounted = Mounted::new();
    fs::write(mounted.path("file"), [1; PAGE]).unwrap();
    let script = "import mmap,os; f=os.open('file',os.O_RDWR); os.ftruncate(f,8192); m=mmap.mmap(f,8192); os.ftruncate(f,100); m[4096]";
    let mut python = Command::new("python3");
    let status = python.args(["-c", script]).current_dir(mounted.top()).stderr(Stdio::null()).status();
    let Ok(status) = status else { return };
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGBUS));
}

#[test]
fn a_removed_file_lives_as_long_as_somebody_has_it_open() {
    let mounted = Mounted::new();
    let before = mounted.volume().used_bytes();
    let mut file = mounted.file("file", &[5; 1 << 20]);
    fs::remove_file(mounted.path("file")).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"more").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut content = Vec::new();
    file.read_to_end(&mut content).unwrap();
    assert_eq!((content.len(), file.metadata().unwrap().nlink()), ((1 << 20) + 4, 0));
    assert!(mounted.volume().used_bytes() > before + (1 << 20));
    drop(file);
    let started = Instant::now();
    // The kernel says that nobody has it open any more when it likes.
    while mounted.volume().used_bytes() != before {
        assert!(started.elapsed() < Duration::from_secs(120), "the file's space has not come back");
        std::thread::yield_now();
    }
}
