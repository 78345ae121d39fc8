//! The shapes of what `why --json` adds to a report: the waits and the findings.

use serde::Serialize;

use super::super::Sheet;
use super::{Command, command, exact};
use crate::model::{Besides, Doubt, Finding, PipeId, Subject, TaskId, Wait, Waker};

/// A thread that waits for a pipe or a child.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Wait"))]
pub(super) struct WaitView<'a> {
    pid: u32,
    tid: u32,
    #[serde(flatten)]
    command: Command<'a>,
    /// `read`, `write`, `open`, `poll` (poll, select and epoll: one entry for each pipe waited on) or `wait` (for a child).
    #[cfg_attr(test, schemars(extend("enum" = ["read", "write", "open", "poll", "wait"])))]
    operation: &'static str,
    /// The descriptor; null for `open` and `wait`, and where it could not be told.
    fd: Option<u32>,
    /// The ID of the pipe; null for `wait`, and where it could not be told.
    pipe: Option<String>,
    /// For `open`: the path of the FIFO.
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    /// Who could end it: the holders of the other side, or the children meant. Empty for `open`, since nobody is there yet, and
    /// where nobody was seen.
    wakers: Vec<WakerView<'a>>,
    /// What else could end it: `timeout`, `files` (it polls others than pipes too) or `lock` (it waits for the lock of the pipe); null
    /// where nothing but the wakers can, short of a signal.
    #[cfg_attr(test, schemars(extend("enum" = ["timeout", "files", "lock", null])))]
    besides: Option<&'static str>,
    /// How it is known: `seen`, by the system call and by where the thread sleeps; `inferred`, by the latter, and there is one pipe only
    /// that it can mean; `candidate`, likewise, but this is one of several.
    #[cfg_attr(test, schemars(extend("enum" = ["seen", "inferred", "candidate"])))]
    certainty: &'static str,
    /// For about how many seconds the thread has not run; null where the kernel does not say.
    idle_seconds: Option<f64>,
}

/// Who could end a wait.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Waker"))]
struct WakerView<'a> {
    pid: u32,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    tid: Option<u32>,
    /// The descriptor by which it could; null for a child.
    fd: Option<u32>,
    #[serde(flatten)]
    command: Command<'a>,
}

/// Something that is wrong, or worth knowing.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Finding"))]
pub(super) struct FindingView<'a> {
    #[cfg_attr(test, schemars(extend("enum" = crate::model::Code::ALL.map(crate::model::Code::as_str))))]
    code: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    severity: &'static str,
    /// `proven`, by what the kernel shows; `inferred`, from how the processes are related; `suspected`: proven but for the doubts.
    #[cfg_attr(test, schemars(extend("enum" = ["proven", "inferred", "suspected"])))]
    certainty: &'static str,
    /// What is wrong, for a person.
    message: String,
    /// What would help, for a person.
    advice: String,
    /// Who it is about: those that are blocked first, then others by which it is to be cured.
    processes: Vec<TaskView<'a>>,
    /// The IDs of the pipes.
    pipes: Vec<String>,
    /// What keeps it from being proven; for `hidden-end`, who may hold the end.
    doubts: Vec<DoubtView>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Task"))]
struct TaskView<'a> {
    pid: u32,
    tid: u32,
    #[serde(flatten)]
    command: Command<'a>,
}

/// Something that could not be seen.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Doubt"))]
struct DoubtView {
    /// Somebody may hold an end, in one of the ways that `hidden_by` of a pipe tells of; or `name`: somebody may open the FIFO; or
    /// `handler`: a signal handler of the process may do it; or `directories`: those above the FIFO could not be looked at, and may keep
    /// others out.
    #[cfg_attr(test, schemars(extend("enum" = [
        "scm-rights", "io_uring", "exiting", "autofs", "unreadable", "outside", "name", "handler", "directories"
    ])))]
    what: &'static str,
    pid: Option<u32>,
    /// The descriptor of the socket or of the ring.
    fd: Option<u32>,
    pipe: Option<String>,
}

impl<'a> Sheet<'a> {
    pub(super) fn waits(&self) -> Option<Vec<WaitView<'a>>> {
        let told = self.told?;
        Some(told.diagnosis.waits.iter().map(|wait| self.wait_view(wait)).collect())
    }

    pub(super) fn findings(&self) -> Option<Vec<FindingView<'a>>> {
        let told = self.told?;
        Some(told.diagnosis.findings.iter().map(|finding| self.finding_view(finding)).collect())
    }

    fn name(&self, pid: crate::model::Pid) -> Command<'a> {
        command(self.command_of(pid).unwrap_or_default())
    }

    fn wait_view(&self, wait: &'a Wait) -> WaitView<'a> {
        let task = self.task(wait.task);
        let besides = task.and_then(|task| match task.doing {
            crate::model::Doing::Waits { besides, .. } => besides,
            _ => None,
        });
        let (operation, fd, pipe, path) = match &wait.subject {
            Subject::Pipe(pipe) => (pipe.operation.as_str(), pipe.fd, pipe.pipe, pipe.path.as_deref()),
            Subject::Child => ("wait", None, None, None),
        };
        WaitView {
            pid: wait.task.pid.0,
            tid: wait.task.tid.0,
            command: self.name(wait.task.pid),
            operation,
            fd: fd.map(|fd| fd.0),
            pipe: pipe.map(|pipe| pipe.to_string()),
            path: path.map(|path| String::from_utf8_lossy(path).into_owned()),
            path_bytes: path.and_then(exact),
            wakers: wait.wakers.iter().map(|waker| self.waker_view(waker)).collect(),
            besides: besides.map(|besides| match besides {
                Besides::Timeout => "timeout",
                Besides::Files => "files",
                Besides::Lock => "lock",
            }),
            certainty: wait.certainty.as_str(),
            // To the millisecond.
            idle_seconds: task.and_then(|task| task.idle).map(|idle| (idle.as_secs_f64() * 1000.0).round() / 1000.0),
        }
    }

    fn waker_view(&self, waker: &Waker) -> WakerView<'a> {
        WakerView {
            pid: waker.pid.0,
            tid: waker.tid.map(|tid| tid.0),
            fd: waker.fd.map(|fd| fd.0),
            command: self.name(waker.pid),
        }
    }

    pub(super) fn finding_view(&self, finding: &Finding) -> FindingView<'a> {
        FindingView {
            code: finding.code().as_str(),
            severity: finding.severity().as_str(),
            certainty: finding.proof().as_str(),
            message: self.message(finding),
            advice: self.advice(finding),
            processes: finding.tasks.iter().map(|task| self.task_view(*task)).collect(),
            pipes: finding.pipes.iter().map(PipeId::to_string).collect(),
            doubts: finding.doubts.iter().map(doubt_view).collect(),
        }
    }

    fn task_view(&self, task: TaskId) -> TaskView<'a> {
        TaskView { pid: task.pid.0, tid: task.tid.0, command: self.name(task.pid) }
    }
}

fn doubt_view(doubt: &Doubt) -> DoubtView {
    let (what, pid, fd, pipe) = match doubt {
        Doubt::Holder(suspect) => (suspect.how.as_str(), suspect.pid, suspect.fd, None),
        Doubt::Name(pipe) => ("name", None, None, Some(*pipe)),
        Doubt::Directories(pipe) => ("directories", None, None, Some(*pipe)),
        Doubt::Handler(pid) => ("handler", Some(*pid), None, None),
    };
    DoubtView { what, pid: pid.map(|pid| pid.0), fd: fd.map(|fd| fd.0), pipe: pipe.map(|pipe| pipe.to_string()) }
}
