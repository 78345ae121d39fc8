//! When a write end counts as leaked, and which pipes are one finding.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::filters::filters;
use super::notice::{Readers, is_still, notice};
use super::sides::Sides;
use super::{LeakedEnd, LeakedPipe, LeakedWriteEnd};
use crate::findings::{Case, Details, Judgement};
use crate::judge::lineage::{Relation, is_pool};
use crate::judge::prospect::IdleTimes;
use crate::model::{
    AccessMode, AlternativeWake, Doubt, Doubts, Endpoint, Fd, Operation, Pid, Pipe, PipeId, PipeKind, PipeWait, Side,
    Task, TaskId, TaskState, Tid,
};

/// Maximum number of pipes of one poll that are looked at for others like it.
const MOST_POLLED: usize = 64;

pub(crate) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let rule = Rule::new(case);
    let pipes: BTreeSet<PipeId> = case.waiting.keys().chain(rule.woken.keys()).copied().collect();
    let leaks = merge(pipes.into_iter().filter_map(|pipe| rule.of_pipe(case.graph.pipe(pipe)?)));
    without_inner(leaks).into_iter().map(Leak::judgement).collect()
}

/// A leak and what makes it uncertain.
struct Leak {
    details: LeakedWriteEnd,
    tasks: Vec<TaskId>,
    doubts: Doubts,
    /// The pipes that its filters read, of leaks that are a part of it.
    inner: Vec<PipeId>,
}

/// One finding of the pipes of the same readers and holders, as stdout and stderr of one job.
fn merge(leaks: impl Iterator<Item = Leak>) -> Vec<Leak> {
    let mut merged: Vec<Leak> = Vec::new();
    let mut known = BTreeMap::new();
    for leak in leaks {
        let pids = |tasks: &[TaskId]| tasks.iter().map(|task| task.pid).collect::<BTreeSet<Pid>>();
        let holders: BTreeSet<(Pid, Relation)> =
            leak.details.holders.iter().map(|end| (end.end.pid, end.relation)).collect();
        let key = (pids(&leak.details.readers), holders, leak.details.notice);
        let place = *known.entry(key).or_insert(merged.len());
        let Some(first) = merged.get_mut(place) else {
            merged.push(leak);
            continue;
        };
        first.details.others.push(LeakedPipe { pipe: leak.details.pipe, holders: leak.details.holders });
        for (all, more) in [(&mut first.details.readers, leak.details.readers), (&mut first.tasks, leak.tasks)] {
            let new: Vec<TaskId> = more.into_iter().filter(|task| !all.contains(task)).collect();
            all.extend(new);
        }
        let known: BTreeSet<Pid> = first.details.filters.iter().map(|filter| filter.pid).collect();
        first.details.filters.extend(leak.details.filters.into_iter().filter(|filter| !known.contains(&filter.pid)));
        first.details.may_resume &= leak.details.may_resume;
        let new: Vec<Doubt> = leak.doubts.named.into_iter().filter(|it| !first.doubts.named.contains(it)).collect();
        first.doubts.extend(new);
    }
    merged
}

/// Of a line of filters, the leak of the first reader says all, unless that of another is worse, or more certain.
fn without_inner(mut leaks: Vec<Leak>) -> Vec<Leak> {
    let place_of: BTreeMap<PipeId, usize> =
        leaks.iter().zip(0..).map(|(leak, place)| (leak.details.pipe, place)).collect();
    let mut is_inner = vec![false; leaks.len()];
    for place in 0..leaks.len() {
        let filters = leaks[place].details.filters.iter().filter_map(|filter| place_of.get(&filter.pipe).copied());
        for other in filters.collect::<BTreeSet<usize>>() {
            if other != place && !is_inner[place] && !is_inner[other] && leaks[place].says_all_of(&leaks[other]) {
                is_inner[other] = true;
                let pipes = leaks[other].pipes();
                leaks[place].inner.extend(pipes);
            }
        }
    }
    leaks.into_iter().zip(is_inner).filter(|(_, is_inner)| !is_inner).map(|(leak, _)| leak).collect()
}

impl Leak {
    /// All that it is about.
    fn pipes(&self) -> Vec<PipeId> {
        let mut known = BTreeSet::new();
        let pipes = self.details.pipes().map(|(pipe, _)| pipe).chain(self.inner.iter().copied());
        pipes.filter(|pipe| known.insert(*pipe)).collect()
    }

    /// Whether the readers of another leak are filters of this one, which is no less severe and no less certain.
    fn says_all_of(&self, other: &Self) -> bool {
        let filters = &self.details.filters;
        let reads = |task: &TaskId, pipe| filters.iter().any(|filter| (filter.pid, filter.pipe) == (task.pid, pipe));
        other.details.pipes().all(|(pipe, _)| other.details.readers.iter().all(|task| reads(task, pipe)))
            && (self.details.notice.is_none() || other.details.notice.is_some())
            && (self.doubts.is_empty() || !other.doubts.is_empty())
    }

    fn judgement(mut self) -> Judgement {
        self.details.readers.sort_unstable();
        let pipes = self.pipes();
        // Those that are blocked come first.
        let blocked: BTreeSet<TaskId> = self.details.readers.iter().copied().collect();
        let others = self.tasks.into_iter().filter(|task| !blocked.contains(task));
        let tasks: Vec<TaskId> = self.details.readers.iter().copied().chain(others).collect();
        Judgement { doubts: self.doubts, ..Judgement::new(Details::LeakedWriteEnd(self.details), tasks, pipes) }
    }
}

/// A thread that waits for a pipe, in what, and for which of its pipes.
type Reading<'a> = (&'a Task, &'a TaskState, &'a PipeWait);

/// Pipes by a descriptor of one of their ends.
type ByDescriptor<'a> = HashMap<(Pid, Option<Tid>, Fd), &'a Pipe>;

struct Rule<'a> {
    case: &'a Case<'a>,
    /// The waits of threads that ran between the looks, though they had another reason to wake, and were blocked again at the last.
    woken: BTreeMap<PipeId, Vec<Reading<'a>>>,
    /// Whether it is known for how long threads have not run. Of one that runs meanwhile it is not.
    idle_times: IdleTimes,
    /// Of each thread, whether it watches its descendants.
    watching: RefCell<BTreeMap<TaskId, bool>>,
    /// Of each process, whether none of its threads has run for long.
    still: RefCell<BTreeMap<Pid, bool>>,
    /// The other direction of each UNIX socket, by descriptor.
    opposite: OnceCell<ByDescriptor<'a>>,
}

impl<'a> Rule<'a> {
    fn new(case: &'a Case<'_>) -> Self {
        let mut woken: BTreeMap<PipeId, Vec<Reading<'_>>> = BTreeMap::new();
        for task in case.groups.values().flat_map(|group| &group.tasks) {
            let Some(state @ TaskState::Waits { besides: Some(_), .. }) = task.woke.as_deref() else { continue };
            for wait in state.pipe_waits() {
                if let Some(pipe) = wait.pipe {
                    woken.entry(pipe).or_default().push((task, state, wait));
                }
            }
        }
        Self {
            case,
            woken,
            idle_times: IdleTimes::of(case.groups),
            watching: RefCell::default(),
            still: RefCell::default(),
            opposite: OnceCell::new(),
        }
    }

    fn of_pipe(&self, pipe: &'a Pipe) -> Option<Leak> {
        let case = self.case;
        if !self.is_awaited_for_eof(pipe) {
            return None;
        }
        let (reading, ran) = self.reading(pipe.id);
        if reading.is_empty() {
            return None;
        }
        // One that was given up may wait for it, too, and be of another pipeline.
        let is_given_up = |pid: Pid| case.groups.get(&pid).is_none_or(|group| group.tasks.is_empty());
        if pipe.side(Side::Read).any(|end| is_given_up(end.pid)) {
            return None;
        }
        let writers: Vec<&Endpoint> = pipe.side(Side::Write).collect();
        let on_both = pipe.on_both();
        let of_readers: BTreeSet<Pid> = reading.iter().map(|(task, ..)| task.id.pid).collect();
        if is_pool(writers.iter().map(|end| end.pid).chain(of_readers.iter().copied()), |pid| on_both.contains(&pid)) {
            return None;
        }
        let sides = Sides::of(case, pipe, &writers, of_readers)?;
        let mut holders = Vec::new();
        for ends in writers.chunk_by(|one, other| one.pid == other.pid) {
            let relation = sides.relation(ends)?;
            // What the last look did not see holds nothing any more.
            if ends.first().is_some_and(|end| !case.processes.has_ended(end.pid)) {
                holders.extend(ends.iter().map(|end| sides.leaked_end(end, relation)));
            }
        }
        // If the reader alone holds it, that is a deadlock.
        if holders.iter().all(|holder| holder.relation == Relation::ReaderItself) {
            return None;
        }
        self.leak(pipe, &reading, ran, &sides, holders)
    }

    fn leak(
        &self,
        pipe: &Pipe,
        reading: &[Reading<'_>],
        ran: bool,
        sides: &Sides<'_>,
        holders: Vec<LeakedEnd>,
    ) -> Option<Leak> {
        let case = self.case;
        let is_other = |end: &&LeakedEnd| end.relation != Relation::ReaderItself;
        let unrelated: BTreeSet<Pid> = holders.iter().filter(is_other).map(|end| end.end.pid).collect();
        let is_poll = reading.iter().all(|(_, _, wait)| wait.operation != Operation::Read);
        if is_poll && sides.descend(unrelated.iter().copied()) && self.are_lifelines(reading, &unrelated) {
            return None;
        }
        // As communicate() with a timeout does, and a server with a socket beside it.
        let may_resume = !reading.iter().any(|(_, state, _)| matches!(state, TaskState::Waits { besides: None, .. }));
        let still = |pid: Pid| *self.still.borrow_mut().entry(pid).or_insert_with(|| is_still(case, pid));
        let tasks = reading.iter().map(|(task, ..)| *task).collect();
        let readers = Readers { tasks, is_still: &still, idle_times: self.idle_times, may_resume, ran };
        let filters = filters(case, sides, &holders);
        let notice = notice(case, &readers, sides, &holders)?.reason();
        let readers: BTreeSet<TaskId> = reading.iter().map(|(task, ..)| task.id).collect();
        let readers: Vec<TaskId> = readers.into_iter().collect();
        let mut tasks = readers.clone();
        let of_filters = filters.iter().flat_map(|filter| &filter.holders).map(|end| end.end.pid);
        let others = unrelated.iter().copied().chain(of_filters);
        tasks.extend(case.leaders(others.filter(|pid| !sides.reading.contains(pid))));
        let mut doubts = case.doubts(pipe.id, Side::Write);
        let judged = holders.iter().filter(|end| !matches!(end.relation, Relation::ReaderItself | Relation::ReadWrite));
        let parents: BTreeSet<Pid> = judged
            .flat_map(|end| {
                sides.readers.iter().filter_map(|(pid, _)| case.lineage().possible_parent(*pid, end.end.pid))
            })
            .collect();
        doubts.extend(parents.into_iter().map(Doubt::Starter));
        let details =
            LeakedWriteEnd { pipe: pipe.id, readers, holders, may_resume, notice, others: Vec::new(), filters };
        Some(Leak { details, tasks, doubts, inner: Vec::new() })
    }

    /// Whether a reader of such a pipe waits for its EOF: a connection that has a path is for clients that come and go, and a terminal has no
    /// EOF of that kind.
    fn is_awaited_for_eof(&self, pipe: &Pipe) -> bool {
        match pipe.id.kind() {
            PipeKind::Anonymous | PipeKind::Fifo => true,
            PipeKind::Pty => false,
            PipeKind::Unix => {
                let has_path = |end: &Endpoint| self.opposite(end).is_none_or(|other| other.path.is_some());
                pipe.path.is_none() && !pipe.side(Side::Read).any(has_path)
            }
        }
    }

    /// The pipe to which the holder of the read end of a UNIX socket writes.
    fn opposite(&self, end: &Endpoint) -> Option<&'a Pipe> {
        let all = self.opposite.get_or_init(|| {
            let sockets = self.case.graph.pipes.iter().filter(|pipe| pipe.id.kind() == PipeKind::Unix);
            sockets.flat_map(|pipe| pipe.side(Side::Write).map(move |end| (end.key(), pipe))).collect()
        });
        all.get(&end.key()).copied()
    }

    /// The threads that wait for this pipe to have data or EOF, and whether they ran between the looks.
    fn reading(&self, pipe: PipeId) -> (Vec<Reading<'a>>, bool) {
        let waiting = self.case.waiting.get(&pipe).map_or(&[][..], Vec::as_slice);
        let reads = |(task, state, wait): &Reading<'_>| {
            !matches!(state, TaskState::Waits { besides: Some(AlternativeWake::Lock), .. })
                && wait.access != AccessMode::Write
                && matches!(wait.operation, Operation::Read | Operation::Poll | Operation::Hangup)
                && !self.case.stuck.contains(&task.id)
        };
        let mut of_now: Vec<Reading<'a>> =
            waiting.iter().map(|(task, wait)| (*task, &task.doing, *wait)).filter(reads).collect();
        of_now.dedup_by_key(|(task, ..)| task.id);
        if !of_now.is_empty() {
            return (of_now, false);
        }
        let mut woken: Vec<Reading<'a>> = self.woken.get(&pipe).into_iter().flatten().copied().filter(reads).collect();
        woken.dedup_by_key(|(task, ..)| task.id);
        (woken, true)
    }

    /// Whether the readers poll the pipe to hear of the exit of its holders, which descend from them: a child that runs the same program, as
    /// multiprocessing of Python starts it, or several pipes with other holders each. A leak is the same in all pipes.
    fn are_lifelines(&self, reading: &[Reading<'_>], holders: &BTreeSet<Pid>) -> bool {
        let name = |pid: Pid| self.case.processes.name(pid);
        let is_same = |one: Pid, other: Pid| name(one).zip(name(other)).is_none_or(|(one, other)| one == other);
        let is_same_program = |reader: Pid| holders.iter().all(|holder| is_same(*holder, reader));
        reading.iter().all(|(task, state, _)| {
            is_same_program(task.id.pid)
                || *self
                    .watching
                    .borrow_mut()
                    .entry(task.id)
                    .or_insert_with(|| self.watches_several(task.id.pid, state))
        })
    }

    /// Whether a thread polls pipes that are held by different descendants of its process, and by none else.
    fn watches_several(&self, pid: Pid, state: &TaskState) -> bool {
        let (processes, mut known) = (&self.case.processes, BTreeSet::new());
        let pipes = state.pipe_waits().filter_map(|wait| self.case.graph.pipe(wait.pipe?));
        for pipe in pipes.take(MOST_POLLED) {
            let holders: BTreeSet<Pid> = pipe.on(Side::Write).filter(|holder| *holder != pid).collect();
            // It may descend from the reader where that is not known.
            let may_descend = |holder: &Pid| processes.is_ancestor(pid, *holder) || !processes.knows_ancestors(*holder);
            if !holders.is_empty() && holders.iter().all(may_descend) {
                known.insert(holders);
            }
            if known.len() > 1 {
                return true;
            }
        }
        false
    }
}
