//! Threads that are blocked: who is to blame, what is not a problem, and what the advice is.

use super::testing::{blocked, group, waits_for_child};
use super::*;
use crate::model::{HolderFd, Operation, Sleep, SleepOn, TaskState, ThreadGroup, ViewLimit};

const CAT: &str = "cat";

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
    assert_eq!(severity(TaskState::Runs), Some(Severity::Info), "it may compute");
    assert_eq!(severity(TaskState::Unknown), Some(Severity::Info));
    assert_eq!(severity(sleeps(SleepOn::Other)), Some(Severity::Info), "as on a disk");
    assert_eq!(severity(TaskState::Stopped), Some(Severity::Warning));
    assert_eq!(severity(sleeps(SleepOn::Timer)), Some(Severity::Warning));
    assert_eq!(severity(sleeps(SleepOn::Terminal)), Some(Severity::Info));
    assert_eq!(severity(blocked(Operation::Read, ID, reads(2))), None, "it is about to read");
    assert_eq!(stall(TaskState::Runs).idle(3).judge(code), None, "it is about to read");
    let short = stall(sleeps(SleepOn::Timer)).idle(3);
    assert_eq!(short.judge(code).map(|it| it.severity()), Some(Severity::Info), "a slow reader looks so");
    let mut unknown = stall(sleeps(SleepOn::Timer));
    unknown.group(1).tasks[0].idle = None;
    assert_eq!(unknown.judge(code).map(|it| it.severity()), Some(Severity::Info), "known of another thread only");
    unknown.group(2).tasks[0].idle = None;
    assert_eq!(unknown.judge(code).map(|it| it.severity()), Some(Severity::Warning), "the kernel says it of no thread");
    // That one of several is awake does not make one that is stopped read, nor the other within so long.
    let mut two = stall(TaskState::Stopped);
    two.groups.insert(Pid(3), group(3, 9, 9, CAT, TaskState::Runs));
    two.pipe(ID).ends.push(reads(3));
    assert_eq!(two.judge(code).map(|it| it.severity()), Some(Severity::Warning));
    assert_eq!(two.idle(3).judge(code), None);
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

/// An event loop with the self-pipe trick, as that of Node: it polls what its signal handlers write, and the output of a filter.
#[test]
fn a_loop_that_waits_for_another_process_is_not_excused_by_its_signal_handlers() {
    let [own, to, back] = [ID, PipeId::anonymous(124), PipeId::anonymous(125)];
    let nonblocking = Some(OpenFlags(libc::O_NONBLOCK.cast_unsigned()));
    let of_own = [end(1, 6, AccessMode::Read), Endpoint { flags: nonblocking, ..end(1, 7, AccessMode::Write) }];
    let of_to = [end(1, 3, AccessMode::Write), reads(2)];
    let of_back = [end(1, 4, AccessMode::Read), writes(2)];
    let polls = |ends: &[(PipeId, Endpoint)]| {
        let one = |(pipe, end): &(PipeId, Endpoint)| match blocked(Operation::Poll, *pipe, *end) {
            TaskState::Waits { causes, .. } => causes,
            _ => panic!(),
        };
        TaskState::Waits { causes: ends.iter().flat_map(one).collect(), besides: None }
    };
    let scene = |polled: &[(PipeId, Endpoint)], catches| {
        let mut node = group(1, 9, 9, "node", polls(polled));
        node.catches = catches;
        let filter = group(2, 1, 9, "sort", blocked(Operation::Read, to, reads(2)));
        Scene::new([node, filter], &[(own, &of_own), (to, &of_to), (back, &of_back)])
    };
    let both = [(own, of_own[0]), (back, of_back[0])];
    let certainty = |scene: Scene| scene.judge(Code::Deadlock).map(|it| it.certainty());
    assert_eq!(certainty(scene(&both, 0)), Some(Certainty::Proven));
    assert_eq!(certainty(scene(&both, 1 << 14).idle(60)), Some(Certainty::Suspected));
    assert_eq!(certainty(scene(&both, 1 << 14).idle(3)), None, "it may be about to be released");
    let alone = scene(&both[..1], 1 << 14).idle(60);
    assert_eq!((alone.judge(Code::SelfDeadlock), alone.judge(Code::Deadlock)), (None, None), "it waits for a signal");
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
    let texts: Vec<&str> = finding.evidence.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["sh ×12 (PID 1, 2, 3 and 9 more) each hold a write end (fd 1)"]);
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
