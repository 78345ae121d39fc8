//! A finding in words: what a saved report keeps of it.

use super::{Code, Proof, Severity, TaskId};

/// A finding in words, as it stands in a saved report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// How it is known.
    pub proof: Proof,
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

/// What part somebody has in a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A step of a circle of waits; these stand in its order.
    Circle,
    /// Somebody who is stuck because of it.
    Behind,
    /// Somebody who waits.
    Waits,
    /// Somebody who holds an end.
    Holder,
}

impl Role {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Behind => "behind",
            Self::Waits => "waits",
            Self::Holder => "holder",
        }
    }
}
