//! The shapes of what `why --json` adds to a report: what threads are doing, the waits and the findings.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Command, Word};

/// A process with what its threads are doing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ThreadGroup<'a> {
    pub(crate) pid: u32,
    pub(crate) ppid: Option<u32>,
    pub(crate) pgid: Option<u32>,
    pub(crate) sid: Option<u32>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// The process that traces it.
    pub(crate) tracer: Option<u32>,
    /// Its threads, by thread ID, without those that have ended. Empty where they could not be listed.
    pub(crate) tasks: Vec<Task<'a>>,
}

/// What a thread is doing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Task<'a> {
    pub(crate) tid: u32,
    /// `waits`: until one of `causes` ends that. `sleeps`: in something that has nothing to do with pipes. `runs`: or could. `stopped`: by
    /// a signal, `traced`: by its tracer, `frozen`: by its control group. `exits`: and is blocked in that. `unknown`: it could not be
    /// read.
    #[cfg_attr(test, schemars(extend("enum" = ["runs", "waits", "stopped", "traced", "frozen", "exits", "sleeps", "unknown"])))]
    pub(crate) doing: Word,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<WaitTarget<'a>>,
    /// What else could end that, as in `waits`.
    #[cfg_attr(test, schemars(extend("enum" = ["timeout", "files", "lock", null])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) besides: Option<Word>,
    /// What it sleeps in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sleep: Option<Sleep<'a>>,
    /// For about how many seconds it has not run; null where the kernel does not say.
    pub(crate) idle_seconds: Option<f64>,
}

/// One thing that a thread waits for.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct WaitTarget<'a> {
    /// `read`, `write`, `open` or `poll` of a pipe, `wait` for a child, or `threads`: another thread of its own process.
    #[cfg_attr(test, schemars(extend("enum" = ["read", "write", "open", "poll", "wait", "threads"])))]
    pub(crate) operation: Word,
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw", null])))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pipe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    /// For `wait`: the child; missing where any will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) child: Option<u32>,
}

/// What a thread sleeps in, where that is no pipe.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sleep<'a> {
    /// `file-in-pipe`: it passes data through `pipe`, and waits for a file system in the middle of it.
    #[cfg_attr(test, schemars(extend("enum" = [
        "timer", "signal", "files", "some-files", "futex", "io_uring", "terminal", "socket", "file-in-pipe", "other"
    ])))]
    pub(crate) on: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pipe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fd: Option<u32>,
    /// What the descriptor leads to, as in /proc/PID/fd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_bytes: Option<String>,
    /// The symbol in the kernel.
    pub(crate) place: Cow<'a, str>,
}

/// A thread that waits for a pipe or a child.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Wait<'a> {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// `read`, `write`, `open`, `poll` (poll, select and epoll: one entry for each pipe waited on) or `wait` (for a child).
    #[cfg_attr(test, schemars(extend("enum" = ["read", "write", "open", "poll", "wait"])))]
    pub(crate) operation: Word,
    /// As what it waits: `r` for data, `w` for room, `rw` for either; null for `wait`.
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw", null])))]
    pub(crate) access: Option<Word>,
    /// The descriptor; null for `open` and `wait`, and where it could not be told.
    pub(crate) fd: Option<u32>,
    /// The ID of the pipe; null for `wait`, and where it could not be told.
    pub(crate) pipe: Option<String>,
    /// For `open`: the path of the FIFO.
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    /// Who could end it: the holders of the other side, or the children meant. Empty for `open`, since nobody is there yet, and
    /// where nobody was seen.
    pub(crate) wakers: Vec<Waker<'a>>,
    /// What else could end it: `timeout`, `files` (it polls others than pipes too) or `lock` (it waits for the lock of the pipe); null
    /// where nothing but the wakers can, short of a signal.
    #[cfg_attr(test, schemars(extend("enum" = ["timeout", "files", "lock", null])))]
    pub(crate) besides: Option<Word>,
    /// How it is known: `seen`, by the system call and by where the thread sleeps; `inferred`, by the latter, and there is one pipe only
    /// that it can mean; `candidate`, likewise, but this is one of several.
    #[cfg_attr(test, schemars(extend("enum" = ["seen", "inferred", "candidate"])))]
    pub(crate) certainty: Word,
    /// For about how many seconds the thread has not run; null where the kernel does not say.
    pub(crate) idle_seconds: Option<f64>,
}

/// Who could end a wait.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Waker<'a> {
    pub(crate) pid: u32,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    pub(crate) tid: Option<u32>,
    /// The descriptor by which it could; null for a child.
    pub(crate) fd: Option<u32>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
}

/// Something that is wrong, or worth knowing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Finding<'a> {
    #[cfg_attr(test, schemars(extend("enum" = crate::model::Code::ALL.map(crate::model::Code::as_str))))]
    pub(crate) code: Word,
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    pub(crate) severity: Word,
    /// `proven`, by what the kernel shows; `inferred`, from how the processes are related; `suspected`: one of these but for the doubts.
    #[cfg_attr(test, schemars(extend("enum" = ["proven", "inferred", "suspected"])))]
    pub(crate) certainty: Word,
    /// What is wrong, for a person.
    pub(crate) message: String,
    /// By what it is known, a line each, for a person.
    #[serde(default)]
    pub(crate) evidence: Vec<Evidence>,
    /// What would help, for a person.
    pub(crate) advice: String,
    /// Who it is about: those that are blocked first, then others by which it is to be cured.
    pub(crate) processes: Vec<TaskName<'a>>,
    /// Who else is stuck because of it: of a deadlock only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) behind: Vec<TaskName<'a>>,
    /// The IDs of the pipes.
    pub(crate) pipes: Vec<String>,
    /// What keeps it from being proven; for `hidden-end`, who may hold the end. Of `no-reader` and `no-writer` the first four: those who may
    /// hold an end of any pipe are in `hidden` and `unreadable`.
    pub(crate) doubts: Vec<Doubt>,
}

/// Something by which a finding is known.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Evidence {
    /// What the line tells of: a step of a `circle`, in order; one who is stuck `behind` it; one who `waits`; or a `holder` of an end.
    #[cfg_attr(test, schemars(extend("enum" = ["circle", "behind", "waits", "holder"])))]
    pub(crate) role: Word,
    pub(crate) text: String,
}

/// A thread.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TaskName<'a> {
    pub(crate) pid: u32,
    pub(crate) tid: u32,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
}

/// Something that could not be seen.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Doubt {
    /// Somebody may hold an end, in one of the ways that `hidden_by` of a pipe tells of; or `name`: somebody may open the FIFO; or
    /// `handler`: a signal handler of the process may do it; or `directories`: those above the FIFO could not be looked at, and may keep
    /// others out; or `starter`: the process takes in orphans, and may have started what looks like one.
    #[cfg_attr(test, schemars(extend("enum" = [
        "scm-rights", "io_uring", "exiting", "autofs", "unreadable", "outside", "name", "handler", "directories", "starter"
    ])))]
    pub(crate) what: Word,
    pub(crate) pid: Option<u32>,
    /// The descriptor of the socket or of the ring.
    pub(crate) fd: Option<u32>,
    pub(crate) command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command_bytes: Option<String>,
    pub(crate) pipe: Option<String>,
}
