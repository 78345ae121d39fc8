//! Pipes on Linux and who is on each end.

pub mod error;
pub mod join;
pub mod model;
pub mod scan;
mod sys;

pub use sys::die_of_sigpipe;
