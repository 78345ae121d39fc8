//! Waits and which processes could end them, and how bad and how sure a finding is.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Endpoint, Fd, Pid, PipeId, PipeWait, TaskId, Tid};

/// A thread waits for something, and these processes could end that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The thread.
    pub task: TaskId,
    /// For what; a wait of one thread for several pipes is as many waits.
    pub subject: Subject,
    /// Ordered as ends are. None for an open(2): the process that will open the other side is not there yet.
    pub wakers: Vec<Waker>,
    /// How it is known.
    pub certainty: Attribution,
}

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A pipe.
    Pipe(PipeWait),
    /// A child that exits.
    Child,
}

impl Wait {
    /// The pipe, if it is for one that could be identified.
    #[must_use]
    pub const fn pipe(&self) -> Option<PipeId> {
        match &self.subject {
            Subject::Pipe(wait) => wait.pipe,
            Subject::Child => None,
        }
    }

    /// The descriptor, likewise.
    #[must_use]
    pub const fn fd(&self) -> Option<Fd> {
        match &self.subject {
            Subject::Pipe(wait) => wait.fd,
            Subject::Child => None,
        }
    }
}

/// A process that could end a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Waker {
    /// The process.
    pub pid: Pid,
    /// The thread, as in [`Endpoint::tid`].
    pub tid: Option<Tid>,
    /// The descriptor by which it could; none for a child.
    pub fd: Option<Fd>,
}

impl From<&Endpoint> for Waker {
    fn from(end: &Endpoint) -> Self {
        Self { pid: end.pid, tid: end.tid, fd: Some(end.fd) }
    }
}

words! {
    /// How it is known for what a thread waits.
    pub enum Attribution {
        /// By its system call and by the place where it sleeps, which agree.
        Seen = "seen",
        /// By the place where it sleeps, and there is one pipe only that it could mean.
        Inferred = "inferred",
        /// By the place where it sleeps: this is one of several pipes that it could mean.
        Candidate = "candidate",
    }
}

words! {
    /// How bad a finding is. Ordered from the worst: a greater one is less severe.
    pub enum Severity {
        /// Something does not work, and will not.
        Error = "error",
        /// Something is blocked, or is about to be.
        Warning = "warning",
        /// Worth knowing: a notice.
        Info = "info",
    }
}

impl Severity {
    /// Whether it is as bad as another, or worse.
    #[must_use]
    pub fn is_at_least(self, other: Self) -> bool {
        self <= other
    }
}

words! {
    /// How a finding is known.
    pub enum Certainty {
        /// It follows from what the kernel shows.
        Proven = "proven",
        /// It is a judgement of how processes are related.
        Inferred = "inferred",
        /// It would follow, but there is something that could not be seen.
        Suspected = "suspected",
    }
}
