//! The types of the program: pipes, ends, processes, threads, and what a scan could not see.
//!
//! Knows nothing of /proc, of options or of output, and imports nothing of the crate. Names of processes and files are
//! bytes, since the kernel promises no encoding for them.

mod cost;
mod coverage;
mod descriptor;
mod details;
mod doubt;
mod file;
pub(crate) mod link;
mod name;
pub(crate) mod number;
mod pipe;
mod probed;
mod process;
mod socket;
mod target;
mod task;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod transfer;
mod users;
mod wait;
pub(crate) mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use self::cost::CostLimits;
pub use self::coverage::{Backend, Coverage, Gap, PossibleEnds, ScanLimit, UnionOfGaps, UnreadablePart, ViewLimit};
pub use self::descriptor::{AccessMode, Descriptor, Endpoint, FileType, OpenFlags};
pub use self::details::{EpollFile, EventFile, FileDetails, ProcessFile, SignalFile, TimerFile, WatchFile};
pub(crate) use self::doubt::FlatDoubt;
pub use self::doubt::{Doubt, Doubts};
pub use self::file::{Class, Directories, PipeFile, PipeLimits, UserPages};
#[cfg(test)]
pub(crate) use self::name::tests::OrNull;
pub use self::name::{Base64, CommandName, LinkTarget, PathName};
pub use self::number::{Device, Fd, Gid, NotAPipeId, Pid, Tid, Uid};
pub use self::pipe::{Opener, Pipe, PipeId, PipeKind, PtyFlow, Side};
pub use self::probed::{Hidden, HiddenVia, HolderFd, PossibleHolder, Probed, References, Suspects, Unseen};
pub use self::process::{CommandLine, Process};
pub use self::socket::{LockHolders, Socket, SocketFamily, SocketState, SocketType, UnixPeer, WaitedFiles};
pub use self::target::{
    AlternativeWake, Children, EventId, FileLock, FileLockKind, FileLockWait, Operation, PipeWait, SharedLock,
    WaitTarget,
};
pub use self::task::{Activity, Fingerprint, OtherFile, Sleep, SleepOn, Task, TaskId, TaskState, ThreadGroup, Threads};
pub use self::time::Time;
pub use self::users::Users;
pub use self::wait::{Attribution, Certainty, Severity, Wait, Waker, Wakers};

/// The machine that was scanned; a field is none if the proc tree does not have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Host {
    /// The name of the host.
    pub hostname: Option<String>,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The random ID of this boot.
    pub boot_id: Option<String>,
    /// The boot time, by the clock at the time of the scan. Start times are computed from it.
    pub booted_at: Option<Time>,
}

/// All pipes of a machine with all their ends, of one scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipeGraph {
    /// The machine.
    pub host: Host,
    /// When the scan began.
    pub taken_at: Time,
    /// What the scan covered.
    pub coverage: Coverage,
    /// The device of all anonymous pipes; none in a proc tree of plain files.
    pub pipefs: Option<Device>,
    /// Every process, with its parent if parents were asked for.
    pub parents: BTreeMap<Pid, Option<Pid>>,
    /// Every process that holds an end, by PID.
    pub processes: BTreeMap<Pid, Process>,
    /// The parents of processes that are blocked in open(2), as far as they hold no end. Not in a report.
    pub beside: BTreeMap<Pid, Process>,
    /// Every pipe that has an end, ordered by ID.
    #[serde(with = "transfer::pipes")]
    pub pipes: Vec<Pipe>,
    /// The whole fd tables that were asked for, ordered by PID, thread and number.
    pub descriptors: Vec<Descriptor>,
    /// The kernel's answers, for the pipes that it was asked about.
    #[serde(with = "transfer::probed")]
    pub probed: BTreeMap<PipeId, Probed>,
    /// What may hold an end that no fd table shows; empty if that was not examined.
    pub hidden: Hidden,
    /// What threads wait for that is no channel.
    pub waited: WaitedFiles,
    /// Whether each end is waited for, as far as that was looked at and seen. Not in a report.
    #[serde(with = "transfer::pairs")]
    pub polled: BTreeMap<(Pid, Option<Tid>, Fd), bool>,
    /// Whether a selection has left out pipes.
    pub selected: bool,
    /// The limits of pipe pages per user.
    pub limits: PipeLimits,
    /// The pages that count against those limits, by user, ascending; empty if the kernel did not say.
    pub user_pages: Vec<UserPages>,
}

impl PipeGraph {
    /// A machine of which everything was seen, and that has nothing: for tests to add to.
    #[cfg(test)]
    pub(crate) fn empty() -> Self {
        Self {
            host: Host::default(),
            taken_at: Time::EPOCH,
            coverage: Coverage {
                proc_root: "/proc".into(),
                backend: Backend::Proc,
                processes: 0,
                vanished: 0,
                gaps: Vec::new(),
                union: UnionOfGaps::default(),
                outside: None,
                privileged: true,
                own_pids: true,
                scanner: None,
            },
            pipefs: None,
            parents: BTreeMap::new(),
            processes: BTreeMap::new(),
            beside: BTreeMap::new(),
            pipes: Vec::new(),
            descriptors: Vec::new(),
            probed: BTreeMap::new(),
            hidden: Hidden::default(),
            waited: WaitedFiles::default(),
            polled: BTreeMap::new(),
            selected: false,
            limits: PipeLimits::default(),
            user_pages: Vec::new(),
        }
    }

    /// The device of a pipe; none of a UNIX socket.
    #[must_use]
    pub fn device(&self, id: PipeId) -> Option<Device> {
        if id.kind() == PipeKind::Anonymous { self.pipefs } else { id.device() }
    }

    /// The effective users of the holders and openers on one side of a pipe, ascending.
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
