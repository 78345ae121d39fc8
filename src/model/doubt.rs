//! What keeps a finding from being proven.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{CommandName, Fd, HiddenVia, Pid, PipeId, PossibleHolder};

/// What keeps a finding from being proven.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "FlatDoubt"))]
#[serde(try_from = "FlatDoubt", into = "FlatDoubt")]
pub enum Doubt {
    /// This one may hold an end too.
    Holder(PossibleHolder),
    /// The FIFO has a name, by which somebody else may open it.
    Name(PipeId),
    /// This process catches signals, and a handler may do what it waits for.
    Handler(Pid),
    /// The directories of this FIFO could not be looked at, and may keep others out.
    Directories(PipeId),
    /// This process takes in orphans, and may have started itself what looks like one.
    Starter(Pid),
}

impl Doubt {
    /// The process that it is about, if it is one.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Holder(suspect) => suspect.pid,
            Self::Handler(pid) | Self::Starter(pid) => Some(*pid),
            Self::Name(_) | Self::Directories(_) => None,
        }
    }
}

/// A [`Doubt`] as JSON has it. The command of a process that is no holder is filled in by who writes the report.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Doubt"))]
pub(crate) struct FlatDoubt {
    what: DoubtKind,
    pid: Option<Pid>,
    /// The descriptor of the socket or of the ring.
    fd: Option<Fd>,
    #[serde(flatten, serialize_with = "CommandName::or_null", deserialize_with = "CommandName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<CommandName>"))]
    pub(crate) command: Option<CommandName>,
    pipe: Option<PipeId>,
}

words! {
    /// What a doubt is about: a process may hold an end, in one of the ways of [`HiddenVia`], or something else may be so.
    enum DoubtKind {
        ScmRights = "scm-rights",
        IoUring = "io_uring",
        Exiting = "exiting",
        Autofs = "autofs",
        Unreadable = "unreadable",
        Outside = "outside",
        /// Another process may open the FIFO by its path.
        Name = "name",
        /// A signal handler of the process may do what is waited for.
        Handler = "handler",
        /// The directories above the FIFO could not be looked at, and may keep other users out.
        Directories = "directories",
        /// The process adopts orphans, and may have started what looks like one.
        Starter = "starter",
    }
}

impl From<Doubt> for FlatDoubt {
    fn from(doubt: Doubt) -> Self {
        let of = |what, pid, pipe| Self { what, pid, fd: None, command: None, pipe };
        match doubt {
            Doubt::Name(pipe) => of(DoubtKind::Name, None, Some(pipe)),
            Doubt::Directories(pipe) => of(DoubtKind::Directories, None, Some(pipe)),
            Doubt::Handler(pid) => of(DoubtKind::Handler, Some(pid), None),
            Doubt::Starter(pid) => of(DoubtKind::Starter, Some(pid), None),
            Doubt::Holder(PossibleHolder { how, pid, fd, command }) => {
                let what = match how {
                    HiddenVia::ScmRights => DoubtKind::ScmRights,
                    HiddenVia::IoUring => DoubtKind::IoUring,
                    HiddenVia::Exiting => DoubtKind::Exiting,
                    HiddenVia::Autofs => DoubtKind::Autofs,
                    HiddenVia::Unreadable => DoubtKind::Unreadable,
                    HiddenVia::Outside => DoubtKind::Outside,
                };
                Self { fd, command, ..of(what, pid, None) }
            }
        }
    }
}

impl TryFrom<FlatDoubt> for Doubt {
    type Error = String;

    fn try_from(flat: FlatDoubt) -> Result<Self, Self::Error> {
        let FlatDoubt { what, pid, fd, command, pipe } = flat;
        let lacks = |field: &str| format!("a doubt of kind {what} has no {field}");
        let holder = |how| Ok(Self::Holder(PossibleHolder { how, pid, fd, command }));
        match what {
            DoubtKind::ScmRights => holder(HiddenVia::ScmRights),
            DoubtKind::IoUring => holder(HiddenVia::IoUring),
            DoubtKind::Exiting => holder(HiddenVia::Exiting),
            DoubtKind::Autofs => holder(HiddenVia::Autofs),
            DoubtKind::Unreadable => holder(HiddenVia::Unreadable),
            DoubtKind::Outside => holder(HiddenVia::Outside),
            DoubtKind::Name => pipe.map(Self::Name).ok_or_else(|| lacks("pipe")),
            DoubtKind::Directories => pipe.map(Self::Directories).ok_or_else(|| lacks("pipe")),
            DoubtKind::Handler => pid.map(Self::Handler).ok_or_else(|| lacks("pid")),
            DoubtKind::Starter => pid.map(Self::Starter).ok_or_else(|| lacks("pid")),
        }
    }
}
