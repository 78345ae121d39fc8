//! A comparison against one of plain sets, for any two reports: what it tells is all of it, and leads from the one to the other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::model::{
    AccessMode, Coverage, Device, Gap, Host, OpenFlags, PipeKind, PossibleEnds, Side, TaskId, Time, Uid,
    UnreadablePart, ViewLimit,
};

/// An end in the small world of these tests: pipe, process with its start in seconds, thread, and descriptor.
type Key = (PipeId, (Pid, i64), Option<Tid>, Fd);
/// All that may change of it.
type State = (AccessMode, u32, Vec<u8>, Option<Uid>);

fn process(pid: u32) -> impl Strategy<Value = Process> {
    let start = prop_oneof![3 => Just(1000), 1 => Just(5000)];
    let command = prop_oneof![3 => Just("sh"), 1 => Just("cat")];
    (start, command, prop_oneof![3 => Just(0), 1 => Just(7)]).prop_map(move |(start, command, uid)| Process {
        uid: Some(Uid(uid)),
        command: command.into(),
        started_at: Some(Time::at(start)),
        ..Process::unknown(Pid(pid))
    })
}

fn id() -> impl Strategy<Value = PipeId> {
    let device = Device { major: 0, minor: 26 };
    prop_oneof![(1..4_u64).prop_map(PipeId::anonymous), (1..3_u64).prop_map(move |inode| PipeId::fifo(device, inode)),]
}

fn pipe() -> impl Strategy<Value = (PipeId, Pipe)> {
    let access = prop_oneof![Just(AccessMode::Read), Just(AccessMode::Write), Just(AccessMode::ReadWrite)];
    let flags = prop_oneof![3 => Just(0), 1 => Just(libc::O_NONBLOCK.cast_unsigned())];
    let key = (1..4_u32, proptest::option::weighted(0.2, 9..11_u32), 0..3_u32);
    let ends = btree_map(key, (access, flags), 0..6).prop_map(|ends| {
        let end = |((pid, tid, fd), (access, flags)): ((u32, Option<u32>, u32), _)| Endpoint {
            pid: Pid(pid),
            tid: tid.map(Tid),
            fd: Fd(fd),
            access,
            flags: Some(OpenFlags(flags)),
            description: None,
        };
        ends.into_iter().map(end).collect::<Vec<_>>()
    });
    let path = prop_oneof![3 => Just("/a"), 1 => Just("/b")];
    (id(), ends, path, prop::bool::weighted(0.2)).prop_map(|(id, ends, path, deleted)| {
        // A pipe that nobody has is listed only if somebody opens it.
        let task = TaskId { pid: Pid(1), tid: Tid(1) };
        let opener = crate::model::Opener { task, access: AccessMode::Read, command: b"sh".to_vec().into() };
        let openers = if ends.is_empty() { vec![opener] } else { Vec::new() };
        let is_fifo = id.kind() == PipeKind::Fifo;
        let path = is_fifo.then(|| path.into());
        (id, Pipe { path, deleted: deleted && is_fifo, ends, openers, ..Pipe::unknown(id) })
    })
}

fn graph() -> impl Strategy<Value = PipeGraph> {
    let boot_id = prop_oneof![1 => Just(None), 6 => Just(Some("a")), 1 => Just(Some("b"))];
    let pipes = vec(pipe(), 0..6).prop_map(|pipes| pipes.into_iter().collect::<BTreeMap<_, _>>());
    let gaps = btree_set(1..4_u32, 0..2);
    let outside = prop_oneof![5 => Just(None), 1 => Just(Some(ViewLimit::Hidepid))];
    // The clock of the machine may be set at any time.
    let clock = prop_oneof![Just(0_i64), Just(1), Just(-7200)];
    let facts = (clock, outside, prop::bool::weighted(0.2));
    (boot_id, pipes, (process(1), process(2), process(3)), gaps, facts).prop_map(
        |(boot_id, pipes, (a, b, c), gaps, (clock, outside, selected))| {
            let told = |mut process: Process| {
                process.started_at =
                    process.started_at.map(|time| Time::at(time.duration_since(Time::EPOCH).as_secs() + clock));
                process
            };
            let gap = |pid| Gap {
                pid: Pid(pid),
                tid: None,
                command: Vec::new().into(),
                uid: None,
                what: if pid == 3 { UnreadablePart::Fd { fd: Fd(1) } } else { UnreadablePart::FdLinks },
                error: "EACCES".to_owned(),
                fds: None,
                mount: None,
                may_hold: PossibleEnds { read: true, write: pid != 1, anonymous: pid != 2, device: None },
            };
            let pipes: Vec<Pipe> = pipes.into_values().collect();
            let held = |process: &Process| pipes.iter().flat_map(|pipe| &pipe.ends).any(|end| end.pid == process.pid);
            let empty = empty();
            PipeGraph {
                host: Host { boot_id: boot_id.map(str::to_owned), booted_at: Some(Time::at(clock)), ..Host::default() },
                coverage: Coverage { gaps: gaps.into_iter().map(gap).collect(), outside, ..empty.coverage },
                processes: [a, b, c].into_iter().filter(held).map(|it| (it.pid, told(it))).collect(),
                pipes,
                selected,
                ..empty
            }
        },
    )
}

/// Who holds an end.
fn identity(graph: &PipeGraph, pid: Pid) -> (Pid, i64) {
    (pid, graph.processes[&pid].started_at.unwrap().duration_since(graph.host.booted_at.unwrap()).as_secs())
}

fn key(graph: &PipeGraph, pipe: PipeId, end: &Endpoint) -> Key {
    (pipe, identity(graph, end.pid), end.tid, end.fd)
}

fn state(graph: &PipeGraph, end: &Endpoint) -> State {
    let process = &graph.processes[&end.pid];
    (end.access, end.flags.unwrap().0, process.command.to_vec(), process.uid)
}

fn world(graph: &PipeGraph) -> BTreeMap<Key, State> {
    let ends = graph.pipes.iter().flat_map(|pipe| pipe.ends.iter().map(|end| (pipe.id, end)));
    ends.map(|(pipe, end)| (key(graph, pipe, end), state(graph, end))).collect()
}

fn held(graph: &PipeGraph) -> BTreeSet<PipeId> {
    graph.pipes.iter().filter(|pipe| !pipe.ends.is_empty()).map(|pipe| pipe.id).collect()
}

/// Whether an end that a report lacks may be there.
fn may_be_there(report: &PipeGraph, pipe: PipeId, end: &Endpoint) -> bool {
    let gap = |gap: &Gap| {
        let side = (gap.may_hold.read && end.access.is_on(Side::Read))
            || (gap.may_hold.write && end.access.is_on(Side::Write));
        let is_it = gap.pid != Pid(3) || (end.tid, end.fd) == (None, Fd(1));
        gap.pid == end.pid && is_it && side && (gap.may_hold.anonymous || pipe.kind() == PipeKind::Fifo)
    };
    report.coverage.gaps.iter().any(gap)
        || (report.coverage.outside.is_some() && !report.processes.contains_key(&end.pid))
}

/// What became of each, told for the other direction.
fn mirrored(difference: &Difference) -> BTreeSet<String> {
    let turned = |change| match change {
        Change::Came => Change::Went,
        Change::Went => Change::Came,
        Change::Changed => Change::Changed,
    };
    told(difference.pipes.iter().map(|pipe| {
        let ends = pipe.ends.iter().map(|end| EndChange {
            change: turned(end.change),
            certain: end.certain,
            end: end.was.unwrap_or(end.end),
            was: end.was.map(|_| end.end),
        });
        PipeChange { change: turned(pipe.change), certain: pipe.certain, id: pipe.id, ends: ends.collect() }
    }))
}

/// In a form in which the order is no matter.
fn told(pipes: impl Iterator<Item = PipeChange>) -> BTreeSet<String> {
    pipes
        .flat_map(|pipe| {
            let head = format!("{:?} {:?} {:?}", pipe.id, pipe.change, pipe.certain);
            let ends: Vec<String> = pipe.ends.iter().map(|end| format!("{head}: {end:?}")).collect();
            ends.into_iter().chain([head])
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_report_does_not_differ_from_itself(graph in graph()) {
        let difference = diff(&graph, &graph);
        prop_assert!(difference.same_boot);
        prop_assert_eq!(difference.pipes, []);
    }

    #[test]
    fn what_changed_leads_from_the_old_report_to_the_new(old in graph(), new in graph()) {
        let boots = old.host.boot_id.as_ref().zip(new.host.boot_id.as_ref());
        let same_boot = boots.is_none_or(|(old, new)| old == new);
        let difference = diff(&old, &new);
        prop_assert_eq!(difference.same_boot, same_boot);

        // The pipes, as sets have it.
        let pipes = |change| difference.pipes.iter().filter(|pipe| pipe.change == change).map(|pipe| pipe.id).collect::<BTreeSet<_>>();
        let (before, after) = (held(&old), held(&new));
        let without = |a: &BTreeSet<PipeId>, b: &BTreeSet<PipeId>| if same_boot { a - b } else { a.clone() };
        prop_assert_eq!(pipes(Change::Went), without(&before, &after));
        prop_assert_eq!(pipes(Change::Came), without(&after, &before));
        let in_both: BTreeSet<PipeId> = if same_boot { &before & &after } else { BTreeSet::new() };
        let of = |world: &BTreeMap<Key, State>, id| world.iter().filter(|(key, _)| key.0 == id).map(|(a, b)| (*a, b.clone())).collect::<Vec<_>>();
        let name = |graph: &PipeGraph, id| graph.pipe(id).map(|pipe| (pipe.path.clone(), pipe.deleted));
        let is_other = |id: &PipeId| {
            of(&world(&old), *id) != of(&world(&new), *id) || name(&old, *id) != name(&new, *id)
        };
        prop_assert_eq!(pipes(Change::Changed), in_both.into_iter().filter(is_other).collect());
        prop_assert!(difference.pipes.is_sorted_by_key(|pipe| pipe.id));

        // The ends: each step fits what is there, and all together lead to the new report.
        let mut reached = world(&old);
        for pipe in &difference.pipes {
            prop_assert!(pipe.ends.is_sorted_by_key(|change| change.end.key()));
            for EndChange { change, certain, end, was } in &pipe.ends {
                let other = match change {
                    Change::Went => {
                        prop_assert_eq!(reached.remove(&key(&old, pipe.id, end)), Some(state(&old, end)));
                        &new
                    }
                    Change::Changed => {
                        let was = was.expect("it tells what it was");
                        let before = reached.insert(key(&old, pipe.id, &was), state(&new, end));
                        prop_assert_eq!(before, Some(state(&old, &was)));
                        prop_assert_ne!(state(&old, &was), state(&new, end));
                        prop_assert!(certain);
                        continue;
                    }
                    Change::Came => &old,
                };
                prop_assert_eq!(*was, None);
                let is_left_out = pipe.change != Change::Changed && other.selected;
                prop_assert_eq!(*certain, !same_boot || !(is_left_out || may_be_there(other, pipe.id, end)));
            }
            let all_certain = pipe.ends.iter().all(|end| end.certain);
            let certain = match pipe.change {
                Change::Went => !same_boot || (all_certain && !new.selected),
                Change::Came => !same_boot || (all_certain && !old.selected),
                Change::Changed => {
                    name(&old, pipe.id) != name(&new, pipe.id) || pipe.ends.iter().any(|end| end.certain)
                }
            };
            prop_assert_eq!(pipe.certain, certain);
        }
        for pipe in &difference.pipes {
            for end in pipe.ends.iter().filter(|end| end.change == Change::Came) {
                let before = reached.insert(key(&new, pipe.id, &end.end), state(&new, &end.end));
                prop_assert!(before.is_none(), "{:?} was there", end);
            }
        }
        prop_assert_eq!(reached, world(&new));

        let mirror = diff(&new, &old);
        prop_assert_eq!(mirrored(&mirror), told(difference.pipes.into_iter()));
    }
}

fn pipe_of(ends: Vec<Endpoint>) -> Vec<Pipe> {
    vec![Pipe { ends, ..Pipe::unknown(PipeId::anonymous(1)) }]
}

/// What could not be read, or was not asked for, need not be another.
#[test]
fn what_one_report_does_not_know_is_no_change() {
    let end =
        |flags| Endpoint { pid: Pid(1), tid: None, fd: Fd(0), access: AccessMode::Read, flags, description: None };
    let known = Process {
        uid: Some(Uid(3)),
        command: b"sh".to_vec().into(),
        started_at: Some(Time::EPOCH),
        ..Process::unknown(Pid(1))
    };
    let no_facts = Process { command: b"sh".to_vec().into(), ..Process::unknown(Pid(1)) };
    let report = |process: Option<&Process>, flags: Option<u32>| PipeGraph {
        processes: process.into_iter().map(|process| (process.pid, process.clone())).collect(),
        pipes: pipe_of(vec![end(flags.map(OpenFlags))]),
        ..empty()
    };
    let whole = report(Some(&known), Some(0));
    for other in [report(Some(&no_facts), Some(0)), report(None, Some(0)), report(Some(&known), None)] {
        assert_eq!(diff(&whole, &other).pipes, []);
        assert_eq!(diff(&other, &whole).pipes, []);
    }
    let blocking = report(Some(&known), Some(libc::O_NONBLOCK.cast_unsigned()));
    assert_eq!(diff(&whole, &blocking).ends(), Count { changed: 1, ..Count::default() });
}

/// The clock was set between the reports. And all processes of a container were started anew, with the numbers that they had: that they all
/// seem to have been started so much later is no clock.
#[test]
fn a_clock_that_was_set_starts_nobody_anew() {
    let report = |booted_at: Option<i64>, later: i64| {
        let process = |pid: u32| {
            let started_at = Some(Time::at(i64::from(pid) * 100 + later));
            Process { command: b"sh".to_vec().into(), started_at, ..Process::unknown(Pid(pid)) }
        };
        let end = |pid: u32| Endpoint {
            pid: Pid(pid),
            tid: None,
            fd: Fd(0),
            access: AccessMode::Read,
            flags: Some(OpenFlags(0)),
            description: None,
        };
        PipeGraph {
            host: Host { booted_at: booted_at.map(Time::at), ..Host::default() },
            processes: (1..=6).map(process).map(|process| (process.pid, process)).collect(),
            pipes: pipe_of((1..=6).map(end).collect()),
            ..empty()
        }
    };
    let old = report(Some(50), 0);
    assert_eq!(diff(&old, &report(Some(3650), 3600)).pipes, []);
    for anew in [report(Some(50), 4), report(Some(3650), 3601)] {
        assert_eq!(diff(&old, &anew).ends(), Count { came: 6, went: 6, ..Count::default() });
    }
    // In another time namespace the boot seems to be at another time.
    assert_eq!(diff(&old, &report(Some(9999), 0)).pipes, []);
    // Of what a report does not tell nothing is said.
    assert_eq!(diff(&old, &report(None, 4)).pipes, []);
}

fn empty() -> PipeGraph {
    PipeGraph {
        coverage: Coverage { privileged: false, own_pids: false, ..PipeGraph::empty().coverage },
        ..PipeGraph::empty()
    }
}
