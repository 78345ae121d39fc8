//! What of a finding stands at a second look: no more of it than was there at the first.

use super::super::confirm::{Look, standing};
use super::*;
use crate::model::{Fingerprint, Task, TaskState, ThreadGroup};

/// What stands of all that is found in the one and then in the other.
fn lasts(before: &PipeGraph, now: &PipeGraph) -> Vec<(Code, Severity, Vec<u32>)> {
    let [then, found] = [before, now].map(|graph| audit(graph, &Groups::new(), &Thresholds::default()));
    stands((before, &Groups::new(), &then), (now, &Groups::new(), &found))
}

type Seen<'a> = (&'a PipeGraph, &'a Groups, &'a [Finding]);

fn stands(before: Seen<'_>, now: Seen<'_>) -> Vec<(Code, Severity, Vec<u32>)> {
    let look = |(graph, groups, findings)| Look { graph, groups, findings };
    let told = |finding: &Finding| (finding.code(), finding.severity(), pids(finding));
    standing(&look(before), &look(now)).iter().map(told).collect()
}

#[test]
fn a_risk_is_as_bad_as_it_was_all_the_while() {
    let (info, warning) = (Severity::Info, Severity::Warning);
    let users = |ends: &[Endpoint]| with(machine([process(1, 7, 1), process(2, 8, 1), process(3, 0, 1)]), ID, ends);
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

/// One more reader hangs at the second look, and the first still does.
#[test]
fn a_hang_stands_though_others_join_it() {
    let graph = machine([process(1, 7, 1), process(2, 7, 1)]);
    let groups = |pids: &[u32]| -> Groups {
        let group = |pid: u32| {
            let id = TaskId { pid: Pid(pid), tid: Tid(pid) };
            let doing = TaskState::Waits { causes: Vec::new(), besides: None };
            let tasks = vec![Task { id, doing, idle: None, trace: Fingerprint::default() }];
            let (pid, command) = (Pid(pid), Vec::new());
            ThreadGroup {
                pid,
                parent: None,
                pgid: None,
                sid: None,
                command: command.into(),
                tracer: None,
                catches: 0,
                blocks: 0,
                adopts: None,
                tasks,
            }
        };
        pids.iter().map(|pid| (Pid(*pid), group(*pid))).collect()
    };
    let hidden = |pids: &[u32]| Finding {
        fault: Fault::HiddenEnd { pipe: ID, side: Side::Write, usual: false },
        tasks: pids.iter().map(|pid| TaskId { pid: Pid(*pid), tid: Tid(*pid) }).collect(),
        pipes: vec![ID],
        doubts: Vec::new(),
    };
    let last = |before: &[u32], now: &[u32]| {
        stands((&graph, &groups(before), &[hidden(before)]), (&graph, &groups(now), &[hidden(now)]))
    };
    let both = [(Code::HiddenEnd, Severity::Warning, vec![1, 2])];
    assert_eq!(last(&[1], &[1, 2]), both);
    assert_eq!(last(&[1], &[2]), [], "it is another one that hangs");
    // Only --probe found it: nobody waits for it.
    assert_eq!(last(&[], &[]), [(Code::HiddenEnd, Severity::Warning, vec![])]);
}
