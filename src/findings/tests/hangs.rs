//! Threads that are blocked: who is to blame, what is not a problem, and what the advice is.

use super::super::leaked_write_end::LeakedWriteEnd;
use super::testing::{blocked, group, opening, waits_for_child};
use super::*;
use crate::judge::lineage::Relation;
use crate::model::{AlternativeWake, HolderFd, Operation, Sleep, SleepOn, TaskState, ThreadGroup, ViewLimit};

const CAT: &str = "cat";

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
    let mut listed = leak(1);
    listed.group(3).tasks.clear();
    let mut unlisted = leak(1);
    unlisted.groups.remove(&Pid(3));
    for scene in [listed, unlisted] {
        let finding = scene.find(Code::LeakedWriteEnd).unwrap();
        assert_eq!(finding.tasks, [task(2), task(3)]);
        assert!(finding.message.contains("daemon (PID 3)") && finding.advice.contains("`kill 3`"), "{finding:#?}");
    }
}

/// A descriptor above 2 is closed, and not redirected.
#[test]
fn advice_fits_the_descriptor_that_leaked() {
    let advice = |fd| leak(fd).find(Code::LeakedWriteEnd).unwrap().advice;
    assert!(advice(1).contains("`kill 3`") && advice(1).contains("`>/dev/null 2>&1`"), "{}", advice(1));
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

/// A writer that is blocked on a full pipe, and a reader that does this.
fn stall(reader: TaskState) -> Scene {
    let writer = group(1, 9, 9, "yes", blocked(Operation::Write, ID, writes(1)));
    Scene::new([writer, group(2, 9, 9, "less", reader)], &[(ID, &[writes(1), reads(2)])]).idle(60)
}

#[test]
fn readers_that_stall() {
    let code = Code::StalledReader;
    let severity = |doing| stall(doing).judge(code).map(|it| it.severity());
    let sleeps = |on| TaskState::Sleeps { sleep: Sleep { on, fd: None, target: None, place: String::new() } };
    assert_eq!(severity(TaskState::Runs), None);
    assert_eq!(severity(TaskState::Unknown), None);
    assert_eq!(severity(sleeps(SleepOn::Other)), None, "as on a disk");
    assert_eq!(severity(TaskState::Stopped), Some(Severity::Warning));
    assert_eq!(severity(sleeps(SleepOn::Timer)), Some(Severity::Warning));
    assert_eq!(severity(sleeps(SleepOn::Terminal)), Some(Severity::Info));
    assert_eq!(severity(blocked(Operation::Read, ID, reads(2))), None, "it is about to read");
    let short = stall(sleeps(SleepOn::Timer)).idle(3);
    assert_eq!(short.judge(code).map(|it| it.severity()), Some(Severity::Info), "a slow reader looks so");
    // One reader of several that is awake is enough.
    let mut two = stall(TaskState::Stopped);
    two.groups.insert(Pid(3), group(3, 9, 9, CAT, TaskState::Runs));
    two.pipe(ID).ends.push(reads(3));
    assert_eq!(two.judge(code), None);
    let finding = stall(TaskState::Stopped).find(code).unwrap();
    assert!(finding.advice.contains("`kill -CONT 2`"), "{}", finding.advice);
    let Some(Details::StalledReader(details)) = &finding.details else { panic!() };
    assert_eq!(details.idle.map(|idle| idle.as_secs()), Some(60));
}

/// PIDs of another namespace are those of other processes here.
#[test]
fn no_command_for_the_pids_of_another_namespace() {
    let mut scene = stall(TaskState::Stopped);
    scene.graph.coverage.own_pids = false;
    let finding = scene.find(Code::StalledReader).unwrap();
    let texts = finding.evidence.iter().map(|line| &line.text).chain([&finding.advice]);
    assert!(texts.clone().all(|text| !text.contains('`')), "{:?}", texts.collect::<Vec<_>>());
}

fn opener(doing: TaskState) -> Scene {
    Scene::new([group(5, 9, 9, CAT, doing)], &[])
}

#[test]
fn opens_that_are_blocked() {
    let code = Code::BlockedOpen;
    let finding = opener(opening("/f", AccessMode::Read, Some(FIFO), false)).find(code).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Warning, Certainty::Inferred));
    assert_eq!((pids(&finding.tasks), &finding.pipes[..]), (vec![5], &[FIFO][..]));
    // Two at one FIFO are one finding; FIFOs that could not be identified are as many as openers.
    let two = |pipe| {
        let groups = [5, 6].map(|pid| group(pid, 9, 9, CAT, opening("/f", AccessMode::Write, pipe, false)));
        let scene = Scene::new(groups, &[]);
        code.find(&Case::new(&scene.graph, &scene.groups, None)).len()
    };
    assert_eq!((two(Some(FIFO)), two(None)), (1, 2));
    // A reader that takes what is for another is no cure.
    let advice = |access| opener(opening("/f", access, Some(FIFO), false)).find(code).unwrap().advice;
    for access in AccessMode::ALL {
        let advice = advice(*access);
        assert!(advice.contains("/f") && advice.contains("O_NONBLOCK") && !advice.contains("cat"), "{advice}");
    }
}

/// No process can open it by that path. That the path is gone does not prove that the FIFO is: it may have been renamed, or have another
/// link.
#[test]
fn an_open_by_a_path_that_is_gone_is_ended_by_a_signal_or_by_another_path() {
    let deleted = opener(opening("/f", AccessMode::Read, None, true)).find(Code::BlockedOpen).unwrap();
    assert!(deleted.message.contains("deleted or renamed"), "{}", deleted.message);
    assert!(deleted.advice.contains("new path") && !deleted.advice.contains("nothing but"), "{}", deleted.advice);
    assert!(deleted.advice.contains("`kill 5`") && !deleted.advice.contains("start the process"), "{}", deleted.advice);
    let Some(Details::BlockedOpen(details)) = &deleted.details else { panic!() };
    assert!(details.deleted && details.path.as_deref() == Some(&b"/f"[..]));
}

#[test]
fn deadlocks_of_one_process_and_of_several() {
    let (to, back) = (ID, PipeId::anonymous(124));
    // 1 writes to `to` and reads `back`; 2 the other way round. Both read.
    let ends = [[writes(1), reads(2)], [end(1, 3, AccessMode::Read), end(2, 1, AccessMode::Write)]];
    let pipes: [(PipeId, &[Endpoint]); 2] = [(to, &ends[0]), (back, &ends[1])];
    let groups = || {
        let python = group(1, 9, 9, "python3", blocked(Operation::Read, back, ends[1][0]));
        [python, group(2, 1, 9, CAT, blocked(Operation::Read, to, reads(2)))]
    };
    let scene = Scene::new(groups(), &pipes);
    let finding = scene.find(Code::Deadlock).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Error, Certainty::Proven));
    assert_eq!(pids(&finding.tasks), [1, 2]);
    let Some(Details::Deadlock(details)) = &finding.details else { panic!() };
    assert_eq!(details.cycle.iter().map(|edge| edge.waker.pid.0).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(scene.judge(Code::SelfDeadlock), None);
    // A third that waits for them is behind; one that is awake on a side ends all.
    let mut behind = Scene::new(groups().into_iter().chain([group(3, 9, 9, "sh", waits_for_child())]), &pipes);
    behind.group(1).parent = Some(Pid(3));
    assert_eq!(pids(&behind.find(Code::Deadlock).unwrap().behind), [3]);
    let awake = group(4, 9, 9, "x", TaskState::Runs);
    let mut helped = Scene::new(groups().into_iter().chain([awake]), &pipes);
    helped.pipe(to).ends.push(writes(4));
    assert_eq!(helped.judge(Code::Deadlock), None);
    // A handler may do what it waits for.
    let mut handled = Scene::new(groups(), &pipes);
    handled.group(1).catches = 1 << 14;
    let finding = handled.find(Code::Deadlock).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Warning, Certainty::Suspected));
    // The reader holds the only write end.
    let own =
        Scene::new([group(1, 9, 9, "sh", blocked(Operation::Read, ID, reads(1)))], &[(ID, &[reads(1), writes(1)])]);
    let finding = own.find(Code::SelfDeadlock).unwrap();
    assert!(finding.advice.contains("close fd 1 in sh (PID 1)"), "{}", finding.advice);
    assert_eq!(own.judge(Code::Deadlock), None);
}

#[test]
fn hidden_ends_and_who_may_hold_them() {
    let reader = || group(1, 9, 9, CAT, blocked(Operation::Read, ID, reads(1)));
    let mut scene = Scene::new([reader()], &[(ID, &[reads(1)])]);
    let judgement = scene.judge(Code::HiddenEnd).unwrap();
    assert_eq!((judgement.severity(), judgement.certainty()), (Severity::Warning, Certainty::Proven));
    assert_eq!(pids(&judgement.tasks), [1]);
    assert_eq!(scene.judge(Code::NoWriter), None, "there is one");
    scene.graph.hidden.in_flight.push(HolderFd { pid: Pid(8), fd: Fd(5), command: "receiver".into() });
    let finding = scene.find(Code::HiddenEnd).unwrap();
    assert!(finding.message.contains("receiver (PID 8)") && finding.advice.contains("recvmsg(2)"), "{finding:#?}");
    scene.graph.coverage.outside = Some(ViewLimit::PidNamespace);
    assert_eq!(scene.judge(Code::HiddenEnd).map(|it| it.severity()), Some(Severity::Info), "that is to be expected");
}

#[test]
fn sides_that_are_empty_name_the_holders_of_the_other() {
    let writers: Vec<ThreadGroup> = (1..=12).map(|pid| group(pid, 99, 9, "sh", TaskState::Runs)).collect();
    let ends: Vec<Endpoint> = (1..=12).map(writes).collect();
    let mut scene = Scene::new(writers, &[(ID, &ends)]);
    let finding = scene.find(Code::NoReader).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Info, Certainty::Proven));
    assert_eq!(pids(&finding.tasks), (1..=12).collect::<Vec<_>>());
    assert_eq!(finding.evidence.len(), 9, "eight, and how many more: {finding:#?}");
    assert_eq!(finding.evidence[0].text, "sh (PID 1) holds a write end (fd 1)");
    assert!(finding.message.ends_with("raises SIGPIPE"), "{}", finding.message);
    // Nothing is claimed of a signal that is ignored.
    scene.groups.values_mut().for_each(|group| group.ignores = 1 << 12);
    let message = scene.find(Code::NoReader).unwrap().message;
    assert!(message.ends_with("fails with EPIPE") && !message.contains("SIGPIPE"), "{message}");
    assert_eq!(scene.judge(Code::NoWriter), None);
    // It may be where it could not be seen.
    scene.graph.coverage.outside = Some(ViewLimit::Hidepid);
    assert_eq!(scene.judge(Code::NoReader), None);

    let readers = Scene::new([group(1, 99, 9, CAT, TaskState::Runs)], &[(ID, &[reads(1)])]);
    let finding = readers.find(Code::NoWriter).unwrap();
    assert_eq!((pids(&finding.tasks), finding.evidence.len()), (vec![1], 1));
}
