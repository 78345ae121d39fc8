//! Reasons why a finding is not proven.

use serde::{Deserialize, Serialize};

use super::words::{Either, words};
use super::{CommandName, Fd, HiddenVia, Pid, PipeId, PossibleHolder};

/// A reason why a finding is not proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "FlatDoubt"))]
#[serde(try_from = "FlatDoubt", into = "FlatDoubt")]
pub enum Doubt {
    /// A process or the kernel may hold another end.
    Holder(PossibleHolder),
    /// Another process may open the FIFO by its path.
    Name(PipeId),
    /// A signal handler of this process may do what it is waiting for.
    Handler(Pid),
    /// The directories above this FIFO could not be examined, and may deny access to other users.
    Directories(PipeId),
    /// Orphans are reparented to this process, and it may have started what looks like an orphan.
    Starter(Pid),
}

impl Doubt {
    /// The process in question; none if it is about a pipe or the kernel.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Holder(suspect) => suspect.pid,
            Self::Handler(pid) | Self::Starter(pid) => Some(*pid),
            Self::Name(_) | Self::Directories(_) => None,
        }
    }
}

/// A [`Doubt`] in JSON. The writer of a report adds the command where it is missing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Doubt"))]
pub(crate) struct FlatDoubt {
    /// The kind; for a possible holder, how it may hold an end.
    what: Either<HiddenVia, DoubtKind>,
    pid: Option<Pid>,
    /// The descriptor of the socket or `io_uring`.
    fd: Option<Fd>,
    #[serde(flatten, serialize_with = "CommandName::or_null", deserialize_with = "CommandName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<CommandName>"))]
    pub(crate) command: Option<CommandName>,
    pipe: Option<PipeId>,
}

words! {
    /// A doubt that is not about an end.
    enum DoubtKind {
        /// Another process may open the FIFO by its path.
        Name = "name",
        /// A signal handler of the process may do what it is waiting for.
        Handler = "handler",
        /// The directories above the FIFO could not be examined, and may deny access to other users.
        Directories = "directories",
        /// Orphans are reparented to the process, and it may have started what looks like an orphan.
        Starter = "starter",
    }
}

impl From<Doubt> for FlatDoubt {
    fn from(doubt: Doubt) -> Self {
        let of = |what, pid, pipe| Self { what: Either::B(what), pid, fd: None, command: None, pipe };
        match doubt {
            Doubt::Name(pipe) => of(DoubtKind::Name, None, Some(pipe)),
            Doubt::Directories(pipe) => of(DoubtKind::Directories, None, Some(pipe)),
            Doubt::Handler(pid) => of(DoubtKind::Handler, Some(pid), None),
            Doubt::Starter(pid) => of(DoubtKind::Starter, Some(pid), None),
            Doubt::Holder(PossibleHolder { how, pid, fd, command }) => {
                Self { what: Either::A(how), pid, fd, command, pipe: None }
            }
        }
    }
}

impl TryFrom<FlatDoubt> for Doubt {
    type Error = String;

    fn try_from(flat: FlatDoubt) -> Result<Self, Self::Error> {
        let FlatDoubt { what, pid, fd, command, pipe } = flat;
        let kind = match what {
            Either::A(how) => return Ok(Self::Holder(PossibleHolder { how, pid, fd, command })),
            Either::B(kind) => kind,
        };
        let doubt = match kind {
            DoubtKind::Name => pipe.map(Self::Name),
            DoubtKind::Directories => pipe.map(Self::Directories),
            DoubtKind::Handler => pid.map(Self::Handler),
            DoubtKind::Starter => pid.map(Self::Starter),
        };
        doubt.ok_or_else(|| format!("a doubt of kind {kind} lacks its process or pipe"))
    }
}
