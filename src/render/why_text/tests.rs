//! What is drawn of processes with several threads, and what is said where nothing was found, on observations made by hand.

use std::time::Duration;

use super::*;
use crate::findings::diagnose;
use crate::judge::Groups;
use crate::model::{
    AccessMode, AlternativeWake, Children, Device, Endpoint, Fd, Operation, Pid, Pipe, PipeGraph, PipeId, PipeWait,
    Probed, Process, Sleep, SleepOn, Task, TaskId, TaskState, ThreadGroup, Tid, Users, ViewLimit, WaitTarget,
};

const PIPE: PipeId = PipeId::anonymous(123);
const BACK: PipeId = PipeId::anonymous(124);

fn task(pid: u32, tid: u32, doing: TaskState, idle: u64) -> Task {
    let id = TaskId { pid: Pid(pid), tid: Tid(tid) };
    Task { idle: Some(Duration::from_secs(idle)), ..Task::new(id, doing) }
}

fn group(pid: u32, parent: u32, command: &str, tasks: Vec<Task>) -> ThreadGroup {
    let parent = Some(Pid(parent));
    ThreadGroup { parent, command: command.into(), catches: 0, blocks: 0, tasks, ..ThreadGroup::unknown(Pid(pid)) }
}

fn waits(target: WaitTarget) -> TaskState {
    TaskState::Waits { causes: vec![target], besides: None }
}

fn at(operation: Operation, pipe: PipeId, fd: u32) -> TaskState {
    let access = if operation == Operation::Write { AccessMode::Write } else { AccessMode::Read };
    waits(WaitTarget::Pipe(PipeWait {
        operation,
        access,
        fd: Some(Fd(fd)),
        pipe: Some(pipe),
        path: None,
        deleted: false,
        full: false,
    }))
}

fn child(pid: u32) -> TaskState {
    waits(WaitTarget::Children(Children::One(Pid(pid))))
}

fn end(pid: u32, fd: u32, access: AccessMode) -> Endpoint {
    Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: None }
}

/// What `why` prints, of one process if there is one, without or with what it finds.
fn said(groups: Vec<ThreadGroup>, pipes: &[(PipeId, &[Endpoint])], of: Option<u32>, with_findings: bool) -> String {
    let groups: Groups = groups.into_iter().map(|group| (group.pid, group)).collect();
    let mut graph = PipeGraph::empty();
    graph.processes = groups
        .values()
        .map(|group| (group.pid, Process { command: group.command.clone(), ..Process::unknown(group.pid) }))
        .collect();
    graph.pipes = pipes.iter().map(|(id, ends)| Pipe { ends: ends.to_vec(), ..Pipe::unknown(*id) }).collect();
    let mut diagnosis = diagnose(&graph, &groups).word(&graph, &groups);
    diagnosis.findings.retain(|_| with_findings);
    let scope = of.map_or(Scope::Everything, |pid| Scope::Processes([Pid(pid)].into()));
    let judgment = Judgment {
        diagnosis: &diagnosis,
        groups: &groups,
        scope: &scope,
        audit: None,
        why: None,
        may_probe: false,
        from_file: false,
    };
    let users = Users::default();
    let view = ReportView { judgment: Some(judgment), ..ReportView::of_pipes(&graph, &users) };
    let mut text = Vec::new();
    view.write_text(&judgment, &Style::default(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

/// A queue whose feeder is a thread: the parent joins the child before it takes what the child has put.
fn queue() -> Vec<ThreadGroup> {
    let feeder = task(4, 5, at(Operation::Write, PIPE, 4), 14);
    let idle = |tid: u32| task(4, tid, waits(WaitTarget::Threads), 14);
    vec![group(3, 1, "main", vec![task(3, 3, child(4), 14)]), group(4, 3, "worker", vec![idle(4), feeder, idle(6)])]
}

const QUEUE: [Endpoint; 3] = [
    Endpoint { pid: Pid(3), tid: None, fd: Fd(3), access: AccessMode::Read, flags: None, description: None },
    Endpoint { pid: Pid(4), tid: None, fd: Fd(3), access: AccessMode::Read, flags: None, description: None },
    Endpoint { pid: Pid(4), tid: None, fd: Fd(4), access: AccessMode::Write, flags: None, description: None },
];

#[test]
fn each_thread_that_waits_has_a_line_with_what_could_wake_it() {
    let text = said(queue(), &[(PIPE, &QUEUE)], Some(3), true);
    let (tree, finding) = text.split_once("\n\n").unwrap();
    assert_eq!(
        tree,
        "\
main (PID 3) is waiting for its child worker (PID 4) to exit, for 14 s
└─ worker (PID 4) has 3 threads
   ├─ thread 5 is blocked writing to pipe:[123] (fd 4), which is full, for 14 s
   │  ├─ pipe:[123]: main (PID 3) holds a read end (fd 3): see above
   │  └─ pipe:[123]: worker (PID 4) holds a read end (fd 3): the process itself
   └─ 2 other threads are waiting for the process itself"
    );
    // The tree shows the circle, and the finding does not show it again.
    assert!(finding.starts_with("error: deadlock: ") && !finding.contains('╭'), "{finding}");
    assert!(said(queue(), &[(PIPE, &QUEUE)], None, true).contains('╭'));
    // From the other side, too.
    let text = said(queue(), &[(PIPE, &QUEUE)], Some(4), true);
    assert!(text.contains("└─ worker (PID 4): see above") && !text.contains('╭'), "{text}");
}

/// Of very many that could end a wait, the first are named: those in the circle that was found are among them.
#[test]
fn those_in_a_circle_come_first() {
    let mut groups = queue();
    let mut ends = vec![end(3, 3, AccessMode::Read), end(4, 4, AccessMode::Write)];
    for pid in 10..40 {
        groups.push(group(pid, 1, "copy", vec![task(pid, pid, child(3), 14)]));
    }
    groups[0].pid = Pid(90);
    groups[0].tasks = vec![task(90, 90, child(4), 14)];
    groups[1].parent = Some(Pid(90));
    groups[1].tasks.retain(|task| task.id.tid != Tid(6));
    for group in &mut groups[2..] {
        group.tasks[0].doing = at(Operation::Read, BACK, 0);
    }
    ends = ends.into_iter().map(|end| if end.pid == Pid(3) { Endpoint { pid: Pid(90), ..end } } else { end }).collect();
    ends.extend((10..40).map(|pid| end(pid, 9, AccessMode::Read)));
    ends.sort_by_key(Endpoint::key);
    let back: Vec<Endpoint> =
        (10..40).map(|pid| end(pid, 0, AccessMode::Read)).chain([end(90, 8, AccessMode::Write)]).collect();
    let text = said(groups, &[(PIPE, &ends), (BACK, &back)], Some(4), true);
    let first = text.lines().nth(1).unwrap();
    assert!(text.contains("error: deadlock") && first.contains("(PID 90)"), "{text}");
}

#[test]
fn no_problem_is_denied_above_what_is_blocked_for_long() {
    const NONE: &str = "No problems found";
    let ends = [end(2, 1, AccessMode::Write), end(3, 0, AccessMode::Read)];
    let full = |idle, reader: TaskState| {
        let groups = vec![
            group(2, 1, "yes", vec![task(2, 2, at(Operation::Write, PIPE, 1), idle)]),
            group(3, 1, "less", vec![task(3, 3, reader, idle)]),
        ];
        said(groups, &[(PIPE, &ends)], None, false)
    };
    assert!(full(9, TaskState::Runs).starts_with(NONE));
    let sentence = "No warning and no error was found, but yes (PID 2) is blocked writing to pipe:[123] (fd 1), which is full, for 10 s.";
    assert!(full(10, TaskState::Runs).starts_with(sentence), "{}", full(10, TaskState::Runs));

    // A reader: of a stopped process, and of one that is awake.
    let reads = |writer: TaskState| {
        let groups = vec![
            group(2, 1, "sh", vec![task(2, 2, writer, 60)]),
            group(3, 1, "cat", vec![task(3, 3, at(Operation::Read, PIPE, 0), 60)]),
        ];
        said(groups, &[(PIPE, &ends)], Some(3), false)
    };
    assert!(reads(TaskState::Runs).contains(NONE));
    let stopped = reads(TaskState::Stopped);
    assert!(!stopped.contains(NONE) && stopped.contains("for 1 min, while sh (PID 2) is stopped"), "{stopped}");
}

/// Each waits for the next and may be woken by another process, too: not proven, and not to be passed over either.
#[test]
fn a_circle_of_long_waits_is_not_passed_over() {
    let circle = |besides: Option<AlternativeWake>, idle: u64| {
        let mut back = at(Operation::Read, BACK, 0);
        if let TaskState::Waits { besides: more, .. } = &mut back {
            *more = besides;
        }
        let groups = vec![
            group(2, 1, "client", vec![task(2, 2, at(Operation::Read, PIPE, 0), idle)]),
            group(3, 1, "server", vec![task(3, 3, back, idle)]),
            group(4, 1, "other", vec![task(4, 4, TaskState::Runs, 0)]),
        ];
        let there = [end(2, 0, AccessMode::Read), end(3, 1, AccessMode::Write), end(4, 5, AccessMode::Write)];
        let back = [end(2, 1, AccessMode::Write), end(3, 0, AccessMode::Read)];
        said(groups, &[(PIPE, &there), (BACK, &back)], None, false)
    };
    let text = circle(None, 20);
    assert!(text.starts_with("No warning and no error was found, but client (PID 2)"), "{text}");
    assert_eq!(text.matches("in a circle of waits").count(), 2, "{text}");
    assert!(circle(None, 9).starts_with("No problems found"));
    assert!(circle(Some(AlternativeWake::Timeout), 20).starts_with("No problems found"));
}

/// Each of very many waits for what all of them hold: looked at once, or this would not end.
#[test]
fn a_circle_of_very_many_takes_no_square_of_time() {
    const COUNT: u32 = 3000;
    let groups = (2..COUNT + 2).map(|pid| group(pid, 1, "w", vec![task(pid, pid, at(Operation::Read, PIPE, 0), 20)]));
    let mut ends: Vec<Endpoint> =
        (2..COUNT + 2).flat_map(|pid| [end(pid, 0, AccessMode::Read), end(pid, 1, AccessMode::Write)]).collect();
    ends.push(end(COUNT + 9, 1, AccessMode::Write));
    let text = said(groups.collect(), &[(PIPE, &ends)], None, false);
    assert!(text.contains("and 2,997 more threads"), "{text}");
}

#[test]
fn a_probe_is_offered_for_what_is_not_known() {
    let graph = |probed: Probed| {
        let mut graph = PipeGraph::empty();
        graph.pipefs = Some(Device { major: 0, minor: 15 });
        let ends = [end(2, 1, AccessMode::Write), end(3, 0, AccessMode::Read)];
        graph.pipes = vec![Pipe { ends: ends.to_vec(), ..Pipe::unknown(PIPE) }];
        graph.probed = [(PIPE, probed)].into();
        graph
    };
    let offered = |graph: &PipeGraph| {
        let groups = Groups::from(full());
        let mut diagnosis = diagnose(graph, &groups).word(graph, &groups);
        diagnosis.findings.truncate(1);
        assert_eq!(diagnosis.findings.len(), 1);
        let judgment = Judgment {
            diagnosis: &diagnosis,
            groups: &groups,
            scope: &Scope::Everything,
            audit: None,
            why: None,
            may_probe: true,
            from_file: false,
        };
        let users = Users::default();
        let view = ReportView { judgment: Some(judgment), ..ReportView::of_pipes(graph, &users) };
        let mut text = Vec::new();
        view.write_text(&judgment, &Style::default(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        text.split_once("--probe would add ").map(|(_, offer)| offer.trim_end().to_owned())
    };
    assert_eq!(offered(&graph(Probed::default())).as_deref(), Some("how full the pipes are."));
    let known = Probed { queued: Some(65536), capacity: Some(65536), ..Probed::default() };
    assert_eq!(offered(&graph(known.clone())), None);
    // Of the other pipe a side was not seen, in what may be hidden.
    let mut unseen = graph(known.clone());
    let alone = Pipe { ends: vec![end(3, 5, AccessMode::Read)], ..Pipe::unknown(BACK) };
    unseen.pipes.push(alone);
    unseen.probed.insert(BACK, known);
    unseen.coverage.outside = Some(ViewLimit::PidNamespace);
    assert_eq!(offered(&unseen).as_deref(), Some("whether the unseen side of one pipe has a process."));
}

/// A writer that has been blocked for a minute by a reader that sleeps.
fn full() -> [(Pid, ThreadGroup); 2] {
    let timer = Sleep { on: SleepOn::Timer, fd: None, target: None, place: String::new() };
    let groups = [
        group(2, 1, "yes", vec![task(2, 2, at(Operation::Write, PIPE, 1), 60)]),
        group(3, 1, "sleep", vec![task(3, 3, TaskState::Sleeps { sleep: timer }, 60)]),
    ];
    groups.map(|group| (group.pid, group))
}
