//! A finding on its way from a rule to the report: a judgement, which a second look has to confirm, and then a record in words. What differs
//! by code is not here.

use serde::{Deserialize, Serialize};

use super::{Code, Details, Identity, Kind, Phrases};
use crate::judge::Groups;
use crate::model::number;
use crate::model::words::words;
use crate::model::{Certainty, Doubt, Doubts, PipeGraph, PipeId, Severity, TaskId, Users, Wait};

/// A finding without its texts, which are made once a second scan has confirmed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) details: Details,
    pub(crate) tasks: Vec<TaskId>,
    pub(crate) pipes: Vec<PipeId>,
    pub(crate) doubts: Doubts,
}

impl Judgement {
    /// Without doubts.
    pub(super) fn new(details: Details, tasks: Vec<TaskId>, pipes: impl IntoIterator<Item = PipeId>) -> Self {
        Self { details, tasks, pipes: pipes.into_iter().collect(), doubts: Doubts::default() }
    }

    pub(crate) const fn code(&self) -> Code {
        self.details.code()
    }

    pub(crate) fn severity(&self) -> Severity {
        self.details.kind().severity(!self.doubts.is_empty())
    }

    #[cfg(test)]
    pub(crate) fn certainty(&self) -> Certainty {
        self.details.kind().certainty(!self.doubts.is_empty())
    }

    pub(super) fn word(self, phrases: &Phrases<'_>) -> Finding {
        let kind = self.details.kind();
        let certainty = kind.certainty(!self.doubts.is_empty());
        let is_suspected = certainty == Certainty::Suspected;
        Finding {
            code: self.code(),
            severity: self.severity(),
            certainty,
            message: kind.message(phrases, &self.doubts),
            evidence: kind.evidence(phrases),
            caveat: is_suspected.then(|| phrases.caveat(&self.doubts)),
            advice: kind.advice(phrases, &self.doubts),
            tasks: self.tasks,
            behind: kind.blocked_behind().to_vec(),
            pipes: self.pipes,
            doubts_omitted: self.doubts.omitted(),
            doubts: self.doubts.named,
            details: Some(self.details),
        }
    }
}

/// A finding as it is reported. In JSON each thread and doubt also has the command of its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Finding"))]
#[serde(bound(deserialize = "Task: Deserialize<'de>, Reason: Deserialize<'de>"))]
pub struct Finding<Task = TaskId, Reason = Doubt> {
    /// The code.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// How it is known.
    pub certainty: Certainty,
    /// What is wrong, as text.
    pub message: String,
    /// What shows it, as lines of text.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Why it is only suspected, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// How to unblock it and how to prevent it, as text.
    pub advice: String,
    /// The threads that it is about: those that are blocked first, then those of the processes to act on.
    #[serde(rename = "processes")]
    pub tasks: Vec<Task>,
    /// Other threads that are blocked because of it; for deadlocks only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<Task>,
    /// The pipes that it is about, by ID.
    pub pipes: Vec<PipeId>,
    /// Why it is not proven; for `hidden-end`, the possible holders of the end. At most four of each kind: what may hold an end of any pipe
    /// is in `hidden` and `unreadable`.
    pub doubts: Vec<Reason>,
    /// How many there are besides; missing if all are listed.
    #[serde(default, skip_serializing_if = "number::is_zero")]
    pub doubts_omitted: usize,
    /// The data of the code; null in a report of an older version.
    #[serde(default)]
    pub details: Option<Details>,
}

impl Finding {
    /// None in a report of an older version.
    pub(super) fn kind(&self) -> Option<&dyn Kind> {
        self.details.as_ref().map(Details::kind)
    }

    /// The identity; in a report of an older version, the threads.
    pub(crate) fn identity(&self) -> Identity {
        match self.kind() {
            Some(kind) => kind.identity(),
            None if self.tasks.is_empty() => Identity::Pipe,
            None => Identity::Blocked(self.tasks.clone(), None),
        }
    }
}

/// A line of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// What the line is about.
    pub role: Role,
    /// The line.
    pub text: String,
}

words! {
    /// The role of a process in a finding.
    pub enum Role {
        /// A step of a cycle of waits; steps are in the order of the cycle.
        Cycle = "circle",
        /// A process that is blocked because of it.
        Behind = "behind",
        /// A thread that waits.
        Waits = "waits",
        /// A process that holds an end.
        Holder = "holder",
    }
}

/// The result of `why`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Every wait for a pipe or a child, ordered by process, thread and descriptor.
    pub waits: Vec<Wait>,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether there is an error or a warning.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity.is_at_least(Severity::Warning))
    }
}

/// What one look at a machine shows.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) waits: Vec<Wait>,
    /// The worst first.
    pub(crate) judgements: Vec<Judgement>,
}

impl Judged {
    /// The findings in words. No user is named in those of `why`.
    pub(crate) fn word(self, graph: &PipeGraph, groups: &Groups) -> Diagnosis {
        let phrases = Phrases { graph, groups, users: &Users::default() };
        let findings = self.judgements.into_iter().map(|judgement| judgement.word(&phrases)).collect();
        Diagnosis { waits: self.waits, findings }
    }
}
