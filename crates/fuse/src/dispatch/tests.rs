//! Fabricated requests.

use super::*;
use crate::{
    Attr, CachedAttr, DirectoryPlusBuffer, Entry, Ioctl, IoctlResult, NameBuffer, OpenFlags, Opened, ReadOptions,
    RecordLock, RenameFlags, SetAttr, SetXattrMode, SetXattrOptions, ValueBuffer, WriteOptions,
};
use parking_lot::Mutex;
use proptest::prelude::*;
use std::time::Duration;
use zerocopy::IntoBytes;

/// Writes down what it is asked, and answers something.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<String>>,
}

impl Recorder {
    fn record(&self, call: String) {
        self.calls.lock().push(call);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Filesystem for Recorder {
    fn lookup(&self, request: &Request, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        self.record(format!("lookup {} {parent} {}", request.uid(), text(name)));
        let attr = Attr { ino: 9, size: 5, ..Attr::default() };
        Ok(Entry { node: 9, attr, entry_valid: Duration::from_millis(1_500), ..Entry::default() })
    }

    fn forget(&self, node: u64, count: u64) {
        self.record(format!("forget {node} {count}"));
    }

    fn getattr(&self, _: &Request, _: u64, handle: Option<u64>) -> Result<CachedAttr, Errno> {
        self.record(format!("getattr {handle:?}"));
        Err(Errno::ESTALE)
    }

    fn setattr(&self, _: &Request, _: u64, changes: &SetAttr) -> Result<CachedAttr, Errno> {
        self.record(format!("setattr {:?}", changes.size));
        Ok(CachedAttr::default())
    }

    fn rename(&self, _: &Request, from: u64, a: &[u8], to: u64, b: &[u8], flags: RenameFlags) -> Result<(), Errno> {
        self.record(format!("rename {from} {} {to} {} {}", text(a), text(b), flags.bits()));
        Ok(())
    }

    fn create(
        &self,
        request: &Request,
        _: u64,
        name: &[u8],
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened), Errno> {
        self.record(format!("create {} {mode:o} {:o} {}", text(name), request.umask(), flags.writes()));
        Ok((Entry { node: 4, ..Entry::default() }, Opened { handle: 77, ..Opened::default() }))
    }

    fn read(
        &self,
        _: &Request,
        _: u64,
        _: u64,
        offset: u64,
        buffer: &mut [u8],
        _: ReadOptions,
    ) -> Result<usize, Errno> {
        match offset {
            0 => buffer.fill(b'x'),
            1 => panic!("as the test wants it"),
            _ => return Ok(buffer.len() + 1),
        }
        Ok(buffer.len())
    }

    fn write(&self, _: &Request, _: u64, _: u64, _: u64, data: &[u8], options: WriteOptions) -> Result<usize, Errno> {
        self.record(format!("write {} {}", text(data), options.kill_suidgid));
        Ok(data.len())
    }

    fn readdirplus(
        &self,
        _: &Request,
        _: u64,
        _: u64,
        cookie: u64,
        entries: &mut DirectoryPlusBuffer<'_>,
    ) -> Result<(), Errno> {
        if cookie == 0 {
            assert!(entries.push(&Entry { node: 3, ..Entry::default() }, 1, b"a"));
        }
        Err(Errno::EIO)
    }

    fn setxattr(&self, _: &Request, _: u64, name: &[u8], value: &[u8], options: SetXattrOptions) -> Result<(), Errno> {
        self.record(format!("setxattr {} {} {:?}", text(name), text(value), options.mode));
        Ok(())
    }

    fn getxattr(&self, _: &Request, _: u64, name: &[u8], value: &mut ValueBuffer<'_>) -> Result<(), Errno> {
        value.append(b"value of ")?;
        value.append(name)
    }

    fn listxattr(&self, _: &Request, _: u64, names: &mut NameBuffer<'_>) -> Result<(), Errno> {
        names.push(b"user.a")
    }

    fn getlk(&self, _: &Request, _: u64, _: u64, _: crate::LockOwner, lock: RecordLock) -> Result<RecordLock, Errno> {
        Ok(lock)
    }

    fn ioctl(
        &self,
        _: &Request,
        _: u64,
        _: u64,
        _: Ioctl,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoctlResult, Errno> {
        let length = input.len().min(output.len());
        output[..length].copy_from_slice(&input[..length]);
        Ok(IoctlResult { value: 3, output_length: length })
    }
}

struct Asked {
    answer: Answer,
    body: Vec<u8>,
    calls: Vec<String>,
}

fn ask(opcode: Opcode, arguments: &[u8], input: &[u8]) -> Asked {
    ask_with(Features::SETXATTR_EXT, opcode, arguments, input)
}

fn ask_with(features: Features, opcode: Opcode, arguments: &[u8], input: &[u8]) -> Asked {
    let filesystem = Arc::new(Recorder::default());
    let mut dispatcher = Dispatcher::new(Arc::new(Connection::new(filesystem.clone())), features);
    let header = wire::InHeader { opcode: opcode as u32, unique: 2, node: 1, uid: 1000, ..Default::default() };
    let mut buffer = vec![0; 8192];
    buffer[..input.len()].copy_from_slice(input);
    let answer = dispatcher.dispatch(&header, arguments, &mut buffer, input.len());
    if let Answer::Body(length) = answer {
        buffer.truncate(length);
    }
    let calls = filesystem.calls.lock().clone();
    Asked { answer, body: buffer, calls }
}

#[test]
fn a_lookup_is_parsed_and_its_answer_encoded() {
    let asked = ask(Opcode::Lookup, &[], b"name\0");
    assert_eq!(asked.calls, ["lookup 1000 1 name"]);
    let entry = wire::EntryOut { node: 9, entry_valid: 1, entry_valid_nanoseconds: 500_000_000, ..Default::default() };
    let attr = wire::AttrOut { ino: 9, size: 5, ..Default::default() };
    assert_eq!(asked.body, wire::EntryOut { attr, ..entry }.as_bytes());
}

#[test]
fn a_name_without_an_end_is_an_error() {
    let asked = ask(Opcode::Lookup, &[], b"name");
    assert_eq!(asked.answer, Answer::Error(Errno::EIO));
    assert!(asked.calls.is_empty());
}

#[test]
fn an_errno_reaches_the_caller() {
    let arguments = wire::GetattrIn { flags: 1, handle: 6, ..Default::default() };
    let asked = ask(Opcode::Getattr, arguments.as_bytes(), &[]);
    assert_eq!(asked.answer, Answer::Error(Errno::ESTALE));
    assert_eq!(asked.calls, ["getattr Some(6)"]);
}

#[test]
fn both_renames_arrive() {
    let arguments = wire::RenameIn { new_parent: 8 };
    let asked = ask(Opcode::Rename, arguments.as_bytes(), b"old\0new\0");
    assert_eq!(asked.calls, ["rename 1 old 8 new 0"]);
    let arguments = wire::Rename2In { new_parent: 8, flags: 2, padding: 0 };
    let asked = ask(Opcode::Rename2, arguments.as_bytes(), b"old\0new\0");
    assert_eq!((asked.answer, &*asked.calls[0]), (Answer::Body(0), "rename 1 old 8 new 2"));
}

#[test]
fn a_create_carries_the_umask_and_returns_entry_and_handle() {
    let arguments = wire::CreateIn { flags: libc::O_WRONLY as u32, mode: 0o100644, umask: 0o22, open_flags: 0 };
    let asked = ask(Opcode::Create, arguments.as_bytes(), b"file\0");
    assert_eq!(asked.calls, ["create file 100644 22 true"]);
    assert_eq!(asked.body.len(), 144);
    assert_eq!((asked.body[0], asked.body[128]), (4, 77));
}

#[test]
fn a_batch_of_forgets_comes_one_by_one_and_has_no_answer() {
    let ones = [wire::ForgetOne { node: 5, count: 2 }, wire::ForgetOne { node: 6, count: 1 }];
    let arguments = wire::BatchForgetIn { count: 99, dummy: 0 };
    let asked = ask(Opcode::BatchForget, arguments.as_bytes(), ones.as_bytes());
    assert_eq!(asked.answer, Answer::None);
    assert_eq!(asked.calls, ["forget 5 2", "forget 6 1"]);
}

#[test]
fn written_data_is_seen_in_place() {
    let arguments = wire::WriteIn { size: 4, write_flags: 1 << 2, ..Default::default() };
    let asked = ask(Opcode::Write, arguments.as_bytes(), b"data and more");
    assert_eq!(asked.calls, ["write data true"]);
    assert_eq!(asked.body, wire::WriteOut { size: 4, padding: 0 }.as_bytes());
    let arguments = wire::WriteIn { size: 5, ..Default::default() };
    assert_eq!(ask(Opcode::Write, arguments.as_bytes(), b"data").answer, Answer::Error(Errno::EIO));
}

fn read_at(offset: u64) -> Asked {
    let arguments = wire::ReadIn { offset, size: 100, ..Default::default() };
    ask(Opcode::Read, arguments.as_bytes(), &[])
}

#[test]
fn reads_fill_the_answer_and_may_not_claim_too_much() {
    assert_eq!(read_at(0).body, [b'x'; 100]);
    assert_eq!(read_at(2).answer, Answer::Error(Errno::EIO));
}

#[test]
fn a_handler_that_panics_answers_eio() {
    assert_eq!(read_at(1).answer, Answer::Error(Errno::EIO));
}

#[test]
fn a_forget_that_is_too_short_has_no_answer() {
    assert_eq!(ask(Opcode::Forget, &[1, 2], &[]).answer, Answer::None);
}

#[test]
fn entries_already_looked_up_are_not_lost_by_an_error() {
    let arguments = |offset| wire::ReadIn { offset, size: 4096, ..Default::default() };
    assert_eq!(ask(Opcode::ReaddirPlus, arguments(0).as_bytes(), &[]).answer, Answer::Body(160));
    assert_eq!(ask(Opcode::ReaddirPlus, arguments(1).as_bytes(), &[]).answer, Answer::Error(Errno::EIO));
}

#[test]
fn attributes_are_set_with_and_without_the_extension() {
    let arguments = wire::SetxattrIn { size: 3, flags: 1, ..Default::default() };
    let asked = ask(Opcode::Setxattr, arguments.as_bytes(), b"user.a\0one");
    assert_eq!(asked.calls, [format!("setxattr user.a one {:?}", SetXattrMode::Create)]);
    let asked = ask_with(Features::NONE, Opcode::Setxattr, &arguments.as_bytes()[..8], b"user.a\0one");
    assert_eq!(asked.calls, [format!("setxattr user.a one {:?}", SetXattrMode::Create)]);
}

#[test]
fn attributes_are_measured_returned_or_too_long() {
    let arguments = |size| wire::GetxattrIn { size, padding: 0 };
    let length = ask(Opcode::Getxattr, arguments(0).as_bytes(), b"user.a\0");
    assert_eq!(length.body, wire::GetxattrOut { size: 15, padding: 0 }.as_bytes());
    assert_eq!(ask(Opcode::Getxattr, arguments(15).as_bytes(), b"user.a\0").body, b"value of user.a");
    let short = ask(Opcode::Getxattr, arguments(14).as_bytes(), b"user.a\0");
    assert_eq!(short.answer, Answer::Error(Errno::ERANGE));
    assert_eq!(ask(Opcode::Listxattr, arguments(64).as_bytes(), &[]).body, b"user.a\0");
}

#[test]
fn an_ioctl_carries_data_both_ways() {
    let arguments = wire::IoctlIn { in_size: 4, out_size: 8, ..Default::default() };
    let asked = ask(Opcode::Ioctl, arguments.as_bytes(), b"ping");
    assert_eq!(asked.body.len(), 20);
    assert_eq!((asked.body[0], &asked.body[16..]), (3, &b"ping"[..]));
}

#[test]
fn unknown_requests_and_defaults_answer_enosys() {
    let filesystem = Arc::new(Recorder::default());
    let mut dispatcher = Dispatcher::new(Arc::new(Connection::new(filesystem)), Features::NONE);
    let header = wire::InHeader { opcode: 4095, ..Default::default() };
    assert_eq!(dispatcher.dispatch(&header, &[], &mut [], 0), Answer::Error(Errno::ENOSYS));
    assert_eq!(ask(Opcode::Bmap, wire::BmapIn::default().as_bytes(), &[]).answer, Answer::Error(Errno::ENOSYS));
    let truncated = ask(Opcode::Setattr, &[0; 87], &[]);
    assert_eq!(truncated.answer, Answer::Error(Errno::EIO));
}

#[test]
fn an_interrupt_sets_the_token_of_its_request() {
    let connection = Arc::new(Connection::new(Arc::new(Recorder::default())));
    let mut dispatcher = Dispatcher::new(connection.clone(), Features::NONE);
    let token = connection.interrupts.register(42);
    let header = wire::InHeader { opcode: Opcode::Interrupt as u32, unique: 43, ..Default::default() };
    let arguments = wire::InterruptIn { unique: 42 };
    assert_eq!(dispatcher.dispatch(&header, arguments.as_bytes(), &mut [], 0), Answer::None);
    assert!(token.is_set());
}

/// A request with a plausible opcode; everything else is arbitrary.
fn arbitrary_request() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), 0u32..56, any::<[u64; 4]>(), prop::collection::vec(any::<u8>(), 0..600)).prop_map(
        |(choice, opcode, words, body)| {
            let header = wire::InHeader {
                len: words[0] as u32,
                opcode,
                unique: words[1],
                node: words[2],
                total_extlen: words[3] as u16 & 3,
                ..Default::default()
            };
            [&[choice][..], header.as_bytes(), &body].concat()
        },
    )
}

proptest! {
    #[test]
    fn no_request_makes_it_panic(bytes in arbitrary_request()) {
        crate::fuzz::answer(Arc::new(Recorder::default()), &bytes);
        crate::fuzz_request(&bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        crate::fuzz_request(&bytes);
    }
}
