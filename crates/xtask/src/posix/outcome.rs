//! What a call gave, in terms that two file systems can agree on.

use super::facts::Facts;
use super::name::Name;
use super::tree::Tree;
use rustix::io::Errno;
use std::fmt;

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
        _ => return format!("errno {}", errno.raw_os_error()),
    };
    name.to_owned()
}
