//! The rules of an audit, beyond what `why` finds: who shares a pipe that should not, and what is about to run out. Pure: a rule takes
//! the pipes and the processes, and returns findings. A file for each rule.

pub mod baseline;
pub mod confirm;

mod audited;

use crate::model::{Finding, PipeGraph};
use crate::why::Groups;

pub use self::audited::Audited;

/// From where on something is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thresholds {
    /// `--max-ends`: so many ends a process may hold.
    pub max_ends: Option<u64>,
}

/// What the rules find, the worst first.
#[must_use]
pub fn audit(_graph: &PipeGraph, _groups: &Groups, _thresholds: &Thresholds) -> Vec<Finding> {
    Vec::new()
}
