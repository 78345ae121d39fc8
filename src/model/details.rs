//! What a descriptor leads to that has no path: a socket, a process, what an epoll watches.

use serde::{Deserialize, Serialize};

use super::{CommandName, EventId, Fd, Pid, Socket};

/// What is known of a file besides its link in /proc/PID/fd; the field `kind` says which it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum FileDetails {
    /// A socket.
    Socket(Socket),
    /// A process; see `pidfd_open(2)`.
    Pidfd(ProcessFile),
    /// An epoll(7).
    Epoll(EpollFile),
    /// An eventfd(2).
    Eventfd(EventFile),
    /// A timer; see `timerfd_create(2)`.
    Timerfd(TimerFile),
    /// Signals; see signalfd(2).
    Signalfd(SignalFile),
    /// Changes of files; see inotify(7).
    Inotify(WatchFile),
    /// Changes of files; see fanotify(7).
    Fanotify,
    /// Requests; see `io_uring(7)`.
    #[serde(rename = "io_uring")]
    IoUring,
}

/// The process that a pidfd refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessFile {
    /// Its PID; none if it has been reaped, or is in a PID namespace that is not visible.
    pub pid: Option<Pid>,
    /// Its command; none as the PID, and if it could not be read.
    #[serde(flatten, serialize_with = "CommandName::or_null", deserialize_with = "CommandName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<CommandName>"))]
    pub command: Option<CommandName>,
}

/// What an epoll watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EpollFile {
    /// The descriptors of the same table that it watches, ascending; null if that could not be read without the risk of being blocked.
    pub watches: Option<Vec<Fd>>,
    /// The number of files that it watches besides, whose descriptors in this table were closed; missing if there is none.
    #[serde(default, skip_serializing_if = "super::number::is_zero")]
    pub others: usize,
}

/// An eventfd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventFile {
    /// Its number, which all descriptors of it have in common; null if the kernel did not say (before Linux 5.2).
    pub id: Option<EventId>,
    /// Its counter; 0 blocks a read.
    pub count: Option<u64>,
}

/// A timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TimerFile {
    /// Whether it is armed; null if it could not be read.
    pub armed: Option<bool>,
}

/// The signals that a signalfd receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignalFile {
    /// Their numbers, ascending; null if they could not be read.
    pub signals: Option<Vec<u32>>,
}

/// What an inotify instance watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WatchFile {
    /// The number of its watches; null if it could not be read.
    pub watches: Option<usize>,
}
