//! Those who should not share a pipe: users, containers, sessions.

use super::*;
use crate::model::{Certainty, Doubts, Gid, Opener, PipeFile, Users};

#[test]
fn users_on_both_sides() {
    let graph = |reader, writer, third: Option<u32>| {
        let mut graph = machine([process(1, reader, 1), process(2, writer, 2)]);
        graph.parents = [1, 2, 3].map(|pid| (Pid(pid), Some(Pid(0)))).into();
        let mut ends = vec![reads(1), writes(2)];
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

/// Root, process 1, reads from these workers, each by a pipe of its own; each is a child of the process after it.
fn workers(workers: &[(u32, u32)]) -> PipeGraph {
    let named = |pid, uid, command: &str| Process { command: command.into(), ..process(pid, uid, 1) };
    let holders = workers.iter().map(|(pid, _)| named(*pid, 33, "worker"));
    let mut graph = machine(holders.chain([named(1, 0, "master")]));
    graph.parents = workers.iter().map(|(pid, parent)| (Pid(*pid), Some(Pid(*parent)))).collect();
    graph.parents.extend([(Pid(1), Some(Pid(0))), (Pid(90), Some(Pid(1))), (Pid(91), Some(Pid(0)))]);
    workers.iter().fold(graph, |graph, (pid, _)| {
        with(graph, PipeId::anonymous((*pid).into()), &[end(1, *pid, AccessMode::Read), writes(*pid)])
    })
}

/// `sleep 100 | setpriv --reuid nobody cat` in a shell of root: neither holder is a parent of the other.
#[test]
fn a_pipe_that_root_created_is_a_notice() {
    let code = Code::CrossesUsers;
    let owned = |owner| {
        let mut graph = workers(&[(5, 91)]);
        graph.pipes[0].file = Some(PipeFile { owner: Uid(owner), group: Gid(0), mode: 0o600, directories: None });
        graph
    };
    assert_eq!(severity(&owned(0), code), Some(Severity::Info));
    assert_eq!(severity(&owned(33), code), Some(Severity::Warning), "as of `sudo cat FILE | less`");
    // Any process may open a FIFO by its name, whoever created it.
    let mut fifo = owned(0);
    fifo.pipes[0].id = FIFO;
    assert_eq!(severity(&fifo, code), Some(Severity::Warning));
}

/// Privilege separation: php-fpm, a supervisor, sshd.
#[test]
fn what_root_started_for_another_user_is_a_notice() {
    let code = Code::CrossesUsers;
    assert_eq!(severity(&workers(&[(5, 1)]), code), Some(Severity::Info));
    assert_eq!(severity(&workers(&[(5, 90)]), code), Some(Severity::Info), "by a process without an end");
    assert_eq!(severity(&workers(&[(5, 91)]), code), Some(Severity::Warning), "by another");
    // Another user who is none of its descendants reads, too.
    let mut other = workers(&[(5, 1)]);
    other.processes.insert(Pid(7), process(7, 33, 1));
    other.parents.insert(Pid(7), Some(Pid(91)));
    other.pipes[0].ends.push(reads(7));
    assert_eq!(severity(&other, code), Some(Severity::Warning));
    other.pipes[0].ends[2] = writes(7);
    assert_eq!(severity(&other, code), Some(Severity::Warning));
    // Any process may open a FIFO by its name.
    let mut fifo = workers(&[(5, 1)]);
    fifo.pipes[0].id = FIFO;
    assert_eq!(severity(&fifo, code), Some(Severity::Warning));
    // Of what cannot be seen it is not known that root did not start it.
    let mut unknown = workers(&[(5, 6)]);
    unknown.parents.remove(&Pid(6));
    assert_eq!(severity(&unknown, code), Some(Severity::Info));
    // What crosses-containers reports as usual is not reported twice.
    let mut container = workers(&[(5, 1)]);
    for process in container.processes.values_mut() {
        process.pid_namespace = Some(process.pid.0.into());
        process.container = (process.pid != Pid(1)).then(|| "a".to_owned());
    }
    assert_eq!(found(&container, None).iter().map(Judgement::code).collect::<Vec<_>>(), [Code::CrossesContainers]);
}

#[test]
fn pipes_between_the_same_users_and_commands_are_one_finding() {
    let code = Code::CrossesUsers;
    let of = |graph: &PipeGraph| -> Vec<(usize, usize, Vec<u32>)> {
        let found = found(graph, None);
        let count = |it: &Judgement| match &it.details {
            Details::CrossesUsers(details) => details.count,
            details => panic!("{details:?}"),
        };
        found.iter().map(|it| (count(it), it.pipes.len(), pids(&it.tasks))).collect()
    };
    let three = workers(&[(5, 1), (6, 1), (7, 1)]);
    assert_eq!(of(&three), [(3, 3, vec![1, 5, 6, 7])]);
    let finding = audited(&three, &Groups::new()).pop().expect("a finding");
    assert!(finding.message.starts_with("pipe:[5] and 2 more pipes pass data"), "{}", finding.message);
    // A warning is no notice, and another command is another finding.
    assert_eq!(of(&workers(&[(5, 1), (6, 91), (7, 1)])), [(1, 1, vec![1, 6]), (2, 2, vec![1, 5, 7])]);
    let mut other = three.clone();
    other.processes.get_mut(&Pid(6)).unwrap().command = "other".into();
    assert_eq!(of(&other), [(2, 2, vec![1, 5, 7]), (1, 1, vec![1, 6])]);
    assert_eq!(only(&three, code).map(|it| it.severity()), Some(Severity::Info));
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

/// The processes of `PostgreSQL` have sessions of their own and the pipes of their parent.
#[test]
fn a_fork_of_the_same_program_has_its_ends_on_purpose() {
    let of = |command: &str, cmdline: &str, parent: u32| {
        let mut graph = pipeline(reads(3));
        graph.parents.extend([(Pid(3), Some(Pid(parent))), (Pid(9), Some(Pid(0)))]);
        for (pid, command, cmdline) in [(1, "postgres", "/bin/postgres -D x"), (3, command, cmdline)] {
            let process = graph.processes.get_mut(&Pid(pid)).unwrap();
            let is_title = cmdline.contains(": ");
            let line =
                if is_title { cmdline.to_owned() } else { format!("{cmdline} ").replace(' ', "\0") }.into_bytes();
            (process.command, process.cmdline) = (command.into(), Some(line.into()));
        }
        severity(&graph, Code::InheritedEnd)
    };
    assert_eq!(of("postgres", "/bin/postgres -D x", 1), None);
    assert_eq!(of("postgres", "postgres: checkpointer", 1), None);
    assert_eq!(of("postgres", "/bin/postgres --describe-config", 1), Some(Severity::Info), "started by exec(2)");
    assert_eq!(of("sh", "/bin/postgres -D x", 1), Some(Severity::Info));
    assert_eq!(of("postgres", "/bin/postgres -D x", 9), Some(Severity::Info), "below no holder");
}

#[test]
fn systemd_run_passes_its_streams_to_a_service() {
    let of = |own: Option<&str>, unit: Option<&str>, client: &str| {
        let mut graph = pipeline(writes(3));
        for (pid, unit, command) in [(1, own, "cat"), (2, own, client), (3, unit, "sleep")] {
            let process = graph.processes.get_mut(&Pid(pid)).unwrap();
            (process.unit, process.command) = (unit.map(ToOwned::to_owned), command.into());
        }
        severity(&graph, Code::InheritedEnd)
    };
    let (session, run) = (Some("session-3.scope"), Some("run-u17.service"));
    assert_eq!(of(session, run, "systemd-run"), None);
    assert_eq!(of(session, run, "sleep"), None, "it did not wait");
    assert_eq!(of(session, Some("my.service"), "systemd-run"), None, "with --unit");
    assert_eq!(of(session, Some("my.service"), "sleep"), Some(Severity::Warning));
    assert_eq!(of(run, run, "sleep"), Some(Severity::Warning), "within the service");
    assert_eq!(of(None, None, "systemd-run"), Some(Severity::Warning), "it is not known");
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
        let details = leaked_write_end::LeakedWriteEnd {
            pipe,
            readers: Vec::new(),
            holders: Vec::new(),
            may_resume: true,
            notice: Some(leaked_write_end::NoticeReason::MayResume),
            others: Vec::new(),
            filters: Vec::new(),
        };
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
