//! Who makes a call.

use rustix::io::Result;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// The group that both ordinary users are in.
pub(super) const SHARED_GROUP: u32 = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    Root,
    Alice,
    Bob,
}

impl User {
    /// The user's number, which is that of the user's own group, too.
    pub(super) fn id(self) -> u32 {
        match self {
            User::Root => 0,
            User::Alice => 1001,
            User::Bob => 1002,
        }
    }

    /// Makes the calls of this thread those of the user. Only root's saved id stays, as the way back.
    pub(super) fn become_current(self) -> Result<()> {
        set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
        let group = Gid::from_raw(self.id());
        set_thread_res_gid(group, group, Gid::ROOT)?;
        match self {
            User::Root => set_thread_groups(&[]),
            User::Alice | User::Bob => set_thread_groups(&[Gid::from_raw(SHARED_GROUP)]),
        }?;
        let user = Uid::from_raw(self.id());
        set_thread_res_uid(user, user, Uid::ROOT)
    }
}
