//! Threads and what they are doing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words::{Either, words};
use super::{AccessMode, CommandName, Fd, LinkTarget, PathName, Pid, PipeId, Side, Tid, number, time};

/// Identifies a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskId {
    /// Its process.
    pub pid: Pid,
    /// The thread ID; equal to the PID for the first thread.
    pub tid: Tid,
}

impl TaskId {
    /// Whether it is the first thread of its process.
    #[must_use]
    pub const fn is_leader(self) -> bool {
        self.pid.0 == self.tid.0
    }
}

/// All processes of a machine with their threads.
pub type Threads = BTreeMap<Pid, ThreadGroup>;

/// A process with all its threads: a thread group in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThreadGroup {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    #[serde(rename = "ppid")]
    pub parent: Option<Pid>,
    /// The process group; 0 if it was created outside the PID namespace.
    pub pgid: Option<u32>,
    /// The session; 0 if it was created outside the PID namespace, and for kernel threads.
    pub sid: Option<u32>,
    /// The command name.
    #[serde(flatten)]
    pub command: CommandName,
    /// The process that traces it; see ptrace(2).
    pub tracer: Option<Pid>,
    /// The signals that it catches: `SigCgt` of `proc_pid_status(5)`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub catches: u64,
    /// The signals that it ignores: `SigIgn`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub ignores: u64,
    /// The signals that its first thread has blocked, as for signalfd(2): `SigBlk`.
    #[serde(default, with = "number::signals")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub blocks: u64,
    /// The children of the init process of a PID namespace, in the order in which it got them; none for other processes. Orphans are
    /// reparented to it and appended to the list (`forget_original_parent` in kernel/exit.c). Empty if they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopts: Option<Vec<Pid>>,
    /// The threads that have not exited, ordered by thread ID. Empty if they could not be listed.
    pub tasks: Vec<Task>,
}

impl ThreadGroup {
    /// A process that was not looked at: it may be doing anything.
    #[must_use]
    pub fn unknown(pid: Pid) -> Self {
        let id = TaskId { pid, tid: Tid(pid.0) };
        Self {
            pid,
            parent: None,
            pgid: None,
            sid: None,
            command: CommandName::default(),
            tracer: None,
            catches: u64::MAX,
            ignores: 0,
            blocks: u64::MAX,
            adopts: (pid == Pid(1)).then(Vec::new),
            tasks: vec![Task { id, doing: TaskState::Unknown, idle: None, trace: Fingerprint::default() }],
        }
    }

    /// The thread of that ID.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.binary_search_by_key(&id, |task| task.id).ok().and_then(|index| self.tasks.get(index))
    }
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Task {
    /// The thread. JSON has only the thread ID: the PID is that of the thread group, which sets it when it is read.
    #[serde(rename = "tid", serialize_with = "tid", deserialize_with = "of_tid")]
    #[cfg_attr(test, schemars(with = "Tid"))]
    pub id: TaskId,
    /// What it is doing.
    #[serde(flatten)]
    pub doing: TaskState,
    /// The time since it was last on a CPU; none if the kernel does not say.
    #[serde(rename = "idle_seconds", with = "time::seconds")]
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub idle: Option<Duration>,
    /// Changes if the thread runs.
    #[serde(skip)]
    pub trace: Fingerprint,
}

/// Shows whether a thread has run. If two scans have equal fingerprints, the thread has not run in between; or, if `switches` is not
/// known, it is at least in the same call again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The start time in clock ticks after boot, which distinguishes it from a later thread of the same ID.
    pub started: Option<u64>,
    /// The system call, with arguments, stack pointer and program counter.
    pub syscall: Vec<u8>,
    /// The kernel function it sleeps in, from /proc/PID/wchan.
    pub wchan: Vec<u8>,
    /// The number of context switches.
    pub switches: Option<u64>,
}

/// What a thread is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "doing", rename_all = "lowercase")]
pub enum TaskState {
    /// It is running, or runnable.
    Runs,
    /// It is blocked until one of the causes wakes it.
    Waits {
        /// What it waits for; not empty.
        #[serde(default)]
        causes: Vec<WaitTarget>,
        /// What else could wake it; none if only the causes can, short of a signal.
        #[serde(skip_serializing_if = "Option::is_none")]
        besides: Option<AlternativeWake>,
    },
    /// It is stopped by a signal.
    Stopped,
    /// It is stopped by its tracer.
    Traced,
    /// It is frozen by its cgroup.
    Frozen,
    /// It is blocked while exiting; /proc no longer shows its descriptors.
    Exits,
    /// It is blocked in something that is not a pipe.
    Sleeps {
        /// What it sleeps in.
        sleep: Sleep,
    },
    /// It could not be read.
    Unknown,
}

impl TaskState {
    /// What it waits for; empty if it does not wait.
    #[must_use]
    pub fn causes(&self) -> &[WaitTarget] {
        if let Self::Waits { causes, .. } = self { causes } else { &[] }
    }

    /// The pipes among those.
    pub fn pipe_waits(&self) -> impl Iterator<Item = &PipeWait> {
        self.causes().iter().filter_map(|cause| if let WaitTarget::Pipe(wait) = cause { Some(wait) } else { None })
    }
}

/// The thread ID alone.
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
    /// The exit of a child.
    Children(Children),
    /// Another thread of its process, by a private futex.
    Threads,
}

/// A [`WaitTarget`] as JSON has it: `wait` is for a child, `threads` for another thread of the same process.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FlatTarget {
    /// `read`, `write`, `open` or `poll` of a pipe; `wait` for a child; `threads`: for another thread of its own process.
    operation: Either<Operation, OtherWait>,
    /// `r`: it waits for data; `w`: for room; `rw`: for either; null for `wait` and `threads`.
    access: Option<AccessMode>,
    /// The descriptor; null for `open`, `wait` and `threads`, and if it is not known.
    fd: Option<Fd>,
    /// The ID of the pipe; null for `wait` and `threads`, and if it is not known.
    pipe: Option<PipeId>,
    /// For `open`: the path of the FIFO.
    #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<PathName>,
    /// For `open`: true if the FIFO has been deleted; otherwise missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    /// For `wait`: the child; missing if it waits for any child.
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
    /// `Read`: it waits for writers; `Write`: for readers; `ReadWrite`, a poll of an `O_RDWR` end: for both.
    pub access: AccessMode,
    /// The descriptor; none in open(2), and if it is not known.
    pub fd: Option<Fd>,
    /// The pipe; none if the system call could not be read, or the descriptor has been closed meanwhile.
    pub pipe: Option<PipeId>,
    /// In open(2): the path, joined to the directory that it is relative to if that is known. It may name another file in our mount
    /// namespace.
    pub path: Option<PathName>,
    /// In open(2): whether no file has that path any more: the FIFO was deleted, or it or what leads to it was renamed.
    pub deleted: bool,
}

impl PipeWait {
    /// The sides whose holders could end the wait.
    pub fn awaited(&self) -> impl Iterator<Item = Side> + use<> {
        let access = self.access;
        Side::BOTH.into_iter().filter(move |side| access.is_on(side.other()))
    }
}

words! {
    /// What a thread does at a pipe.
    pub enum Operation {
        /// read(2) and similar calls, and splice(2) or tee(2) from it.
        Read = "read",
        /// write(2) and similar calls, and splice(2), tee(2), vmsplice(2) or sendfile(2) to it.
        Write = "write",
        /// open(2) of a FIFO.
        Open = "open",
        /// poll(2), select(2), `epoll_wait(2)` and similar calls.
        Poll = "poll",
    }
}

/// Which children a wait(2) is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// This one.
    One(Pid),
    /// Any child, or any of a process group.
    All,
}

words! {
    /// What could end a wait apart from its causes.
    pub enum AlternativeWake {
        /// It has a timeout.
        Timeout = "timeout",
        /// It is also for descriptors other than pipes.
        Files = "files",
        /// It is for the lock of the pipe, held by another thread in a call that does not return.
        Lock = "lock",
    }
}

/// A sleep that is not on a pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sleep {
    /// What it sleeps on.
    #[serde(flatten)]
    pub on: SleepOn,
    /// The descriptor, if the call has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd: Option<Fd>,
    /// The link of that descriptor in /proc/PID/fd.
    #[serde(flatten, deserialize_with = "LinkTarget::optional")]
    pub target: Option<LinkTarget>,
    /// The kernel function, from /proc/PID/wchan.
    pub place: String,
}

/// What a thread sleeps on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "on", rename_all = "kebab-case")]
pub enum SleepOn {
    /// A timer: it wakes by itself.
    Timer,
    /// A signal.
    Signal,
    /// Files other than pipes, in poll(2) or a similar call.
    Files,
    /// Files that could not be identified, in poll(2) or a similar call: there may be pipes among them.
    SomeFiles,
    /// Another thread, perhaps of another process, perhaps with a timeout.
    Futex,
    /// A completion of `io_uring(7)`; which files it is for is not known.
    #[serde(rename = "io_uring")]
    IoUring,
    /// A terminal.
    Terminal,
    /// A socket.
    Socket,
    /// A file system, while it moves data to or from a pipe and holds its lock: no process can use the pipe meanwhile.
    FileInPipe {
        /// The pipe.
        pipe: PipeId,
    },
    /// Anything else.
    Other,
}
