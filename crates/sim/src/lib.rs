//! Simulation: a disk that forgets what was not synced.
//!
//! [`SimDisk`] is a [`block::Disk`] in memory that keeps what was written and what is durable apart. A test runs the real code
//! on it, cuts the power at any operation, and looks at what the next start makes of the remains. Everything follows from the
//! seeds that the test gives: no clock, no thread, no random source of the machine.

mod disk;
mod faults;
mod file;
mod folder;
mod random;
mod sectors;

pub use disk::SimDisk;
pub use random::Random;
