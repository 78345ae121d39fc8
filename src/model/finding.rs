//! What is wrong on a machine: who waits for whom, and what that amounts to.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{
    AccessMode, Code, Doubt, Endpoint, Fd, PathName, Pid, PipeId, PipePages, PipeWait, Record, Risk, Side, TaskId, Tid,
    Uid,
};

/// All that `why` tells of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Every wait for a pipe or a child, ordered by process, thread and descriptor.
    pub waits: Vec<Wait>,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// Whether anything is wrong that is more than worth knowing.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity() < Severity::Info)
    }
}

/// A thread waits for something, and these could end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Who waits.
    pub task: TaskId,
    /// For what; a wait of one thread for several pipes is as many waits.
    pub subject: Subject,
    /// Who could end it, ordered as ends are. None for an open(2): whoever opens the other side is not there yet.
    pub wakers: Vec<Waker>,
    /// How it is known.
    pub certainty: Attribution,
}

/// What a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A pipe.
    Pipe(PipeWait),
    /// A child that exits.
    Child,
}

impl Wait {
    /// The pipe, if it is for one that could be told.
    #[must_use]
    pub const fn pipe(&self) -> Option<PipeId> {
        match &self.subject {
            Subject::Pipe(wait) => wait.pipe,
            Subject::Child => None,
        }
    }

    /// The descriptor, likewise.
    #[must_use]
    pub const fn fd(&self) -> Option<Fd> {
        match &self.subject {
            Subject::Pipe(wait) => wait.fd,
            Subject::Child => None,
        }
    }
}

/// Who could end a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Waker {
    /// The process.
    pub pid: Pid,
    /// The thread, as in [`Endpoint::tid`].
    pub tid: Option<Tid>,
    /// The descriptor by which it could; none for a child.
    pub fd: Option<Fd>,
}

impl From<&Endpoint> for Waker {
    fn from(end: &Endpoint) -> Self {
        Self { pid: end.pid, tid: end.tid, fd: Some(end.fd) }
    }
}

words! {
    /// How it is known for what a thread waits.
    pub enum Attribution {
        /// By its system call and by the place where it sleeps, which agree.
        Seen = "seen",
        /// By the place where it sleeps, and there is one pipe only that it could mean.
        Inferred = "inferred",
        /// By the place where it sleeps: this is one of several pipes that it could mean.
        Candidate = "candidate",
    }
}

words! {
    /// How bad a finding is.
    pub enum Severity {
        /// It does not work, and will not.
        Error = "error",
        /// Something hangs, or is about to.
        Warning = "warning",
        /// Worth knowing.
        Info = "info",
    }
}

words! {
    /// How a finding is known.
    pub enum Certainty {
        /// It follows from what the kernel shows.
        Proven = "proven",
        /// It is a judgement of how processes are related.
        Inferred = "inferred",
        /// It would follow, but there is something that could not be seen.
        Suspected = "suspected",
    }
}

/// Something that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub fault: Fault,
    /// Who it is about: the threads that are blocked first, then others by which it is to be cured.
    pub tasks: Vec<TaskId>,
    /// The pipes it is about, by ID.
    pub pipes: Vec<PipeId>,
    /// What keeps it from being proven; for a hidden end, who may hold it.
    pub doubts: Vec<Doubt>,
}

impl Finding {
    /// The word for it in every output.
    #[must_use]
    pub fn code(&self) -> Code {
        match &self.fault {
            Fault::Deadlock { itself: false, .. } => Code::Deadlock,
            Fault::Deadlock { itself: true, .. } => Code::SelfDeadlock,
            Fault::LeakedWriteEnd { .. } => Code::LeakedWriteEnd,
            Fault::StalledReader { .. } => Code::StalledReader,
            Fault::BlockedOpen { .. } => Code::BlockedOpen,
            Fault::HiddenEnd { .. } => Code::HiddenEnd,
            Fault::Missing { side: Side::Read, .. } => Code::NoReader,
            Fault::Missing { side: Side::Write, .. } => Code::NoWriter,
            Fault::Recorded(record) => record.code,
            Fault::Risk(risk) => risk.code(),
        }
    }

    /// How bad it is. What would be an error and could not be proven is a warning only.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match &self.fault {
            Fault::Recorded(record) => record.severity,
            Fault::Deadlock { .. } if self.doubts.is_empty() => Severity::Error,
            Fault::StalledReader { patient: true, .. }
            | Fault::LeakedWriteEnd { patient: true, .. }
            | Fault::HiddenEnd { usual: true, .. }
            | Fault::Missing { .. } => Severity::Info,
            Fault::Risk(risk) if self.doubts.is_empty() => risk.severity(),
            Fault::Risk(risk) => risk.severity().max(Severity::Warning),
            _ => Severity::Warning,
        }
    }

    /// How it is known.
    #[must_use]
    pub fn proof(&self) -> Certainty {
        match &self.fault {
            Fault::Recorded(record) => record.proof,
            Fault::HiddenEnd { .. } => Certainty::Proven,
            _ if !self.doubts.is_empty() => Certainty::Suspected,
            Fault::LeakedWriteEnd { .. }
            | Fault::Risk(Risk::InheritedEnd { .. } | Risk::PipePages(PipePages { estimated: true, .. })) => {
                Certainty::Inferred
            }
            _ => Certainty::Proven,
        }
    }

    /// Other threads that are stuck because of it.
    #[must_use]
    pub fn behind(&self) -> &[TaskId] {
        match &self.fault {
            Fault::Deadlock { behind, .. } => behind,
            Fault::Recorded(record) => &record.behind,
            _ => &[],
        }
    }

    /// What makes two findings the same, whenever they were made. Those who hold an end may change all the while, as the children of a
    /// shell that has it do: what hangs is the same.
    #[must_use]
    pub fn key(&self) -> (Code, &[TaskId], &[PipeId], Option<Uid>) {
        let tasks = match &self.fault {
            Fault::LeakedWriteEnd { readers, .. } => readers,
            Fault::StalledReader { writers, .. } => writers,
            _ => &self.tasks,
        };
        (self.code(), tasks, &self.pipes, self.user())
    }

    /// The user that it is about, where it is about one and not about a pipe.
    #[must_use]
    pub const fn user(&self) -> Option<Uid> {
        if let Fault::Risk(risk) = &self.fault { risk.user() } else { None }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Threads that wait for each other and for nobody else: only a signal, or a new process, can end it.
    Deadlock {
        /// Whether they are all of one process.
        itself: bool,
        /// A circle through them, in order: each waits for the process of the next, the last for that of the first.
        circle: Vec<WaitEdge>,
        /// Other threads that are stuck because of them.
        behind: Vec<TaskId>,
    },
    /// Readers wait for end of file, and the write end is held by those only who have nothing to do with their pipeline.
    LeakedWriteEnd {
        /// The pipe.
        pipe: PipeId,
        /// Who waits.
        readers: Vec<TaskId>,
        /// Who holds the write end.
        holders: Vec<Holder>,
        /// Whether it may well go on by itself: each of the readers waits for something else as well, or for some time only.
        patient: bool,
    },
    /// Writers wait for room in a full pipe, and no reader is about to read.
    StalledReader {
        /// The pipe.
        pipe: PipeId,
        /// Who waits.
        writers: Vec<TaskId>,
        /// Who holds the read end.
        readers: Vec<Pid>,
        /// Whether it may well go on by itself: the readers wait for a terminal, a socket or other files.
        patient: bool,
    },
    /// Nobody has the other side of a FIFO.
    BlockedOpen {
        /// The FIFO, if it could be told.
        pipe: Option<PipeId>,
        /// The path, as the first of them gave it.
        path: Option<PathName>,
        /// Who waits, and how each opens it.
        openers: Vec<(TaskId, AccessMode)>,
    },
    /// There is an end that no fd table shows.
    HiddenEnd {
        /// The pipe.
        pipe: PipeId,
        /// The side of that end.
        side: Side,
        /// Whether that is to be expected: some process could not be read.
        usual: bool,
    },
    /// Nobody is on a side of a pipe.
    Missing {
        /// The pipe.
        pipe: PipeId,
        /// The side.
        side: Side,
    },
    /// What only an audit tells: it works, and may not stay so, or should not.
    Risk(Risk),
    /// What it was is known from a saved report only, in words.
    Recorded(Box<Record>),
}

/// A step of a circle: a thread, what it waits for, and by which end the next could end that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitEdge {
    /// Who waits.
    pub task: TaskId,
    /// For what; none for another thread of its own process.
    pub subject: Option<Subject>,
    /// Who could end it.
    pub waker: Waker,
}

/// Who holds a write end that it should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The end.
    pub end: Endpoint,
    /// Why it is none of the pipeline.
    pub stranger: Relation,
    /// An ancestor that has the same end under the same number, so that it was surely inherited from there.
    pub inherited_from: Option<Pid>,
}

/// Why the holder of an end is none of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It is the reader itself, which did not close its own copy.
    Own,
    /// It has the FIFO open for both.
    ReadWrite,
    /// It is in another session, and neither an ancestor nor a descendant.
    OtherSession,
    /// The process that started it has ended.
    Orphan,
    /// It is another program, which has the end under a number that it was not told of, and without `O_CLOEXEC`.
    Inherited,
}
