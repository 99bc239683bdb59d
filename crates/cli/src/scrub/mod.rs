//! What node and command share about scrubbing: what is remembered of it, how it is told, and how it is held back.

mod pace;
mod record;
mod run;
mod status;

pub(crate) use pace::Pace;
pub(crate) use record::{FindingRecord, Report, ScrubRecord, UnderWay};
pub(crate) use run::{Pulse, Running};
pub(crate) use status::{ScrubState, ScrubStatus};
