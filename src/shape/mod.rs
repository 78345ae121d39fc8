//! The shapes of the JSON, schema version 1, for both ways: a report is written in them, and read back from them. Nothing but shapes:
//! what they are made of is in `render`, and what is made of them in `saved`.
//!
//! A name that is no UTF-8 is given lossily in its field, and exactly, in base64, in a field with `_bytes` added. A field that is
//! missing, as in a report of an older version, reads as null.

mod audit;
mod descriptor;
mod diff;
mod facts;
mod graph;
mod pipe;
mod process;
mod why;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub(crate) use self::audit::{Audit, AuditLine, AuditSummary, AuditTold, FindingCounts};
pub(crate) use self::descriptor::Descriptor;
pub(crate) use self::diff::{Count, Difference, EndChange, EndState, Origin, PipeChange, Summary};
pub(crate) use self::facts::{Directories, Limits, PipeFile, ProcessFacts};
pub(crate) use self::graph::{Edge, Flow, Graph, InheritedCopy, Mark, Node, Participant};
pub(crate) use self::pipe::{End, Opener, Pipe, PossibleHolder};
pub(crate) use self::process::{Ancestor, PossibleEnds, Process, Unreadable};
pub(crate) use self::why::{Doubt, Evidence, Finding, Sleep, Task, TaskName, ThreadGroup, Wait, WaitTarget, Waker};

/// The version of the schema. Adding a field keeps it.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A word of a fixed set.
pub(crate) type Word = Cow<'static, str>;

/// A whole report.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(title = "lspipe report", rename = "Report"))]
pub(crate) struct Report<'a, Processes = Vec<Process<'a>>, Pipes = Vec<Pipe<'a>>> {
    /// 1; adding a field keeps it.
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    pub(crate) host: Host<'a>,
    /// When the scan began: RFC 3339, UTC, to the millisecond.
    pub(crate) taken_at: String,
    pub(crate) scan: Scan<'a>,
    /// What could not be read, by PID.
    pub(crate) unreadable: Vec<Unreadable<'a>>,
    /// The processes that hold an end of a listed pipe, or wait to open one, by PID.
    pub(crate) processes: Processes,
    /// The pipes, by ID.
    pub(crate) pipes: Pipes,
    /// The ancestors of `processes` that are none of these, by PID; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ancestors: Option<Vec<Ancestor>>,
    /// Who may hold an end of any pipe that no fd table shows, where that was looked for; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hidden: Option<Vec<PossibleHolder>>,
    /// What the machine allows to those who make pipes; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<Limits>,
    /// The whole fd tables that were asked for; only from `lspipe fds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) descriptors: Option<Vec<Descriptor<'a>>>,
    /// What threads are doing, by process; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<Vec<ThreadGroup<'a>>>,
    /// Who waits for a pipe or a child, by PID, thread and descriptor; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits: Option<Vec<Wait<'a>>>,
    /// What is wrong, the worst first; only from `lspipe why` and `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) findings: Option<Vec<Finding<'a>>>,
    /// How the audit came to its findings; only from `lspipe audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audit: Option<Audit>,
}

/// One line of `--ndjson`: a pipe, complete in itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Line"))]
pub(crate) struct Line<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    pub(crate) host: Host<'a>,
    pub(crate) taken_at: String,
    pub(crate) scan: Scan<'a>,
    pub(crate) pipe: Pipe<'a>,
}

/// The machine; a field is null where the proc tree does not say.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Host<'a> {
    pub(crate) hostname: Option<Cow<'a, str>>,
    /// The release of the kernel.
    pub(crate) kernel: Option<Cow<'a, str>>,
    pub(crate) boot_id: Option<Cow<'a, str>>,
    /// When it was booted, by its clock at the time of the report: `started_at` of processes is counted from there. Null where that was
    /// not asked for.
    pub(crate) booted_at: Option<String>,
}

/// How much of the machine was seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Scan<'a> {
    /// The proc root.
    pub(crate) proc: Cow<'a, str>,
    /// Whether everything was seen. If not, a pipe may have ends that are not listed.
    pub(crate) complete: bool,
    /// How many processes there were.
    pub(crate) processes: usize,
    /// How many of them could not be read whole.
    pub(crate) unreadable: usize,
    /// How many processes and descriptors went away while the scan looked at them.
    pub(crate) vanished: usize,
    /// Why there may be processes that were not even listed: `pid-namespace` or `hidepid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outside: Option<Word>,
    /// Whether a selection left pipes out: true, or missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) selected: bool,
    /// The PID of the lspipe that made it; missing where PIDs are those of another PID namespace than its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
}

/// A command name.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Command<'a> {
    pub(crate) command: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command_bytes: Option<String>,
}

impl<'a> Command<'a> {
    pub(crate) fn of(name: &'a [u8]) -> Self {
        Self { command: String::from_utf8_lossy(name), command_bytes: exact(name) }
    }
}

/// The bytes of a name in base64, where its text cannot give them.
pub(crate) fn exact(name: &[u8]) -> Option<String> {
    std::str::from_utf8(name).is_err().then(|| base64(name))
}

/// Bytes in base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
