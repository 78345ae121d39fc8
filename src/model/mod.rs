//! The words of the program as types: what a pipe, an end and a process are, and what a scan could not see.
//!
//! Knows nothing of /proc, of options or of output, and imports nothing of the crate. Names of processes and files are
//! bytes, since the kernel promises no encoding for them.

mod coverage;
mod descriptor;
mod doubt;
mod file;
mod name;
mod number;
mod pipe;
mod probed;
mod process;
mod task;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod transfer;
mod users;
mod wait;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::coverage::{Coverage, Gap, PossibleEnds, UnreadablePart, ViewLimit};
pub use self::descriptor::{AccessMode, Descriptor, Endpoint, FileType, OpenFlags};
pub use self::doubt::Doubt;
pub(crate) use self::doubt::FlatDoubt;
pub use self::file::{Class, Directories, PipeFile, PipeLimits};
#[cfg(test)]
pub(crate) use self::name::tests::OrNull;
pub use self::name::{Base64, CommandName, LinkTarget, PathName};
pub use self::number::{Device, Fd, Gid, NotAPipeId, Pid, Tid, Uid};
pub use self::pipe::{Opener, Pipe, PipeId, PipeKind, Side};
pub use self::probed::{Hidden, HiddenVia, HolderFd, PossibleHolder, Probed};
pub use self::process::{CommandLine, Process, ancestors};
pub use self::task::{
    AlternativeWake, Children, Fingerprint, Operation, PipeWait, Sleep, SleepOn, Task, TaskId, TaskState, ThreadGroup,
    Threads, WaitTarget,
};
pub use self::time::Time;
pub use self::users::Users;
pub use self::wait::{Attribution, Certainty, Severity, Wait, Waker};

/// The machine that was scanned; a field is none where the proc tree does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The random ID of this boot.
    pub boot_id: Option<String>,
    /// When it was booted, by its clock at the time of the report: what times of starts are counted from.
    pub booted_at: Option<Time>,
}

/// All pipes of a machine with all their ends, at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipeGraph {
    /// The machine.
    pub host: Host,
    /// When the scan began.
    pub taken_at: Time,
    /// How much of it was seen.
    pub coverage: Coverage,
    /// The device of all anonymous pipes; none in a proc tree of plain files.
    pub pipefs: Option<Device>,
    /// Every process there was, with its parent if parents were wanted.
    pub parents: BTreeMap<Pid, Option<Pid>>,
    /// Every process that holds an end, by PID.
    pub processes: BTreeMap<Pid, Process>,
    /// Every pipe that has an end, ordered by ID.
    #[serde(with = "transfer::pipes")]
    pub pipes: Vec<Pipe>,
    /// The whole fd tables that were asked for, ordered by PID, thread and number.
    pub descriptors: Vec<Descriptor>,
    /// What the kernel said of those pipes that it was asked about.
    #[serde(with = "transfer::probed")]
    pub probed: BTreeMap<PipeId, Probed>,
    /// What may hold an end that no fd table shows; empty where nobody looked.
    pub hidden: Hidden,
    /// Whether a selection has left out pipes.
    pub selected: bool,
    /// How many pages the pipes of a user may take.
    pub limits: PipeLimits,
}

impl PipeGraph {
    /// The device that a pipe is on.
    #[must_use]
    pub fn device(&self, id: PipeId) -> Option<Device> {
        id.device().or(self.pipefs)
    }

    /// The parent of a process, the parent of that, and so on, as far as they are known.
    pub fn ancestors(&self, pid: Pid) -> impl Iterator<Item = Pid> {
        let listed = |pid: Pid| self.processes.get(&pid)?.ppid.map(Pid);
        ancestors(pid, move |pid| listed(pid).or_else(|| *self.parents.get(&pid)?))
    }

    /// Whether all of them are known, up to the first process of all.
    #[must_use]
    pub fn knows_ancestors(&self, pid: Pid) -> bool {
        let first = self.ancestors(pid).last().unwrap_or(pid);
        first == Pid(1)
            || self.processes.get(&first).is_some_and(|process| process.ppid.is_some())
            || self.parents.get(&first).is_some_and(Option::is_some)
    }

    /// The effective users on a side of a pipe, those who are opening it too, ascending.
    #[must_use]
    pub fn users_on(&self, pipe: &Pipe, side: Side) -> Vec<Uid> {
        let users: BTreeSet<Uid> = pipe.on(side).filter_map(|pid| self.processes.get(&pid)?.uid).collect();
        users.into_iter().collect()
    }

    /// The pipe of that ID.
    #[must_use]
    pub fn pipe(&self, id: PipeId) -> Option<&Pipe> {
        let index = self.pipes.binary_search_by_key(&id, |pipe| pipe.id).ok()?;
        self.pipes.get(index)
    }
}
