//! What the rules judge by. It judges nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use super::end_hoard::DEFAULT_MAX_ENDS;
use super::{Code, Details, Judgement, ReportedBy, all_on};
use crate::judge::Groups;
use crate::judge::deadlock::{self as deadlocks, Deadlock};
use crate::judge::lineage::Lineage;
use crate::judge::processes::Processes;
use crate::judge::side::Unread;
use crate::judge::waits::{self, ByPipe, WakerSets};
use crate::model::{Doubts, Pid, Pipe, PipeGraph, PipeId, Side, TaskId, Uid, Wait};

/// What the rules judge by: an observation, and what follows from it for all of them.
pub(super) struct Case<'a> {
    pub(super) graph: &'a PipeGraph,
    pub(super) groups: &'a Groups,
    pub(super) processes: Processes<'a>,
    pub(super) max_ends: u64,
    pub(super) waits: Vec<Wait>,
    pub(super) deadlocks: Vec<Deadlock>,
    /// The threads that wait for a process in a deadlock: what is wrong with those is reported as that.
    pub(super) stuck: BTreeSet<TaskId>,
    pub(super) waiting: ByPipe<'a>,
    pub(super) hidden_ends: BTreeMap<(PipeId, Side), Vec<TaskId>>,
    /// What may hold ends that were not seen.
    pub(super) unread: Unread<'a>,
}

impl<'a> Case<'a> {
    pub(super) fn new(graph: &'a PipeGraph, groups: &'a Groups, max_ends: Option<u64>) -> Self {
        let processes = Processes::new(graph, groups);
        let unread = Unread::new(graph);
        let wakers = WakerSets::new(graph, &processes);
        let waits = waits::waits(graph, groups, &wakers);
        let (deadlocks, stuck) = deadlocks::find(graph, groups, &wakers, &unread);
        let hidden_ends = waits::hidden_ends(graph, &waits);
        let max_ends = max_ends.unwrap_or(DEFAULT_MAX_ENDS);
        let waiting = waits::by_pipe(groups);
        Self { graph, groups, processes, max_ends, waits, deadlocks, stuck, waiting, hidden_ends, unread }
    }

    /// What the rules of one command find, the worst first.
    pub(super) fn find(&self, reported_by: ReportedBy) -> Vec<Judgement> {
        let codes = Code::ALL.iter().filter(|code| code.about().reported_by == reported_by);
        let mut judgements: Vec<Judgement> = codes.flat_map(|code| code.find(self)).collect();
        judgements.sort_by_key(|judgement| (judgement.severity(), judgement.code()));
        judgements
    }

    pub(super) const fn lineage(&self) -> Lineage<'_> {
        Lineage { processes: &self.processes }
    }

    /// The main threads of some processes, ascending.
    pub(super) fn leaders(&self, pids: impl IntoIterator<Item = Pid>) -> Vec<TaskId> {
        let pids: BTreeSet<Pid> = pids.into_iter().collect();
        pids.into_iter().map(|pid| self.processes.leader(pid)).collect()
    }

    /// A proven judgement about all processes on a pipe.
    pub(super) fn of_all_on(&self, pipe: &Pipe, details: Details) -> Judgement {
        Judgement::new(details, self.leaders(all_on(pipe)), [pipe.id])
    }

    /// Which processes may be on a side of a pipe beside those that are seen there.
    pub(super) fn doubts(&self, pipe: PipeId, side: Side) -> Doubts {
        self.unread.possible_holders(pipe, side)
    }

    pub(super) fn user(&self, pid: Pid) -> Option<Uid> {
        self.processes.facts(pid)?.uid
    }

    /// What a rule that looks at one pipe at a time finds.
    pub(super) fn each_pipe(&self, rule: impl Fn(&Self, &'a Pipe) -> Option<Judgement>) -> Vec<Judgement> {
        self.graph.pipes.iter().filter_map(|pipe| rule(self, pipe)).collect()
    }

    /// Likewise, of the pipes that a thread waits for.
    pub(super) fn each_awaited_pipe(&self, rule: impl Fn(&Self, &'a Pipe) -> Option<Judgement>) -> Vec<Judgement> {
        self.waiting.keys().filter_map(|pipe| rule(self, self.graph.pipe(*pipe)?)).collect()
    }
}
