//! What a store knows of its mirrors: names for places, how often each is to be synced, and how that went.

mod definitions;
mod owner;
mod place;
mod plug;
mod turns;

pub(crate) use definitions::{Definition, Definitions, Direction};
pub(crate) use owner::Owner;
pub(crate) use place::Place;
pub(crate) use plug::{PlugFiles, PlugPlan};
pub(crate) use turns::{Turn, Turns};
