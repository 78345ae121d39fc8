//! The strict types of what `why` adds to a report.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::nullable;

/// A process with what its threads are doing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "every field of the contract is here, so that it is read strictly")]
pub(crate) struct ThreadGroup {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) ppid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pgid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) sid: Option<u32>,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tracer: Option<u32>,
    /// The signals that it catches and that it blocks, and whether orphans come to it.
    #[serde(default)]
    pub(crate) catches: Option<Value>,
    #[serde(default)]
    pub(crate) ignores: Option<Value>,
    #[serde(default)]
    pub(crate) blocks: Option<Value>,
    #[serde(default)]
    pub(crate) adopts: Option<Value>,
    #[serde(default)]
    pub(crate) activity: Option<Activity>,
    pub(crate) tasks: Vec<Doing>,
}

/// What a process did between the looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activity {
    pub(crate) milliseconds: u64,
    pub(crate) cpu_milliseconds: u64,
    #[serde(deserialize_with = "nullable")]
    pub(crate) read: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) written: Option<u64>,
}

/// A file that is no channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct OtherFile {
    pub(crate) fd: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) target_bytes: Option<String>,
}

/// A futex that processes share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    pub(crate) device: String,
    pub(crate) inode: u64,
    pub(crate) offset: u64,
}

/// What threads wait for that is no channel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waited {
    pub(crate) sockets: Vec<(u64, Socket)>,
    pub(crate) events: Vec<(u32, BTreeSet<u32>)>,
    pub(crate) locks: Vec<(Lock, BTreeSet<u32>)>,
    #[serde(default)]
    pub(crate) file_locks: Vec<(FileLock, LockHolders)>,
    #[serde(default)]
    pub(crate) peers: Vec<(u64, BTreeSet<u32>)>,
}

/// A lock on a file, of flock(2) or fcntl(2).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct FileLock {
    pub(crate) kind: String,
    pub(crate) device: String,
    pub(crate) inode: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct LockHolders {
    pub(crate) seen: Vec<LockHolder>,
    pub(crate) are_all: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct LockHolder {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) fd: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct Socket {
    pub(crate) family: String,
    #[serde(default, rename = "type")]
    pub(crate) socket_type: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) state: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) local: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) peer: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) path_bytes: Option<String>,
}

/// What a thread is doing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct Doing {
    pub(crate) tid: u32,
    pub(crate) doing: String,
    #[serde(default)]
    pub(crate) causes: Vec<Cause>,
    #[serde(default)]
    pub(crate) besides: Option<String>,
    #[serde(default)]
    pub(crate) sleep: Option<Sleep>,
    #[serde(default)]
    pub(crate) catches: Option<Value>,
    #[serde(default)]
    pub(crate) blocks: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) idle_seconds: Option<f64>,
    #[serde(default)]
    pub(crate) others: Vec<OtherFile>,
    /// What it was blocked in again, as `doing` and what belongs to it.
    #[serde(default)]
    pub(crate) woke: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct Cause {
    pub(crate) operation: String,
    #[serde(default)]
    pub(crate) access: Option<String>,
    #[serde(default)]
    pub(crate) fd: Option<u32>,
    #[serde(default)]
    pub(crate) pipe: Option<String>,
    #[serde(default)]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) path_bytes: Option<String>,
    #[serde(default)]
    pub(crate) deleted: bool,
    #[serde(default)]
    pub(crate) full: bool,
    #[serde(default)]
    pub(crate) child: Option<u32>,
    #[serde(default)]
    pub(crate) lock: Option<Lock>,
    #[serde(default)]
    pub(crate) eventfd: Option<u32>,
    #[serde(default)]
    pub(crate) file_lock: Option<FileLock>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read strictly")]
pub(crate) struct Sleep {
    pub(crate) on: String,
    #[serde(default)]
    pub(crate) pipe: Option<String>,
    #[serde(default)]
    pub(crate) fd: Option<u32>,
    #[serde(default)]
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) target_bytes: Option<String>,
    pub(crate) place: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
    pub(crate) operation: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) access: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) fd: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pipe: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) path_bytes: Option<String>,
    #[serde(default)]
    pub(crate) deleted: bool,
    #[serde(default)]
    pub(crate) full: bool,
    /// For `wait`: the child, where it is for a certain one.
    #[serde(default)]
    pub(crate) child: Option<u32>,
    #[serde(default)]
    pub(crate) lock: Option<Lock>,
    #[serde(default)]
    pub(crate) eventfd: Option<u32>,
    #[serde(default)]
    pub(crate) file_lock: Option<FileLock>,
    pub(crate) wakers: Vec<Waker>,
    #[serde(default)]
    pub(crate) wakers_omitted: usize,
    #[serde(deserialize_with = "nullable")]
    pub(crate) besides: Option<String>,
    pub(crate) certainty: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) idle_seconds: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waker {
    pub(crate) pid: u32,
    #[serde(deserialize_with = "nullable")]
    pub(crate) tid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) fd: Option<u32>,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finding {
    pub(crate) code: String,
    pub(crate) severity: String,
    pub(crate) certainty: String,
    pub(crate) message: String,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) advice: String,
    pub(crate) processes: Vec<Task>,
    #[serde(default)]
    pub(crate) behind: Vec<Task>,
    pub(crate) pipes: Vec<String>,
    pub(crate) doubts: Vec<Doubt>,
    #[serde(default)]
    pub(crate) doubts_omitted: usize,
    /// The facts that the sentences are made of: an object with the code of the finding.
    #[serde(default)]
    pub(crate) details: Option<Value>,
    #[serde(default)]
    pub(crate) caveat: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) command_bytes: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Doubt {
    pub(crate) what: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pid: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) fd: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) command: Option<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "read strictly")]
    pub(crate) command_bytes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(crate) pipe: Option<String>,
}

/// A line by which a finding is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    pub(crate) role: String,
    pub(crate) text: String,
}

impl Wait {
    /// PID, TID and fd of each process that could end it.
    pub(crate) fn waker_keys(&self) -> Vec<(u32, Option<u32>, Option<u32>)> {
        self.wakers.iter().map(|waker| (waker.pid, waker.tid, waker.fd)).collect()
    }
}

impl Finding {
    pub(crate) fn is_deadlock(&self) -> bool {
        ["deadlock", "self-deadlock"].contains(&self.code.as_str())
    }

    /// Whether it makes for exit status 1.
    pub(crate) fn is_alarming(&self) -> bool {
        ["error", "warning"].contains(&self.severity.as_str())
    }

    pub(crate) fn pids(&self) -> BTreeSet<u32> {
        self.processes.iter().map(|task| task.pid).collect()
    }
}
