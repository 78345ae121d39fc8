//! Reasons why a finding is not proven.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words::{Either, words};
use super::{CommandName, Fd, HiddenVia, Pid, PipeId, PossibleHolder, Suspects};

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
    /// The kernel counts an end of this pipe that was not seen.
    Counted(PipeId),
    /// An end of this pipe that was seen has a reference that no descriptor accounts for, as one that is in flight has.
    Referenced(PipeId),
}

impl Doubt {
    /// The word for its kind.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Holder(holder) => holder.how.as_str(),
            Self::Name(_) => DoubtKind::Name.as_str(),
            Self::Handler(_) => DoubtKind::Handler.as_str(),
            Self::Directories(_) => DoubtKind::Directories.as_str(),
            Self::Starter(_) => DoubtKind::Starter.as_str(),
            Self::Counted(_) => DoubtKind::Counted.as_str(),
            Self::Referenced(_) => DoubtKind::Referenced.as_str(),
        }
    }

    /// The process in question; none if it is about a pipe or the kernel.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Holder(suspect) => suspect.pid,
            Self::Handler(pid) | Self::Starter(pid) => Some(*pid),
            Self::Name(_) | Self::Directories(_) | Self::Counted(_) | Self::Referenced(_) => None,
        }
    }
}

/// Why a finding is not proven: at most `Suspects::MOST` reasons of each kind, and how many there are besides, since each finding may have
/// as many as there are processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubts {
    /// In order.
    pub named: Vec<Doubt>,
    /// How many more there are of each kind, by its word in JSON.
    pub more: BTreeMap<&'static str, usize>,
}

impl Doubts {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// How many are not named.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.more.values().sum()
    }

    /// How many of a kind there are.
    pub(crate) fn count(&self, what: &str) -> usize {
        let named = self.named.iter().filter(|doubt| doubt.what() == what).count();
        named + self.more.get(what).copied().unwrap_or_default()
    }

    /// Adds other possible holders than those that are in it.
    pub(crate) fn extend_holders(&mut self, suspects: &Suspects) {
        self.extend(suspects.named.iter().cloned().map(Doubt::Holder));
        for (how, more) in &suspects.more {
            *self.more.entry(how.as_str()).or_default() += more;
        }
    }
}

/// Other doubts than those that are in it.
impl Extend<Doubt> for Doubts {
    fn extend<I: IntoIterator<Item = Doubt>>(&mut self, doubts: I) {
        for doubt in doubts {
            let what = doubt.what();
            if self.named.iter().filter(|known| known.what() == what).count() < Suspects::MOST {
                let place = self.named.partition_point(|known| *known < doubt);
                self.named.insert(place, doubt);
            } else {
                *self.more.entry(what).or_default() += 1;
            }
        }
    }
}

impl From<&Suspects> for Doubts {
    fn from(suspects: &Suspects) -> Self {
        let mut doubts = Self::default();
        doubts.extend_holders(suspects);
        doubts
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
        /// The kernel counts an end of the pipe that was not seen.
        Counted = "counted",
        /// An end of the pipe that was seen has a reference that no descriptor accounts for.
        Referenced = "referenced",
    }
}

impl From<Doubt> for FlatDoubt {
    fn from(doubt: Doubt) -> Self {
        let of = |what, pid, pipe| Self { what: Either::B(what), pid, fd: None, command: None, pipe };
        match doubt {
            Doubt::Name(pipe) => of(DoubtKind::Name, None, Some(pipe)),
            Doubt::Directories(pipe) => of(DoubtKind::Directories, None, Some(pipe)),
            Doubt::Counted(pipe) => of(DoubtKind::Counted, None, Some(pipe)),
            Doubt::Referenced(pipe) => of(DoubtKind::Referenced, None, Some(pipe)),
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
            DoubtKind::Counted => pipe.map(Self::Counted),
            DoubtKind::Referenced => pipe.map(Self::Referenced),
            DoubtKind::Handler => pid.map(Self::Handler),
            DoubtKind::Starter => pid.map(Self::Starter),
        };
        doubt.ok_or_else(|| format!("a doubt of kind {kind} lacks its process or pipe"))
    }
}
