//! Selections over a graph made by hand: what is kept is kept whole.

use std::collections::BTreeMap;

use super::*;
use crate::model::{AccessMode, Coverage, Endpoint, Fd, Hidden, Host, UnionOfGaps, WaitedFiles};

/// A shell (1) with its pipeline `ls | grep | sort`: 1 holds nothing, 2 -w-> pipe 10 -r- 3 -w-> pipe 11 -r- 4; 5 of another user
/// reads pipe 12, which nobody writes.
fn graph() -> PipeGraph {
    let end =
        |pid, fd, access| Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: None };
    let pipe = |inode, ends| Pipe { ends, ..Pipe::unknown(PipeId::anonymous(inode)) };
    let process = |pid, uid, command: &str| Process {
        uid: Some(Uid(uid)),
        command: command.into(),
        ..Process::unknown(Pid(pid))
    };
    let processes =
        [process(2, 1000, "ls"), process(3, 1000, "grep"), process(4, 0, "sort"), process(5, 7, "systemd-journal")];
    let parents = [(1, 0), (2, 1), (3, 1), (4, 3), (5, 0)];
    PipeGraph {
        host: Host::default(),
        taken_at: crate::model::Time::EPOCH,
        coverage: Coverage {
            proc_root: "/proc".into(),
            backend: crate::model::Backend::Proc,
            processes: 5,
            vanished: 0,
            gaps: vec![],
            union: UnionOfGaps::default(),
            outside: None,
            privileged: false,
            own_pids: true,
            scanner: None,
        },
        pipefs: None,
        parents: parents.into_iter().map(|(pid, parent)| (Pid(pid), Some(Pid(parent)))).collect(),
        processes: processes.into_iter().map(|process| (process.pid, process)).collect(),
        pipes: vec![
            pipe(10, vec![end(2, 1, AccessMode::Write), end(3, 0, AccessMode::Read)]),
            pipe(11, vec![end(3, 1, AccessMode::Write), end(4, 0, AccessMode::Read)]),
            pipe(12, vec![end(5, 0, AccessMode::Read)]),
        ],
        descriptors: vec![],
        probed: BTreeMap::new(),
        hidden: Hidden::default(),
        beside: BTreeMap::new(),
        waited: WaitedFiles::default(),
        polled: BTreeMap::new(),
        selected: false,
        limits: crate::model::PipeLimits::default(),
        user_pages: Vec::new(),
    }
}

/// What one process has on both sides is left out, unless another holds an end of it, too, or a side was not seen.
#[test]
fn pipes_within_one_process_are_left_out_where_that_is_asked_for() {
    let end =
        |pid, fd, access| Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: None, description: None };
    let (r, w, rw) = (AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite);
    let mut graph = graph();
    let ends = [
        vec![end(2, 3, r), end(2, 4, w)],
        vec![end(2, 5, rw)],
        vec![end(2, 6, r), end(2, 7, w), end(3, 7, w)],
        vec![end(2, 8, r)],
    ];
    let added = (20..).zip(ends).map(|(inode, ends)| Pipe { ends, ..Pipe::unknown(PipeId::anonymous(inode)) });
    graph.pipes.extend(added);
    let selection = Selection { between: true, ..Selection::default() };
    assert!(!selection.is_everything());
    let kept: Vec<u64> = selected(&graph, &selection).map(|pipe| pipe.id.inode()).collect();
    assert_eq!(kept, [10, 11, 12, 22, 23]);
}

/// The inodes of the pipes that are kept, after a check that each is whole and that just their holders are.
fn kept(selection: &Selection) -> Vec<u64> {
    let all = graph();
    let graph = select(all.clone(), selection);
    for pipe in &graph.pipes {
        assert_eq!(all.pipe(pipe.id), Some(pipe));
    }
    let holders: BTreeSet<Pid> = graph.pipes.iter().flat_map(|pipe| &pipe.ends).map(|end| end.pid).collect();
    assert_eq!(graph.processes.keys().copied().collect::<BTreeSet<_>>(), holders);
    graph.pipes.iter().map(|pipe| pipe.id.inode()).collect()
}

fn names(names: &[&str]) -> Vec<CommandPattern> {
    vec![CommandPattern::Names(names.iter().map(|name| (*name).into()).collect())]
}

#[test]
fn values_widen_and_options_narrow() {
    let everything = Selection::default;
    assert_eq!(kept(&everything()), [10, 11, 12]);
    assert_eq!(kept(&Selection { pids: vec![Pid(3)], ..everything() }), [10, 11]);
    assert_eq!(kept(&Selection { pids: vec![Pid(2), Pid(5)], ..everything() }), [10, 12]);
    assert_eq!(kept(&Selection { commands: names(&["ls", "sort"]), ..everything() }), [10, 11]);
    assert_eq!(kept(&Selection { users: vec![Uid(0)], ..everything() }), [11]);
    // Of one and the same end: grep is not of user 0.
    assert_eq!(kept(&Selection { users: vec![Uid(0)], commands: names(&["grep"]), ..everything() }), [0; 0]);
    assert_eq!(kept(&Selection { kinds: vec![PipeKind::Fifo], ..everything() }), [0; 0]);
    assert_eq!(kept(&Selection { no_writer: true, ..everything() }), [12]);
    assert_eq!(kept(&Selection { no_reader: true, ..everything() }), [0; 0]);
    let pipes = vec![PipeMatch::Inode(10), PipeMatch::Id(PipeId::anonymous(12))];
    assert_eq!(kept(&Selection { pipes: pipes.clone(), ..everything() }), [10, 12]);
    assert_eq!(kept(&Selection { pipes, pids: vec![Pid(3)], ..everything() }), [10]);
}

#[test]
fn descendants_follow_the_parents() {
    let of = |pid, descendants| kept(&Selection { pids: vec![Pid(pid)], descendants, ..Selection::default() });
    assert_eq!(of(1, false), [0; 0]);
    assert_eq!(of(1, true), [10, 11]);
    assert_eq!(of(4, true), [11]);
}

#[test]
fn a_name_longer_than_the_kernel_keeps_still_matches() {
    assert_eq!(kept(&Selection { commands: names(&["systemd-journald"]), ..Selection::default() }), [12]);
    assert_eq!(kept(&Selection { commands: names(&["systemd"]), ..Selection::default() }), [0; 0]);
    let regex = CommandPattern::Regex(Regex::new("^systemd").unwrap());
    assert_eq!(kept(&Selection { commands: vec![regex], ..Selection::default() }), [12]);
}
