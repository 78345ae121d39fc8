//! The report as JSON has it, schema version 1, both ways: written from what was observed and found, and read back into the same.
//!
//! The parts are the types of the model, which serialize themselves. Here is what JSON has beside them: what follows from a fact is
//! written for the reader (the kind of a pipe, the name of a holder), and checked when it is read. A field that is missing, as in a
//! report of an older version, reads as null.

mod finding;
mod read;
mod view;
mod write;

use serde::{Deserialize, Serialize};

use crate::findings::AuditScope;
use crate::model::{
    CommandName, Descriptor, Device, Gap, Host, Pid, PipeKind, PipeLimits, PossibleHolder, Probed, ThreadGroup, Time,
    Uid, ViewLimit,
};

pub(crate) use self::finding::Finding;
pub(crate) use self::read::Parts;
pub(crate) use self::view::{Asked, ReportView, Told};
pub(crate) use self::write::Each;
#[cfg(test)]
pub(crate) use self::write::{AuditLine, Line};

/// The version of the schema. An added field keeps it.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A whole report. What is written is made of borrowed parts, one by one; what is read, of the model's types.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "lspipe report", rename = "Report"))]
pub(crate) struct Report<
    Processes = Vec<OfUser<crate::model::Process>>,
    Pipes = Vec<PipeEntry>,
    Threads = Vec<ThreadGroup>,
    Waits = Vec<WaitEntry>,
    Findings = Vec<Finding>,
    Gaps = Vec<Gap>,
    Descriptors = Vec<Descriptor>,
> {
    /// 1; an added field keeps it.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    pub(crate) host: Host,
    /// When the scan began.
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
    /// What could not be read, by PID.
    pub(crate) unreadable: Gaps,
    /// The processes that hold an end of a listed pipe, or wait to open one, by PID.
    pub(crate) processes: Processes,
    /// The pipes, by ID.
    pub(crate) pipes: Pipes,
    /// The ancestors of `processes` that are not among them, by PID; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ancestors: Option<Vec<Ancestor>>,
    /// What may hold an end of any pipe that no fd table shows, where that was looked for; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden: Option<Vec<PossibleHolder>>,
    /// What the machine allows to processes that make pipes; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<PipeLimits>,
    /// The whole fd tables that were asked for; only from `lspipe fds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) descriptors: Option<Descriptors>,
    /// What threads are doing, by process; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<Threads>,
    /// The threads that wait for a pipe or a child, by PID, thread and descriptor; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<Waits>,
    /// What is wrong, the worst first; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) findings: Option<Findings>,
    /// How the audit came to its findings; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<AuditScope>,
}

/// How much of the machine was seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Scan {
    /// The proc root.
    pub(crate) proc: String,
    /// Whether everything was seen. If not, a pipe may have ends that are not listed.
    pub(crate) complete: bool,
    /// How many processes there were.
    pub(crate) processes: usize,
    /// How many of them could not be read completely.
    pub(crate) unreadable: usize,
    /// How many processes and descriptors went away while the scan looked at them.
    pub(crate) vanished: usize,
    /// Why there may be processes that were not even listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "ViewLimit"))]
    pub(crate) outside: Option<ViewLimit>,
    /// Whether a selection left pipes out: true, or missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) selected: bool,
    /// The PID of the lspipe that made it; missing where PIDs are those of another PID namespace than its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Pid"))]
    pub(crate) pid: Option<Pid>,
    /// Whether the scan had the capabilities that open every process: true, or missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) privileged: bool,
}

/// A process and its parent.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Ancestor {
    pub(crate) pid: Pid,
    /// 0 for one that has none, or whose parent is outside the PID namespace.
    pub(crate) ppid: Pid,
}

/// Something with the name of its user.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Process"))]
pub(crate) struct OfUser<T, User = Option<String>> {
    #[serde(flatten)]
    pub(crate) of: T,
    /// The name of the user.
    pub(crate) user: User,
}

/// Something with the name of its process.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Waker"))]
pub(crate) struct Named<T, Command = CommandName> {
    #[serde(flatten)]
    pub(crate) of: T,
    #[serde(flatten)]
    pub(crate) command: Command,
}

/// An end of a pipe, with its holder.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "End"))]
pub(crate) struct End<T = crate::model::Endpoint, Command = CommandName, User = Option<String>> {
    #[serde(flatten)]
    pub(crate) end: T,
    #[serde(flatten)]
    pub(crate) command: Command,
    /// The effective user ID.
    pub(crate) uid: Option<Uid>,
    pub(crate) user: User,
}

/// A pipe or FIFO.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Pipe"))]
pub(crate) struct PipeEntry<Pipe = crate::model::Pipe, Ends = Vec<End>> {
    pub(crate) kind: PipeKind,
    pub(crate) inode: u64,
    /// `MAJ:MIN`; null for an anonymous pipe in a tree of plain files.
    pub(crate) device: Option<Device>,
    #[serde(flatten)]
    pub(crate) pipe: Pipe,
    /// By PID, thread and descriptor. An end that is open for reading and writing is in both lists.
    pub(crate) readers: Ends,
    pub(crate) writers: Ends,
    #[serde(flatten)]
    pub(crate) probed: Probed,
    /// What may hold the end that no fd table shows, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden_by: Option<Vec<PossibleHolder>>,
}

/// A wait, with the names of its processes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Wait"))]
pub(crate) struct WaitEntry<Wait = crate::model::Wait, Command = CommandName, Wakers = Vec<Named<crate::model::Waker>>>
{
    #[serde(flatten)]
    pub(crate) wait: Wait,
    #[serde(flatten)]
    pub(crate) command: Command,
    /// What could end it: the holders of the other side, or the children meant. Empty for `open`, since no process is there yet, and
    /// where none was seen.
    pub(crate) wakers: Wakers,
}

/// A report as it is read: the names of processes in waits and findings are not needed again.
pub(crate) type ReadReport = Report<
    Vec<OfUser<crate::model::Process>>,
    Vec<PipeEntry>,
    Vec<ThreadGroup>,
    Vec<crate::model::Wait>,
    Vec<crate::findings::Finding>,
>;
