//! Those who should not share a pipe: users, containers, sessions.

use super::*;
use crate::model::{Certainty, Doubts, Opener, Users};

#[test]
fn users_on_both_sides() {
    let graph = |reader, writer, third: Option<u32>| {
        let graph = machine([process(1, reader, 1), process(2, writer, 2)]);
        let mut ends = vec![reads(1), writes(2)];
        let mut graph = graph;
        if let Some(uid) = third {
            graph.processes.insert(Pid(3), process(3, uid, 3));
            ends.push(writes(3));
        }
        with(graph, ID, &ends)
    };
    let root = |graph: &PipeGraph| match only(graph, Code::CrossesUsers).map(|finding| finding.details) {
        Some(Details::CrossesUsers(details)) => Some(details.root),
        _ => None,
    };
    assert_eq!(root(&graph(0, 0, None)), None);
    assert_eq!(root(&graph(7, 7, None)), None);
    assert_eq!(root(&graph(0, 7, None)), Some(Some(Side::Read)));
    assert_eq!(root(&graph(7, 0, None)), Some(Some(Side::Write)));
    assert_eq!(root(&graph(7, 7, Some(0))), Some(Some(Side::Write)));
    assert_eq!(root(&graph(0, 7, Some(0))), Some(None), "root is on both");
    assert_eq!(root(&graph(7, 8, None)), Some(None));
    assert_eq!(severity(&graph(0, 7, None), Code::CrossesUsers), Some(Severity::Warning));
    assert_eq!(severity(&graph(7, 8, None), Code::CrossesUsers), Some(Severity::Info));
    assert_eq!(only(&graph(7, 8, Some(9)), Code::CrossesUsers).map(|it| pids(&it.tasks)), Some(vec![1, 2, 3]));

    // Of whom the user is not known, nothing is claimed.
    let mut unknown = graph(0, 7, None);
    unknown.processes.insert(Pid(2), Process::unknown(Pid(2)));
    assert_eq!(root(&unknown), None);
    unknown.processes.remove(&Pid(2));
    assert_eq!(root(&unknown), None);
}

#[test]
fn user_who_is_opening_a_fifo_is_on_its_side() {
    let opener =
        Opener { task: TaskId { pid: Pid(2), tid: Tid(2) }, access: AccessMode::Write, command: Vec::new().into() };
    let pipe = Pipe { ends: vec![reads(1)], openers: vec![opener], ..Pipe::unknown(FIFO) };
    let graph = with_pipe(machine([process(1, 0, 1), process(2, 7, 2)]), pipe);
    assert_eq!(severity(&graph, Code::CrossesUsers), Some(Severity::Warning));
}

fn inside(pid: u32, container: Option<&str>, namespace: Option<u64>) -> Process {
    Process { container: container.map(str::to_owned), pid_namespace: namespace, ..process(pid, 7, 1) }
}

#[test]
fn containers_and_namespaces() {
    let code = Code::CrossesContainers;
    let of = |one: Process, two: Process, ends: &[Endpoint]| severity(&with(machine([one, two]), ID, ends), code);
    let ends = [reads(1), writes(2)];
    let other = [reads(1), end(2, 5, AccessMode::Write)];
    // What could not be read may be the same.
    assert_eq!(of(inside(1, None, Some(10)), inside(2, None, Some(10)), &ends), None);
    assert_eq!(of(inside(1, None, Some(10)), inside(2, None, None), &ends), None);
    assert_eq!(of(inside(1, Some("a"), Some(11)), inside(2, Some("a"), None), &ends), None);
    assert_eq!(of(inside(1, Some("a"), Some(11)), Process::unknown(Pid(2)), &ends), None);
    // Only namespaces: info, whatever the descriptors are.
    assert_eq!(of(inside(1, None, Some(10)), inside(2, None, Some(11)), &other), Some(Severity::Info));
    // What a container writes to its monitor is usual, another descriptor is not.
    assert_eq!(of(inside(1, None, Some(10)), inside(2, Some("a"), Some(11)), &ends), Some(Severity::Info));
    assert_eq!(of(inside(1, None, Some(10)), inside(2, Some("a"), Some(11)), &other), Some(Severity::Warning));
    let strange = [end(1, 3, AccessMode::Read), writes(2)];
    assert_eq!(of(inside(1, Some("a"), None), inside(2, None, None), &strange), Some(Severity::Warning));
    assert_eq!(of(inside(1, Some("a"), None), inside(2, None, None), &ends), Some(Severity::Info), "its input");
    // The container of a container.
    let monitor = [end(1, 3, AccessMode::Read), writes(2)];
    assert_eq!(of(inside(1, Some("b"), Some(10)), inside(2, Some("a"), Some(11)), &monitor), Some(Severity::Info));
    // Two that write to each other.
    assert_eq!(of(inside(1, Some("b"), Some(10)), inside(2, Some("a"), Some(11)), &ends), Some(Severity::Warning));
    let neither = [end(1, 3, AccessMode::Read), end(2, 4, AccessMode::Write)];
    assert_eq!(of(inside(1, Some("b"), Some(10)), inside(2, Some("a"), Some(11)), &neither), Some(Severity::Warning));
}

#[test]
fn standard_stream_of_a_container_has_one_process_outside() {
    let code = Code::CrossesContainers;
    let all = || [inside(1, None, Some(10)), inside(2, Some("a"), Some(11)), inside(3, None, Some(10))];
    let ends = [reads(1), writes(2), writes(3)];
    assert_eq!(severity(&with(machine(all()), ID, &ends), code), Some(Severity::Warning));
    // Others inside may have copies of it under any number.
    let [one, two, three] = all();
    let three = Process { container: two.container.clone(), pid_namespace: two.pid_namespace, ..three };
    let ends = [reads(1), writes(2), end(3, 9, AccessMode::Write)];
    let graph = with(machine([one, two, three]), ID, &ends);
    assert_eq!(severity(&graph, code), Some(Severity::Info));
    assert_eq!(only(&graph, code).map(|it| pids(&it.tasks)), Some(vec![1, 2, 3]));
    // One of those may be in a sandbox of its own there.
    let [one, two, _] = all();
    let sandboxed = inside(3, Some("a"), Some(12));
    let ends = [end(1, 9, AccessMode::Read), writes(2), writes(3)];
    assert_eq!(severity(&with(machine([one, two, sandboxed]), ID, &ends), code), Some(Severity::Info));
}

/// A pipeline of session 1, processes 1 and 2, and process 3 of another with this end.
fn pipeline(strange: Endpoint) -> PipeGraph {
    let processes = [process(1, 7, 1), process(2, 7, 1), process(3, 7, 3)];
    let mut graph = with(machine(processes), ID, &[reads(1), writes(2), strange]);
    graph.parents = [1, 2, 3].map(|pid| (Pid(pid), Some(Pid(0)))).into();
    graph
}

#[test]
fn ends_in_other_sessions() {
    let code = Code::InheritedEnd;
    let graph = pipeline(writes(3));
    let finding = only(&graph, code).expect("a write end");
    assert_eq!(
        (finding.severity(), finding.certainty(), pids(&finding.tasks)),
        (Severity::Warning, Certainty::Inferred, vec![3])
    );
    assert_eq!(severity(&pipeline(reads(3)), code), Some(Severity::Info));

    // With O_CLOEXEC it was not inherited through exec(2), and without flags that is not known.
    let closes = OpenFlags(libc::O_CLOEXEC.cast_unsigned());
    assert_eq!(severity(&pipeline(Endpoint { flags: Some(closes), ..writes(3) }), code), None);
    assert_eq!(severity(&pipeline(Endpoint { flags: None, ..writes(3) }), code), None);
    // Nor is that of anybody in its own session, or in one that is not known.
    for sid in [Some(1), None] {
        let mut graph = pipeline(writes(3));
        graph.processes.insert(Pid(3), Process { sid, ..process(3, 7, 3) });
        assert_eq!(severity(&graph, code), None, "{sid:?}");
    }
    // That from which a container was entered is 0 inside: the pipeline may be of it, and its stranger as well.
    for (own, other) in [(0, 3), (1, 0)] {
        let mut graph = pipeline(writes(3));
        for process in graph.processes.values_mut() {
            process.sid = Some(if process.pid == Pid(3) { other } else { own });
        }
        assert_eq!(severity(&graph, code), Some(Severity::Warning), "{own} {other}");
    }
    // A pipe between two sessions belongs to neither, and one that both have whole cannot be assigned to one.
    let mut graph = pipeline(writes(3));
    graph.processes.insert(Pid(2), process(2, 7, 2));
    assert_eq!(severity(&graph, code), None);
    let mut graph = pipeline(writes(3));
    graph.pipes[0].ends.push(end(3, 5, AccessMode::Read));
    assert_eq!(severity(&graph, code), None);
    // A FIFO is opened by name.
    let fifo = with(machine([process(1, 7, 1), process(3, 7, 3)]), FIFO, &[reads(1), writes(1), writes(3)]);
    assert_eq!(severity(&fifo, code), None);
}

#[test]
fn descendant_of_the_pipeline_may_be_waited_for() {
    let code = Code::InheritedEnd;
    let mut graph = pipeline(writes(3));
    // By a process in between that has no end.
    graph.parents = [(Pid(2), Some(Pid(1))), (Pid(9), Some(Pid(2))), (Pid(3), Some(Pid(9)))].into();
    assert_eq!(severity(&graph, code), Some(Severity::Info));
    graph.parents.insert(Pid(9), Some(Pid(1)));
    assert_eq!(severity(&graph, code), Some(Severity::Info), "process 1 has the read end");
    graph.parents = [(Pid(3), Some(Pid(8))), (Pid(8), Some(Pid(3)))].into();
    assert_eq!(severity(&graph, code), Some(Severity::Warning), "a circle, as only a file can tell");
    // One that was left behind is enough.
    graph.parents = [(Pid(3), Some(Pid(2))), (Pid(4), Some(Pid(0)))].into();
    graph.processes.insert(Pid(4), process(4, 7, 4));
    graph.pipes[0].ends.push(writes(4));
    let finding = only(&graph, code).expect("two");
    assert_eq!((finding.severity(), pids(&finding.tasks)), (Severity::Warning, vec![3, 4]));
    // A plain report that was saved lists nobody who holds no end: such an ancestor may descend from anybody, but for the first process
    // of all.
    graph.pipes[0].ends.pop();
    for (parent, expected) in [(9, Severity::Info), (1, Severity::Warning)] {
        graph.pipes[0].ends.retain(|end| end.pid != Pid(1));
        graph.processes.insert(Pid(5), process(5, 7, 1));
        graph.pipes[0].ends.insert(0, reads(5));
        graph.parents = [(Pid(3), Some(Pid(parent)))].into();
        graph.processes.remove(&Pid(1));
        assert_eq!(severity(&graph, code), Some(expected), "{parent}");
    }
}

#[test]
fn what_leaked_is_reported_once() {
    let graph = pipeline(writes(3));
    let rules = audited(&graph, &Groups::new());
    let leaked = |pipe| {
        let details =
            leaked_write_end::LeakedWriteEnd { pipe, readers: Vec::new(), holders: Vec::new(), may_resume: true };
        let details = Details::LeakedWriteEnd(details);
        let judgement = Judgement { details, tasks: Vec::new(), pipes: vec![pipe], doubts: Doubts::default() };
        judgement.word(&Phrases { graph: &graph, groups: &Groups::new(), users: &Users::default() })
    };
    let codes =
        |of_why: Finding| -> Vec<Code> { merge(vec![of_why], rules.clone()).iter().map(|it| it.code).collect() };
    assert_eq!(codes(leaked(ID)), [Code::LeakedWriteEnd]);
    // The worst first: what leaked is a notice here.
    assert_eq!(codes(leaked(FIFO)), [Code::InheritedEnd, Code::LeakedWriteEnd]);
}

#[test]
fn pipeline_of_the_audit_itself() {
    let graph = |ends: &[Endpoint]| {
        let processes = [(1, 0), (2, 7), (3, 0), (4, 0)].map(|(pid, uid)| process(pid, uid, pid));
        let mut graph = with(machine(processes), ID, ends);
        // sudo 1 has started lspipe 3.
        graph.parents = [(Pid(3), Some(Pid(1)))].into();
        graph
    };
    let left = |graph: &PipeGraph| {
        let mut findings = audited(graph, &Groups::new());
        exclude_own_pipeline(&mut findings, graph, Pid(3));
        findings.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(left(&graph(&[writes(1), reads(2), writes(3)])), []);
    assert_eq!(left(&graph(&[writes(1), reads(2), writes(4)])), [Code::CrossesUsers], "it is not on it");
    assert_eq!(left(&graph(&[writes(1), reads(2), writes(3), writes(4)])), [Code::CrossesUsers], "nor alone there");
    let copy = end(3, 5, AccessMode::Write);
    assert_eq!(left(&graph(&[writes(1), reads(2), copy])), [Code::CrossesUsers], "it has a copy only");
}
