//! What is not known is never held against a process: to take a fact away adds no warning, and makes nothing more certain.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::testing::{blocked, group, waits_for, waits_for_child};
use super::*;
use crate::judge::waits::SIGCHLD;
use crate::model::{
    Certainty, CommandName, Device, FileLock, FileLockKind, FileLockWait, LockHolders, Operation, TaskState,
    ThreadGroup, ViewLimit, WaitTarget, Waker,
};
use crate::observe::proc::threads_not_kept;

const COUNT: u32 = 6;
const PIPES: [PipeId; 3] = [PipeId::anonymous(11), PipeId::anonymous(12), FIFO];

/// What is known of one process, and what it holds.
#[derive(Debug, Clone)]
struct Facts {
    parent: u32,
    session: u32,
    process_group: u32,
    user: u32,
    command: bool,
    argument: bool,
    container: Option<bool>,
    namespace: bool,
    catches: bool,
    ends: Vec<(usize, u32, AccessMode, bool)>,
    /// What it waits for: the end of that number, its children, or nothing.
    waits: Option<usize>,
    /// The holder of a lock on a file that it waits for instead.
    lock: Option<u32>,
}

fn lock_of(pid: u32) -> FileLock {
    FileLock { kind: FileLockKind::Flock, device: Device { major: 8, minor: 1 }, inode: pid.into() }
}

fn facts() -> impl Strategy<Value = Facts> {
    let access = prop_oneof![
        4 => Just(AccessMode::Read),
        4 => Just(AccessMode::Write),
        1 => Just(AccessMode::ReadWrite)
    ];
    let ends = vec((0..PIPES.len(), prop_oneof![0..2_u32, 5..7_u32], access, any::<bool>()), 0..4);
    (
        (0..COUNT, 1..3_u32, 1..3_u32, prop_oneof![Just(0_u32), Just(7)]),
        any::<[bool; 4]>(),
        option::weighted(0.2, any::<bool>()),
        ends,
        option::weighted(0.7, 0..4_usize),
        option::weighted(0.15, 1..=COUNT),
    )
        .prop_map(
            |(
                (parent, session, process_group, user),
                [command, argument, namespace, catches],
                container,
                ends,
                waits,
                lock,
            )| Facts {
                parent,
                session,
                process_group,
                user,
                command,
                argument,
                container,
                namespace,
                catches,
                ends,
                waits,
                lock,
            },
        )
}

fn scene(all: &[Facts], reaper: bool) -> Scene {
    let mut groups = Vec::new();
    let mut ends_of: BTreeMap<PipeId, Vec<Endpoint>> = BTreeMap::new();
    for (pid, facts) in (1..).zip(all) {
        let mut own = Vec::new();
        for (pipe, fd, access, open) in &facts.ends {
            let flags = OpenFlags(if *open { 0 } else { libc::O_CLOEXEC.cast_unsigned() });
            let end = Endpoint { flags: Some(flags), ..end(pid, *fd, *access) };
            if own.iter().all(|(_, other): &(_, Endpoint)| other.fd != end.fd) {
                own.push((PIPES[*pipe], end));
                ends_of.entry(PIPES[*pipe]).or_default().push(end);
            }
        }
        let at_lock = || FileLockWait { fd: Some(Fd(9)), path: None, lock: Some(lock_of(pid)) };
        let doing = match facts.waits.map(|place| own.get(place)) {
            _ if facts.lock.is_some() => waits_for(WaitTarget::FileLock(at_lock())),
            None => TaskState::Runs,
            Some(None) => waits_for_child(),
            Some(Some((pipe, end))) => {
                let operation = if end.access == AccessMode::Write { Operation::Write } else { Operation::Read };
                blocked(operation, *pipe, *end)
            }
        };
        // No circle of parents.
        let parent = facts.parent % pid;
        let mut group = group(pid, parent, facts.session, if facts.command { "sh" } else { "cat" }, doing);
        group.pgid = Some(facts.process_group);
        group.catches = if facts.catches { SIGCHLD } else { 0 };
        groups.push(group);
    }
    if reaper && let Some(first) = groups.first().map(|group| group.pid) {
        let children = groups.iter().filter(|group| group.parent == Some(first)).map(|group| group.pid).collect();
        groups[0].adopts = Some(children);
    }
    let pipes: Vec<(PipeId, Vec<Endpoint>)> = ends_of.into_iter().collect();
    let pipes: Vec<(PipeId, &[Endpoint])> = pipes.iter().map(|(id, ends)| (*id, ends.as_slice())).collect();
    let mut scene = Scene::new(groups, &pipes);
    for (process, facts) in scene.graph.processes.values_mut().zip(all) {
        process.uid = Some(Uid(facts.user));
        process.pgid = Some(facts.process_group);
        process.container = facts.container.map(|it| if it { "one".to_owned() } else { "other".to_owned() });
        process.pid_namespace = Some(facts.namespace.into());
        let line: &[u8] = if facts.argument { b"x\x005\0" } else { b"x\0" };
        process.cmdline = Some(line.to_vec().into());
        process.fd_limit = Some(64);
        process.fds = Some(40);
    }
    for (pid, holder) in (1..).zip(all.iter().map(|facts| facts.lock)) {
        let waker = |pid| Waker { pid: Pid(pid), tid: None, fd: Some(Fd(9)) };
        let holders = holder.map(|pid| LockHolders { seen: [waker(pid)].into(), are_all: true });
        scene.graph.waited.file_locks.extend(holders.map(|holders| (lock_of(pid), holders)));
    }
    scene.graph.parents.extend(scene.groups.values().map(|group| (group.pid, group.parent)));
    scene.graph.parents.insert(Pid(1), Some(Pid(0)));
    scene
}

/// The same without each of the facts about a process, one at a time.
fn without(scene: &Scene, pid: Pid) -> Vec<(&'static str, Scene)> {
    let copy = || Scene { graph: scene.graph.clone(), groups: scene.groups.clone() };
    let edit = |change: &dyn Fn(&mut Scene)| {
        let mut scene = copy();
        change(&mut scene);
        scene
    };
    // One without threads has ended, unless they could not be read.
    let unread = |change: &dyn Fn(&mut Scene)| {
        edit(&|scene| {
            change(scene);
            scene.graph.coverage.gaps.push(threads_not_kept(pid, CommandName::default()));
        })
    };
    let process = |change: fn(&mut Process)| edit(&|scene| change(scene.graph.processes.get_mut(&pid).unwrap()));
    // A fact that both tables have is gone from both.
    let both = |change: fn(&mut ThreadGroup), other: fn(&mut Process)| {
        edit(&|scene| {
            change(scene.groups.get_mut(&pid).unwrap());
            other(scene.graph.processes.get_mut(&pid).unwrap());
        })
    };
    let lock = lock_of(pid.0);
    vec![
        ("lock", edit(&|scene| drop(scene.graph.waited.file_locks.remove(&lock)))),
        (
            "other holders",
            edit(&|scene| {
                scene.graph.waited.file_locks.entry(lock).or_default().are_all = false;
            }),
        ),
        ("threads", unread(&|scene| drop(scene.groups.remove(&pid)))),
        ("tasks", unread(&|scene| scene.groups.get_mut(&pid).unwrap().tasks.clear())),
        ("process", edit(&|scene| drop(scene.graph.processes.remove(&pid)))),
        (
            "all",
            unread(&|scene| {
                scene.groups.remove(&pid);
                scene.graph.processes.remove(&pid);
            }),
        ),
        (
            "facts",
            unread(&|scene| {
                scene.groups.remove(&pid);
                *scene.graph.processes.get_mut(&pid).unwrap() = Process::unknown(pid);
            }),
        ),
        (
            "parent",
            edit(&|scene| {
                scene.groups.get_mut(&pid).unwrap().parent = None;
                scene.graph.processes.get_mut(&pid).unwrap().ppid = None;
                scene.graph.parents.insert(pid, None);
            }),
        ),
        ("idle time", edit(&|scene| scene.group(pid.0).tasks.iter_mut().for_each(|task| task.idle = None))),
        (
            "flags",
            edit(&|scene| {
                let ends = scene.graph.pipes.iter_mut().flat_map(|pipe| &mut pipe.ends);
                ends.filter(|end| end.pid == pid).for_each(|end| end.flags = None);
            }),
        ),
        ("session", both(|group| group.sid = None, |process| process.sid = None)),
        ("process group", both(|group| group.pgid = None, |process| process.pgid = None)),
        ("command", both(|group| group.command = "".into(), |process| process.command = "".into())),
        ("user", process(|process| process.uid = None)),
        ("arguments", process(|process| process.cmdline = None)),
        ("PID namespace", process(|process| process.pid_namespace = None)),
        ("limit", process(|process| process.fd_limit = None)),
        ("descriptors", process(|process| process.fds = None)),
    ]
}

/// The worst severity and the greatest certainty of each code at each pipe.
type Claims = BTreeMap<(Code, Vec<PipeId>), (Severity, Certainty)>;

fn claims(scene: &Scene) -> Claims {
    let case = Case::new(&scene.graph, &scene.groups, Some(3));
    let mut claims = Claims::new();
    for judgement in [ReportedBy::Why, ReportedBy::Audit].into_iter().flat_map(|by| case.find(by)) {
        let claim = (judgement.severity(), judgement.certainty());
        // Which pipes are one finding of these codes depends on the commands and jobs.
        let each = matches!(judgement.code(), Code::CrossesUsers | Code::LeakedWriteEnd);
        let pipes: Vec<Vec<PipeId>> =
            if each { judgement.pipes.iter().map(|pipe| vec![*pipe]).collect() } else { vec![judgement.pipes.clone()] };
        for pipes in pipes {
            let known = claims.entry((judgement.code(), pipes)).or_insert(claim);
            *known = (known.0.min(claim.0), known.1.min(claim.1));
        }
    }
    claims
}

const fn is_deadlock(code: Code) -> bool {
    matches!(code, Code::Deadlock | Code::SelfDeadlock)
}

/// The case that this is about: a holder of another session as far as is known, of which nothing is known any more.
#[test]
fn a_process_that_was_given_up_is_no_stranger() {
    let held = end(3, 5, AccessMode::Write);
    let groups =
        [group(2, 9, 9, "cat", blocked(Operation::Read, ID, reads(2))), group(3, 1, 3, "daemon", TaskState::Runs)];
    let mut scene = Scene::new(groups, &[(ID, &[reads(2), held])]);
    assert!(scene.judge(Code::LeakedWriteEnd).is_some());
    scene.groups.remove(&Pid(3));
    scene.graph.processes.get_mut(&Pid(3)).unwrap().sid = None;
    scene.graph.parents.insert(Pid(3), Some(Pid(1)));
    assert_eq!(scene.judge(Code::LeakedWriteEnd), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_fact_less_is_no_claim_more(all in vec(facts(), 2..=COUNT as usize), reaper: bool, late: bool, idle: bool) {
        let mut scene = scene(&all, reaper);
        if idle {
            scene = scene.idle(60);
        }
        if late {
            // Something else may hold any end, so that nothing is proven.
            scene.graph.coverage.outside = Some(ViewLimit::PidNamespace);
        }
        let before = claims(&scene);
        // What was stuck in a deadlock is reported by itself where that is not known to be one.
        let deadlocks = before.keys().any(|(code, _)| is_deadlock(*code));
        for pid in scene.groups.keys().copied() {
            for (what, scene) in without(&scene, pid) {
                for ((code, pipes), (severity, certainty)) in claims(&scene) {
                    // One that could be proven may be inferred of a part of it.
                    let is_part = is_deadlock(code) && certainty != Certainty::Proven;
                    let is_other_name =
                        deadlocks && (is_part || matches!(code, Code::LeakedWriteEnd | Code::StalledReader));
                    if is_other_name {
                        continue;
                    }
                    match before.get(&(code, pipes.clone())) {
                        None => prop_assert!(severity == Severity::Info, "{what} of {pid}: {code:?} at {pipes:?}"),
                        Some((was_severity, was_certainty)) => prop_assert!(
                            severity >= *was_severity && certainty >= *was_certainty,
                            "{what} of {pid}: {code:?} at {pipes:?} is {severity:?} {certainty:?}, was {was_severity:?} {was_certainty:?}"
                        ),
                    }
                }
            }
        }
    }
}
