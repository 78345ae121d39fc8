//! Waits, the processes that could end them, and the severity and certainty of findings.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::words::words;
use super::{AlternativeWake, Endpoint, Fd, Pid, PipeId, TaskId, Tid, WaitTarget, time};

/// A thread that waits for a pipe or a child, and the processes that could end that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wait {
    /// The thread.
    #[serde(flatten)]
    pub task: TaskId,
    /// What it waits for; a wait of one thread for several pipes is as many waits.
    #[serde(flatten)]
    pub target: WaitTarget,
    /// The holders of the other side, or the children; ordered as ends are. Empty for `open`, and if none was seen. A report writes them with
    /// their names, and of many the first.
    #[serde(skip_serializing)]
    #[cfg_attr(test, schemars(with = "Vec<Waker>"))]
    pub wakers: Wakers,
    /// What else could end it: `timeout`, `files` (it also polls files other than pipes) or `lock` (it waits for the lock of the pipe);
    /// null if only the wakers can, short of a signal.
    pub besides: Option<AlternativeWake>,
    /// How it is known.
    pub certainty: Attribution,
    /// Seconds since the thread last ran, approximately; null if the kernel does not say.
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

    /// The descriptor, if it is for a pipe and known.
    #[must_use]
    pub const fn fd(&self) -> Option<Fd> {
        if let WaitTarget::Pipe(wait) = &self.target { wait.fd } else { None }
    }
}

/// What could end a wait. The waits for one side of a pipe share it, and so do those of a process for its children: else many that wait at
/// one pipe, each able to wake the others, would take memory by the square of their number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wakers(Arc<[Waker]>);

impl Wakers {
    /// The same for two that share it: to visit what is shared once.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.0.as_ptr().addr(), self.0.len())
    }
}

impl Deref for Wakers {
    type Target = [Waker];

    fn deref(&self) -> &[Waker] {
        &self.0
    }
}

impl FromIterator<Waker> for Wakers {
    fn from_iter<I: IntoIterator<Item = Waker>>(wakers: I) -> Self {
        Self(wakers.into_iter().collect())
    }
}

impl<'de> Deserialize<'de> for Wakers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|wakers| Self(wakers.into()))
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
    /// The descriptor of its end, or of the file that it has locked; none for a child.
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
    /// How it is known what a thread waits for.
    pub enum Attribution {
        /// From its system call and the kernel function it sleeps in, which agree, or from the wait queue of the pipe.
        Seen = "seen",
        /// From the kernel function it sleeps in; only one pipe is possible.
        Inferred = "inferred",
        /// From the kernel function it sleeps in; this is one of several possible pipes.
        Candidate = "candidate",
    }
}

words! {
    /// The severity of a finding, the worst first: a greater value is less severe.
    pub enum Severity {
        /// Something does not work, and will not work without intervention.
        Error = "error",
        /// Something is blocked, or is about to be.
        Warning = "warning",
        /// Worth knowing: a notice.
        Info = "info",
    }
}

impl Severity {
    /// Whether it is of this severity or worse.
    #[must_use]
    pub fn is_at_least(self, other: Self) -> bool {
        self <= other
    }
}

words! {
    /// How a finding is known.
    pub enum Certainty {
        /// It follows from data of the kernel.
        Proven = "proven",
        /// It is inferred from how processes are related.
        Inferred = "inferred",
        /// It would follow, but something could not be seen.
        Suspected = "suspected",
    }
}
