//! What the rules judge by. It judges nothing itself.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::end_hoard::DEFAULT_MAX_ENDS;
use super::{Code, Details, Judgement, ReportedBy, all_on};
use crate::judge::Groups;
use crate::judge::dataflow::{Active, active, split};
use crate::judge::deadlock::{self as deadlocks, Deadlock};
use crate::judge::lineage::Lineage;
use crate::judge::opening::{self, OpeningCircle};
use crate::judge::processes::Processes;
use crate::judge::side::Unread;
use crate::judge::stall::{Stall, Stalls};
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
    active: OnceCell<Active>,
    stalls: OnceCell<Vec<Stall>>,
    /// The cycles of waits that an open(2) of a FIFO is part of.
    pub(super) opening_circles: Vec<OpeningCircle>,
}

impl<'a> Case<'a> {
    pub(super) fn new(graph: &'a PipeGraph, groups: &'a Groups, max_ends: Option<u64>) -> Self {
        let processes = Processes::new(graph, groups);
        let unread = Unread::new(graph);
        let wakers = WakerSets::new(graph, &processes);
        let waits = waits::waits(graph, groups, &wakers);
        let mut opening_circles = opening::find(groups, &processes, &wakers);
        let (deadlocks, stuck) = deadlocks::find(graph, groups, &wakers, &unread, &mut opening_circles);
        let hidden_ends = waits::hidden_ends(graph, &waits);
        let max_ends = max_ends.unwrap_or(DEFAULT_MAX_ENDS);
        let waiting = waits::by_pipe(groups);
        Self {
            graph,
            groups,
            processes,
            max_ends,
            waits,
            deadlocks,
            stuck,
            waiting,
            hidden_ends,
            unread,
            active: OnceCell::new(),
            stalls: OnceCell::new(),
            opening_circles,
        }
    }

    /// Whether all is known by which the users of a pipe are distinguished from holders of copies.
    pub(super) fn knows_users(&self, pipe: &Pipe) -> bool {
        let is_known = |pid: Pid| {
            let (processes, facts) = (&self.processes, self.processes.facts(pid));
            facts.is_some_and(|process| process.cmdline.is_some())
                && processes.threads(pid).is_some_and(|group| !group.tasks.is_empty())
                && processes.name(pid).is_some_and(|name| !name.is_empty())
                && processes.process_group(pid).is_some()
                && processes.session(pid).is_some()
                && processes.knows_ancestors(pid)
        };
        pipe.ends.iter().all(|end| end.flags.is_some() && is_known(end.pid))
    }

    /// The processes that use a side of a pipe, as opposed to those that only hold a copy of the end, as `graph` distinguishes them. All
    /// holders where several share both sides, and where [that is not known](Self::knows_users).
    pub(super) fn users_of(&self, pipe: &Pipe, side: Side) -> BTreeSet<Pid> {
        if !self.knows_users(pipe) {
            return pipe.on(side).collect();
        }
        let split = split(&self.processes, pipe, self.active.get_or_init(|| active(&self.waits)));
        match side {
            _ if split.shared => pipe.on(side).collect(),
            Side::Read => split.readers,
            Side::Write => split.writers,
        }
    }

    /// The full channels whose readers are not about to read.
    pub(super) fn stalls(&self) -> &[Stall] {
        self.stalls.get_or_init(|| {
            let (wakers, users) =
                (WakerSets::new(self.graph, &self.processes), |pipe: &Pipe, side| self.users_of(pipe, side));
            let Self { graph, groups, processes, waiting, stuck, .. } = self;
            Stalls { graph, groups, processes, wakers: &wakers, waiting, stuck, users: &users }.find()
        })
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

    /// What a rule that looks at one pipe at a time finds: of pipes in the sense of pipe(7), since the other side of a socket or terminal may
    /// be held by any process.
    pub(super) fn each_pipe(&self, rule: impl Fn(&Self, &'a Pipe) -> Option<Judgement>) -> Vec<Judgement> {
        let pipes = self.graph.pipes.iter().filter(|pipe| pipe.id.kind().is_pipe());
        pipes.filter_map(|pipe| rule(self, pipe)).collect()
    }
}
