//! `inherited-end`: a process of another session holds an end of a pipe beside the pipeline's own. A judgement of how processes are
//! related, and told as one.

use std::collections::BTreeSet;

use super::Case;
use crate::model::{Endpoint, Fault, Finding, Pid, Pipe, PipeGraph, PipeId, PipeKind, Risk, Side};

pub(super) const EXPLAIN: &str = "\
A session has a reader and a writer of an anonymous pipe, and a process of
another session holds an end of it, too, without O_CLOEXEC: probably it was
started by one of them and inherited the end. While it holds a write end, the
readers get no end of file though the pipeline has ended; while it holds a read
end, the writers get no SIGPIPE. leaked-write-end tells of the same once
somebody hangs.

Warning if it has a write end and was left behind, so that none of its living
ancestors is on the pipe. Info if it has a read end only, or is a descendant of
one that is on the pipe, as the command of sudo(8) is: that may be waiting for
it. A pipe that everybody reads and writes, such as the job server of make(1),
is none of these. It is inferred from sessions and ancestors.

Harmless where a daemon is meant to write into the pipeline for as long as it
runs, or was given the end by a service manager, as with `systemd-run --pipe`.

What to do: start it with its descriptors elsewhere, as in
`daemon >/dev/null 2>&1 </dev/null 3>&-`, and open pipes with O_CLOEXEC in
programs that start others.";

pub(super) fn find(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    (pipe.id.kind() == PipeKind::Anonymous).then_some(())?;
    let [reading, writing] = Side::BOTH.map(|side| sessions(case, pipe, side));
    // Of several such sessions it cannot be told whose business it is.
    let mut both = reading.intersection(&writing);
    let (Some(session), None) = (both.next().copied(), both.next()) else { return None };
    let own: BTreeSet<Pid> =
        pipe.ends.iter().map(|end| end.pid).filter(|pid| case.session(*pid) == Some(session)).collect();
    let is_strange = |end: &&Endpoint| {
        let session_of_end = case.session(end.pid);
        session_of_end.is_some_and(|other| other != session) && end.flags.is_some_and(|flags| !flags.closes_on_exec())
    };
    let ends: Vec<Endpoint> = pipe.ends.iter().filter(is_strange).copied().collect();
    if ends.is_empty() || is_pool(pipe) {
        return None;
    }
    // With one that was left behind, those who are not are told of, too: it takes all of them.
    let descend = ends.iter().all(|end| may_descend(case.graph, end.pid, &own));
    let pids: Vec<Pid> = ends.iter().map(|end| end.pid).collect();
    let risk = Risk::InheritedEnd { pipe: pipe.id, session, ends, descend };
    Some(case.finding(risk, pids, vec![pipe.id], Vec::new()))
}

/// Whether a process descends from one of those, or may do so: a plain report that was saved lacks ancestors that hold no end.
fn may_descend(graph: &PipeGraph, pid: Pid, own: &BTreeSet<Pid>) -> bool {
    graph.ancestors(pid).any(|ancestor| own.contains(&ancestor)) || !graph.knows_ancestors(pid)
}

/// Whether a finding says no more than one of `why` about one of the pipes whose write ends leaked: all of them have, then.
pub(super) fn is_told_by_leak(finding: &Finding, leaked: &BTreeSet<PipeId>) -> bool {
    let Fault::Risk(Risk::InheritedEnd { pipe, ends, .. }) = &finding.fault else { return false };
    leaked.contains(pipe) && ends.iter().all(|end| end.access.is_on(Side::Write))
}

fn sessions(case: &Case<'_>, pipe: &Pipe, side: Side) -> BTreeSet<u32> {
    pipe.side(side).filter_map(|end| case.session(end.pid)).collect()
}

/// Whether every holder may both read and write: then nobody waits for its end.
fn is_pool(pipe: &Pipe) -> bool {
    pipe.ends.iter().all(|end| pipe.is_on_both(end.pid))
}

impl Case<'_> {
    /// The session of a process. That from which a PID namespace was entered is 0 inside, and one like any other.
    fn session(&self, pid: Pid) -> Option<u32> {
        self.graph.processes.get(&pid)?.sid
    }
}
