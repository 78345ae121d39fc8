//! Who uses an end, in the cases that real programs make, and what is drawn of it.

mod any;
mod drawn;

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Layout, Node};
use super::marks::{MarkKind, Marks};
use super::{Flow, analyze, within_reach};
use crate::judge::Groups;
use crate::judge::processes::NO_THREADS;
use crate::model::{
    AccessMode, Attribution, CommandLine, Coverage, Endpoint, Fd, OpenFlags, Operation, Pid, Pipe, PipeGraph, PipeId,
    PipeWait, Process, Side, TaskId, ThreadGroup, Tid, Wait, WaitTarget, Wakers,
};

/// A process: its PID, its parent, its process group, and its command line.
pub(in crate::judge) type Who = (u32, u32, u32, &'static str);

/// An end: pipe, PID, descriptor, access. Without `O_CLOEXEC`.
pub(in crate::judge) type End = (u64, u32, u32, AccessMode);

const R: AccessMode = AccessMode::Read;
const W: AccessMode = AccessMode::Write;
const RW: AccessMode = AccessMode::ReadWrite;

/// Pipes from this number on are FIFOs.
const FIFOS: u64 = 1000;

fn id(number: u64) -> PipeId {
    match number {
        FIFOS.. => PipeId::fifo(crate::model::Device { major: 0, minor: 9 }, number),
        _ => PipeId::anonymous(number),
    }
}

pub(in crate::judge) fn graph(processes: &[Who], ends: &[End]) -> PipeGraph {
    let process = |(pid, ppid, pgid, cmdline): &Who| Process {
        ppid: Some(*ppid),
        pgid: Some(*pgid),
        command: cmdline.split(' ').next().unwrap().into(),
        cmdline: Some(CommandLine::from(format!("{cmdline} ").replace(' ', "\0").into_bytes())),
        ..Process::unknown(Pid(*pid))
    };
    let mut pipes: BTreeMap<PipeId, Vec<Endpoint>> = BTreeMap::new();
    for (pipe, pid, fd, access) in ends {
        let end = Endpoint {
            pid: Pid(*pid),
            tid: None,
            fd: Fd(*fd),
            access: *access,
            flags: Some(OpenFlags(0)),
            description: None,
        };
        pipes.entry(id(*pipe)).or_default().push(end);
    }
    let pipe = |(id, mut ends): (PipeId, Vec<Endpoint>)| {
        ends.sort_by_key(Endpoint::key);
        ends.dedup_by_key(|end| end.key());
        Pipe { ends, ..Pipe::unknown(id) }
    };
    PipeGraph {
        coverage: Coverage { processes: processes.len(), ..PipeGraph::empty().coverage },
        parents: processes.iter().map(|(pid, ppid, ..)| (Pid(*pid), Some(Pid(*ppid)))).collect(),
        processes: processes.iter().map(process).map(|process| (process.pid, process)).collect(),
        pipes: pipes.into_iter().map(pipe).collect(),
        ..PipeGraph::empty()
    }
}

fn pids(flow: &Flow, side: Side) -> Vec<u32> {
    flow.side(side).iter().map(|it| it.pid.0).collect()
}

/// Asserts who writes to and reads from the only pipe.
#[track_caller]
fn assert_flow(processes: &[Who], ends: &[End], writers: &[u32], readers: &[u32]) {
    let dataflow = analyze(&graph(processes, ends), &NO_THREADS, &[], Marks::default());
    let [flow] = dataflow.flows.as_slice() else { panic!("one pipe: {dataflow:?}") };
    assert_eq!((pids(flow, Side::Write), pids(flow, Side::Read)), (writers.to_vec(), readers.to_vec()), "{flow:#?}");
    assert!(!flow.shared);
}

#[test]
fn subshell_waits_for_the_program_that_writes() {
    // (sleep 1; sleep 2) | cat
    let processes = [(9, 1, 9, "bash"), (10, 9, 10, "bash"), (11, 10, 10, "sleep 1"), (12, 9, 10, "cat")];
    assert_flow(&processes, &[(1, 10, 1, W), (1, 11, 1, W), (1, 12, 0, R)], &[11], &[12]);
}

#[test]
fn workers_that_were_forked_are_not_told_from_their_program() {
    // A program and its forked children, all with the same output.
    let processes = [(10, 9, 10, "train -x"), (11, 10, 10, "train -x"), (12, 10, 10, "train -x"), (13, 9, 10, "tee")];
    assert_flow(&processes, &[(1, 10, 1, W), (1, 11, 1, W), (1, 12, 1, W), (1, 13, 0, R)], &[10], &[13]);
}

#[test]
fn programs_side_by_side_are_a_join() {
    // xargs -P 2 | cat: both children write, and xargs waits for them.
    let processes = [(10, 9, 10, "xargs"), (11, 10, 10, "a"), (12, 10, 10, "b"), (13, 9, 10, "cat")];
    assert_flow(&processes, &[(1, 10, 1, W), (1, 11, 1, W), (1, 12, 1, W), (1, 13, 0, R)], &[11, 12], &[13]);
}

#[test]
fn parent_writes_and_a_second_child_only_inherited() {
    let processes = [(10, 9, 10, "python3 x"), (11, 10, 10, "cat"), (12, 10, 10, "sleep 9")];
    assert_flow(&processes, &[(1, 10, 4, W), (1, 12, 4, W), (1, 11, 0, R)], &[10], &[11]);
    // If it was told of the number, it is the parent that has a copy.
    let processes = [(10, 9, 10, "python3 x"), (11, 10, 10, "cat"), (12, 10, 10, "gpg --status-fd=4")];
    assert_flow(&processes, &[(1, 10, 4, W), (1, 12, 4, W), (1, 11, 0, R)], &[12], &[11]);
}

#[test]
fn parent_that_did_not_close_the_side_of_its_child() {
    let processes = [(10, 9, 10, "server"), (11, 10, 10, "server")];
    assert_flow(&processes, &[(1, 10, 3, R), (1, 10, 4, W), (1, 11, 4, W)], &[11], &[10]);
    assert_flow(&processes, &[(1, 10, 3, R), (1, 10, 4, W), (1, 11, 3, R)], &[10], &[11]);
}

#[test]
fn parent_that_hands_a_pipe_from_child_to_child() {
    // Popen(stdin=first.stdout) without first.stdout.close().
    let processes = [(10, 9, 10, "python3 x"), (11, 10, 10, "cat"), (12, 10, 10, "sort")];
    assert_flow(&processes, &[(1, 10, 3, R), (1, 11, 1, W), (1, 12, 0, R)], &[11], &[12]);
}

#[test]
fn process_substitution_is_written_by_whoever_has_its_name() {
    // tee >(cat): bash has 63 as well, and so has a later substitution.
    let processes =
        [(9, 1, 9, "bash"), (10, 9, 9, "tee /dev/fd/63 /dev/fd/62"), (11, 10, 9, "cat"), (12, 10, 9, "sort")];
    assert_flow(
        &processes,
        &[(1, 9, 63, W), (1, 10, 3, W), (1, 10, 63, W), (1, 12, 63, W), (1, 11, 0, R)],
        &[10],
        &[11],
    );
}

#[test]
fn daemon_is_a_part_of_the_job_that_started_it_by_its_output_only() {
    let processes = [(10, 9, 10, "build"), (11, 9, 10, "tee"), (12, 1, 12, "daemon")];
    let ends = [(1, 10, 1, W), (1, 12, 1, W), (1, 11, 0, R)];
    assert_flow(&processes, &ends, &[10, 12], &[11]);
    assert_flow(&processes, &[(1, 10, 4, W), (1, 12, 4, W), (1, 11, 5, R)], &[10], &[11]);
    // But when the build is over it is the only one.
    assert_flow(&processes, &ends[1..], &[12], &[11]);
    // A child in a session of its own has its parent's pipe.
    let processes = [(10, 9, 10, "parent"), (11, 10, 11, "child")];
    assert_flow(&processes, &[(1, 10, 5, R), (1, 10, 6, W), (1, 11, 5, R)], &[10], &[11]);
}

#[test]
fn harness_that_leaks_a_pipe_into_all_that_it_starts() {
    let mut processes = vec![(5, 1, 5, "node x"), (10, 5, 10, "bash -c x")];
    let mut ends = vec![(1, 5, 20, R), (1, 10, 251, W)];
    for pid in 11..70 {
        processes.push((pid, pid - 1, 10, if pid % 2 == 0 { "bash y" } else { "sleep 1" }));
        ends.push((1, pid, 251, W));
    }
    assert_flow(&processes, &ends, &[10], &[5]);
    assert_eq!(analyze(&graph(&processes, &ends), &NO_THREADS, &[], Marks::default()).flows[0].apart.len(), 59);
}

#[test]
fn fifo_may_be_opened_by_anybody() {
    // Neither the job nor the number of a descriptor makes a copy of it.
    let processes = [(10, 9, 10, "server"), (11, 9, 10, "logger"), (12, 9, 12, "client"), (13, 1, 13, "echo x")];
    let fifo = FIFOS;
    assert_flow(
        &processes,
        &[(fifo, 10, 3, R), (fifo, 11, 4, W), (fifo, 12, 5, W), (fifo, 13, 1, W)],
        &[11, 12, 13],
        &[10],
    );
    // Who has it open for both keeps it open, and is there on the side where nobody else is.
    assert_flow(&processes, &[(fifo, 10, 3, RW), (fifo, 12, 1, W)], &[12], &[10]);
    assert_flow(&processes, &[(fifo, 10, 3, RW), (fifo, 12, 0, R)], &[10], &[12]);
    assert_flow(&processes, &[(fifo, 10, 3, RW), (fifo, 11, 0, R), (fifo, 12, 1, W)], &[12], &[11]);
    assert_flow(&processes, &[(fifo, 10, 3, RW)], &[10], &[10]);
}

#[test]
fn fifo_that_a_shell_opened_and_gave_as_input() {
    // exec 3<>my.fifo; grep x <&3 | sort
    let processes = [(9, 1, 9, "bash"), (10, 9, 9, "grep x"), (11, 9, 9, "sort")];
    let fifo = FIFOS;
    assert_flow(&processes, &[(fifo, 9, 3, RW), (fifo, 10, 0, RW), (fifo, 10, 3, RW), (fifo, 11, 3, RW)], &[9], &[10]);
}

#[test]
fn jobserver_has_no_direction() {
    let processes = [(10, 9, 10, "make"), (11, 10, 10, "make -C a"), (12, 11, 10, "sh -c cc")];
    let ends = [(1, 10, 3, R), (1, 10, 4, W), (1, 11, 3, R), (1, 11, 4, W), (1, 12, 3, R), (1, 12, 4, W)];
    let dataflow = analyze(&graph(&processes, &ends), &NO_THREADS, &[], Marks::default());
    let flow = &dataflow.flows[0];
    assert!(flow.shared && flow.writers.is_empty() && flow.readers.is_empty());
    assert_eq!(flow.apart.len(), 6);
    assert_eq!(flow.absence, None);
    // And is no way from one process to another, though it belongs to each.
    let reach = |pid: u32| within_reach(&dataflow, &[id(1)].into(), Some(&[Pid(pid)].into()));
    assert_eq!(reach(12), [id(1)].into());
    assert_eq!(reach(13), BTreeSet::new());
}

/// A wait of a process at a descriptor, as the diagnosis tells it.
fn reads(pid: u32, pipe: u64, fd: u32) -> Wait {
    Wait {
        task: TaskId { pid: Pid(pid), tid: Tid(pid) },
        besides: None,
        idle: None,
        target: WaitTarget::Pipe(PipeWait {
            operation: Operation::Read,
            access: R,
            fd: Some(Fd(fd)),
            pipe: Some(id(pipe)),
            path: None,
            deleted: false,
            full: false,
        }),
        wakers: Wakers::default(),
        certainty: Attribution::Seen,
    }
}

#[test]
fn who_is_seen_at_work_uses_the_end() {
    // gen | while read x; do sleep 9; done: the shell reads, and sleep has its input.
    let processes = [(10, 9, 10, "gen"), (11, 9, 10, "bash"), (12, 11, 10, "sleep 9")];
    let ends = [(1, 10, 1, W), (1, 11, 0, R), (1, 12, 0, R)];
    let graph = graph(&processes, &ends);
    for (at_it, readers) in [(11, [11]), (12, [12])] {
        let dataflow = analyze(&graph, &NO_THREADS, &[reads(at_it, 1, 0)], Marks::default());
        assert_eq!(pids(&dataflow.flows[0], Side::Read), readers);
    }
}

/// A daemon that polls the write end it should not have, as asyncio does, waits too, and is not the one who gets no end of file. Nor is
/// a reader that polls a full pipe the one who is blocked.
#[test]
fn who_is_to_blame_may_wait_as_well() {
    let graph = graph(&[(10, 9, 10, "tee"), (11, 1, 11, "daemon")], &[(1, 10, 0, R), (1, 11, 1, W)]);
    let wait = |pid: u32, access: AccessMode| Wait {
        besides: None,
        idle: None,
        target: WaitTarget::Pipe(PipeWait {
            operation: Operation::Poll,
            access,
            fd: None,
            pipe: Some(id(1)),
            path: None,
            deleted: false,
            full: false,
        }),
        ..reads(pid, 1, 0)
    };
    let told = |details: serde_json::Value| {
        let finding = serde_json::from_value(serde_json::json!({
            "code": details["code"], "severity": "warning", "certainty": "proven", "message": "", "advice": "",
            "processes": [], "pipes": [], "doubts": [], "details": details,
        }));
        let diagnosis =
            crate::findings::Diagnosis { waits: vec![wait(10, R), wait(11, W)], findings: vec![finding.unwrap()] };
        let dataflow = diagnosis.dataflow(&graph, &NO_THREADS);
        let marks = [10, 11].map(|pid| dataflow.marks[&Pid(pid)].iter().map(|mark| mark.kind).collect::<Vec<_>>());
        (marks, dataflow.flows[0].writers[0].leaked)
    };
    let leaked = serde_json::json!({
        "code": "leaked-write-end", "pipe": id(1), "readers": [{"pid": 10, "tid": 10}], "may_resume": false,
        "holders": [{
            "pid": 11, "tid": null, "fd": 1, "access": "w", "flags": [], "relation": "other-session",
            "ancestor_of_reader": false, "session": 11, "inherited_from": null, "started_at": null,
        }],
    });
    assert_eq!(told(leaked), ([vec![MarkKind::NoEndOfFile], vec![MarkKind::LeakedWriteEnd]], true));
    let stalled = serde_json::json!({
        "code": "stalled-reader", "pipe": id(1), "writers": [{"pid": 11, "tid": 11}], "may_resume": false,
        "readers": [{"pid": 10, "held": null}], "idle_seconds": null,
    });
    assert_eq!(told(stalled), ([vec![MarkKind::StalledReader], vec![MarkKind::BlockedWriter]], false));
}

/// Threads of these processes: some wait for a child, the others for time to pass.
fn threads(await_children: &[u32], sleep: &[u32]) -> BTreeMap<Pid, ThreadGroup> {
    use crate::judge::processes::tests::{group, sleeps};
    use crate::model::{Children, SleepOn, TaskState, WaitTarget};
    let waits = TaskState::Waits { causes: vec![WaitTarget::Children(Children::All)], besides: None };
    let awaits = await_children.iter().map(|pid| group(*pid, 1, waits.clone()));
    let all = awaits.chain(sleep.iter().map(|pid| group(*pid, 1, sleeps(SleepOn::Timer))));
    // Their relations are those of the graph.
    all.map(|(pid, group)| (pid, ThreadGroup { parent: None, pgid: None, sid: None, ..group })).collect()
}

/// As `assert_flow`, of whom it is known who waits for a child and who is at work.
#[track_caller]
fn assert_flow_of(
    (await_children, sleep): (&[u32], &[u32]),
    processes: &[Who],
    ends: &[End],
    writers: &[u32],
    readers: &[u32],
) {
    let dataflow = analyze(&graph(processes, ends), &threads(await_children, sleep), &[], Marks::default());
    let flow = &dataflow.flows[0];
    let who = format!("{await_children:?} wait for a child, {sleep:?} sleep");
    assert_eq!((pids(flow, Side::Write), pids(flow, Side::Read)), (writers.to_vec(), readers.to_vec()), "{who}");
}

#[test]
fn shell_behind_a_substitution_only_waits() {
    // tee >(grep x | sort) | wc: the shell of the substitution is a child of tee, and has its output too.
    let processes = [(10, 9, 10, "tee /dev/fd/63"), (11, 10, 10, "bash"), (12, 9, 10, "wc")];
    let ends = [(1, 10, 1, W), (1, 11, 1, W), (1, 12, 0, R)];
    assert_flow_of((&[11], &[10]), &processes, &ends, &[10], &[12]);
    assert_flow_of((&[10, 11], &[]), &processes, &ends, &[11], &[12]);
    assert_flow_of((&[10], &[11]), &processes, &ends, &[11], &[12]);
}

#[test]
fn output_is_of_the_program_and_of_what_it_started() {
    // tee >(grep x) | cat, with grep in a job of its own or not.
    for job in [10, 11] {
        let processes = [(10, 9, 10, "tee /dev/fd/63"), (11, 10, job, "grep x"), (12, 9, 10, "cat")];
        let ends = [(1, 10, 1, W), (1, 11, 1, W), (1, 12, 0, R)];
        assert_flow_of((&[], &[10, 11]), &processes, &ends, &[10, 11], &[12]);
        // Of processes whose threads could not be read, kinship decides.
        assert_flow(&processes, &ends, &[11], &[12]);
    }
}

#[test]
fn input_is_of_the_program_that_it_was_given_to() {
    // sleep 6000 | diff <(sleep 6001) -
    let processes = [(10, 9, 10, "sleep 6000"), (11, 9, 10, "diff /dev/fd/63 -"), (12, 11, 10, "sleep 6001")];
    let ends = [(1, 10, 1, W), (1, 11, 0, R), (1, 12, 0, R)];
    assert_flow_of((&[], &[10, 11, 12]), &processes, &ends, &[10], &[11]);
    // But a shell gives its input to the program that it waits for, as in `gen | (cat; true)`.
    let processes = [(10, 9, 10, "sleep 6000"), (11, 9, 10, "bash"), (12, 11, 10, "cat")];
    assert_flow_of((&[11], &[10, 12]), &processes, &ends, &[10], &[12]);
    // And who is seen to read it is a reader, too.
    let dataflow = analyze(&graph(&processes, &ends), &threads(&[], &[10, 11]), &[reads(12, 1, 0)], Marks::default());
    assert_eq!(pids(&dataflow.flows[0], Side::Read), [11, 12]);
}

#[test]
fn a_shell_writes_between_two_sleeps() {
    // while :; do echo; sleep 5; done | cat
    let ends = [(1, 10, 1, W), (1, 11, 1, W), (1, 12, 0, R)];
    let processes = |child| [(10, 9, 10, "bash"), (11, 10, 10, child), (12, 9, 10, "cat")];
    assert_flow_of((&[10], &[11, 12]), &processes("sleep 5"), &ends, &[10], &[12]);
    assert_flow_of((&[10], &[11, 12]), &processes("date"), &ends, &[11], &[12]);
    // It does not wait for the one that sleeps; another that it waits for writes.
    assert_flow_of((&[], &[10, 11, 12]), &processes("sleep 5"), &ends, &[10, 11], &[12]);
    let both = [(10, 9, 10, "bash"), (11, 10, 10, "sleep 5"), (12, 9, 10, "cat"), (13, 10, 10, "date")];
    let ends = [(1, 10, 1, W), (1, 11, 1, W), (1, 12, 0, R), (1, 13, 1, W)];
    assert_flow_of((&[10], &[11, 12, 13]), &both, &ends, &[13], &[12]);
    // Nor does it read: while read x; do sleep 5; done.
    let ends = [(1, 9, 1, W), (1, 10, 0, R), (1, 11, 0, R)];
    let processes = [(9, 8, 9, "yes"), (10, 8, 9, "bash"), (11, 10, 9, "sleep 5")];
    assert_flow_of((&[10], &[9, 11]), &processes, &ends, &[9], &[10]);
}

#[test]
fn a_pipe_that_is_not_in_use_connects_nothing() {
    // make -j: the jobs have a pipe as stdin that no process writes to.
    let processes =
        [(10, 9, 10, "make"), (11, 10, 10, "sh"), (12, 10, 10, "sh"), (13, 11, 10, "cc"), (14, 11, 10, "as")];
    let ends = [(1, 10, 5, R), (1, 11, 0, R), (1, 12, 0, R), (2, 13, 1, W), (2, 14, 0, R)];
    let of = |threads: &Groups, waits: &[Wait]| {
        let dataflow = analyze(&graph(&processes, &ends), threads, waits, Marks::default());
        let layout = Layout::of(&dataflow);
        let roots: Vec<Node> = layout.pipelines.iter().flat_map(|it| it.roots.clone()).collect();
        (roots, layout.beside.len())
    };
    let (dead, cc) = (Node::Junction(id(1)), Node::Process(Pid(13)));
    let elsewhere = || threads(&[10, 11, 12], &[13, 14]);
    assert_eq!(of(&elsewhere(), &[]), (vec![cc], 1));
    assert_eq!(of(&elsewhere(), &[reads(12, 1, 0)]), (vec![dead, cc], 0), "one reads");
    let mut runs = elsewhere();
    runs.get_mut(&Pid(11)).unwrap().tasks[0].doing = crate::model::TaskState::Runs;
    assert_eq!(of(&runs, &[]), (vec![dead, cc], 0), "it may be about to");
    assert_eq!(of(&NO_THREADS, &[]), (vec![dead, cc], 0), "it is not known");
}

#[test]
fn worker_in_a_session_of_its_own_gives_a_shared_pipe_its_direction() {
    // Two have both ends, and 12 has kept only the read end.
    let processes = [(10, 9, 10, "server"), (11, 10, 10, "server"), (12, 10, 12, "server")];
    let ends = [(1, 10, 3, R), (1, 10, 4, W), (1, 11, 3, R), (1, 11, 4, W), (1, 12, 3, R)];
    assert_flow(&processes, &ends, &[10], &[12]);
}
