//! Mistakes that tests make on purpose, to show that they would notice them.

use std::sync::atomic::{AtomicBool, Ordering};

/// A mistake in garbage collection.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Sabotage {
    /// A block that is put again while a collection is marking is not marked.
    ForgetRevived,
    /// A segment is retired before the copies of its blocks are durable.
    RetireTooEarly,
}

/// Which mistakes are to be made. None, outside of tests.
#[derive(Default)]
pub(crate) struct Sabotaged {
    pub(crate) forget_revived: AtomicBool,
    pub(crate) retire_too_early: AtomicBool,
}

impl Sabotaged {
    pub(crate) fn begin(&self, sabotage: Sabotage) {
        let mistake = match sabotage {
            Sabotage::ForgetRevived => &self.forget_revived,
            Sabotage::RetireTooEarly => &self.retire_too_early,
        };
        mistake.store(true, Ordering::Relaxed);
    }
}
