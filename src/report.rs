//! The report as JSON has it, schema version 1, both ways: written from what was observed and found, and read back into the same.
//!
//! The parts are the types of the model, which serialize themselves. Here is what JSON has in addition: facts that follow from others
//! (the kind of a pipe, the command of a holder), which are written for the reader and checked when they are read.

mod read;
mod view;
mod write;

use serde::{Deserialize, Serialize};

use crate::findings::{self, AuditScope};
use crate::model::{
    Backend, CommandName, Descriptor, Device, Endpoint, FlatDoubt, Gap, Host, Pid, Pipe, PipeKind, PipeLimits,
    PossibleHolder, Probed, Process, TaskId, ThreadGroup, Time, Uid, UserPages, ViewLimit, Wait, WaitedFiles, Waker,
    number,
};

pub(crate) use self::read::Saved;
pub(crate) use self::view::{Judgment, ReportView, Scope};
#[cfg(test)]
pub(crate) use self::write::{AuditLine, Line};
pub(crate) use self::write::{Each, Origin};

/// The version of the schema. An added field keeps it.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A whole report. The parts are generic: borrowed and made one by one for writing, the model's own types for reading.
///
/// To add a field to a part, add it to its type in `model/` or `findings/`, and set it where that is observed: it is written and read by
/// serde. To add one that follows from other facts, add it to the type here and set it in `report/write.rs`; `report/read.rs` ignores it,
/// or checks it. Either way it must be an `Option` or `#[serde(default)]`, since reports of older versions lack it; then run
/// `SNAPSHOTS=overwrite cargo test committed_schema`, which rewrites `schema/lspipe.schema.json`, and add the field to the strict types of
/// `tests/it/support/report.rs`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(title = "lspipe report", description = "A whole report.", rename = "Report")
)]
pub(crate) struct Report<
    Processes = Vec<OfUser<Process>>,
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
    /// What may hold an end of any pipe that no fd table shows, where that was looked for: by `lspipe why`, `lspipe audit` and `--probe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden: Option<Vec<PossibleHolder>>,
    /// What the machine allows to processes that make pipes; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<PipeLimits>,
    /// The pages that count against those limits, by user; only from `lspipe audit`, where the kernel said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_pages: Option<Vec<UserPages>>,
    /// The whole fd tables that were asked for; only from `lspipe fds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) descriptors: Option<Descriptors>,
    /// What threads are doing, by process; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<Threads>,
    /// What threads wait for that is no channel: sockets, eventfds, futexes; only from `lspipe why` and `lspipe audit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) waited: Option<WaitedFiles>,
    /// The threads that wait for a channel or a child, by PID, thread and descriptor; only from `lspipe why` and `lspipe audit`.
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
    /// Where the ends come from; missing in reports of earlier versions, which had only `proc`.
    #[serde(default)]
    pub(crate) backend: Backend,
    /// Whether everything was seen. If not, a pipe may have ends that are not listed.
    pub(crate) complete: bool,
    /// The number of processes that were looked at: all, but by `lspipe fds` of processes that have no pipe those alone.
    pub(crate) processes: usize,
    /// The number of those that could not be read completely.
    pub(crate) unreadable: usize,
    /// The number of processes and descriptors that went away during the scan.
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

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Ancestor {
    pub(crate) pid: Pid,
    /// 0 for a process without a parent in the PID namespace.
    pub(crate) ppid: Pid,
}

/// A fact about a process with the name of its user.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Process"))]
pub(crate) struct OfUser<T, User = Option<String>> {
    #[serde(flatten)]
    pub(crate) of: T,
    pub(crate) user: User,
}

/// A fact with the command of its process.
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
pub(crate) struct End<T = Endpoint, Command = CommandName, User = Option<String>> {
    #[serde(flatten)]
    pub(crate) end: T,
    #[serde(flatten)]
    pub(crate) command: Command,
    /// The effective user ID.
    pub(crate) uid: Option<Uid>,
    pub(crate) user: User,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Pipe"))]
pub(crate) struct PipeEntry<P = Pipe, Ends = Vec<End>> {
    pub(crate) kind: PipeKind,
    pub(crate) inode: u64,
    /// `MAJ:MIN`; null for an anonymous pipe in a tree of plain files.
    pub(crate) device: Option<Device>,
    #[serde(flatten)]
    pub(crate) pipe: P,
    /// By PID, thread and descriptor. An end that is open for reading and writing is in both lists.
    pub(crate) readers: Ends,
    pub(crate) writers: Ends,
    #[serde(flatten)]
    pub(crate) probed: Probed,
    /// What may hold the end that no fd table shows, where there is one; at most four of each kind. What may hold one of any pipe is in
    /// `hidden` and `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden_by: Option<Vec<PossibleHolder>>,
    /// How many there are besides; missing if all are listed.
    #[serde(default, skip_serializing_if = "number::is_zero")]
    pub(crate) hidden_by_omitted: usize,
}

/// Maximum number of wakers that are listed of a wait: those of many waits are the same.
pub(crate) const MOST_WAKERS: usize = 16;

/// A wait with the commands of its processes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Wait"))]
pub(crate) struct WaitEntry<W = Wait, Command = CommandName, Wakers = Vec<Named<Waker>>> {
    #[serde(flatten)]
    pub(crate) wait: W,
    #[serde(flatten)]
    pub(crate) command: Command,
    /// What could end it: the holders of the other side, or the children meant. Empty for `open`, since no process is there yet, and
    /// where none was seen. Of more than 16, the first 16: the others are the other ends on that side of the pipe in `pipes`, or the other
    /// children of the process in `threads`.
    pub(crate) wakers: Wakers,
    /// How many there are besides; missing if all are listed.
    #[serde(skip_serializing_if = "number::is_zero")]
    pub(crate) wakers_omitted: usize,
}

/// A wait as it is read.
#[derive(Deserialize)]
pub(crate) struct ReadWait {
    #[serde(flatten)]
    pub(crate) wait: Wait,
    #[serde(default)]
    pub(crate) wakers_omitted: usize,
}

/// A finding in which each thread and doubt has the command of its process.
pub(crate) type Finding = findings::Finding<Named<TaskId>, FlatDoubt>;

/// A report as it is read: the commands in waits and findings are redundant.
pub(crate) type ReadReport =
    Report<Vec<OfUser<Process>>, Vec<PipeEntry>, Vec<ThreadGroup>, Vec<ReadWait>, Vec<findings::Finding>>;
