//! Observations made by hand, for tests of the rules.

use std::time::Duration;

use crate::findings::{Case, Code, Finding, Judgement, Phrases};
use crate::judge::Groups;
use crate::model::Users;
use crate::model::{
    AccessMode, Children, CommandName, Coverage, Device, Endpoint, Fd, Gap, OpenFlags, Operation, Pid, Pipe, PipeGraph,
    PipeId, PipeWait, PossibleEnds, Process, Task, TaskId, TaskState, ThreadGroup, Tid, Uid, UnreadablePart,
    WaitTarget,
};

pub(in crate::findings) const ID: PipeId = PipeId::anonymous(123);
pub(in crate::findings) const FIFO: PipeId = PipeId::fifo(Device { major: 0, minor: 26 }, 7);

/// A machine without pipes, of which everything was seen.
pub(in crate::findings) fn machine(processes: impl IntoIterator<Item = Process>) -> PipeGraph {
    PipeGraph {
        coverage: Coverage { processes: 9, ..PipeGraph::empty().coverage },
        pipefs: Some(Device { major: 0, minor: 15 }),
        processes: processes.into_iter().map(|process| (process.pid, process)).collect(),
        ..PipeGraph::empty()
    }
}

/// The process that has this PID, of the user of this number, in a session of that.
pub(in crate::findings) fn process(pid: u32, uid: u32, sid: u32) -> Process {
    // Each runs a program of its own.
    let cmdline = Some(format!("program-{pid}\0").into_bytes().into());
    Process { uid: Some(Uid(uid)), sid: Some(sid), cmdline, ..Process::unknown(Pid(pid)) }
}

/// An end without `O_CLOEXEC`.
pub(in crate::findings) fn end(pid: u32, fd: u32, access: AccessMode) -> Endpoint {
    Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: Some(OpenFlags(0)), description: None }
}

pub(in crate::findings) fn reads(pid: u32) -> Endpoint {
    end(pid, 0, AccessMode::Read)
}

pub(in crate::findings) fn writes(pid: u32) -> Endpoint {
    end(pid, 1, AccessMode::Write)
}

pub(in crate::findings) fn with(graph: PipeGraph, id: PipeId, ends: &[Endpoint]) -> PipeGraph {
    with_pipe(graph, Pipe { ends: ends.to_vec(), ..Pipe::unknown(id) })
}

pub(in crate::findings) fn with_pipe(mut graph: PipeGraph, pipe: Pipe) -> PipeGraph {
    graph.pipes.push(pipe);
    graph.pipes.sort_by_key(|pipe| pipe.id);
    graph
}

pub(in crate::findings) fn task(pid: u32) -> TaskId {
    TaskId { pid: Pid(pid), tid: Tid(pid) }
}

/// A process with one thread.
pub(in crate::findings) fn group(pid: u32, parent: u32, sid: u32, command: &str, doing: TaskState) -> ThreadGroup {
    ThreadGroup {
        pid: Pid(pid),
        parent: Some(Pid(parent)),
        pgid: Some(sid),
        sid: Some(sid),
        command: command.into(),
        tracer: None,
        catches: 0,
        ignores: 0,
        blocks: 0,
        adopts: None,
        activity: None,
        tasks: vec![Task::new(task(pid), doing)],
    }
}

/// What a thread does that waits for this, and for nothing else.
pub(in crate::findings) fn waits_for(target: WaitTarget) -> TaskState {
    TaskState::Waits { causes: vec![target], besides: None }
}

/// What a thread does that is blocked at this end of a pipe.
pub(in crate::findings) fn blocked(operation: Operation, pipe: PipeId, end: Endpoint) -> TaskState {
    let access = if operation == Operation::Write { AccessMode::Write } else { AccessMode::Read };
    let wait =
        PipeWait { operation, access, fd: Some(end.fd), pipe: Some(pipe), path: None, deleted: false, full: false };
    waits_for(WaitTarget::Pipe(wait))
}

/// What a thread does that is blocked in open(2).
pub(in crate::findings) fn opening(path: &str, access: AccessMode, pipe: Option<PipeId>, deleted: bool) -> TaskState {
    let (operation, path) = (Operation::Open, Some(path.into()));
    waits_for(WaitTarget::Pipe(PipeWait { operation, access, fd: None, pipe, path, deleted, full: false }))
}

/// A process of which nothing could be read.
pub(in crate::findings) fn unread(pid: u32) -> Gap {
    Gap {
        pid: Pid(pid),
        tid: None,
        command: CommandName::default(),
        uid: None,
        what: UnreadablePart::FdTable,
        error: "EACCES".to_owned(),
        fds: None,
        mount: None,
        may_hold: PossibleEnds::ANYTHING,
    }
}

pub(in crate::findings) fn waits_for_child() -> TaskState {
    waits_for(WaitTarget::Children(Children::All))
}

/// Processes with their pipes.
pub(in crate::findings) struct Scene {
    pub(in crate::findings) graph: PipeGraph,
    pub(in crate::findings) groups: Groups,
}

impl Scene {
    pub(in crate::findings) fn new(
        groups: impl IntoIterator<Item = ThreadGroup>,
        pipes: &[(PipeId, &[Endpoint])],
    ) -> Self {
        let groups: Groups = groups.into_iter().map(|group| (group.pid, group)).collect();
        let processes = groups.values().map(|group| Process {
            ppid: group.parent.map(|pid| pid.0),
            sid: group.sid,
            command: group.command.clone(),
            cmdline: Some(group.command.iter().copied().chain([0]).collect::<Vec<u8>>().into()),
            uid: Some(Uid(7)),
            ..Process::unknown(group.pid)
        });
        let mut graph = pipes.iter().fold(machine(processes), |graph, (id, ends)| with(graph, *id, ends));
        // Parents that are not looked at were started by the first process.
        let parents: Vec<Pid> = groups.values().filter_map(|group| group.parent).collect();
        graph.parents =
            parents.into_iter().filter(|pid| !groups.contains_key(pid)).map(|pid| (pid, Some(Pid(0)))).collect();
        Self { graph, groups }
    }

    /// Sets for how long no thread has run.
    pub(in crate::findings) fn idle(mut self, seconds: u64) -> Self {
        let tasks = self.groups.values_mut().flat_map(|group| &mut group.tasks);
        tasks.for_each(|task| task.idle = Some(Duration::from_secs(seconds)));
        self
    }

    pub(in crate::findings) fn group(&mut self, pid: u32) -> &mut ThreadGroup {
        self.groups.get_mut(&Pid(pid)).unwrap()
    }

    pub(in crate::findings) fn pipe(&mut self, id: PipeId) -> &mut Pipe {
        self.graph.pipes.iter_mut().find(|pipe| pipe.id == id).unwrap()
    }

    /// The only finding of this code, or none.
    pub(in crate::findings) fn judge(&self, code: Code) -> Option<Judgement> {
        let mut found = code.find(&Case::new(&self.graph, &self.groups, None));
        assert!(found.len() < 2, "{found:#?}");
        let found = found.pop();
        assert!(found.iter().all(|it| it.code() == code && code.about().severities.contains(&it.severity())));
        found
    }

    /// The same in words.
    pub(in crate::findings) fn find(&self, code: Code) -> Option<Finding> {
        let phrases = Phrases { graph: &self.graph, groups: &self.groups, users: &Users::default() };
        self.judge(code).map(|judgement| judgement.word(&phrases))
    }
}
