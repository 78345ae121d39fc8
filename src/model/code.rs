//! The names of the findings.

use std::fmt;
use std::str::FromStr;

use super::Severity;

/// What a finding is called in every output, and by which name it is asked for. In the order in which findings of one severity stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Threads of several processes wait for each other.
    Deadlock,
    /// The threads of one process wait for each other, or for themselves.
    SelfDeadlock,
    /// A reader gets no end of file, since a stranger holds the write end.
    LeakedWriteEnd,
    /// A writer is blocked on a full pipe, and no reader is about to read.
    StalledReader,
    /// Nobody has the other side of a FIFO that is being opened.
    BlockedOpen,
    /// There is an end that no fd table shows.
    HiddenEnd,
    /// Nobody reads a pipe.
    NoReader,
    /// Nobody writes to a pipe.
    NoWriter,
    /// Others may open a FIFO that root, or another user, has open.
    FifoExposed,
    /// The ends of a pipe are held by different users.
    CrossesUsers,
    /// The ends of a pipe are on two sides of a container or PID namespace.
    CrossesContainers,
    /// A process of another session holds an end beside the pipeline's own.
    InheritedEnd,
    /// A process or user holds unusually many ends.
    EndHoard,
    /// The pipes of a user come near the limit of their pages.
    PipePages,
    /// A FIFO is in use that has no name left.
    DeletedFifo,
}

impl Code {
    /// All of them, in order.
    pub const ALL: [Self; 15] = [
        Self::Deadlock,
        Self::SelfDeadlock,
        Self::LeakedWriteEnd,
        Self::StalledReader,
        Self::BlockedOpen,
        Self::HiddenEnd,
        Self::NoReader,
        Self::NoWriter,
        Self::FifoExposed,
        Self::CrossesUsers,
        Self::CrossesContainers,
        Self::InheritedEnd,
        Self::EndHoard,
        Self::PipePages,
        Self::DeletedFifo,
    ];

    /// The word for it in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::SelfDeadlock => "self-deadlock",
            Self::LeakedWriteEnd => "leaked-write-end",
            Self::StalledReader => "stalled-reader",
            Self::BlockedOpen => "blocked-open",
            Self::HiddenEnd => "hidden-end",
            Self::NoReader => "no-reader",
            Self::NoWriter => "no-writer",
            Self::FifoExposed => "fifo-exposed",
            Self::CrossesUsers => "crosses-users",
            Self::CrossesContainers => "crosses-containers",
            Self::InheritedEnd => "inherited-end",
            Self::EndHoard => "end-hoard",
            Self::PipePages => "pipe-pages",
            Self::DeletedFifo => "deleted-fifo",
        }
    }

    /// The severities that such a finding may have, the worst first.
    #[must_use]
    pub const fn severities(self) -> &'static [Severity] {
        use Severity::{Error, Info, Warning};
        match self {
            Self::Deadlock | Self::SelfDeadlock => &[Error, Warning],
            Self::LeakedWriteEnd | Self::StalledReader | Self::HiddenEnd => &[Warning, Info],
            Self::BlockedOpen => &[Warning],
            Self::NoReader | Self::NoWriter => &[Info],
            Self::FifoExposed | Self::EndHoard | Self::PipePages => &[Error, Warning, Info],
            Self::CrossesUsers | Self::CrossesContainers | Self::InheritedEnd | Self::DeletedFifo => &[Warning, Info],
        }
    }

    /// Whether it is a finding of `why`, and not only of an audit.
    #[must_use]
    pub const fn reported_by_why(self) -> bool {
        matches!(
            self,
            Self::Deadlock
                | Self::SelfDeadlock
                | Self::LeakedWriteEnd
                | Self::StalledReader
                | Self::BlockedOpen
                | Self::HiddenEnd
                | Self::NoReader
                | Self::NoWriter
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No finding has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACode;

impl FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|code| code.as_str() == text).ok_or(NotACode)
    }
}
