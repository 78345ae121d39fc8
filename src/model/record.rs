//! A finding in words: what a saved report keeps of it.

use super::words::words;
use super::{Certainty, Code, Severity, TaskId};

/// A finding in words, as it stands in a saved report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// How it is known.
    pub proof: Certainty,
    /// What is wrong.
    pub message: String,
    /// By what it is known.
    pub evidence: Vec<Evidence>,
    /// What would help.
    pub advice: String,
    /// Other threads that are stuck because of it.
    pub behind: Vec<TaskId>,
}

/// Something by which a finding is known, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What part it has in the finding.
    pub role: Role,
    /// The words: one line.
    pub text: String,
}

words! {
    /// What part somebody has in a finding.
    pub enum Role {
        /// A step of a circle of waits; these stand in its order.
        Circle = "circle",
        /// Somebody who is stuck because of it.
        Behind = "behind",
        /// Somebody who waits.
        Waits = "waits",
        /// Somebody who holds an end.
        Holder = "holder",
    }
}
