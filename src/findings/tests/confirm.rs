//! What of a finding stands at a second look: no more of it than was there at the first.

use super::super::confirm::{Look, confirmed, confirmed_by};
use super::super::hidden_end::HiddenEnd;
use super::testing::{blocked, group};
use super::*;
use crate::model::{Doubts, Operation, TaskState};

/// What stands of all that is found in the one and then in the other.
fn lasts(before: &PipeGraph, now: &PipeGraph) -> Vec<(Code, Severity, Vec<u32>)> {
    let [then, found] = [before, now].map(|graph| audited(graph, &Groups::new()));
    stands((before, &Groups::new(), &then), (now, &Groups::new(), &found))
}

type Seen<'a> = (&'a PipeGraph, &'a Groups, &'a [Finding]);

fn stands(before: Seen<'_>, now: Seen<'_>) -> Vec<(Code, Severity, Vec<u32>)> {
    let users = Users::default();
    let look = |(graph, groups, findings)| Look { graph, groups, users: &users, findings };
    let seen = |finding: &Finding| (finding.code, finding.severity, pids(&finding.tasks));
    confirmed(&look(before), &look(now)).iter().map(seen).collect()
}

#[test]
fn a_risk_is_as_bad_as_it_was_all_the_while() {
    let (info, warning) = (Severity::Info, Severity::Warning);
    let users = |ends: &[Endpoint]| {
        let mut graph = machine([process(1, 7, 1), process(2, 8, 1), process(3, 0, 1)]);
        graph.parents = [1, 2, 3].map(|pid| (Pid(pid), Some(Pid(0)))).into();
        with(graph, ID, ends)
    };
    let (two, root_too) = (users(&[reads(1), writes(2)]), users(&[reads(1), writes(2), writes(3)]));
    assert_eq!(lasts(&two, &two), [(Code::CrossesUsers, info, vec![1, 2])]);
    assert_eq!(lasts(&root_too, &root_too), [(Code::CrossesUsers, warning, vec![1, 2, 3])]);
    for (before, now) in [(&two, &root_too), (&root_too, &two)] {
        assert_eq!(lasts(before, now), [(Code::CrossesUsers, info, vec![1, 2])], "root was there at one look only");
    }
    // Another process of the same number is another.
    let mut anew = two.clone();
    for process in anew.processes.values_mut() {
        process.started_at = Some(crate::model::Time::EPOCH);
    }
    assert_eq!(lasts(&two, &anew), []);

    let fifo = |mode| {
        let file = PipeFile { owner: Uid(0), group: Gid(5), mode, directories: None };
        let pipe = Pipe { ends: vec![reads(1)], file: Some(file), ..Pipe::unknown(FIFO) };
        with_pipe(machine([process(1, 0, 1)]), pipe)
    };
    let severity = |before, now| lasts(&fifo(before), &fifo(now)).first().map(|finding| finding.1);
    assert_eq!(severity(0o602, 0o602), Some(warning), "a doubt is left");
    assert_eq!(severity(0o620, 0o602), Some(info));
    assert_eq!(severity(0o602, 0o620), Some(info));
    assert_eq!(severity(0o600, 0o602), None);

    let hoard = |ends: u32| {
        let process = Process { fd_limit: Some(100), ..process(1, 7, 1) };
        with(machine([process]), ID, &(0..ends).map(|fd| end(1, fd, AccessMode::Read)).collect::<Vec<_>>())
    };
    assert_eq!(lasts(&hoard(90), &hoard(95)), [(Code::EndHoard, Severity::Error, vec![1])]);
    assert_eq!(lasts(&hoard(50), &hoard(95)), [(Code::EndHoard, warning, vec![1])]);
    assert_eq!(lasts(&hoard(95), &hoard(9)), []);
}

/// A process whose thread waits at this side of a pipe with nothing on the other.
fn hidden(graph: &PipeGraph, groups: &Groups, pids: &[u32]) -> Vec<Finding> {
    let blocked: Vec<TaskId> = pids.iter().map(|pid| task(*pid)).collect();
    let details = HiddenEnd { pipe: ID, side: Side::Write, blocked: blocked.clone(), expected: false };
    let details = Details::HiddenEnd(details);
    let judgement = Judgement { details, tasks: blocked, pipes: vec![ID], doubts: Doubts::default() };
    vec![judgement.word(&Phrases { graph, groups, users: &Users::default() })]
}

/// One more reader is blocked at the second look, and the first still is.
#[test]
fn a_blocked_reader_stands_though_others_join_it() {
    let graph = machine([process(1, 7, 1), process(2, 7, 1)]);
    let groups = |pids: &[u32]| -> Groups {
        let doing = || TaskState::Waits { causes: Vec::new(), besides: None };
        pids.iter().map(|pid| (Pid(*pid), group(*pid, 0, 1, "", doing()))).collect()
    };
    let last = |before: &[u32], now: &[u32]| {
        let (then, later) = (groups(before), groups(now));
        stands((&graph, &then, &hidden(&graph, &then, before)), (&graph, &later, &hidden(&graph, &later, now)))
    };
    let both = [(Code::HiddenEnd, Severity::Warning, vec![1, 2])];
    assert_eq!(last(&[1], &[1, 2]), both);
    assert_eq!(last(&[1], &[2]), [], "it is another one that is blocked");
    // Only --probe found it: no thread waits for it.
    assert_eq!(last(&[], &[]), [(Code::HiddenEnd, Severity::Warning, vec![])]);
}

/// A shell that has the write end starts one child after the other, and each of them has it, too.
#[test]
fn looks_agree_on_what_is_blocked_though_the_holders_change() {
    let look = |reader: u32, holders: [u32; 2]| {
        let mut ends = vec![reads(reader)];
        ends.extend(holders.map(writes));
        let mut groups = vec![group(reader, 9, 9, "cat", blocked(Operation::Read, ID, reads(reader)))];
        groups.extend(holders.map(|pid| group(pid, 1, 1, "daemon", TaskState::Runs)));
        let scene = Scene::new(groups, &[(ID, &ends)]);
        diagnose(&scene.graph, &scene.groups)
    };
    let (first, second) = (look(2, [10, 11]), look(2, [10, 12]));
    assert_eq!(second.judgements.len(), 1, "{second:#?}");
    assert_eq!(confirmed_by(second.clone(), &first).judgements, second.judgements);
    assert_eq!(confirmed_by(second, &look(3, [10, 12])).judgements, []);
}
