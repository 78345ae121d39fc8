//! What threads are doing: which of them wait, and for what.

use serde::{Deserialize, Serialize};

use super::words::words;
use std::collections::BTreeMap;
use std::time::Duration;

use super::{AccessMode, Fd, Pid, PipeId, Side, Tid};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadGroup {
    /// The process ID.
    pub pid: Pid,
    /// The parent.
    pub parent: Option<Pid>,
    /// The process group; 0 if it was made outside the PID namespace.
    pub pgid: Option<u32>,
    /// The session; 0 if it was made outside the PID namespace, and for kernel threads.
    pub sid: Option<u32>,
    /// The command name.
    pub command: Vec<u8>,
    /// The process that traces it; see ptrace(2).
    pub tracer: Option<Pid>,
    /// The signals that it catches, by their bits in `SigCgt` of `proc_pid_status(5)`.
    pub catches: u64,
    /// Those that its first thread has blocked, as for signalfd(2), likewise in `SigBlk`.
    pub blocks: u64,
    /// Its children in the order in which it got them, where it is the first process of a PID namespace; none where it is not. Orphans
    /// come to it, and stand behind those that it had before (`forget_original_parent` in kernel/exit.c). Empty if they could not be read.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Which thread.
    pub id: TaskId,
    /// What it is doing.
    pub doing: TaskState,
    /// For how long it has not been on a processor; none where the kernel does not say.
    pub idle: Option<Duration>,
    /// What changes if it moves.
    pub trace: Fingerprint,
}

/// Everything by which it shows that a thread has moved. Of two looks with equal traces the thread has not run in between, where
/// `switches` is known, and else it has at least come back to the very same call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It runs, or could.
    Runs,
    /// It is blocked until one of the causes ends that.
    Waits {
        /// What could end it; not empty.
        causes: Vec<WaitTarget>,
        /// What else could end it; none where only the causes can, short of a signal.
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
    Sleeps(Sleep),
    /// It could not be read.
    Unknown,
}

impl TaskState {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Waits { .. } => "waits",
            Self::Stopped => "stopped",
            Self::Traced => "traced",
            Self::Frozen => "frozen",
            Self::Exits => "exits",
            Self::Sleeps(_) => "sleeps",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitTarget {
    /// A pipe.
    Pipe(PipeWait),
    /// That a child exits.
    Children(Children),
    /// Another thread of its process: a futex that only those know.
    Threads,
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
    pub path: Option<Vec<u8>>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sleep {
    /// What it is.
    pub on: SleepOn,
    /// The descriptor, where its call is about one.
    pub fd: Option<Fd>,
    /// What that leads to, as in /proc/PID/fd.
    pub target: Option<Vec<u8>>,
    /// The symbol in the kernel.
    pub place: Vec<u8>,
}

/// On what a thread sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SleepOn {
    /// A clock: it will wake by itself.
    Timer,
    /// A signal.
    Signal,
    /// Files that are no pipes, in poll(2) or a like call.
    Files,
    /// Files that could not be told, in poll(2) or a like call: pipes may be among them.
    SomeFiles,
    /// Another thread, perhaps of another process, perhaps with a timeout.
    Futex,
    /// An event of `io_uring(7)`, which does not show on what.
    IoUring,
    /// A terminal.
    Terminal,
    /// A socket.
    Socket,
    /// It passes data through a pipe, and waits for a file system in the middle of it: nobody can use the pipe meanwhile.
    FileInPipe(PipeId),
    /// Anything else.
    Other,
}

impl SleepOn {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Signal => "signal",
            Self::Files => "files",
            Self::SomeFiles => "some-files",
            Self::Futex => "futex",
            Self::IoUring => "io_uring",
            Self::Terminal => "terminal",
            Self::Socket => "socket",
            Self::FileInPipe(_) => "file-in-pipe",
            Self::Other => "other",
        }
    }
}
