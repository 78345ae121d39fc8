//! From the shapes of a report to what threads were doing, their waits, and the findings.

use std::time::Duration;

use super::Invalid;
use super::graph::{access, by_pid, command, how, known, name, optional, pipe_id};
use crate::model::{
    AlternativeWake, Attribution, Certainty, Children, Code, Diagnosis, Doubt, Evidence, Fault, Fd, Finding,
    Fingerprint, Operation, Pid, PipeWait, PossibleHolder, Record, Role, Severity, Sleep, SleepOn, Subject, Task,
    TaskId, TaskState, ThreadGroup, Tid, Wait, WaitTarget, Waker,
};
use crate::shape;
use crate::why::Groups;

/// What was found; none where nobody looked.
pub(super) fn diagnosis(report: &shape::Report<'_>) -> Result<Option<Diagnosis>, Invalid> {
    let (Some(waits), Some(findings)) = (&report.waits, &report.findings) else {
        return Ok(None);
    };
    Ok(Some(Diagnosis {
        waits: waits.iter().map(wait).collect::<Result<_, _>>()?,
        findings: findings.iter().map(finding).collect::<Result<_, _>>()?,
    }))
}

/// Whether an audit has left out none of the findings of `why`.
pub(super) fn tells_all(audit: &shape::Audit) -> bool {
    let mut of_why = Code::ALL.into_iter().filter(|code| code.reported_by_why());
    audit.known == 0
        && audit.severity == Severity::Info.as_str()
        && of_why.all(|code| audit.codes.iter().any(|word| word == code.as_str()))
}

/// What threads were doing.
pub(super) fn groups<'a>(groups: impl Iterator<Item = &'a shape::ThreadGroup<'a>>) -> Result<Groups, Invalid> {
    by_pid(groups.map(thread_group), |group| group.pid)
}

fn thread_group(group: &shape::ThreadGroup<'_>) -> Result<ThreadGroup, Invalid> {
    let pid = Pid(group.pid);
    let mut tasks: Vec<Task> = group.tasks.iter().map(|it| task(pid, it)).collect::<Result<_, _>>()?;
    tasks.sort_by_key(|task| task.id);
    Ok(ThreadGroup {
        pid,
        parent: group.ppid.map(Pid),
        pgid: group.pgid,
        sid: group.sid,
        command: command(&group.command)?,
        tracer: group.tracer.map(Pid),
        // Only a judgement of what is live asks for these.
        catches: 0,
        blocks: 0,
        adopts: None,
        tasks,
    })
}

fn task(pid: Pid, task: &shape::Task<'_>) -> Result<Task, Invalid> {
    let doing = match (&*task.doing, &task.sleep) {
        ("runs", _) => TaskState::Runs,
        ("waits", _) => TaskState::Waits {
            causes: task.causes.iter().map(cause).collect::<Result<_, _>>()?,
            besides: optional(task.besides.as_deref(), besides)?,
        },
        ("stopped", _) => TaskState::Stopped,
        ("traced", _) => TaskState::Traced,
        ("frozen", _) => TaskState::Frozen,
        ("exits", _) => TaskState::Exits,
        ("sleeps", Some(sleep)) => TaskState::Sleeps(self::sleep(sleep)?),
        ("unknown", _) => TaskState::Unknown,
        (doing, _) => return Err(Invalid::value("doing", doing)),
    };
    let id = TaskId { pid, tid: Tid(task.tid) };
    Ok(Task { id, doing, idle: idle(task.idle_seconds)?, trace: Fingerprint::default() })
}

fn cause(cause: &shape::WaitTarget<'_>) -> Result<WaitTarget, Invalid> {
    Ok(match &*cause.operation {
        "wait" => WaitTarget::Children(cause.child.map_or(Children::All, |child| Children::One(Pid(child)))),
        "threads" => WaitTarget::Threads,
        word => WaitTarget::Pipe(PipeWait {
            operation: operation(word)?,
            access: access(cause.access.as_deref().unwrap_or_default())?,
            fd: cause.fd.map(Fd),
            pipe: optional(cause.pipe.as_deref(), pipe_id)?,
            path: cause.path.as_ref().map(|path| name(path, cause.path_bytes.as_deref())).transpose()?,
        }),
    })
}

fn sleep(sleep: &shape::Sleep<'_>) -> Result<Sleep, Invalid> {
    const KNOWN: [SleepOn; 9] = [
        SleepOn::Timer,
        SleepOn::Signal,
        SleepOn::Files,
        SleepOn::SomeFiles,
        SleepOn::Futex,
        SleepOn::IoUring,
        SleepOn::Terminal,
        SleepOn::Socket,
        SleepOn::Other,
    ];
    let on = match optional(sleep.pipe.as_deref(), pipe_id)? {
        Some(pipe) => SleepOn::FileInPipe(pipe),
        None => known("on", KNOWN, |on| on.as_str(), &sleep.on)?,
    };
    let target = sleep.target.as_ref().map(|target| name(target, sleep.target_bytes.as_deref())).transpose()?;
    Ok(Sleep { on, fd: sleep.fd.map(Fd), target, place: sleep.place.as_bytes().to_vec() })
}

fn wait(wait: &shape::Wait<'_>) -> Result<Wait, Invalid> {
    let subject = match &*wait.operation {
        "wait" => Subject::Child,
        word => {
            let operation = operation(word)?;
            // Reports of older versions do not say it.
            let usual = if operation == Operation::Write { "w" } else { "r" };
            Subject::Pipe(PipeWait {
                operation,
                access: access(wait.access.as_deref().unwrap_or(usual))?,
                fd: wait.fd.map(Fd),
                pipe: optional(wait.pipe.as_deref(), pipe_id)?,
                path: wait.path.as_ref().map(|path| name(path, wait.path_bytes.as_deref())).transpose()?,
            })
        }
    };
    let all = [Attribution::Seen, Attribution::Inferred, Attribution::Candidate];
    let waker = |waker: &shape::Waker<'_>| Waker { pid: Pid(waker.pid), tid: waker.tid.map(Tid), fd: waker.fd.map(Fd) };
    Ok(Wait {
        task: TaskId { pid: Pid(wait.pid), tid: Tid(wait.tid) },
        subject,
        wakers: wait.wakers.iter().map(waker).collect(),
        certainty: known("certainty", all, Attribution::as_str, &wait.certainty)?,
    })
}

fn finding(finding: &shape::Finding<'_>) -> Result<Finding, Invalid> {
    let task = |task: &shape::TaskName<'_>| TaskId { pid: Pid(task.pid), tid: Tid(task.tid) };
    let proofs = [Certainty::Proven, Certainty::Inferred, Certainty::Suspected];
    let record = Record {
        code: finding.code.parse::<Code>().map_err(|_| Invalid::value("code", &finding.code))?,
        severity: finding.severity.parse::<Severity>().map_err(|()| Invalid::value("severity", &finding.severity))?,
        proof: known("certainty", proofs, Certainty::as_str, &finding.certainty)?,
        message: finding.message.clone(),
        evidence: finding.evidence.iter().map(evidence).collect::<Result<_, _>>()?,
        advice: finding.advice.clone(),
        behind: finding.behind.iter().map(task).collect(),
    };
    Ok(Finding {
        fault: Fault::Recorded(Box::new(record)),
        tasks: finding.processes.iter().map(task).collect(),
        pipes: finding.pipes.iter().map(|pipe| pipe_id(pipe)).collect::<Result<_, _>>()?,
        doubts: finding.doubts.iter().map(doubt).collect::<Result<_, _>>()?,
    })
}

fn evidence(evidence: &shape::Evidence) -> Result<Evidence, Invalid> {
    let roles = [Role::Circle, Role::Behind, Role::Waits, Role::Holder];
    Ok(Evidence { role: known("role", roles, Role::as_str, &evidence.role)?, text: evidence.text.clone() })
}

fn doubt(doubt: &shape::Doubt) -> Result<Doubt, Invalid> {
    Ok(match (&*doubt.what, &doubt.pipe, doubt.pid) {
        ("name", Some(pipe), _) => Doubt::Name(pipe_id(pipe)?),
        ("directories", Some(pipe), _) => Doubt::Directories(pipe_id(pipe)?),
        ("handler", _, Some(pid)) => Doubt::Handler(Pid(pid)),
        ("starter", _, Some(pid)) => Doubt::Starter(Pid(pid)),
        (what, _, pid) => Doubt::Holder(PossibleHolder {
            how: how(what)?,
            pid: pid.map(Pid),
            fd: doubt.fd.map(Fd),
            command: doubt.command.as_ref().map(|it| name(it, doubt.command_bytes.as_deref())).transpose()?,
        }),
    })
}

fn operation(word: &str) -> Result<Operation, Invalid> {
    let all = [Operation::Read, Operation::Write, Operation::Open, Operation::Poll];
    known("operation", all, Operation::as_str, word)
}

fn besides(word: &str) -> Result<AlternativeWake, Invalid> {
    known(
        "besides",
        [AlternativeWake::Timeout, AlternativeWake::Files, AlternativeWake::Lock],
        AlternativeWake::as_str,
        word,
    )
}

/// No number of seconds is too great for the text of a report, so one may be for us.
fn idle(seconds: Option<f64>) -> Result<Option<Duration>, Invalid> {
    let duration = |seconds| Duration::try_from_secs_f64(seconds).map_err(|_| Invalid::value("idle_seconds", seconds));
    seconds.map(duration).transpose()
}
