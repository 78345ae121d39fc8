//! What threads are doing: which of them wait, and for what.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words::{Either, words};
use super::{AccessMode, CommandName, Fd, LinkTarget, PathName, Pid, PipeId, Side, Tid, number, time};

/// Which thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskId {
    /// Its process.
    pub pid: Pid,
    /// Its thread ID, which is that of the process for the first thread.
    pub tid: Tid,
}

impl TaskId {
    /// Whether it is the first thread of its process.
    #[must_use]
    pub const fn is_leader(self) -> bool {
        self.pid.0 == self.tid.0
    }
}

/// The processes of a machine with all their threads.
pub type Threads = BTreeMap<Pid, ThreadGroup>;

/// A process with all its threads at one time: the kernel's word is thread group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThreadGroup {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    #[serde(rename = "ppid")]
    pub parent: Option<Pid>,
    /// The process group; 0 if it was made outside the PID namespace.
    pub pgid: Option<u32>,
    /// The session; 0 if it was made outside the PID namespace, and for kernel threads.
    pub sid: Option<u32>,
    /// The command name.
    #[serde(flatten)]
    pub command: CommandName,
    /// The process that traces it; see ptrace(2).
    pub tracer: Option<Pid>,
    /// The signals that it catches, by their bits in `SigCgt` of `proc_pid_status(5)`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub catches: u64,
    /// Those that it ignores, likewise in `SigIgn`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub ignores: u64,
    /// Those that its first thread has blocked, as for signalfd(2), likewise in `SigBlk`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub blocks: u64,
    /// Its children in the order in which it got them, where it is the first process of a PID namespace; none where it is not. Orphans
    /// come to it, and stand behind those that it had before (`forget_original_parent` in kernel/exit.c). Empty if they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopts: Option<Vec<Pid>>,
    /// Its threads, by thread ID, without those that have ended. Empty where they could not be listed.
    pub tasks: Vec<Task>,
}

impl ThreadGroup {
    /// One of its threads.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.binary_search_by_key(&id, |task| task.id).ok().and_then(|index| self.tasks.get(index))
    }
}

/// A thread at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Task {
    /// Which thread. In JSON its process is that of the group, which sets it when it is read.
    #[serde(rename = "tid", serialize_with = "tid", deserialize_with = "of_tid")]
    #[cfg_attr(test, schemars(with = "Tid"))]
    pub id: TaskId,
    /// What it is doing.
    #[serde(flatten)]
    pub doing: TaskState,
    /// For how long it has not been on a processor; none where the kernel does not say.
    #[serde(rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
    /// What changes if it moves.
    #[serde(skip)]
    pub trace: Fingerprint,
}

/// Everything by which it shows that a thread has moved. Of two looks with equal traces the thread has not run in between, where
/// `switches` is known, and else it has at least come back to the very same call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// When it was started, in clock ticks after boot: tells it from a later thread of the same number.
    pub started: Option<u64>,
    /// The system call, with arguments, stack pointer and program counter.
    pub syscall: Vec<u8>,
    /// Where in the kernel it sleeps.
    pub wchan: Vec<u8>,
    /// How often it has left a processor.
    pub switches: Option<u64>,
}

/// What a thread is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "doing", rename_all = "lowercase")]
pub enum TaskState {
    /// It runs, or could.
    Runs,
    /// It is blocked until one of the causes ends that.
    Waits {
        /// What could end it; not empty.
        #[serde(default)]
        causes: Vec<WaitTarget>,
        /// What else could end it; none where only the causes can, short of a signal.
        #[serde(skip_serializing_if = "Option::is_none")]
        besides: Option<AlternativeWake>,
    },
    /// It is stopped by a signal.
    Stopped,
    /// It is stopped by whoever traces it.
    Traced,
    /// It is frozen by its control group.
    Frozen,
    /// It is blocked while it exits. Its descriptors are no longer to be seen.
    Exits,
    /// It is blocked in something that has nothing to do with pipes.
    Sleeps {
        /// What it sleeps in.
        sleep: Sleep,
    },
    /// It could not be read.
    Unknown,
}

impl TaskState {
    /// What it waits for; empty where it does not wait.
    #[must_use]
    pub fn causes(&self) -> &[WaitTarget] {
        if let Self::Waits { causes, .. } = self { causes } else { &[] }
    }

    /// The pipes among those.
    pub fn pipe_waits(&self) -> impl Iterator<Item = &PipeWait> {
        self.causes().iter().filter_map(|cause| if let WaitTarget::Pipe(wait) = cause { Some(wait) } else { None })
    }
}

/// The thread ID, by which a thread stands in the list of its process.
fn tid<S: Serializer>(id: &TaskId, serializer: S) -> Result<S::Ok, S::Error> {
    id.tid.serialize(serializer)
}

fn of_tid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskId, D::Error> {
    Ok(TaskId { pid: Pid(0), tid: Tid::deserialize(deserializer)? })
}

/// One thing that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "FlatTarget"))]
#[serde(from = "FlatTarget", into = "FlatTarget")]
pub enum WaitTarget {
    /// A pipe.
    Pipe(PipeWait),
    /// That a child exits.
    Children(Children),
    /// Another thread of its process: a futex that only those know.
    Threads,
}

/// A [`WaitTarget`] as JSON has it: `wait` is for a child, `threads` for another thread of the same process.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FlatTarget {
    /// `read`, `write`, `open` or `poll` of a pipe; `wait` for a child; `threads`: for another thread of its own process.
    operation: Either<Operation, OtherWait>,
    /// As what it waits: `r` for data, `w` for room, `rw` for either; null for `wait` and `threads`.
    access: Option<AccessMode>,
    /// The descriptor; null for `open`, `wait` and `threads`, and where it is not known.
    fd: Option<Fd>,
    /// The ID of the pipe; null for `wait` and `threads`, and where it is not known.
    pipe: Option<PipeId>,
    /// For `open`: the path of the FIFO.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<PathName>,
    /// For `open`: whether no file has that path any more: true, or missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    /// For `wait`: the child; missing where any will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<Pid>,
}

words! {
    /// A wait that is not for a pipe.
    enum OtherWait {
        /// For a child.
        Wait = "wait",
        /// For another thread of the same process.
        Threads = "threads",
    }
}

impl From<WaitTarget> for FlatTarget {
    fn from(target: WaitTarget) -> Self {
        let of = |word, child| {
            let (operation, access, fd, pipe, path) = (Either::B(word), None, None, None, None);
            Self { operation, access, fd, pipe, path, deleted: false, child }
        };
        match target {
            WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path, deleted }) => {
                let (operation, access) = (Either::A(operation), Some(access));
                Self { operation, access, fd, pipe, path, deleted, child: None }
            }
            WaitTarget::Children(Children::One(child)) => of(OtherWait::Wait, Some(child)),
            WaitTarget::Children(Children::All) => of(OtherWait::Wait, None),
            WaitTarget::Threads => of(OtherWait::Threads, None),
        }
    }
}

impl From<FlatTarget> for WaitTarget {
    fn from(flat: FlatTarget) -> Self {
        let FlatTarget { operation, access, fd, pipe, path, deleted, child } = flat;
        let operation = match operation {
            Either::A(operation) => operation,
            Either::B(OtherWait::Wait) => return Self::Children(child.map_or(Children::All, Children::One)),
            Either::B(OtherWait::Threads) => return Self::Threads,
        };
        // Missing in reports of older versions.
        let usual = if operation == Operation::Write { AccessMode::Write } else { AccessMode::Read };
        Self::Pipe(PipeWait { operation, access: access.unwrap_or(usual), fd, pipe, path, deleted })
    }
}

/// A thread's wait for a pipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipeWait {
    /// What it does at the pipe.
    pub operation: Operation,
    /// As what it waits: a reader for writers, a writer for readers, and who polls a read-write end for both.
    pub access: AccessMode,
    /// The descriptor; none in open(2), and where it could not be told.
    pub fd: Option<Fd>,
    /// The pipe; none where the system call could not be read, or the descriptor is closed meanwhile.
    pub pipe: Option<PipeId>,
    /// In open(2): the path, after the directory that it is relative to where that has a name. It may lead elsewhere for us.
    pub path: Option<PathName>,
    /// In open(2): whether no file has that path any more: the FIFO was deleted, or it or what leads to it was renamed.
    pub deleted: bool,
}

impl PipeWait {
    /// The sides whose holders could end it.
    pub fn awaited(&self) -> impl Iterator<Item = Side> + use<> {
        let access = self.access;
        Side::BOTH.into_iter().filter(move |side| access.is_on(side.other()))
    }
}

words! {
    /// What a thread does at a pipe.
    pub enum Operation {
        /// read(2) and its kin, and taking from it with splice(2) or tee(2).
        Read = "read",
        /// write(2) and its kin, and putting into it with splice(2), tee(2), vmsplice(2) or sendfile(2).
        Write = "write",
        /// open(2) of a FIFO.
        Open = "open",
        /// poll(2), select(2), `epoll_wait(2)` and their kin.
        Poll = "poll",
    }
}

/// Which children a wait(2) is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// This one.
    One(Pid),
    /// Any, or some group of them.
    All,
}

words! {
    /// What else than its causes could end a wait.
    pub enum AlternativeWake {
        /// It has a timeout.
        Timeout = "timeout",
        /// It is also for descriptors that are no pipes.
        Files = "files",
        /// It is for a lock of the pipe, which another thread holds in a call that does not return.
        Lock = "lock",
    }
}

/// What a thread sleeps in, where that is no pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sleep {
    /// What it is.
    #[serde(flatten)]
    pub on: SleepOn,
    /// The descriptor, where its call is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<Fd>,
    /// What that leads to, as in /proc/PID/fd.
    #[serde(flatten, deserialize_with = "LinkTarget::optional")]
    pub target: Option<LinkTarget>,
    /// The symbol in the kernel, as /proc/PID/wchan has it.
    pub place: String,
}

/// On what a thread sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "on", rename_all = "kebab-case")]
pub enum SleepOn {
    /// A clock: it will wake by itself.
    Timer,
    /// A signal.
    Signal,
    /// Files that are no pipes, in poll(2) or a like call.
    Files,
    /// Files that could not be identified, in poll(2) or a like call: pipes may be among them.
    SomeFiles,
    /// Another thread, perhaps of another process, perhaps with a timeout.
    Futex,
    /// An event of `io_uring(7)`, which does not show on what.
    #[serde(rename = "io_uring")]
    IoUring,
    /// A terminal.
    Terminal,
    /// A socket.
    Socket,
    /// It passes data through a pipe, and waits for a file system in the middle of it: no process can use the pipe meanwhile.
    FileInPipe {
        /// The pipe.
        pipe: PipeId,
    },
    /// Anything else.
    Other,
}
