//! Memory for keys: pages of their own that are not swapped, not dumped, and wiped.

use crate::{Error, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use std::ops::Deref;
use std::ptr::NonNull;
use zeroize::Zeroize;

/// Something that is secret.
pub(crate) struct Secret<T> {
    place: NonNull<T>,
}

// SAFETY: it owns what it points to, as a box does.
unsafe impl<T: Send> Send for Secret<T> {}
// SAFETY: shared, it gives nothing but shared references.
unsafe impl<T: Sync> Sync for Secret<T> {}

/// Pages are asked for in multiples of this; a kernel with larger ones rounds up.
const PAGE_BYTES: usize = 4096;

impl<T> Secret<T> {
    const BYTES: usize = size_of::<T>().next_multiple_of(PAGE_BYTES);

    /// Moves a value to memory of its own. Where the system does not let pages be locked, that is logged.
    pub(crate) fn new(value: T) -> Result<Self> {
        const { assert!(align_of::<T>() <= PAGE_BYTES && size_of::<T>() > 0) };
        let failed = |error: rustix::io::Errno| Error::System { what: "get memory for a key", why: error.to_string() };
        // SAFETY: a new mapping at a place that the kernel chooses touches nothing that is there.
        let pages = unsafe {
            mmap_anonymous(std::ptr::null_mut(), Self::BYTES, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }
        .map_err(failed)?;
        // SAFETY: the pages are this value's, whole, and neither call changes what is in them.
        let locked = unsafe { mlock(pages, Self::BYTES).and(madvise(pages, Self::BYTES, Advice::LinuxDontDump)) };
        if let Err(error) = locked {
            tracing::warn!(%error, "a key's memory may be swapped or dumped");
        }
        let place = NonNull::new(pages.cast::<T>()).expect("the kernel maps nothing at address 0");
        // SAFETY: the place is aligned to a page, long enough, and nobody else's.
        unsafe { place.write(value) };
        Ok(Self { place })
    }
}

impl<T> Deref for Secret<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value was written in `new` and stays until the drop.
        unsafe { self.place.as_ref() }
    }
}

impl<T> Drop for Secret<T> {
    fn drop(&mut self) {
        // SAFETY: the value is dropped once, then its bytes are nobody's: they are wiped and given back.
        unsafe {
            self.place.drop_in_place();
            std::slice::from_raw_parts_mut(self.place.as_ptr().cast::<u8>(), size_of::<T>()).zeroize();
            let _ = munmap(self.place.as_ptr().cast(), Self::BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_where_it_was_put_and_its_pages_are_not_dumped() {
        let secret = Secret::new([7u8; 5000]).unwrap();
        assert_eq!(*secret, [7; 5000]);
        let begin = format!("{:x}-", secret.place.as_ptr() as usize);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mapping = maps.lines().skip_while(|line| !line.starts_with(&begin));
        let flags = mapping.skip(1).find(|line| line.starts_with("VmFlags")).expect("the mapping is there");
        assert!(flags.contains(" dd"), "{flags}");
        assert!(flags.contains(" lo"), "{flags}");
    }
}
