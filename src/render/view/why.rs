//! From the model to the shapes of what `why --json` adds to a report.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::ReportView;
use crate::model::{
    AccessMode, AlternativeWake, Children, Doubt, Finding, Pid, PipeId, PipeWait, Sleep, SleepOn, Subject, Task,
    TaskId, TaskState, ThreadGroup, Wait, WaitTarget, Waker,
};
use crate::shape::{self, Command, Word, exact};

impl<'a> ReportView<'a> {
    /// The threads of all processes that a report tells of.
    pub(super) fn threads(&self) -> Option<Vec<shape::ThreadGroup<'a>>> {
        let told = self.told?;
        let mut pids: BTreeSet<Pid> = self.graph.processes.keys().copied().collect();
        let diagnosis = told.diagnosis;
        pids.extend(diagnosis.waits.iter().map(|wait| wait.task.pid));
        pids.extend(diagnosis.waits.iter().flat_map(|wait| &wait.wakers).map(|waker| waker.pid));
        let findings = &diagnosis.findings;
        pids.extend(
            findings.iter().flat_map(|finding| finding.tasks.iter().chain(finding.behind())).map(|task| task.pid),
        );
        pids.extend(findings.iter().flat_map(|finding| &finding.doubts).filter_map(Doubt::pid));
        let mut groups: Vec<&ThreadGroup> = pids.iter().filter_map(|pid| told.groups.get(pid)).collect();
        let tracers: Vec<&ThreadGroup> = groups.iter().filter_map(|group| told.groups.get(&group.tracer?)).collect();
        groups.extend(tracers);
        groups.sort_by_key(|group| group.pid);
        groups.dedup_by_key(|group| group.pid);
        Some(groups.into_iter().map(thread_group).collect())
    }

    pub(super) fn waits(&self) -> Option<Vec<shape::Wait<'a>>> {
        let told = self.told?;
        Some(told.diagnosis.waits.iter().map(|wait| self.wait_view(wait)).collect())
    }

    pub(super) fn findings(&self) -> Option<Vec<shape::Finding<'a>>> {
        let told = self.told?;
        Some(told.diagnosis.findings.iter().map(|finding| self.finding_view(finding)).collect())
    }

    fn name(&self, pid: Pid) -> Command<'a> {
        Command::of(self.command_of(pid).unwrap_or_default())
    }

    fn wait_view(&self, wait: &'a Wait) -> shape::Wait<'a> {
        let task = self.task(wait.task);
        let besides = task.and_then(|task| match task.doing {
            TaskState::Waits { besides, .. } => besides,
            _ => None,
        });
        let pipe_wait = match &wait.subject {
            Subject::Pipe(wait) => Some(wait),
            Subject::Child => None,
        };
        let path = pipe_wait.and_then(|wait| wait.path.as_deref());
        shape::Wait {
            pid: wait.task.pid.0,
            tid: wait.task.tid.0,
            command: self.name(wait.task.pid),
            operation: pipe_wait.map_or("wait", |wait| wait.operation.as_str()).into(),
            access: pipe_wait.map(|wait| AccessMode::as_str(wait.access).into()),
            fd: wait.fd().map(|fd| fd.0),
            pipe: wait.pipe().map(|pipe| pipe.to_string()),
            path: path.map(String::from_utf8_lossy),
            path_bytes: path.and_then(exact),
            wakers: wait.wakers.iter().map(|waker| self.waker_view(waker)).collect(),
            besides: besides.map(word_of_besides),
            certainty: wait.certainty.as_str().into(),
            idle_seconds: task.and_then(idle_seconds),
        }
    }

    fn waker_view(&self, waker: &Waker) -> shape::Waker<'a> {
        shape::Waker {
            pid: waker.pid.0,
            tid: waker.tid.map(|tid| tid.0),
            fd: waker.fd.map(|fd| fd.0),
            command: self.name(waker.pid),
        }
    }

    pub(super) fn finding_view(&self, finding: &'a Finding) -> shape::Finding<'a> {
        let evidence = self.evidence(finding).into_iter();
        shape::Finding {
            code: finding.code().as_str().into(),
            severity: finding.severity().as_str().into(),
            certainty: finding.proof().as_str().into(),
            message: self.message(finding),
            evidence: evidence
                .map(|line| shape::Evidence { role: line.role.as_str().into(), text: line.text })
                .collect(),
            advice: self.advice(finding),
            processes: finding.tasks.iter().map(|task| self.task_name(*task)).collect(),
            behind: finding.behind().iter().map(|task| self.task_name(*task)).collect(),
            pipes: finding.pipes.iter().map(PipeId::to_string).collect(),
            doubts: finding.doubts.iter().map(|doubt| self.doubt_view(doubt)).collect(),
        }
    }

    fn task_name(&self, task: TaskId) -> shape::TaskName<'a> {
        shape::TaskName { pid: task.pid.0, tid: task.tid.0, command: self.name(task.pid) }
    }

    fn doubt_view(&self, doubt: &Doubt) -> shape::Doubt {
        let (what, fd, pipe) = match doubt {
            Doubt::Holder(suspect) => (suspect.how.as_str(), suspect.fd, None),
            Doubt::Name(pipe) => ("name", None, Some(*pipe)),
            Doubt::Directories(pipe) => ("directories", None, Some(*pipe)),
            Doubt::Handler(_) => ("handler", None, None),
            Doubt::Starter(_) => ("starter", None, None),
        };
        let pid = doubt.pid();
        let of_suspect = if let Doubt::Holder(suspect) = doubt { suspect.command.as_deref() } else { None };
        let command = pid.and_then(|pid| self.command_of(pid)).or(of_suspect);
        shape::Doubt {
            what: what.into(),
            pid: pid.map(|pid| pid.0),
            fd: fd.map(|fd| fd.0),
            command: command.map(|command| String::from_utf8_lossy(command).into_owned()),
            command_bytes: command.and_then(exact),
            pipe: pipe.map(|pipe| pipe.to_string()),
        }
    }
}

fn thread_group(group: &ThreadGroup) -> shape::ThreadGroup<'_> {
    shape::ThreadGroup {
        pid: group.pid.0,
        ppid: group.parent.map(|pid| pid.0),
        pgid: group.pgid,
        sid: group.sid,
        command: Command::of(&group.command),
        tracer: group.tracer.map(|pid| pid.0),
        tasks: group.tasks.iter().map(task).collect(),
    }
}

fn task(task: &Task) -> shape::Task<'_> {
    let (causes, besides) = match &task.doing {
        TaskState::Waits { causes, besides } => (causes.iter().map(cause).collect(), *besides),
        _ => (Vec::new(), None),
    };
    shape::Task {
        tid: task.id.tid.0,
        doing: task.doing.as_str().into(),
        causes,
        besides: besides.map(word_of_besides),
        sleep: if let TaskState::Sleeps(sleep) = &task.doing { Some(self::sleep(sleep)) } else { None },
        idle_seconds: idle_seconds(task),
    }
}

fn cause(cause: &WaitTarget) -> shape::WaitTarget<'_> {
    let nothing = |operation: &'static str| shape::WaitTarget {
        operation: operation.into(),
        access: None,
        fd: None,
        pipe: None,
        path: None,
        path_bytes: None,
        child: None,
    };
    match cause {
        WaitTarget::Pipe(PipeWait { operation, access, fd, pipe, path }) => shape::WaitTarget {
            access: Some(AccessMode::as_str(*access).into()),
            fd: fd.map(|fd| fd.0),
            pipe: pipe.map(|pipe| pipe.to_string()),
            path: path.as_deref().map(String::from_utf8_lossy),
            path_bytes: path.as_deref().and_then(exact),
            ..nothing(operation.as_str())
        },
        WaitTarget::Children(Children::One(child)) => shape::WaitTarget { child: Some(child.0), ..nothing("wait") },
        WaitTarget::Children(Children::All) => nothing("wait"),
        WaitTarget::Threads => nothing("threads"),
    }
}

fn sleep(sleep: &Sleep) -> shape::Sleep<'_> {
    shape::Sleep {
        on: sleep.on.as_str().into(),
        pipe: if let SleepOn::FileInPipe(pipe) = sleep.on { Some(pipe.to_string()) } else { None },
        fd: sleep.fd.map(|fd| fd.0),
        target: sleep.target.as_deref().map(String::from_utf8_lossy),
        target_bytes: sleep.target.as_deref().and_then(exact),
        place: String::from_utf8_lossy(&sleep.place),
    }
}

fn word_of_besides(besides: AlternativeWake) -> Word {
    Cow::Borrowed(besides.as_str())
}

/// To the millisecond.
fn idle_seconds(task: &Task) -> Option<f64> {
    task.idle.map(|idle| (idle.as_secs_f64() * 1000.0).round() / 1000.0)
}
