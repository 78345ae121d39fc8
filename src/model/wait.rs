//! Waits and which processes could end them, and how bad and how sure a finding is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{AlternativeWake, Endpoint, Fd, Pid, PipeId, TaskId, Tid, WaitTarget, time};

/// A thread that waits for a pipe or a child, and the processes that could end that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wait {
    /// The thread.
    #[serde(flatten)]
    pub task: TaskId,
    /// For what; a wait of one thread for several pipes is as many waits.
    #[serde(flatten)]
    pub target: WaitTarget,
    /// The holders of the other side, or the children meant; ordered as ends are. Empty for `open`, since the process that will open the other
    /// side is not there yet, and where none was seen. A report writes them with their names.
    #[serde(skip_serializing)]
    pub wakers: Vec<Waker>,
    /// What else could end it: `timeout`, `files` (it polls others than pipes too) or `lock` (it waits for the lock of the pipe); null
    /// where nothing but the wakers can, short of a signal.
    pub besides: Option<AlternativeWake>,
    /// How it is known.
    pub certainty: Attribution,
    /// For about how many seconds the thread has not run; null where the kernel does not say.
    #[serde(rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
}

impl Wait {
    /// The pipe, if it is for one that could be identified.
    #[must_use]
    pub const fn pipe(&self) -> Option<PipeId> {
        if let WaitTarget::Pipe(wait) = &self.target { wait.pipe } else { None }
    }

    /// The descriptor, likewise.
    #[must_use]
    pub const fn fd(&self) -> Option<Fd> {
        if let WaitTarget::Pipe(wait) = &self.target { wait.fd } else { None }
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

impl Waker {
    pub(crate) const fn process(pid: Pid) -> Self {
        Self { pid, tid: None, fd: None }
    }
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
