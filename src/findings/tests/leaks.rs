//! Write ends in the hands of processes that do not belong to the pipeline: which of those count, and how much.

mod filters;

use std::time::Duration;

use super::super::leaked_write_end::{LeakedWriteEnd, NoticeReason};
use super::testing::{blocked, group, unread, waits_for_child};
use super::*;
use crate::judge::lineage::Relation;
use crate::model::{
    AlternativeWake, Operation, PipeWait, Sleep, SleepOn, TaskState, ThreadGroup, ViewLimit, WaitTarget,
};

const CAT: &str = "cat";
const OTHER: PipeId = PipeId::anonymous(124);

/// A reader of session 9, and a process of another that holds the write end under this number.
fn leak(fd: u32) -> Scene {
    let holder = end(3, fd, AccessMode::Write);
    let reader = group(2, 9, 9, CAT, blocked(Operation::Read, ID, reads(2)));
    let shell = group(9, 1, 9, "bash", waits_for_child());
    let daemon = group(3, 1, 3, "daemon", TaskState::Runs);
    Scene::new([reader, shell, daemon, group(1, 0, 1, "init", TaskState::Runs)], &[(ID, &[reads(2), holder])])
}

fn of_leak(scene: &Scene) -> Option<LeakedWriteEnd> {
    match scene.judge(Code::LeakedWriteEnd)?.details {
        Details::LeakedWriteEnd(details) => Some(details),
        other => panic!("{other:?}"),
    }
}

fn relation(scene: &Scene) -> Option<Relation> {
    of_leak(scene).map(|details| details.holders[0].relation)
}

#[test]
fn leaks_by_relation() {
    assert_eq!(relation(&leak(1)), Some(Relation::OtherSession));
    // The shell that started the reader, and its sibling, may be the writer.
    let mut scene = leak(1);
    scene.pipe(ID).ends[1].pid = Pid(9);
    assert_eq!(relation(&scene), None);
    let mut scene = leak(1);
    *scene.group(3) = group(3, 9, 9, "seq", TaskState::Runs);
    assert_eq!(relation(&scene), None);
    // In the session, with a parent that has exited.
    let mut scene = leak(1);
    *scene.group(3) = group(3, 1, 9, "seq", TaskState::Runs);
    scene.group(3).pgid = Some(3);
    assert_eq!(relation(&scene), Some(Relation::Orphan));
    // One without a known session may be of this one.
    let mut scene = leak(1);
    scene.group(3).sid = Some(9);
    scene.group(3).parent = Some(Pid(9));
    assert_eq!(relation(&scene), None);
    // The jobserver of make: all of its processes read and write it.
    let mut scene = leak(1);
    scene.pipe(ID).ends = vec![reads(2), writes(2), reads(3), writes(3)];
    assert_eq!(relation(&scene), None);
    // A reader that is in a deadlock with its own copy alone is reported as that.
    let mut scene = leak(1);
    scene.pipe(ID).ends = vec![reads(2), writes(2)];
    assert_eq!(relation(&scene), None);
    assert!(scene.judge(Code::SelfDeadlock).is_some());
}

/// PID 8 started the shell, and all are of its session.
#[test]
fn the_group_of_an_orphan_shows_that_its_parent_has_adopted_it() {
    let scene = |group_of_reader: u32, group_of_holder: u32| {
        let mut scene = leak(1);
        *scene.group(2) = group(2, 9, 8, CAT, blocked(Operation::Read, ID, reads(2)));
        scene.group(2).pgid = Some(group_of_reader);
        *scene.group(9) = group(9, 8, 8, "bash", waits_for_child());
        *scene.group(3) = group(3, 8, 8, "sleep", TaskState::Runs);
        scene.group(3).pgid = Some(group_of_holder);
        let supervisor = group(8, 1, 8, "supervisor", waits_for_child());
        scene.groups.insert(Pid(8), supervisor);
        relation(&scene)
    };
    // The leader of its group is the reader, or has exited and was started by the shell.
    assert_eq!(scene(2, 2), Some(Relation::Orphan));
    assert_eq!(scene(5, 5), Some(Relation::Orphan));
    // A child of PID 8 in the group of its parent, in its own, and in another.
    assert_eq!(scene(2, 8), None);
    assert_eq!(scene(2, 3), None);
    assert_eq!(scene(2, 5), None);
}

/// `timeout 9 grep -m1 x < <(tail -f log)`: bash forks the one that becomes timeout, which forks tail, and moves to a group of its own.
#[test]
fn a_parent_that_left_its_group_has_adopted_nobody() {
    let mut scene = leak(1);
    let shell = group(9, 1, 9, "bash", waits_for_child());
    let mut timeout = group(8, 9, 9, "timeout", waits_for_child());
    timeout.pgid = Some(8);
    *scene.group(2) = group(2, 8, 9, "grep", blocked(Operation::Read, ID, reads(2)));
    scene.group(2).pgid = Some(8);
    *scene.group(3) = group(3, 8, 9, "tail", TaskState::Runs);
    *scene.group(9) = shell;
    scene.groups.insert(Pid(8), timeout);
    assert_eq!(relation(&scene), None);
}

/// `tail -f log | sudo grep x`, where sudo runs it on a terminal of its own: the reader has left the session, and the writer has not.
#[test]
fn a_reader_that_left_the_session_is_still_of_the_pipeline() {
    let mut scene = leak(1);
    *scene.group(3) = group(3, 9, 9, "tail", TaskState::Runs);
    *scene.group(2) = group(2, 7, 7, "grep", blocked(Operation::Read, ID, reads(2)));
    for (pid, parent, session) in [(6, 9, 9), (7, 6, 7)] {
        scene.groups.insert(Pid(pid), group(pid, parent, session, "sudo", TaskState::Runs));
    }
    assert_eq!(relation(&scene), None);
    // But for what was left behind.
    scene.group(3).parent = Some(Pid(1));
    assert_eq!(relation(&scene), Some(Relation::OtherSession));
}

/// `sleep 1000 | ssh -o ControlPath=...`: the client passes its stdin to the master, a daemon, over a socket.
#[test]
fn a_reader_that_was_passed_its_end_reads_for_the_process_that_passed_it() {
    let scene = |stdin: u32| {
        let master = group(2, 1, 2, "ssh", blocked(Operation::Read, ID, end(2, 7, AccessMode::Read)));
        let (shell, init) = (group(9, 1, 9, "bash", waits_for_child()), group(1, 0, 1, "init", TaskState::Runs));
        let client = group(4, 9, 9, "ssh", TaskState::Runs);
        let ends = [end(2, 7, AccessMode::Read), writes(3), end(4, stdin, AccessMode::Read)];
        Scene::new([master, shell, client, init, group(3, 9, 9, "sleep", TaskState::Runs)], &[(ID, &ends)])
    };
    assert_eq!(relation(&scene(0)), None);
    assert_eq!(relation(&scene(7)), Some(Relation::OtherSession), "it may have inherited that");
    // What the job of the client left is a leak for both.
    let mut left = scene(0);
    left.group(3).parent = Some(Pid(1));
    left.group(3).pgid = Some(3);
    assert_eq!(relation(&left), Some(Relation::OtherSession));
}

#[test]
fn leaks_may_end_by_themselves_or_not_be_proven() {
    let scene = leak(1);
    let judgement = scene.judge(Code::LeakedWriteEnd).unwrap();
    assert_eq!((judgement.severity(), judgement.certainty()), (Severity::Warning, Certainty::Inferred));
    assert_eq!(pids(&judgement.tasks), [2, 3], "the reader first");
    let mut scene = leak(1);
    let TaskState::Waits { besides, .. } = &mut scene.group(2).tasks[0].doing else { panic!() };
    *besides = Some(AlternativeWake::Timeout);
    assert_eq!(scene.judge(Code::LeakedWriteEnd).map(|it| it.severity()), Some(Severity::Info));
    let mut scene = leak(1);
    scene.graph.coverage.outside = Some(ViewLimit::Hidepid);
    let finding = scene.find(Code::LeakedWriteEnd).unwrap();
    assert_eq!(finding.certainty, Certainty::Suspected);
    assert!(finding.caveat.is_some(), "{finding:#?}");
}

/// It is named by its PID, in the sentences and among the processes.
#[test]
fn a_holder_whose_threads_could_not_be_read_is_among_the_processes() {
    let mut listed = leak(7);
    listed.group(3).tasks.clear();
    let mut unlisted = leak(7);
    unlisted.groups.remove(&Pid(3));
    for mut scene in [listed, unlisted] {
        assert_eq!(scene.judge(Code::LeakedWriteEnd), None, "it has ended");
        scene.graph.coverage.gaps.push(unread(3));
        let finding = scene.find(Code::LeakedWriteEnd).unwrap();
        assert_eq!(finding.tasks, [task(2), task(3)]);
        assert!(finding.message.contains("daemon (PID 3)") && finding.advice.contains("`kill 3`"), "{finding:#?}");
    }
}

/// A descriptor above 2 is closed, and not redirected.
#[test]
fn advice_fits_the_descriptor_that_leaked() {
    let advice = |fd| leak(fd).find(Code::LeakedWriteEnd).unwrap().advice;
    let daemon = advice(1);
    assert!(daemon.contains("restart daemon (PID 3)") && daemon.contains("`>/dev/null 2>&1`"), "{daemon}");
    assert!(!daemon.contains("kill"), "it has had that since it was started: {daemon}");
    let mut of_job = leak(1);
    of_job.group(3).sid = Some(4);
    let of_job = of_job.find(Code::LeakedWriteEnd).unwrap().advice;
    assert!(of_job.contains("`kill 3`") && of_job.contains("`>/dev/null 2>&1`"), "{of_job}");
    assert!(advice(143).contains("`143>&-`") && !advice(143).contains("/dev/null"), "{}", advice(143));
}

/// `exec 3<>fifo; cat <fifo &`: the shell that keeps the FIFO open is no unrelated process.
#[test]
fn a_parent_that_keeps_its_own_read_write_end_is_not_called_unrelated() {
    let mut scene = leak(1);
    let mut shell = end(9, 3, AccessMode::ReadWrite);
    shell.flags = None;
    scene.graph.pipes = vec![Pipe { ends: vec![reads(2), shell], ..Pipe::unknown(FIFO) }];
    scene.group(2).tasks[0].doing = blocked(Operation::Read, FIFO, reads(2));
    let details = of_leak(&scene).unwrap();
    assert_eq!(details.holders[0].relation, Relation::ReadWrite);
    assert!(details.holders[0].ancestor_of_reader);
    let finding = scene.find(Code::LeakedWriteEnd).unwrap();
    assert!(finding.message.contains("O_RDWR") && !finding.message.contains("belong"), "{}", finding.message);
    assert!(finding.evidence.iter().any(|line| line.text.contains("keeps its own O_RDWR end open")), "{finding:#?}");
    assert!(finding.advice.starts_with("To unblock: have it close fd 3"), "{}", finding.advice);
}

fn sleeps() -> TaskState {
    TaskState::Sleeps { sleep: Sleep { on: SleepOn::Timer, fd: None, target: None, place: String::new() } }
}

/// What a thread does that polls these descriptors, and other files.
fn polls(pipes: &[(PipeId, u32)]) -> TaskState {
    let wait = |(pipe, fd): &(PipeId, u32)| PipeWait {
        operation: Operation::Poll,
        access: AccessMode::Read,
        fd: Some(Fd(*fd)),
        pipe: Some(*pipe),
        path: None,
        deleted: false,
        full: false,
    };
    let causes = pipes.iter().map(wait).map(WaitTarget::Pipe).collect();
    TaskState::Waits { causes, besides: Some(AlternativeWake::Files) }
}

/// Lets these programs have no arguments, so that they know of no descriptor by those.
fn without_arguments(scene: &mut Scene, pids: &[u32]) {
    for pid in pids {
        let process = scene.graph.processes.get_mut(&Pid(*pid)).unwrap();
        process.cmdline = Some(b"sleep\0".to_vec().into());
    }
}

fn verdict(scene: &Scene) -> Option<(Severity, Option<NoticeReason>)> {
    let judgement = scene.judge(Code::LeakedWriteEnd)?;
    let severity = judgement.severity();
    let Details::LeakedWriteEnd(details) = judgement.details else { panic!() };
    Some((severity, details.notice))
}

/// An event loop of session 9 below a daemon, and what its job left: the shell of session 5 that it started has ended.
fn event_loop(ids: [PipeId; 2], holder: &[Endpoint]) -> Scene {
    let mut init = group(1, 0, 1, "init", sleeps());
    init.adopts = Some(vec![Pid(9), Pid(3)]);
    let server = group(9, 1, 9, "server", polls(&[(ids[0], 7), (ids[1], 9)]));
    let orphan = group(3, 1, 5, "worker", sleeps());
    let [read_one, read_two] = [7, 9].map(|fd| end(9, fd, AccessMode::Read));
    Scene::new([init, server, orphan], &[(ids[0], &[read_one, holder[0]]), (ids[1], &[read_two, holder[1]])]).idle(60)
}

#[test]
fn what_an_ended_job_left_is_a_warning_however_the_reader_waits() {
    let outputs = [1, 2].map(|fd| end(3, fd, AccessMode::Write));
    let scene = event_loop([ID, OTHER], &outputs);
    assert_eq!(verdict(&scene), Some((Severity::Warning, None)));
    let finding = scene.find(Code::LeakedWriteEnd).unwrap();
    assert_eq!((pids(&finding.tasks), &finding.pipes[..]), (vec![9, 3], &[ID, OTHER][..]), "one finding of both");
    assert_eq!(finding.evidence.len(), 3, "{finding:#?}");
    assert!(finding.advice.contains("`kill 3`, or have it close fd 1 and fd 2"), "{}", finding.advice);
    // Other holders of one of them: two findings.
    let mut two = event_loop([ID, OTHER], &outputs);
    two.groups.insert(Pid(4), group(4, 1, 5, "worker", sleeps()));
    two.pipe(OTHER).ends.push(end(4, 2, AccessMode::Write));
    assert_eq!(Code::LeakedWriteEnd.find(&Case::new(&two.graph, &two.groups, None)).len(), 2);
    // The leader of its session, and what started both, still run: the job may, too.
    let mut running = event_loop([ID, OTHER], &outputs);
    running.groups.insert(Pid(5), group(5, 8, 5, "sh", waits_for_child()));
    running.groups.insert(Pid(8), group(8, 1, 8, "manager", waits_for_child()));
    running.group(3).parent = Some(Pid(8));
    running.group(9).parent = Some(Pid(8));
    assert_eq!(verdict(&running), Some((Severity::Info, Some(NoticeReason::MayResume))));
    // A process that still waits for the job is no orphan, and then nothing is known to be wrong.
    let mut child = event_loop([ID, OTHER], &outputs);
    child.group(3).parent = Some(Pid(9));
    assert_eq!(verdict(&child), None);
}

#[test]
fn sockets_without_a_path_count_if_the_holder_was_started_with_them() {
    let [ours, theirs] = [11, 12].map(PipeId::unix);
    let scene = |fd: u32, path: Option<&str>| {
        let mut scene = event_loop([ID, ours], &[1, fd].map(|fd| end(3, fd, AccessMode::Write)));
        scene.pipe(ID).ends.pop();
        let back = [end(9, 9, AccessMode::Write), end(3, fd, AccessMode::Read)];
        scene.graph.pipes.push(Pipe { ends: back.into(), path: path.map(Into::into), ..Pipe::unknown(theirs) });
        scene
    };
    assert_eq!(verdict(&scene(1, None)), Some((Severity::Warning, None)));
    assert_eq!(verdict(&scene(5, None)), None, "it may have been made for more than its end");
    assert_eq!(verdict(&scene(1, Some("/run/x"))), None, "a client that connected to a server");
    let mut alone = scene(1, None);
    alone.graph.pipes.retain(|pipe| pipe.id != theirs);
    assert_eq!(verdict(&alone), None, "the other direction is not known");
}

/// Who wrote a short time ago may write again.
#[test]
fn a_leak_is_a_notice_while_data_may_flow() {
    let recent = Some((Severity::Info, Some(NoticeReason::Recent)));
    assert_eq!(verdict(&leak(1).idle(3)), recent);
    assert_eq!(verdict(&leak(1).idle(13)), Some((Severity::Warning, None)));
    // A reader that wakes for another reason, of a holder that did not run.
    let mut busy = event_loop([ID, OTHER], &[1, 2].map(|fd| end(3, fd, AccessMode::Write)));
    busy.group(9).tasks[0].idle = Some(Duration::ZERO);
    assert_eq!(verdict(&busy), Some((Severity::Warning, None)));
    let state = std::mem::replace(&mut busy.group(9).tasks[0].doing, TaskState::Runs);
    assert_eq!(verdict(&busy), None);
    busy.group(9).tasks[0].woke = Some(Box::new(state));
    assert_eq!(verdict(&busy), Some((Severity::Warning, None)), "it ran, and not since it was written to");
    busy.group(3).tasks[0].idle = Some(Duration::from_secs(1));
    assert_eq!(verdict(&busy), None, "it may have been");
    // A program cannot write to what it does not know of.
    let mut unknowing = leak(63).idle(0);
    *unknowing.group(3) = group(3, 2, 9, "sleep", sleeps());
    without_arguments(&mut unknowing, &[3]);
    assert_eq!(relation(&unknowing), Some(Relation::Inherited));
    assert_eq!(verdict(&unknowing), Some((Severity::Warning, None)));
}

#[test]
fn log_readers_and_what_was_left_with_the_writer_are_notices() {
    let mut logger = leak(1).idle(60);
    logger.group(2).command = "logger".into();
    logger.graph.processes.get_mut(&Pid(2)).unwrap().command = "logger".into();
    assert_eq!(verdict(&logger), Some((Severity::Info, Some(NoticeReason::LogReader))));
    // `setsid server | tee log &` in a shell that has ended: no process waits for either.
    let mut left = leak(1).idle(60);
    left.groups.remove(&Pid(9));
    left.graph.processes.remove(&Pid(9));
    left.group(1).adopts = Some(vec![Pid(3), Pid(2)]);
    left.group(2).parent = Some(Pid(1));
    assert_eq!(verdict(&left), Some((Severity::Info, Some(NoticeReason::Abandoned))));
}

#[test]
fn a_reader_that_watches_its_children_is_not_waiting_for_their_output() {
    let worker = |pid: u32, name: &str| -> ThreadGroup { group(pid, 9, 9, name, sleeps()) };
    let scene = |names: [&str; 2], polled: &[(PipeId, u32)]| {
        let server = group(9, 1, 9, "server", polls(polled));
        let ends = [
            [end(9, 7, AccessMode::Read), end(3, 5, AccessMode::Write)],
            [end(9, 9, AccessMode::Read), end(4, 5, AccessMode::Write)],
        ];
        let groups = [group(1, 0, 1, "init", sleeps()), server, worker(3, names[0]), worker(4, names[1])];
        let mut scene = Scene::new(groups, &[(ID, &ends[0]), (OTHER, &ends[1])]).idle(60);
        without_arguments(&mut scene, &[3, 4]);
        scene
    };
    let both = [(ID, 7), (OTHER, 9)];
    assert_eq!(verdict(&scene(["sleep", "sleep"], &both)), None, "one pipe for each");
    assert_eq!(verdict(&scene(["server", "server"], &both[..1])), None, "the same program, as of multiprocessing");
    let one = scene(["sleep", "sleep"], &both[..1]);
    assert_eq!(verdict(&one), Some((Severity::Info, Some(NoticeReason::MayResume))));
    // Both pipes in the hands of one process are two leaks.
    let mut leaks = scene(["sleep", "sleep"], &both);
    leaks.pipe(OTHER).ends[1] = end(3, 6, AccessMode::Write);
    assert_eq!(verdict(&leaks), Some((Severity::Info, Some(NoticeReason::MayResume))));
    // One that waits for that pipe alone wants what is in it.
    let mut reads_it = scene(["sleep", "sleep"], &both);
    reads_it.group(9).tasks[0].doing = blocked(Operation::Read, ID, end(9, 7, AccessMode::Read));
    assert_eq!(verdict(&reads_it), Some((Severity::Warning, None)));
}
