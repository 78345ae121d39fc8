//! The JSON contract as strict types of the tests' own: an unknown, missing or mistyped field fails the test on purpose.
//!
//! They are written from the documented contract, and apart from the types that lspipe writes with.

mod audit;
mod diff;
mod why;

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::facts::{Limits, PipeFile};

pub(crate) use self::audit::{Audit, AuditLine, Counts};
pub(crate) use self::diff::{Count, Difference, PipeChange};
pub(crate) use self::why::{Doing, Evidence, Finding, ThreadGroup, Wait, Waited};

/// A field that may be null but must be there: serde takes an absent one for null unless it has a function that reads it.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

/// A time stamp of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Time(Timestamp);

impl Time {
    /// Seconds since 1970.
    pub(crate) fn seconds(self) -> f64 {
        self.0.as_duration().as_secs_f64()
    }
}

impl TryFrom<String> for Time {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) schema_version: u32,
    pub(crate) host: Host,
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) processes: Vec<Process>,
    pub(crate) pipes: Vec<Pipe>,
    /// Of `lspipe why` only.
    #[serde(default)]
    pub(crate) ancestors: Vec<Ancestor>,
    #[serde(default)]
    pub(crate) hidden: Vec<Suspect>,
    /// Of `lspipe audit` only.
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) limits: Option<Limits>,
    /// Of `lspipe audit` only, where the kernel said so.
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) user_pages: Option<Vec<UserPages>>,
    /// Whole fd tables, of `lspipe fds` only.
    #[serde(default)]
    pub(crate) descriptors: Vec<Descriptor>,
    /// Of `lspipe why` only, as are waits and findings.
    #[serde(default)]
    pub(crate) threads: Option<Vec<ThreadGroup>>,
    #[serde(default)]
    pub(crate) waits: Option<Vec<Wait>>,
    #[serde(default)]
    pub(crate) waited: Option<Waited>,
    #[serde(default)]
    pub(crate) findings: Option<Vec<Finding>>,
    /// Of `lspipe audit` only.
    #[serde(default)]
    pub(crate) audit: Option<Audit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ancestor {
    pub(crate) pid: u32,
    pub(crate) ppid: u32,
}

/// One line of `--ndjson`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) schema_version: u32,
    pub(crate) host: Host,
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
    pub(crate) pipe: Pipe,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Host {
    #[serde(deserialize_with = "nullable")]
    pub(crate) hostname: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) kernel: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) boot_id: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) booted_at: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scan {
    pub(crate) proc: String,
    #[serde(default)]
    pub(crate) backend: Option<String>,
    pub(crate) complete: bool,
    pub(crate) processes: usize,
    pub(crate) unreadable: usize,
    pub(crate) vanished: usize,
    #[serde(default)]
    pub(crate) outside: Option<String>,
    #[serde(default)]
    pub(crate) selected: bool,
    /// That of lspipe, where the PIDs are those of the PID namespace that it ran in.
    #[serde(default)]
    pub(crate) pid: Option<u32>,
    /// Whether lspipe had all rights to read.
    #[serde(default)]
    pub(crate) privileged: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unreadable {
    pub(crate) pid: u32,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) tid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) uid: Option<u32>,
    pub(crate) what: String,
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) fd: Option<u32>,
    #[serde(default)]
    pub(crate) fds: Option<u64>,
    #[serde(default)]
    pub(crate) mount: Option<String>,
    pub(crate) may_hold: MayHold,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MayHold {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) anonymous: bool,
    #[serde(default)]
    pub(crate) device: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "every field of the contract is here, so that it is read strictly")]
pub(crate) struct Process {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) ppid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pgid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) sid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) uid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) user_bytes: Option<String>,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) cmdline: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) cmdline_bytes: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) cmdline_cut: bool,
    #[serde(deserialize_with = "nullable")]
    pub(crate) state: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) started_at: Option<Time>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) ns_pid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) container: Option<String>,
    #[serde(default)]
    pub(crate) container_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) unit: Option<String>,
    #[serde(default)]
    pub(crate) unit_bytes: Option<String>,
    /// Of `lspipe audit` only, as what follows.
    #[serde(default)]
    pub(crate) fd_limit: Option<u64>,
    #[serde(default)]
    pub(crate) fds: Option<u64>,
    #[serde(default)]
    pub(crate) pid_namespace: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pipe {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) inode: u64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) device: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) path_bytes: Option<String>,
    pub(crate) deleted: bool,
    pub(crate) readers: Vec<End>,
    pub(crate) writers: Vec<End>,
    pub(crate) openers: Vec<Opener>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) queued: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) capacity: Option<u64>,
    #[serde(default)]
    pub(crate) full: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) hidden_readers: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) hidden_writers: Option<bool>,
    /// Where the kernel gave its account only.
    #[serde(default)]
    pub(crate) reader_count: Option<u32>,
    #[serde(default)]
    pub(crate) writer_count: Option<u32>,
    #[serde(default)]
    pub(crate) unseen_readers: Option<Unseen>,
    #[serde(default)]
    pub(crate) unseen_writers: Option<Unseen>,
    /// Of pipes with a hidden end only.
    #[serde(default)]
    pub(crate) hidden_by: Option<Vec<Suspect>>,
    #[serde(default)]
    pub(crate) hidden_by_omitted: usize,
    /// Of `lspipe audit` only.
    #[serde(default)]
    pub(crate) file: Option<PipeFile>,
}

/// A process, or the kernel, that may hold a hidden end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspect {
    pub(crate) how: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) fd: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) command: Option<String>,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
}

/// The pages of the pipes of a user.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct UserPages {
    pub(crate) uid: u32,
    pub(crate) pages: u64,
}

/// What the kernel counts on a side besides what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unseen {
    pub(crate) descriptions: u32,
    pub(crate) references: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    pub(crate) access: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) flags: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) description: Option<u32>,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) uid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) user: Option<String>,
    #[serde(default)]
    pub(crate) user_bytes: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opener {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    pub(crate) access: String,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) access: Option<String>,
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub(crate) file_type: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) flags: Option<Vec<String>>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) target_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pipe: Option<String>,
    #[serde(default)]
    pub(crate) details: Option<serde_json::Value>,
    #[serde(default)]
    pub(crate) polled: Option<bool>,
}

/// A name as the kernel has it: from its text or, where that is lossy, from the base64 beside it.
#[track_caller]
pub(crate) fn exact(text: &str, bytes: Option<&str>) -> Vec<u8> {
    let Some(bytes) = bytes else {
        return text.as_bytes().to_vec();
    };
    let exact = STANDARD.decode(bytes).expect("base64");
    assert!(std::str::from_utf8(&exact).is_err(), "{text:?} is given in bytes although it is UTF-8");
    assert_eq!(String::from_utf8_lossy(&exact), text, "the text is the lossy form of the bytes");
    exact
}

impl Process {
    /// The command line; empty where it could not be read.
    pub(crate) fn cmdline(&self) -> Vec<Vec<u8>> {
        match (&self.cmdline, &self.cmdline_bytes) {
            (_, Some(bytes)) => bytes.iter().map(|word| STANDARD.decode(word).expect("base64")).collect(),
            (words, None) => words.iter().flatten().map(|word| word.as_bytes().to_vec()).collect(),
        }
    }
}

impl End {
    pub(crate) fn key(&self) -> (u32, Option<u32>, u32) {
        (self.pid, self.tid, self.fd)
    }
}

impl Pipe {
    pub(crate) fn ends(&self) -> impl Iterator<Item = &End> {
        // A read-write end stands on both sides: count it once.
        self.readers.iter().chain(self.writers.iter().filter(|end| end.access == "w"))
    }

    /// Every process on it.
    pub(crate) fn pids(&self) -> BTreeSet<u32> {
        self.ends().map(|end| end.pid).chain(self.openers.iter().map(|opener| opener.pid)).collect()
    }

    pub(crate) fn path(&self) -> Option<Vec<u8>> {
        self.path.as_deref().map(|path| exact(path, self.path_bytes.as_deref()))
    }
}

impl Report {
    /// Reads a report, and checks every promise that holds for any.
    #[track_caller]
    pub(crate) fn parse(json: &[u8]) -> Self {
        let report: Self = serde_json::from_slice(json).unwrap_or_else(|error| {
            panic!("not the JSON of the contract: {error}\n{}", String::from_utf8_lossy(json));
        });
        report.check();
        report
    }

    /// What threads wait for, as `lspipe why` reports it.
    #[track_caller]
    pub(crate) fn waits(&self) -> &[Wait] {
        self.waits.as_deref().expect("a report of why")
    }

    /// What `lspipe why` found.
    #[track_caller]
    pub(crate) fn findings(&self) -> &[Finding] {
        self.findings.as_deref().expect("a report of why")
    }

    pub(crate) fn pipe(&self, id: &str) -> Option<&Pipe> {
        self.pipes.iter().find(|pipe| pipe.id == id)
    }

    /// The pipes that any of these processes is on.
    pub(crate) fn pipes_of(&self, pids: &BTreeSet<u32>) -> BTreeSet<&str> {
        self.pipes.iter().filter(|pipe| !pipe.pids().is_disjoint(pids)).map(|pipe| pipe.id.as_str()).collect()
    }
}
