//! Pipes without a reader: what is left over of a job, and what outlived its client.

use super::super::no_reader::NoReader;
use super::testing::{blocked, group, unread, waits_for, waits_for_child};
use super::*;
use crate::model::{
    Activity, Certainty, Children, LinkTarget, Operation, OtherFile, Sleep, SleepOn, TaskState, Time, ViewLimit,
    WaitTarget,
};

const INPUT: PipeId = PipeId::anonymous(122);
const SIGPIPE: u64 = 1 << 12;
const SIGURG: u64 = 1 << 22;

fn sleeps(on: SleepOn) -> TaskState {
    TaskState::Sleeps { sleep: Sleep { on, fd: None, target: None, place: String::new() } }
}

/// `tail -f log | mawk | grep -m1` of a script, of which grep has ended.
fn job() -> Scene {
    let script = group(2, 9, 9, "script", waits_for_child());
    let tail = group(3, 2, 9, "tail", sleeps(SleepOn::Files));
    let mawk = group(4, 2, 9, "mawk", blocked(Operation::Read, INPUT, reads(4)));
    let mut scene = Scene::new([script, tail, mawk], &[(INPUT, &[writes(3), reads(4)]), (ID, &[writes(4)])]).idle(60);
    scene.graph.taken_at = Time::at(1000);
    scene.graph.processes.get_mut(&Pid(4)).unwrap().started_at = Some(Time::at(900));
    scene
}

fn details(scene: &Scene) -> Option<NoReader> {
    match scene.judge(Code::NoReader)?.details {
        Details::NoReader(details) => Some(details),
        other => panic!("{other:?}"),
    }
}

/// The writer and the process that waits for it, if that is a warning.
fn leftover(scene: &Scene) -> Option<(u32, u32)> {
    let leftover = details(scene)?.leftover;
    assert_eq!(scene.judge(Code::NoReader).unwrap().severity() == Severity::Warning, leftover.is_some());
    leftover.map(|it| (it.writer.0, it.waiter.0))
}

#[test]
fn a_filter_without_a_reader_is_left_over_while_a_shell_waits_for_it() {
    let finding = job().find(Code::NoReader).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Warning, Certainty::Proven));
    assert_eq!(pids(&finding.tasks), [2, 4], "the process that waits, and what is left over");
    assert!(finding.message.starts_with("mawk (PID 4)") && finding.advice.contains("`kill 4`"), "{finding:#?}");
    assert_eq!(leftover(&job()), Some((4, 2)));
    assert_eq!(leftover(&job().idle(3)), None, "it may be about to notice");
    // A wrapper that has the pipe, too, is of the job.
    let mut wrapped = job();
    wrapped.groups.insert(Pid(5), group(5, 2, 9, "sh", waits_for_child()));
    wrapped.group(4).parent = Some(Pid(5));
    let (command, cmdline) = ("sh".into(), Some(b"sh\0".to_vec().into()));
    let facts = Process { command, cmdline, ..process(5, 7, 9) };
    wrapped.graph.processes.insert(Pid(5), facts);
    wrapped.pipe(ID).ends.push(writes(5));
    assert_eq!(leftover(&wrapped), Some((4, 2)));
    // The stdin of a child that has ended.
    let mut parent = job();
    parent.pipe(ID).ends[0].fd = Fd(5);
    assert_eq!(leftover(&parent), None);
    // Input from another process of the same job, as to a worker of a pool.
    let mut worker = job();
    worker.pipe(ID).ends.insert(0, writes(3));
    assert_eq!(leftover(&worker), None);
    // No process waits for it, or one that has more to do, or a child reaper for whatever comes to it.
    let waiting = [sleeps(SleepOn::Terminal), TaskState::Runs, waits_for(WaitTarget::Children(Children::One(Pid(3))))];
    for doing in waiting {
        let mut scene = job();
        scene.group(2).tasks[0].doing = doing;
        assert_eq!(leftover(&scene), None);
    }
    let mut reaper = job();
    reaper.group(2).adopts = Some(vec![Pid(3), Pid(4)]);
    assert_eq!(leftover(&reaper), Some((4, 2)), "of its own process group");
    reaper.group(4).pgid = Some(4);
    assert_eq!(leftover(&reaper), None);
}

#[test]
fn a_writer_that_sleeps_or_works_is_not_left_over() {
    let other = |target: &str| OtherFile { fd: Fd(3), target: Some(LinkTarget::from(target.as_bytes().to_vec())) };
    let writer = |doing: TaskState| {
        let mut scene = job();
        scene.group(4).tasks[0].doing = doing;
        scene
    };
    for doing in [sleeps(SleepOn::Timer), sleeps(SleepOn::Socket), TaskState::Runs, waits_for_child()] {
        assert_eq!(leftover(&writer(doing)), None);
    }
    let mut follower = writer(sleeps(SleepOn::Files));
    assert_eq!(leftover(&follower), None, "what it polls is not known");
    follower.group(4).tasks[0].others = vec![other("anon_inode:inotify")];
    assert_eq!(leftover(&follower), Some((4, 2)));
    follower.group(4).tasks[0].others.push(other("socket:[7]"));
    assert_eq!(leftover(&follower), None, "a server");
    // It ignores SIGPIPE, is old, and wakes now and then.
    let survivor = |ignores, catches, idle| {
        let mut scene = writer(sleeps(SleepOn::Timer)).idle(idle);
        (scene.group(4).ignores, scene.group(4).catches) = (ignores, catches);
        scene
    };
    assert_eq!(leftover(&survivor(SIGPIPE, 0, 0)), Some((4, 2)));
    assert_eq!(leftover(&survivor(0, SIGPIPE, 0)), Some((4, 2)));
    assert_eq!(leftover(&survivor(0, SIGPIPE | SIGURG, 0)), None, "Go, which ends by it");
    assert_eq!(leftover(&survivor(0, 0, 0)), None, "it would have ended by its next write");
    assert_eq!(leftover(&survivor(SIGPIPE, 0, 60)), None, "it may never have written");
    let mut young = survivor(SIGPIPE, 0, 0);
    young.graph.taken_at = Time::at(903);
    assert_eq!(leftover(&young), None);
    let mut busy = survivor(SIGPIPE, 0, 0);
    busy.group(4).activity = Some(Activity { over: 400, cpu: 300, read: None, written: None });
    assert_eq!(leftover(&busy), None);
}

/// What cannot be seen may hold the read end only if it is related to the writer.
#[test]
fn a_left_over_writer_is_suspected_where_only_strangers_could_not_be_seen() {
    let mut scene = job();
    scene.graph.coverage.outside = Some(ViewLimit::PidNamespace);
    let finding = scene.find(Code::NoReader).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Warning, Certainty::Suspected));
    assert!(finding.caveat.is_some(), "{finding:#?}");
    scene.graph.coverage.outside = Some(ViewLimit::Hidepid);
    assert_eq!(scene.judge(Code::NoReader), None);
    let opaque = |parent: u32, session: u32| {
        let mut scene = job();
        scene.groups.insert(Pid(7), group(7, parent, session, "sudo", sleeps(SleepOn::Other)));
        scene.graph.processes.remove(&Pid(7));
        scene.graph.coverage.gaps.push(unread(7));
        scene
    };
    assert_eq!(leftover(&opaque(1, 7)), Some((4, 2)));
    for related in [opaque(1, 9), opaque(2, 7)] {
        assert_eq!(related.judge(Code::NoReader), None, "`mawk | sudo tee`");
    }
    let mut above = opaque(1, 7);
    above.group(2).parent = Some(Pid(7));
    assert_eq!(leftover(&above), Some((4, 2)), "the shell, which made the pipe, does not have it");
    let idle = {
        let mut scene = opaque(1, 7);
        scene.group(4).tasks[0].doing = sleeps(SleepOn::Timer);
        scene
    };
    assert_eq!(idle.judge(Code::NoReader), None, "not proven, and no process is known to be hindered");
}

#[test]
fn a_server_that_outlived_its_client_is_one_finding() {
    let server = || group(5, 1, 5, "server", blocked(Operation::Poll, INPUT, reads(5)));
    let (error, other) = (PipeId::anonymous(125), end(5, 2, AccessMode::Write));
    let scene = Scene::new([server()], &[(INPUT, &[reads(5)]), (ID, &[writes(5)]), (error, &[other])]);
    let finding = scene.find(Code::NoReader).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Info, Certainty::Proven));
    assert_eq!((pids(&finding.tasks), &finding.pipes[..]), (vec![5], &[INPUT, ID, error][..]));
    assert!(finding.message.starts_with("server (PID 5)"), "{}", finding.message);
    assert_eq!(scene.judge(Code::NoWriter), None, "said once");
    let details = details(&scene).unwrap();
    assert_eq!((details.pipe, details.stdin, details.other_outputs), (ID, Some(INPUT), vec![error]));
    // Another process that reads from the one, or another descriptor.
    let mut two = Scene::new(
        [server(), group(6, 1, 6, "x", TaskState::Runs)],
        &[(INPUT, &[reads(5), reads(6)]), (ID, &[writes(5)])],
    );
    assert!(two.judge(Code::NoWriter).is_some() && two.judge(Code::NoReader).is_some());
    two = Scene::new([server()], &[(INPUT, &[reads(5)]), (ID, &[end(5, 7, AccessMode::Write)])]);
    assert!(two.judge(Code::NoWriter).is_some() && two.judge(Code::NoReader).is_some());
    // The sockets of a client that is gone are no channel.
    let socket = Scene::new([server()], &[(PipeId::unix(7), &[reads(5)]), (PipeId::unix(8), &[writes(5)])]);
    assert_eq!((socket.judge(Code::NoWriter), socket.judge(Code::NoReader)), (None, None));
}
