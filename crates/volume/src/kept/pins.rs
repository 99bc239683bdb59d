//! Which kept roots somebody reads just now: they stay until nobody does, since what is not kept is garbage.

use super::KeptId;
use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The kept roots of one volume that are in use, and those about to go.
#[derive(Default)]
pub(crate) struct Pins {
    state: Mutex<State>,
    unpinned: Condvar,
}

#[derive(Default)]
struct State {
    pinned: HashMap<KeptId, usize>,
    /// A root is never in both.
    going: HashSet<KeptId>,
}

/// Keeps a root from going.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    id: KeptId,
}

/// Keeps roots from being pinned, until it is known whether they went.
pub(crate) struct Going<'a> {
    pins: &'a Pins,
    ids: Vec<KeptId>,
}

impl Pins {
    /// Pins a root; `None` if it is about to go.
    pub(crate) fn pin(self: &Arc<Self>, id: KeptId) -> Option<Pin> {
        let mut state = self.state.lock();
        if state.going.contains(&id) {
            return None;
        }
        *state.pinned.entry(id).or_default() += 1;
        Some(Pin { pins: self.clone(), id })
    }

    /// Those of some roots that nobody has pinned are about to go. The others are given too.
    pub(crate) fn let_go(&self, ids: impl IntoIterator<Item = KeptId>) -> (Going<'_>, Vec<KeptId>) {
        let mut state = self.state.lock();
        let (pinned, going): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| state.pinned.contains_key(id));
        state.going.extend(&going);
        (Going { pins: self, ids: going }, pinned)
    }

    /// Waits until nobody has a root pinned; false if somebody still has it after a time.
    pub(crate) fn wait_unpinned(&self, id: KeptId, time_max: Duration) -> bool {
        let mut state = self.state.lock();
        !self.unpinned.wait_while_for(&mut state, |state| state.pinned.contains_key(&id), time_max).timed_out()
    }
}

impl Going<'_> {
    pub(super) fn ids(&self) -> &[KeptId] {
        &self.ids
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        let mut state = self.pins.state.lock();
        state.going.retain(|id| !self.ids.contains(id));
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.pins.state.lock();
        if let Some(count) = state.pinned.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                state.pinned.remove(&self.id);
                self.pins.unpinned.notify_all();
            }
        }
    }
}
