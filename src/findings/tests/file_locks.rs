//! Locks on files: who is blocked at one, and what their holders do.

use super::testing::{blocked, group, task, waits_for, waits_for_child};
use super::*;
use crate::judge::stall::Instead;
use crate::model::{
    AlternativeWake, Device, FileLock, FileLockKind, FileLockWait, LockHolders, Operation, Sleep, SleepOn, TaskState,
    ThreadGroup, WaitTarget, Waker,
};

const LOCK: FileLock = FileLock { kind: FileLockKind::Flock, device: Device { major: 8, minor: 1 }, inode: 7 };

fn at_lock() -> TaskState {
    let wait = FileLockWait { fd: Some(Fd(9)), path: Some("/run/lock".into()), lock: Some(LOCK) };
    waits_for(WaitTarget::FileLock(wait))
}

fn held_by(scene: &mut Scene, pids: &[u32], are_all: bool) {
    let seen = pids.iter().map(|pid| Waker { pid: Pid(*pid), tid: None, fd: Some(Fd(3)) }).collect();
    scene.graph.waited.file_locks = [(LOCK, LockHolders { seen, are_all })].into();
}

/// `writer | reader` for a minute, where the reader waits for the lock that these processes hold.
fn stalled(holders: &[u32], others: impl IntoIterator<Item = ThreadGroup>) -> Scene {
    let writer = group(1, 9, 9, "seq", blocked(Operation::Write, ID, writes(1)));
    let groups = [writer, group(2, 9, 9, "flock", at_lock())].into_iter().chain(others);
    let mut scene = Scene::new(groups, &[(ID, &[writes(1), reads(2)])]).idle(60);
    held_by(&mut scene, holders, true);
    scene
}

fn says(scene: &Scene) -> Option<(Severity, Option<Instead>)> {
    assert_eq!(scene.judge(Code::Deadlock), None);
    let judgement = scene.judge(Code::StalledReader)?;
    let severity = judgement.severity();
    let Details::StalledReader(details) = judgement.details else { panic!() };
    Some((severity, details.readers[0].instead))
}

const READ_ON: Option<(Severity, Option<Instead>)> = Some((Severity::Info, Some(Instead::Waits)));
const NOT_KNOWN: Option<(Severity, Option<Instead>)> = Some((Severity::Info, Some(Instead::Unknown)));
const IN_VAIN: Option<(Severity, Option<Instead>)> = Some((Severity::Warning, Some(Instead::WaitsInVain)));

#[test]
fn a_writer_that_holds_the_lock_of_its_reader_is_in_a_deadlock() {
    let mut scene = stalled(&[1], []);
    let found = scene.find(Code::Deadlock).unwrap();
    assert_eq!((found.severity, found.certainty), (Severity::Warning, Certainty::Inferred));
    assert_eq!(found.tasks, [task(1), task(2)]);
    assert_eq!(scene.judge(Code::StalledReader), None, "it is reported once");
    let step = "flock (PID 2) is waiting for a lock on /run/lock (fd 9), which seq (PID 1) holds (fd 3), for 1 min";
    assert!(found.evidence.iter().any(|line| line.text == step), "{:?}", found.evidence);
    // A process that could not be read may hold it, too.
    held_by(&mut scene, &[1], false);
    assert_eq!(says(&scene), NOT_KNOWN);
    scene.graph.waited.file_locks.clear();
    assert_eq!(says(&scene), NOT_KNOWN);
    // So may one that was not looked at.
    held_by(&mut scene, &[1, 8], true);
    assert_eq!(says(&scene), READ_ON);
}

/// `flock -w 60`.
#[test]
fn a_wait_that_a_timer_ends_is_no_deadlock() {
    let mut scene = stalled(&[1], []);
    let TaskState::Waits { besides, .. } = &mut scene.group(2).tasks[0].doing else { panic!() };
    *besides = Some(AlternativeWake::Timeout);
    assert_eq!(says(&scene), READ_ON);
}

#[test]
fn a_reader_that_waits_for_a_lock_reads_on_if_its_holder_goes_on() {
    let with = |doing| says(&stalled(&[3], [group(3, 8, 8, "job", doing)]));
    let sleeps = |on| TaskState::Sleeps { sleep: Sleep { on, fd: None, target: None, place: String::new() } };
    for alive in [TaskState::Runs, sleeps(SleepOn::Timer), sleeps(SleepOn::Other), sleeps(SleepOn::Socket)] {
        assert_eq!(with(alive.clone()), READ_ON, "{alive:?}");
    }
    assert_eq!(with(TaskState::Unknown), READ_ON);
    assert_eq!(with(TaskState::Stopped), IN_VAIN);
    // Of several that share the open file, any may unlock it.
    let two =
        |other| says(&stalled(&[3, 4], [group(3, 8, 8, "job", TaskState::Stopped), group(4, 8, 8, "job", other)]));
    assert_eq!(two(sleeps(SleepOn::Timer)), READ_ON);
    assert_eq!(two(TaskState::Stopped), IN_VAIN);
}

/// Workers of which one reads the queue of tasks, under a lock.
#[test]
fn a_pool_at_rest_is_no_deadlock() {
    let parent = group(1, 9, 9, "httpd", waits_for_child());
    let worker = |pid, doing| group(pid, 1, 9, "httpd", doing);
    let reads_queue = worker(2, blocked(Operation::Read, ID, reads(2)));
    let mut scene = Scene::new([parent, reads_queue, worker(3, at_lock())], &[(ID, &[writes(1), reads(2), reads(3)])]);
    held_by(&mut scene, &[2], true);
    assert_eq!(scene.idle(60).judge(Code::Deadlock), None);
}

#[test]
fn the_holders_of_a_lock_are_named() {
    let mut scene = Scene::new([group(2, 1, 1, "flock", at_lock()), group(3, 1, 1, "b", TaskState::Runs)], &[]);
    let said = |scene: &Scene| {
        Phrases { graph: &scene.graph, groups: &scene.groups, users: &Users::default() }.process_doing(Pid(2))
    };
    assert_eq!(said(&scene), "is waiting for a lock on /run/lock (fd 9)");
    held_by(&mut scene, &[3], false);
    assert_eq!(said(&scene), "is waiting for a lock on /run/lock (fd 9), which b (PID 3) holds (fd 3)");
    held_by(&mut scene, &[2, 3], true);
    assert_eq!(said(&scene), "is waiting for a lock on /run/lock (fd 9), which flock (PID 2) and b (PID 3) hold");
}
