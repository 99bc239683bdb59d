//! Paths and names as the kernel takes them: any bytes.

use std::fmt;

/// How much of a long name is shown.
const SHOWN_BYTES_MAX: usize = 60;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Name(pub(super) Vec<u8>);

impl Name {
    pub(super) fn join(&self, name: &[u8]) -> Name {
        Name([&self.0, b"/".as_slice(), name].concat())
    }

    /// All before the last slash.
    pub(super) fn parent(&self) -> Name {
        let end = self.0.iter().rposition(|byte| *byte == b'/');
        end.map_or_else(|| Name::from("."), |end| Name(self.0[..end].to_vec()))
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.len();
        match self.0.get(..SHOWN_BYTES_MAX) {
            None => write!(formatter, "\"{}\"", self.0.escape_ascii()),
            Some(start) => write!(formatter, "\"{}...\" ({length} bytes)", start.escape_ascii()),
        }
    }
}
