//! Looks at a machine: the walk of /proc, the join of its ends to pipes, and the probe. An [`Observer`] looks once for a list, and twice
//! where claims are to be made: processes go on during a look, so a claim is made only of what did not move between two of them.
//!
//! Nothing is judged here. What the judges need to know after a first look, they say in a [`FollowUp`]; what they get is an
//! [`Observation`], which is plain data.

mod channel;
pub(crate) mod join;
pub(crate) mod probe;
pub(crate) mod proc;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::join::add_openers;
use self::probe::{Answers, Unsupported};
use self::proc::{Budget, Error, ScanOptions};
use self::settle::{idle_since, lock_held, openers, retain_unmoved, share_command_lines, unmoved_facts};
use crate::judge::side::has_hidden;
use crate::model::{CostLimits, Gap, Pid, PipeGraph, PipeId, Process, ScanLimit, Side, TaskState, Threads, transfer};
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
}

/// How much to look at.
#[derive(Debug, Clone)]
pub(crate) struct Depth {
    pub(crate) scan: ScanOptions,
    /// What is asked about: these pipes are probed, and these processes are looked at twice.
    pub(crate) selection: Selection,
    /// Whether to ask the kernel about the selected pipes.
    pub(crate) probe: bool,
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
}

impl Observer {
    pub(crate) fn new(proc_root: &Path, helper: &[OsString], started: Pid, limits: CostLimits) -> Self {
        Self {
            proc_root: proc_root.to_owned(),
            helper: helper.to_owned(),
            skip_sizes: BTreeSet::new(),
            started,
            budget: Arc::new(Budget::new(limits)),
        }
    }

    pub(crate) fn proc_root(&self) -> &Path {
        &self.proc_root
    }

    /// Looks once. Good for lists, not for claims: what it sees may never have been so at one time.
    pub(crate) fn look(&mut self, depth: &Depth) -> Result<Observation, Error> {
        self.budget.begin();
        // A process that is blocked in opening a FIFO has no descriptor of it: to find it, every thread has to be looked at.
        let threads =
            if depth.selection.may_name_fifo() { self.threads(None, &Arc::default())? } else { Threads::new() };
        let mut graph = self.pipes(depth, &threads, BTreeMap::new())?;
        if depth.probe {
            let shown = selected(&graph, &depth.selection);
            let holders: BTreeSet<Pid> =
                shown.flat_map(|pipe| Side::BOTH.into_iter().flat_map(|side| pipe.on(side))).collect();
            let holders: Vec<Pid> = holders.into_iter().collect();
            self.skip_sizes.extend(lock_held(&self.threads(Some(&holders), &Arc::default())?));
        }
        let probe = self.probe(&mut graph, depth)?;
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
        let looked_at = Instant::now();
        let mut threads = self.threads(None, &Arc::default())?;
        let scanned_at = Instant::now();
        let mut graph = self.pipes(depth, &threads, BTreeMap::new())?;
        let first = judge(&graph, &threads);
        // In a tree of plain files nothing moves.
        let is_live = graph.pipefs.is_some();
        if !is_live || !(first.is_suspicious || depth.probe) {
            if !is_live && first.hidden_ends {
                graph.hidden = proc::hidden(&self.proc_root, &self.budget)?;
            }
            // It says why it is not possible.
            let probe = self.probe(&mut graph, depth)?;
            idle_since(&mut threads, looked_at, scanned_at);
            return Ok(Observation { graph, threads, first: None, probe });
        }
        if first.may_pass {
            thread::sleep(PAUSE);
        }
        let mut pids = first.pids;
        pids.extend(selected_processes(&graph, &depth.selection));
        let threads = self.look_again(threads, &mut pids)?;
        let scanned_at = Instant::now();
        let mut second = self.pipes(depth, &threads, unmoved_facts(&graph, &threads, &pids))?;
        share_command_lines(&mut graph, &second);
        if is_cut(&second) {
            return Ok(unconfirmed(graph, second, threads));
        }
        if first.hidden_ends {
            second.hidden = proc::hidden(&self.proc_root, &self.budget)?;
        }
        self.skip_sizes.extend(lock_held(&threads));
        let probe = self.probe(&mut second, depth)?;
        let looked_at = Instant::now();
        let mut threads = self.look_again(threads, &mut pids)?;
        if self.budget.is_over() {
            return Ok(unconfirmed(graph, second, threads));
        }
        idle_since(&mut threads, looked_at, scanned_at);
        // A process that has exited by now holds nothing: on a busy machine some process is always exiting.
        second.hidden.keep(&proc::processes(&self.proc_root)?);
        let first = PipeGraph { hidden: second.hidden.clone(), probed: second.probed.clone(), ..graph };
        Ok(Observation { graph: second, threads, first: Some(first), probe })
    }

    fn threads(&self, pids: Option<&[Pid]>, earlier: &Arc<Threads>) -> Result<Threads, Error> {
        let mut threads = proc::threads(&self.proc_root, pids, earlier, &self.budget)?;
        let own = Pid(std::process::id());
        // In the proc of another PID namespace, that number is another process.
        if own != self.started && threads.get(&own).is_some_and(|group| group.parent == Some(self.started)) {
            threads.remove(&own);
        }
        Ok(threads)
    }

    /// All pipes with their ends, and with the processes that are blocked in opening one. Of some processes the facts are known.
    fn pipes(&self, depth: &Depth, threads: &Threads, known: BTreeMap<Pid, Process>) -> Result<PipeGraph, Error> {
        let options = ScanOptions { extra_pids: openers(threads), known: Arc::new(known), ..depth.scan.clone() };
        let mut graph = proc::scan(&self.proc_root, options, &self.budget)?;
        self.leave_out_ourselves(&mut graph);
        self.add_not_kept(&mut graph, threads);
        add_openers(&mut graph, threads);
        Ok(graph)
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
        if graph.processes.remove(&own).is_some() {
            for pipe in &mut graph.pipes {
                pipe.ends.retain(|end| end.pid != own);
            }
            graph.pipes.retain(|pipe| !pipe.ends.is_empty());
        }
    }

    /// Asks the kernel about the selected pipes, if that is wanted, and looks for the ends that exist only by its word.
    fn probe(&mut self, graph: &mut PipeGraph, depth: &Depth) -> Result<Option<Result<Answers, Unsupported>>, Error> {
        if !depth.probe {
            return Ok(None);
        }
        let shown: Vec<PipeId> = selected(graph, &depth.selection).map(|pipe| pipe.id).collect();
        let answers = probe::probe(graph, &shown, &self.skip_sizes, &self.helper, &self.budget);
        self.skip_sizes.extend(graph.probed.iter().filter(|(_, probed)| probed.unanswered).map(|(id, _)| *id));
        if graph.pipes.iter().any(|pipe| has_hidden(graph, pipe)) {
            graph.hidden = proc::hidden(&self.proc_root, &self.budget)?;
        }
        Ok(Some(answers))
    }

    /// Looks again at the threads of these processes, to which those that are new are added.
    fn look_again(&self, threads: Threads, pids: &mut BTreeSet<Pid>) -> Result<Threads, Error> {
        pids.extend(proc::processes(&self.proc_root)?.into_iter().filter(|pid| !threads.contains_key(pid)));
        let again: Vec<Pid> = pids.iter().copied().collect();
        let earlier = Arc::new(threads);
        let later = self.threads(Some(&again), &earlier)?;
        // A worker that hangs keeps it.
        Ok(retain_unmoved(Arc::unwrap_or_clone(earlier), pids, later))
    }
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
