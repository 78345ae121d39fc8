//! Threads and what they are doing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AlternativeWake, CommandName, Fd, LinkTarget, Pid, PipeId, PipeWait, Tid, WaitTarget, number, time};

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
    /// What it did between the looks; missing if it was looked at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The threads that have not exited, ordered by thread ID. Empty if they could not be listed, and for a zombie.
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
            activity: None,
            tasks: vec![Task::new(id, TaskState::Unknown)],
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
    /// What else it polls or sleeps on: files that are no channel. Ordered by descriptor; empty if it does neither.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherFile>,
    /// If it ran between two looks, so that nothing is claimed of it, and was blocked again at the last: in what. It wakes now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub woke: Option<Box<TaskState>>,
    /// Changes if the thread runs.
    #[serde(skip)]
    pub trace: Fingerprint,
}

impl Task {
    /// A thread of which nothing else is known.
    #[must_use]
    pub fn new(id: TaskId, doing: TaskState) -> Self {
        Self { id, doing, idle: None, others: Vec::new(), woke: None, trace: Fingerprint::default() }
    }

    /// What it was last seen doing, also if it ran between the looks and was blocked again.
    #[must_use]
    pub fn last_seen(&self) -> &TaskState {
        self.woke.as_deref().unwrap_or(&self.doing)
    }
}

/// A file other than a channel that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OtherFile {
    /// The descriptor.
    pub fd: Fd,
    /// Its link in /proc/PID/fd; a socket is described in [`WaitedFiles`](super::WaitedFiles), by its inode.
    #[serde(flatten, serialize_with = "LinkTarget::or_null", deserialize_with = "LinkTarget::optional")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<LinkTarget>"))]
    pub target: Option<LinkTarget>,
}

/// What a process did between the first and the last look of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Activity {
    /// The milliseconds between the looks.
    #[serde(rename = "milliseconds")]
    pub over: u64,
    /// The CPU time of all of its threads, in milliseconds, in user and kernel mode.
    #[serde(rename = "cpu_milliseconds")]
    pub cpu: u64,
    /// The bytes that it read: `rchar` of `proc_pid_io(5)`; null if that may not be read.
    pub read: Option<u64>,
    /// The bytes that it wrote: `wchar`.
    pub written: Option<u64>,
}

impl Activity {
    /// Whether it used at least one part in so many of a CPU.
    #[must_use]
    pub(crate) fn uses_cpu(&self, parts: u64) -> bool {
        self.cpu.saturating_mul(parts) >= self.over.max(1)
    }
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
