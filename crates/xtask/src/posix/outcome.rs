//! What a call gave, in terms that two file systems can agree on.

use super::facts::Facts;
use super::name::Name;
use super::operation::LockKind;
use super::portable::Portable;
use super::tree::Tree;
use rustix::io::Errno;
use std::fmt;

/// Which kind of outcome follows, where outcomes travel between processes.
mod kind {
    pub(super) const DONE: u8 = 0;
    pub(super) const NUMBER: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const FACTS: u8 = 3;
    pub(super) const NAMES: u8 = 4;
    pub(super) const TIMES: u8 = 5;
    pub(super) const LOCK: u8 = 6;
    pub(super) const SIGNAL: u8 = 7;
    pub(super) const NOTHING: u8 = 8;
    pub(super) const BROKEN: u8 = 9;
    pub(super) const FAILED: u8 = 10;
}

/// Longer answers are shown by their hash.
const SHOWN_BYTES_MAX: usize = 24;

#[derive(Clone, PartialEq)]
pub(super) enum Outcome {
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    Facts(Facts),
    Names(Vec<Name>),
    /// Of an open file, which of its times changed.
    Times {
        modified: bool,
        changed: bool,
    },
    Tree(Tree),
    /// A lock, and the process that holds it, if a process does.
    Lock {
        kind: LockKind,
        start: i64,
        length: i64,
        holder: Option<u32>,
    },
    /// The process waits for a lock.
    Waits,
    /// An outcome that ended the waiting of another process, and what that one got.
    Woke {
        by: Box<Outcome>,
        process: usize,
        got: Box<Outcome>,
    },
    /// A process died of this signal.
    Signal(i32),
    /// There was nothing to ask: no mapping, nothing there to look at.
    Nothing,
    /// What the file system says contradicts itself.
    Broken(String),
    Failed(Errno),
}

impl<T: Into<Outcome>> From<rustix::io::Result<T>> for Outcome {
    fn from(result: rustix::io::Result<T>) -> Outcome {
        result.map_or_else(Outcome::Failed, Into::into)
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Outcome {
        Outcome::Done
    }
}

impl From<u64> for Outcome {
    fn from(number: u64) -> Outcome {
        Outcome::Number(number)
    }
}

impl From<usize> for Outcome {
    fn from(number: usize) -> Outcome {
        Outcome::Number(number as u64)
    }
}

impl From<Vec<u8>> for Outcome {
    fn from(bytes: Vec<u8>) -> Outcome {
        Outcome::Bytes(bytes)
    }
}

impl From<Facts> for Outcome {
    fn from(facts: Facts) -> Outcome {
        Outcome::Facts(facts)
    }
}

impl From<Vec<Name>> for Outcome {
    fn from(names: Vec<Name>) -> Outcome {
        Outcome::Names(names)
    }
}

impl Outcome {
    /// The same for outcomes that differ in the same way: what of it does not depend on the names and numbers in the sequence.
    pub(super) fn signature(&self, other: &Outcome) -> String {
        match (self, other) {
            (Outcome::Facts(one), Outcome::Facts(other)) => one.differing(other).join(" "),
            (Outcome::Tree(one), Outcome::Tree(other)) => one.signature(other),
            (Outcome::Woke { by, got, .. }, Outcome::Woke { by: other_by, got: other_got, .. }) => match by == other_by
            {
                true => format!("woken {}", got.signature(other_got)),
                false => by.signature(other_by),
            },
            _ => format!("{} against {}", self.class(), other.class()),
        }
    }

    fn class(&self) -> String {
        match self {
            Outcome::Number(_) => "a number".to_owned(),
            Outcome::Bytes(_) => "bytes".to_owned(),
            Outcome::Names(_) => "names".to_owned(),
            Outcome::Broken(_) => "a contradiction".to_owned(),
            Outcome::Facts(_) => "facts".to_owned(),
            Outcome::Lock { .. } => "a lock".to_owned(),
            _ => self.to_string(),
        }
    }

    /// The two in words, told as short as the difference allows.
    pub(super) fn tell_both(&self, other: &Outcome) -> (String, String) {
        match (self, other) {
            (Outcome::Tree(one), Outcome::Tree(other)) => one.tell_both(other),
            (Outcome::Bytes(one), Outcome::Bytes(other)) => tell_bytes(one, other),
            _ => (self.to_string(), other.to_string()),
        }
    }
}

/// From the first difference on.
fn tell_bytes(one: &[u8], other: &[u8]) -> (String, String) {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let tell = |bytes: &[u8]| {
        let end = bytes.len().min(same + SHOWN_BYTES_MAX);
        format!("{} bytes, from {same} on \"{}\"", bytes.len(), bytes[same..end].escape_ascii())
    };
    (tell(one), tell(other))
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => formatter.write_str("done"),
            Outcome::Number(number) => write!(formatter, "{number}"),
            Outcome::Bytes(bytes) if bytes.len() <= SHOWN_BYTES_MAX => {
                write!(formatter, "\"{}\"", bytes.escape_ascii())
            }
            Outcome::Bytes(bytes) => {
                write!(formatter, "{} bytes, {}", bytes.len(), &blake3::hash(bytes).to_hex()[..8])
            }
            Outcome::Facts(facts) => write!(formatter, "{facts}"),
            Outcome::Names(names) => write!(formatter, "{names:?}"),
            Outcome::Times { modified, changed } => write!(formatter, "mtime changed: {modified}, ctime: {changed}"),
            Outcome::Tree(tree) => write!(formatter, "{} entries", tree.len()),
            Outcome::Lock { kind, start, length, holder } => {
                write!(formatter, "{kind:?} from {start}, {length} bytes, of process {holder:?}")
            }
            Outcome::Waits => formatter.write_str("waits"),
            Outcome::Woke { by, process, got } => write!(formatter, "{by}, and process {process} got: {got}"),
            Outcome::Signal(signal) => write!(formatter, "died of signal {signal}"),
            Outcome::Nothing => formatter.write_str("nothing"),
            Outcome::Broken(what) => write!(formatter, "CONTRADICTION: {what}"),
            Outcome::Failed(errno) => formatter.write_str(&errno_name(*errno)),
        }
    }
}

fn errno_name(errno: Errno) -> String {
    let name = match errno {
        Errno::PERM => "EPERM",
        Errno::NOENT => "ENOENT",
        Errno::IO => "EIO",
        Errno::NXIO => "ENXIO",
        Errno::TOOBIG => "E2BIG",
        Errno::BADF => "EBADF",
        Errno::AGAIN => "EAGAIN",
        Errno::ACCESS => "EACCES",
        Errno::BUSY => "EBUSY",
        Errno::EXIST => "EEXIST",
        Errno::XDEV => "EXDEV",
        Errno::NODEV => "ENODEV",
        Errno::NOTDIR => "ENOTDIR",
        Errno::ISDIR => "EISDIR",
        Errno::INVAL => "EINVAL",
        Errno::NOTTY => "ENOTTY",
        Errno::TXTBSY => "ETXTBSY",
        Errno::FBIG => "EFBIG",
        Errno::NOSPC => "ENOSPC",
        Errno::SPIPE => "ESPIPE",
        Errno::ROFS => "EROFS",
        Errno::MLINK => "EMLINK",
        Errno::PIPE => "EPIPE",
        Errno::RANGE => "ERANGE",
        Errno::NAMETOOLONG => "ENAMETOOLONG",
        Errno::NOSYS => "ENOSYS",
        Errno::NOTEMPTY => "ENOTEMPTY",
        Errno::LOOP => "ELOOP",
        Errno::NODATA => "ENODATA",
        Errno::OVERFLOW => "EOVERFLOW",
        Errno::OPNOTSUPP => "EOPNOTSUPP",
        Errno::NOTCONN => "ENOTCONN",
        Errno::STALE => "ESTALE",
        Errno::DQUOT => "EDQUOT",
        Errno::INTR => "EINTR",
        Errno::DEADLK => "EDEADLK",
        Errno::NOLCK => "ENOLCK",
        Errno::FAULT => "EFAULT",
        _ => return format!("errno {}", errno.raw_os_error()),
    };
    name.to_owned()
}

/// How outcomes travel from the process that got them. Those that only the one that leads the play can get do not.
impl Portable for Outcome {
    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Outcome::Done => kind::DONE.put(bytes),
            Outcome::Number(number) => (kind::NUMBER, *number).put(bytes),
            Outcome::Bytes(read) => {
                kind::BYTES.put(bytes);
                read.put(bytes);
            }
            Outcome::Facts(facts) => {
                kind::FACTS.put(bytes);
                facts.put(bytes);
            }
            Outcome::Names(names) => {
                kind::NAMES.put(bytes);
                names.put(bytes);
            }
            Outcome::Times { modified, changed } => (kind::TIMES, (*modified, *changed)).put(bytes),
            Outcome::Lock { kind, start, length, holder } => {
                (kind::LOCK, *kind).put(bytes);
                (*start, *length).put(bytes);
                holder.put(bytes);
            }
            Outcome::Signal(signal) => (kind::SIGNAL, i64::from(*signal)).put(bytes),
            Outcome::Nothing => kind::NOTHING.put(bytes),
            Outcome::Broken(what) => (kind::BROKEN, what.clone()).put(bytes),
            Outcome::Failed(errno) => (kind::FAILED, i64::from(errno.raw_os_error())).put(bytes),
            Outcome::Tree(_) | Outcome::Waits | Outcome::Woke { .. } => {
                (kind::BROKEN, format!("a process got: {self}")).put(bytes);
            }
        }
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Outcome> {
        Some(match u8::take_from(bytes)? {
            kind::DONE => Outcome::Done,
            kind::NUMBER => Outcome::Number(u64::take_from(bytes)?),
            kind::BYTES => Outcome::Bytes(Vec::take_from(bytes)?),
            kind::FACTS => Outcome::Facts(Facts::take_from(bytes)?),
            kind::NAMES => Outcome::Names(Vec::take_from(bytes)?),
            kind::TIMES => Outcome::Times { modified: bool::take_from(bytes)?, changed: bool::take_from(bytes)? },
            kind::LOCK => Outcome::Lock {
                kind: LockKind::take_from(bytes)?,
                start: i64::take_from(bytes)?,
                length: i64::take_from(bytes)?,
                holder: Option::take_from(bytes)?,
            },
            kind::SIGNAL => Outcome::Signal(i64::take_from(bytes)? as i32),
            kind::NOTHING => Outcome::Nothing,
            kind::BROKEN => Outcome::Broken(String::take_from(bytes)?),
            kind::FAILED => Outcome::Failed(Errno::from_raw_os_error(i64::take_from(bytes)? as i32)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_arrive_as_they_were_sent() {
        let lock = Outcome::Lock { kind: LockKind::Shared, start: 1, length: -2, holder: Some(3) };
        let names = Outcome::Names(vec![Name::from("a"), Name(b"\xff".to_vec())]);
        let times = Outcome::Times { modified: true, changed: false };
        let broken = Outcome::Broken("why".to_owned());
        let failed = Outcome::Failed(Errno::DEADLK);
        for outcome in [Outcome::Done, Outcome::Bytes(vec![0, 1]), lock, names, times, broken, failed] {
            let mut bytes = Vec::new();
            outcome.put(&mut bytes);
            let taken = Outcome::take_from(&mut &bytes[..]).unwrap();
            assert!(taken == outcome, "{taken} instead of {outcome}");
        }
    }

    #[test]
    fn half_an_outcome_is_none() {
        let mut bytes = Vec::new();
        Outcome::Number(7).put(&mut bytes);
        assert!(Outcome::take_from(&mut &bytes[..4]).is_none());
    }
}
