//! Looks at a machine: the walk of /proc, the join of its ends to pipes, and the probe. An [`Observer`] looks once for a list, and twice
//! where claims are to be made: processes go on during a look, so a claim is made only of what did not move between two of them.
//!
//! Nothing is judged here. What the judges need to know after a first look, they say in a [`FollowUp`]; what they get is an
//! [`Observation`], which is plain data.

mod backend;
mod channel;
pub(crate) mod join;
pub(crate) mod kernel;
pub(crate) mod probe;
pub(crate) mod proc;
mod references;
mod resting;
mod settle;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::backend::{Choice, KernelView};
use self::join::add_openers;
use self::kernel::TaskList;
use self::probe::{Answers, Unsupported};
use self::proc::{Beforehand, Budget, Error, Found, OtherFiles, ScanOptions, Usages};
use self::references::explain_references;
use self::resting::LastLook;
use self::settle::{
    add_activity, idle_since, lock_held, openers, retain_unmoved, set_aside, share_command_lines, unmoved_facts,
};
use crate::judge::side::{has_hidden, hidden_sides, may_hide};
use crate::model::{
    Backend, CostLimits, Gap, Pid, Pipe, PipeGraph, PipeId, PipeKind, Process, ScanLimit, Side, TaskState, Threads,
    WaitedFiles, transfer,
};
use crate::select::{Selection, selected, selected_processes};

/// The pause before the second look, where the first saw what may be transient: longer than a busy pipeline rests.
const PAUSE: Duration = Duration::from_millis(300);

/// Looks at the machine of one proc root.
#[derive(Debug)]
pub(crate) struct Observer {
    proc_root: PathBuf,
    /// The command of the probe's helper; empty for none.
    helper: Vec<OsString>,
    /// The pipes that a probe must not ask for their sizes: each such request may cost a process that hangs.
    skip_sizes: BTreeSet<PipeId>,
    /// The process that the user started, which may be another than this one.
    started: Pid,
    /// What its looks may cost.
    budget: Arc<Budget>,
    backend: Choice,
    /// Whether FIFOs that are named may be kept open for the run: their file systems cannot be unmounted meanwhile.
    holds_named: bool,
}

/// How much to look at.
#[derive(Debug, Clone)]
pub(crate) struct Depth {
    pub(crate) scan: ScanOptions,
    /// What is asked about: these pipes are probed, and these processes are looked at twice.
    pub(crate) selection: Selection,
    /// Whether to ask the kernel about the selected pipes.
    pub(crate) probe: bool,
    /// Whether to look which ends of the selected pipes their holders wait for.
    pub(crate) polled: bool,
}

/// What was seen of a machine. Serializes whole, so that a child process may look for its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Observation {
    /// The pipes at the last look.
    pub(crate) graph: PipeGraph,
    /// What the threads were doing. After two looks, a thread that moved in between counts as running. Idle times are those at
    /// [`PipeGraph::taken_at`]. Empty if no thread was looked at.
    #[serde(with = "transfer::threads")]
    pub(crate) threads: Threads,
    /// The pipes at the first of two looks, with the hidden ends and the answers of the kernel as at the last.
    pub(crate) first: Option<PipeGraph>,
    /// How the probe went, if one was asked for.
    pub(crate) probe: Option<Result<Answers, Unsupported>>,
}

/// What the judges need after a first look.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowUp {
    /// Whether anything seems wrong, which a second look has to confirm.
    pub(crate) is_suspicious: bool,
    /// Whether that may be transient on a healthy machine.
    pub(crate) may_pass: bool,
    /// Whether it depends on ends that no fd table shows.
    pub(crate) hidden_ends: bool,
    /// The processes that must not have moved.
    pub(crate) pids: BTreeSet<Pid>,
    /// Those that seem to read nothing from their stdin: if they wake now and then, they may be at work on what they have read.
    pub(crate) slow_readers: BTreeSet<Pid>,
}

impl Observer {
    /// Of the machine in this proc root, by this backend, or the best that is to be had.
    pub(crate) fn new(
        proc_root: &Path,
        helper: &[OsString],
        started: Pid,
        limits: CostLimits,
        backend: Option<Backend>,
    ) -> Self {
        Self {
            proc_root: proc_root.to_owned(),
            helper: helper.to_owned(),
            skip_sizes: BTreeSet::new(),
            started,
            budget: Arc::new(Budget::new(limits)),
            backend: Choice::new(backend),
            holds_named: false,
        }
    }

    /// Keeps FIFOs open that are named, for a run that is over soon; see [`Choice::hold`].
    pub(crate) fn holding_named(self, holds_named: bool) -> Self {
        Self { holds_named, ..self }
    }

    /// How many sockets and terminals these processes have open.
    pub(crate) fn other_files(&self, pids: &[Pid]) -> OtherFiles {
        proc::other_files(&self.proc_root, pids, &self.budget)
    }

    /// Every process with its command, user and parent; see [`proc::named_processes`].
    pub(crate) fn named_processes(&self) -> Result<BTreeMap<Pid, Process>, Error> {
        proc::named_processes(&self.proc_root, &self.budget)
    }

    /// The pipes that a path leads to; see [`proc::pipes_at`].
    pub(crate) fn pipes_at(&mut self, path: &Path) -> Result<Vec<PipeId>, Error> {
        self.budget.begin();
        let Found { pipes, fifo } = proc::pipes_at(&self.proc_root, path, &self.budget)?;
        if let (Some(fifo), [pipe], true) = (fifo, &pipes[..], self.holds_named) {
            self.backend.hold(fifo, *pipe);
        }
        Ok(pipes)
    }

    /// Looks once. Good for lists, not for claims: what it sees may never have been so at one time.
    pub(crate) fn look(&mut self, depth: &Depth) -> Result<Observation, Error> {
        self.budget.begin();
        // A process that is blocked in opening a FIFO has no descriptor of it: to find it, every thread has to be looked at.
        let threads = if depth.selection.may_name_fifo() {
            let tasks = self.tasks()?;
            self.threads(None, depth, Beforehand { tasks, ..Beforehand::default() })?.0
        } else {
            Threads::new()
        };
        let mut graph = self.pipes(depth, &threads, BTreeMap::new(), false)?;
        if depth.probe {
            let shown = selected(&graph, &depth.selection);
            let holders: BTreeSet<Pid> =
                shown.flat_map(|pipe| Side::BOTH.into_iter().flat_map(|side| pipe.on(side))).collect();
            let holders: Vec<Pid> = holders.into_iter().collect();
            let (holding, _) = self.threads(Some(&holders), depth, Beforehand::default())?;
            self.skip_sizes.extend(lock_held(&holding));
        }
        let probe = self.probe(&mut graph, depth)?;
        let shown = selected(&graph, &depth.selection).filter(|_| depth.polled);
        let holders: BTreeSet<Pid> = shown.flat_map(|pipe| pipe.ends.iter().map(|end| end.pid)).collect();
        proc::describe(&self.proc_root, &mut graph, &holders, &self.budget)?;
        if probe.is_none() && selected(&graph, &depth.selection).any(|pipe| is_hidden_by_none_known(&graph, pipe)) {
            graph.hidden = proc::hidden(&self.proc_root, &self.budget)?;
        }
        Ok(Observation { graph, threads, first: None, probe })
    }

    /// Looks once, and if the judge finds anything suspicious, a second time. Threads are looked at before, between and after the two
    /// scans: a thread that did not move from before the second scan until after it held during that scan what the scan shows.
    pub(crate) fn look_twice(
        &mut self,
        depth: &Depth,
        judge: fn(&PipeGraph, &Threads) -> FollowUp,
    ) -> Result<Observation, Error> {
        self.budget.begin();
        let tasks = self.tasks()?;
        let looked_at = Instant::now();
        let mut last = LastLook::new(tasks.clone(), looked_at);
        let (mut threads, first_usage) = self.threads(None, depth, Beforehand { tasks, ..Beforehand::default() })?;
        last.add(&first_usage);
        let scanned_at = Instant::now();
        let mut graph = self.pipes(depth, &threads, BTreeMap::new(), false)?;
        graph.waited = self.waited(&threads)?;
        let first = judge(&graph, &threads);
        // In a tree of plain files nothing moves.
        let is_live = graph.pipefs.is_some();
        if !is_live || !(first.is_suspicious || depth.probe) {
            let needs_holders = if is_live { has_unexplained_end(&graph) } else { first.hidden_ends };
            if needs_holders {
                graph.hidden = proc::hidden(&self.proc_root, &self.budget)?;
            }
            // It says why it is not possible.
            let probe = self.probe(&mut graph, depth)?;
            graph.waited.sockets = proc::sockets(&self.proc_root, &threads, &self.budget)?;
            idle_since(&mut threads, looked_at, scanned_at);
            return Ok(Observation { graph, threads, first: None, probe });
        }
        if first.may_pass {
            thread::sleep(PAUSE);
        }
        let mut pids = first.pids;
        pids.extend(selected_processes(&graph, &depth.selection));
        let (threads, _) = self.look_again(threads, depth, &mut pids, &mut last)?;
        let scanned_at = Instant::now();
        let mut second = self.pipes(depth, &threads, unmoved_facts(&graph, &threads, &pids), true)?;
        second.waited = self.waited(&threads)?;
        share_command_lines(&mut graph, &second);
        if is_cut(&second) {
            return Ok(unconfirmed(graph, second, threads));
        }
        if first.hidden_ends || has_unexplained_end(&second) {
            second.hidden = proc::hidden(&self.proc_root, &self.budget)?;
        }
        self.skip_sizes.extend(lock_held(&threads));
        let probe = self.probe(&mut second, depth)?;
        let looked_at = Instant::now();
        let (mut threads, last_usage) = self.look_again(threads, depth, &mut pids, &mut last)?;
        if self.budget.is_over() {
            return Ok(unconfirmed(graph, second, threads));
        }
        explain_references(&mut second, &threads);
        idle_since(&mut threads, looked_at, scanned_at);
        add_activity(&mut threads, &first_usage, &last_usage);
        self.watch(&mut threads, first.slow_readers, &first_usage, depth)?;
        second.waited.sockets = proc::sockets(&self.proc_root, &threads, &self.budget)?;
        second.waited.peers = proc::peers(&self.proc_root, &second, &threads, &self.budget)?;
        // A process that has exited by now holds nothing: on a busy machine some process is always exiting.
        second.hidden.keep(&proc::processes(&self.proc_root)?);
        graph.waited.sockets.clone_from(&second.waited.sockets);
        graph.waited.peers.clone_from(&second.waited.peers);
        let first = PipeGraph { hidden: second.hidden.clone(), probed: second.probed.clone(), ..graph };
        Ok(Observation { graph: second, threads, first: Some(first), probe })
    }

    fn threads(
        &mut self,
        pids: Option<&[Pid]>,
        depth: &Depth,
        beforehand: Beforehand,
    ) -> Result<(Threads, Usages), Error> {
        let kernel = self.backend.kernel(&self.proc_root, self.budget.limits())?;
        let beforehand = Beforehand { kernel, ..beforehand };
        let channels = depth.scan.channels;
        let (mut threads, usages) = proc::threads(&self.proc_root, pids, channels, beforehand, &self.budget)?;
        let own = Pid(std::process::id());
        // In the proc of another PID namespace, that number is another process.
        if own != self.started && threads.get(&own).is_some_and(|group| group.parent == Some(self.started)) {
            threads.remove(&own);
        }
        Ok((threads, usages))
    }

    /// All pipes with their ends, and with the processes that are blocked in opening one. Of some processes the facts are known. `twice`
    /// as in [`ScanOptions`].
    fn pipes(
        &mut self,
        depth: &Depth,
        threads: &Threads,
        known: BTreeMap<Pid, Process>,
        twice: bool,
    ) -> Result<PipeGraph, Error> {
        let kernel = self.backend.kernel(&self.proc_root, self.budget.limits())?;
        let openers = openers(threads);
        let parents: BTreeSet<Pid> = openers.iter().filter_map(|pid| threads.get(pid)?.parent).collect();
        let extra_pids = openers.iter().chain(&parents).copied().collect();
        let options = ScanOptions { extra_pids, known: Arc::new(known), kernel, twice, ..depth.scan.clone() };
        let mut graph = proc::scan(&self.proc_root, options, &self.budget)?;
        let asked = |pid: &Pid| openers.contains(pid) || depth.scan.tables.contains(pid);
        set_aside(&mut graph, parents.into_iter().filter(|pid| !asked(pid)).collect());
        self.leave_out_ourselves(&mut graph);
        self.add_not_kept(&mut graph, threads);
        add_openers(&mut graph, threads);
        // The kernel counts those who open a FIFO, but if none of them is known, there is nothing to show.
        let PipeGraph { pipes, probed, .. } = &mut graph;
        probed.retain(|id, _| !id.kind().is_named() || pipes.binary_search_by_key(id, |pipe| pipe.id).is_ok());
        Ok(graph)
    }

    /// What these threads wait for that is no channel, with the processes that could end that. Between two looks at threads, as a scan.
    fn waited(&self, threads: &Threads) -> Result<WaitedFiles, Error> {
        let mut waited = proc::waited(&self.proc_root, threads, &self.budget)?;
        let own = Pid(std::process::id());
        if own != self.started && !threads.contains_key(&own) {
            for pids in waited.events.values_mut().chain(waited.locks.values_mut()) {
                pids.remove(&own);
            }
            for holders in waited.file_locks.values_mut() {
                holders.seen.retain(|holder| holder.pid != own);
            }
        }
        Ok(waited)
    }

    /// Says of which threads not all is known, for want of room.
    fn add_not_kept(&self, graph: &mut PipeGraph, threads: &Threads) {
        let not_kept = self.budget.not_kept();
        let there = not_kept.iter().filter(|pid| graph.parents.contains_key(pid));
        let command = |pid: &Pid| threads.get(pid).map(|group| group.command.clone()).unwrap_or_default();
        let gaps: Vec<Gap> = there.map(|pid| proc::threads_not_kept(*pid, command(pid))).collect();
        graph.coverage.gaps.extend(gaps);
        graph.coverage.gaps.sort_by_key(|gap| gap.pid);
    }

    /// Leaves out this process, where the user started another: it holds nothing that the other does not hold, too.
    fn leave_out_ourselves(&self, graph: &mut PipeGraph) {
        let Some(own) = graph.coverage.scanner.filter(|own| *own != self.started) else { return };
        graph.coverage.scanner = Some(self.started);
        if graph.parents.remove(&own).is_some() {
            graph.coverage.processes -= 1;
        }
        graph.coverage.gaps.retain(|gap| gap.pid != own);
        graph.descriptors.retain(|descriptor| descriptor.pid != own);
        if graph.processes.remove(&own).is_none() {
            return;
        }
        // The socket by which the two talk says nothing of the machine.
        let ours = [own, self.started];
        let is_inner = |pipe: &Pipe| {
            let mut pids = pipe.ends.iter().map(|end| end.pid);
            pipe.id.kind() == PipeKind::Unix
                && pids.clone().any(|pid| pid == own)
                && pids.all(|pid| ours.contains(&pid))
        };
        let inner: BTreeSet<PipeId> = graph.pipes.iter().filter(|pipe| is_inner(pipe)).map(|pipe| pipe.id).collect();
        for descriptor in &mut graph.descriptors {
            descriptor.pipe = descriptor.pipe.filter(|pipe| !inner.contains(pipe));
        }
        for pipe in &mut graph.pipes {
            pipe.ends.retain(|end| end.pid != own);
        }
        graph.pipes.retain(|pipe| !inner.contains(&pipe.id) && !pipe.ends.is_empty());
        let has_end = graph.pipes.iter().flat_map(|pipe| &pipe.ends).any(|end| end.pid == self.started);
        if !inner.is_empty() && !has_end && !graph.descriptors.iter().any(|it| it.pid == self.started) {
            graph.processes.remove(&self.started);
        }
    }

    /// Asks the kernel about the selected pipes, if that is wanted, and looks for the ends that exist only by its word.
    fn probe(&mut self, graph: &mut PipeGraph, depth: &Depth) -> Result<Option<Result<Answers, Unsupported>>, Error> {
        if !depth.probe {
            return Ok(None);
        }
        // A socket or a terminal is not touched.
        let is_pipe = |id: &PipeId| id.kind().is_pipe();
        let shown: Vec<PipeId> = selected(graph, &depth.selection).map(|pipe| pipe.id).filter(is_pipe).collect();
        let answers = probe::probe(graph, &shown, &self.skip_sizes, &self.helper, &self.budget);
        self.skip_sizes.extend(graph.probed.iter().filter(|(_, probed)| probed.unanswered).map(|(id, _)| *id));
        if has_hidden_end(graph) {
            graph.hidden = proc::hidden(&self.proc_root, &self.budget)?;
        }
        Ok(Some(answers))
    }

    /// The threads as the kernel lists them, where it is asked.
    fn tasks(&mut self) -> Result<Option<Arc<TaskList>>, Error> {
        let view = self.backend.kernel(&self.proc_root, self.budget.limits())?.filter(|view| !view.has_failed());
        Ok(resting::list(view.as_deref().map(KernelView::kernel)))
    }

    /// Looks again at the threads of these processes, to which those that are new are added. Of those that have not run since the last look
    /// nothing is read.
    fn look_again(
        &mut self,
        mut threads: Threads,
        depth: &Depth,
        pids: &mut BTreeSet<Pid>,
        last: &mut LastLook,
    ) -> Result<(Threads, Usages), Error> {
        pids.extend(proc::processes(&self.proc_root)?.into_iter().filter(|pid| !threads.contains_key(pid)));
        let (tasks, now) = (self.tasks()?, Instant::now());
        let mut usages = Usages::new();
        let resting = last.carry(tasks.as_deref(), now, pids, (&mut threads, &mut usages));
        let again: BTreeSet<Pid> = pids.difference(&resting).copied().collect();
        let earlier = Arc::new(threads);
        let beforehand = Beforehand { earlier: Arc::clone(&earlier), tasks: tasks.clone(), kernel: None };
        let again_pids: Vec<Pid> = again.iter().copied().collect();
        let (later, seen) = self.threads(Some(&again_pids), depth, beforehand)?;
        usages.extend(seen);
        *last = LastLook::new(tasks, now);
        last.add(&usages);
        // A worker that hangs keeps it.
        Ok((retain_unmoved(Arc::unwrap_or_clone(earlier), &again, later), usages))
    }
}

fn has_hidden_end(graph: &PipeGraph) -> bool {
    graph.pipes.iter().any(|pipe| has_hidden(graph, pipe))
}

/// Whether a pipe has a hidden end, and no process that could not be read may hold it. To look for other holders costs more than a scan.
fn is_hidden_by_none_known(graph: &PipeGraph, pipe: &Pipe) -> bool {
    hidden_sides(graph, pipe).into_iter().any(|side| !may_hide(&graph.coverage, pipe.id, side))
}

fn has_unexplained_end(graph: &PipeGraph) -> bool {
    graph.pipes.iter().any(|pipe| is_hidden_by_none_known(graph, pipe))
}

/// Whether processes were left out of a scan for want of time.
fn is_cut(graph: &PipeGraph) -> bool {
    graph.coverage.gaps.iter().any(|gap| gap.limit() == Some(ScanLimit::Time))
}

/// The first of two looks where there was no time for all of the second: nothing is known of what threads did meanwhile, and what the
/// second left out is unknown.
fn unconfirmed(mut graph: PipeGraph, second: PipeGraph, mut threads: Threads) -> Observation {
    let left_out = second.coverage.gaps.into_iter().filter(|gap| gap.limit() == Some(ScanLimit::Time));
    graph.coverage.gaps.extend(left_out);
    graph.coverage.gaps.sort_by_key(|gap| gap.pid);
    for task in threads.values_mut().flat_map(|group| &mut group.tasks) {
        (task.doing, task.idle) = (TaskState::Unknown, None);
    }
    Observation { graph, threads, first: None, probe: None }
}

#[cfg(test)]
mod tests;
