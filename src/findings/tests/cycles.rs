//! Cycles of waits: a parent that waits for the exit of a worker, a reader whose own process keeps the write end open, and the advice.

use super::testing::{blocked, group, waits_for, waits_for_child};
use super::*;
use crate::model::{Certainty, Children, Device, Operation, SharedLock, Task, TaskId, TaskState, WaitTarget};

const TERM: u64 = 1 << 14;

/// A pipe that each of these has both ends of, open at fds 3 and 4.
fn both(pids: &[u32]) -> Vec<Endpoint> {
    pids.iter().flat_map(|pid| [end(*pid, 3, AccessMode::Read), end(*pid, 4, AccessMode::Write)]).collect()
}

/// A parent does this. One of its two workers reads the tasks, the other waits for the lock that the first one has.
fn workers(parent: TaskState) -> Scene {
    let lock = SharedLock { device: Device { major: 0, minor: 1 }, inode: 5, offset: 0 };
    let ends = both(&[1, 2, 3]);
    let reader = group(2, 1, 1, "python3", blocked(Operation::Read, ID, ends[2]));
    let waiter = group(3, 1, 1, "python3", waits_for(WaitTarget::Lock(lock)));
    let mut scene = Scene::new([group(1, 9, 1, "python3", parent), reader, waiter], &[(ID, &ends)]);
    scene.graph.waited.locks.insert(lock, [Pid(1), Pid(2), Pid(3)].into());
    scene.idle(60)
}

#[test]
fn a_pool_at_rest_has_a_parent_that_does_not_wait_for_the_exit_of_a_worker() {
    let answers = PipeId::anonymous(124);
    let ends = both(&[1, 2, 3]);
    let mut rests = workers(blocked(Operation::Read, answers, ends[0]));
    rests.graph.pipes.push(Pipe { ends, ..Pipe::unknown(answers) });
    assert_eq!(rests.judge(Code::Deadlock), None);
    let mut joins = workers(waits_for(WaitTarget::Children(Children::One(Pid(2)))));
    let finding = joins.find(Code::Deadlock).unwrap();
    assert_eq!((finding.severity, pids(&finding.tasks)), (Severity::Error, vec![1, 2, 3]));
    assert!(finding.advice.contains("the end mark of a queue"), "{}", finding.advice);
    joins.group(1).catches = TERM;
    assert_eq!(joins.judge(Code::Deadlock).map(|it| it.certainty()), Some(Certainty::Suspected));
    // A server that starts another worker for each that exits.
    let prefork = workers(waits_for(WaitTarget::Children(Children::All)));
    assert_eq!(prefork.judge(Code::Deadlock), None);
    // Another child is none of the pool.
    let mut other = workers(waits_for(WaitTarget::Children(Children::One(Pid(4)))));
    other.groups.insert(Pid(4), group(4, 1, 1, "sleep", TaskState::Runs));
    assert_eq!(other.judge(Code::Deadlock), None);
}

#[test]
fn a_fifo_whose_only_writer_waits_for_the_reader() {
    let scene = |writer: AccessMode, doing: TaskState| {
        let ends = [reads(2), end(1, 3, writer)];
        let shell = group(1, 9, 9, "bash", doing);
        Scene::new([shell, group(2, 1, 9, "cat", blocked(Operation::Read, FIFO, reads(2)))], &[(FIFO, &ends)]).idle(60)
    };
    let leak = || scene(AccessMode::Write, waits_for_child());
    let finding = leak().find(Code::Deadlock).unwrap();
    assert_eq!((finding.severity, finding.certainty), (Severity::Warning, Certainty::Suspected));
    assert!(finding.doubts.contains(&crate::model::Doubt::Name(FIFO)), "{:?}", finding.doubts);
    let none = |scene: &Scene, why: &str| assert_eq!(scene.judge(Code::Deadlock), None, "{why}");
    none(&leak().idle(3), "it may be about to write");
    none(&scene(AccessMode::ReadWrite, waits_for_child()), "that keeps it open for clients");
    none(&scene(AccessMode::Write, TaskState::Stopped), "it is resumed");
    let changed = |change: fn(&mut Scene)| {
        let mut scene = leak();
        change(&mut scene);
        scene
    };
    none(&changed(|scene| scene.group(1).catches = TERM), "a supervisor");
    none(&changed(|scene| scene.group(2).tasks[0].idle = None), "not known");
    none(&changed(|scene| scene.pipe(FIFO).ends.truncate(1)), "a server");
    none(&changed(|scene| scene.pipe(FIFO).ends.push(end(2, 4, AccessMode::ReadWrite))), "it keeps itself open");
    none(&changed(|scene| scene.pipe(FIFO).ends[1].pid = Pid(2)), "a server that keeps itself open");
    let second = Task::new(TaskId { pid: Pid(1), tid: Tid(5) }, waits_for(WaitTarget::Threads));
    let mut threads = leak();
    threads.group(1).tasks.push(second);
    none(&threads.idle(60), "another thread");
    let mut siblings = leak();
    siblings.groups.insert(Pid(3), group(3, 1, 9, "cat", blocked(Operation::Read, ID, reads(3))));
    none(&siblings, "it waits for others, too");
    // One that has no path is no server.
    let mut deleted = leak();
    deleted.pipe(FIFO).deleted = true;
    assert_eq!(deleted.judge(Code::Deadlock).map(|it| it.certainty()), Some(Certainty::Proven));
}

#[test]
fn a_self_pipe_does_not_block_its_writer() {
    let scene = |flags: Option<i32>, polled: &[PipeId]| {
        let poll = |id: &PipeId| match blocked(Operation::Poll, *id, end(1, 5, AccessMode::Read)) {
            TaskState::Waits { causes, .. } => causes,
            _ => panic!(),
        };
        let mut ruby =
            group(1, 9, 9, "ruby", TaskState::Waits { causes: polled.iter().flat_map(poll).collect(), besides: None });
        ruby.catches = TERM;
        let flags = flags.map(|flags| OpenFlags(flags.cast_unsigned()));
        let ends = [end(1, 5, AccessMode::Read), Endpoint { flags, ..end(1, 6, AccessMode::Write) }];
        let pipes: Vec<(PipeId, &[Endpoint])> = polled.iter().map(|id| (*id, &ends[..])).collect();
        Scene::new([ruby], &pipes)
    };
    let found = |scene: &Scene| scene.judge(Code::SelfDeadlock).map(|it| (it.severity(), it.certainty()));
    let blocking = Some(libc::O_WRONLY | libc::O_CLOEXEC);
    assert_eq!(found(&scene(blocking, &[ID]).idle(60)), Some((Severity::Warning, Certainty::Suspected)));
    assert_eq!(found(&scene(blocking, &[ID]).idle(3)), None);
    assert_eq!(found(&scene(blocking, &[ID, PipeId::anonymous(124)]).idle(60)), None, "an event loop");
    assert_eq!(found(&scene(Some(libc::O_WRONLY | libc::O_NONBLOCK), &[ID]).idle(60)), None, "a self-pipe");
    assert_eq!(found(&scene(None, &[ID]).idle(60)), None, "not known");
    let mut sockets = scene(blocking, &[ID]).idle(60);
    let pair = PipeId::unix(123);
    let TaskState::Waits { causes, .. } = &mut sockets.group(1).tasks[0].doing else { panic!() };
    let WaitTarget::Pipe(wait) = &mut causes[0] else { panic!() };
    (wait.pipe, sockets.graph.pipes[0].id) = (Some(pair), pair);
    assert_eq!(found(&sockets), None, "a pair of sockets, as Qt has it");
}

#[test]
fn advice_says_which_end_to_close_and_when() {
    // Alone, its reader was left by a fork; with threads, one of them reads.
    let own = |threads: &[TaskState]| {
        let mut reader = group(1, 9, 9, "app", blocked(Operation::Read, ID, reads(1)));
        let others =
            (2..).zip(threads).map(|(tid, doing)| Task::new(TaskId { pid: Pid(1), tid: Tid(tid) }, doing.clone()));
        reader.tasks.extend(others);
        Scene::new([reader], &[(ID, &[reads(1), writes(1)])]).find(Code::SelfDeadlock).unwrap().advice
    };
    assert!(own(&[]).contains("close fd 1 in app (PID 1), the write end, right after fork(2)"));
    assert!(own(&[waits_for(WaitTarget::Threads)]).contains("the write end, once the writers have ended"));
    // A lock that no thread is left to release.
    let reader = group(1, 9, 9, "app", blocked(Operation::Read, ID, reads(1)));
    let forked = group(2, 1, 9, "app", waits_for(WaitTarget::Threads));
    let lock = Scene::new([reader, forked], &[(ID, &[reads(1), writes(2)])]).find(Code::SelfDeadlock).unwrap();
    assert!(lock.advice.contains("do not fork(2) while another thread holds a lock"), "{}", lock.advice);
    assert!(lock.evidence[0].text.contains("no other thread is left to release"), "{:?}", lock.evidence);
}

/// An event loop polls the stdin of a child for a hang-up and its stdout for data, and a thread waits for its exit.
#[test]
fn a_poll_for_a_hang_up_is_no_write() {
    let (to, back) = (ID, PipeId::anonymous(124));
    let TaskState::Waits { causes: mut polled, .. } = blocked(Operation::Hangup, to, writes(1)) else { panic!() };
    let TaskState::Waits { causes, .. } = blocked(Operation::Poll, back, end(1, 3, AccessMode::Read)) else { panic!() };
    polled.extend(causes);
    let WaitTarget::Pipe(hangup) = &mut polled[0] else { panic!() };
    hangup.access = AccessMode::Write;
    let mut python = group(1, 9, 9, "python3", TaskState::Waits { causes: polled, besides: None });
    python.tasks.push(Task::new(TaskId { pid: Pid(1), tid: Tid(5) }, waits_for_child()));
    let sort = group(2, 1, 9, "sort", blocked(Operation::Read, to, reads(2)));
    let ends = [[writes(1), reads(2)], [end(1, 3, AccessMode::Read), writes(2)]];
    let finding = Scene::new([python, sort], &[(to, &ends[0]), (back, &ends[1])]).find(Code::Deadlock).unwrap();
    assert!(finding.evidence[0].text.contains("for data or EOF"), "{:?}", finding.evidence);
    let close = "close the write end before waiting for the child: fd 1 in python3 (PID 1).";
    assert!(finding.advice.ends_with(close), "{}", finding.advice);
}
