//! Values as bytes, for the way between two processes of the test: both are the same program, so there is no version.

use super::name::Name;
use super::operation::LockKind;
use rustix::fs::FileType;

pub(super) trait Portable: Sized {
    fn put(&self, bytes: &mut Vec<u8>);

    /// Takes a value away from the front. `None` if there is none.
    fn take_from(bytes: &mut &[u8]) -> Option<Self>;
}

/// The same for every kind of number.
macro_rules! portable_number {
    ($($number:ty),*) => {
        $(impl Portable for $number {
            fn put(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn take_from(bytes: &mut &[u8]) -> Option<Self> {
                let (number, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(Self::from_le_bytes(*number))
            }
        })*
    };
}

portable_number!(u8, u32, u64, i64);

impl Portable for bool {
    fn put(&self, bytes: &mut Vec<u8>) {
        u8::from(*self).put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<bool> {
        Some(u8::take_from(bytes)? != 0)
    }
}

impl<T: Portable> Portable for Option<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.is_some().put(bytes);
        if let Some(value) = self {
            value.put(bytes);
        }
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Option<T>> {
        Some(if bool::take_from(bytes)? { Some(T::take_from(bytes)?) } else { None })
    }
}

impl<T: Portable> Portable for Vec<T> {
    fn put(&self, bytes: &mut Vec<u8>) {
        (self.len() as u64).put(bytes);
        self.iter().for_each(|value| value.put(bytes));
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Vec<T>> {
        let length = u64::take_from(bytes)?;
        (0..length).map(|_| T::take_from(bytes)).collect()
    }
}

impl<T: Portable, U: Portable> Portable for (T, U) {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
        self.1.put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<(T, U)> {
        Some((T::take_from(bytes)?, U::take_from(bytes)?))
    }
}

impl Portable for String {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.as_bytes().to_vec().put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<String> {
        String::from_utf8(Vec::take_from(bytes)?).ok()
    }
}

impl Portable for Name {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.0.put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<Name> {
        Vec::take_from(bytes).map(Name)
    }
}

impl Portable for FileType {
    fn put(&self, bytes: &mut Vec<u8>) {
        self.as_raw_mode().put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<FileType> {
        u32::take_from(bytes).map(FileType::from_raw_mode)
    }
}

impl Portable for LockKind {
    fn put(&self, bytes: &mut Vec<u8>) {
        (*self as u8).put(bytes);
    }

    fn take_from(bytes: &mut &[u8]) -> Option<LockKind> {
        let kinds = [LockKind::Shared, LockKind::Exclusive, LockKind::Unlock];
        let number = u8::take_from(bytes)?;
        kinds.into_iter().find(|kind| *kind as u8 == number)
    }
}
