//! The steps of `why`: look at what threads are doing and at the pipes, judge, and look again before anything is claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::Error;
use crate::join::{add_openers, join};
use crate::model::{Cause, Diagnosis, Doing, Fault, Finding, Operation, Pid, PipeGraph, Wait};
use crate::options::Options;
use crate::scan::{self, Facts, Want};
use crate::why::{self, Groups};

/// The pause before the second look, where the first found what may be passing: longer than a busy pipeline rests.
const PAUSE: Duration = Duration::from_millis(300);

/// What was found out about a machine.
pub(super) struct Found {
    pub(super) graph: PipeGraph,
    pub(super) groups: Groups,
    pub(super) diagnosis: Diagnosis,
}

/// Looks at the machine, twice if anything seems wrong.
pub(super) fn find_out(options: &Options) -> Result<Found, Error> {
    let groups = scan::threads(&options.proc_root, None)?;
    let graph = pipes(options, &groups)?;
    let diagnosis = why::diagnose(&graph, &groups);
    // In a tree of plain files nothing moves.
    if diagnosis.findings.is_empty() || graph.pipefs.is_none() {
        return Ok(Found { graph, groups, diagnosis });
    }
    if diagnosis.findings.iter().any(may_pass) {
        std::thread::sleep(PAUSE);
    }
    // Whoever has not moved from before the second scan until after it held what it held then all the while.
    let before = why::held_still(&groups, scan::threads(&options.proc_root, None)?);
    let second = pipes(options, &before)?;
    let still = why::held_still(&before, scan::threads(&options.proc_root, None)?);
    let agreed = why::agreed(why::diagnose(&second, &still), &why::diagnose(&graph, &still));
    Ok(Found { graph: second, groups: still, diagnosis: agreed })
}

/// Whether a finding may be true for a moment on a healthy machine.
fn may_pass(finding: &Finding) -> bool {
    !matches!(finding.fault, Fault::Deadlock { .. } | Fault::Missing { .. })
}

/// All pipes with their ends, and with those who are blocked in opening one.
fn pipes(options: &Options, groups: &Groups) -> Result<PipeGraph, Error> {
    let mut graph = join(scan::scan(&Want {
        proc_root: options.proc_root.clone(),
        flags: true,
        facts: Facts::All,
        parents: true,
        tables: Vec::new(),
        also: opening(groups),
    })?);
    add_openers(&mut graph, groups);
    Ok(graph)
}

/// The processes that are blocked in opening a FIFO.
pub(super) fn opening(groups: &Groups) -> Vec<Pid> {
    let opens = |cause: &Cause| matches!(cause, Cause::Pipe(wait) if wait.operation == Operation::Open);
    let is_opening = |doing: &Doing| matches!(doing, Doing::Waits { causes, .. } if causes.iter().any(opens));
    let groups = groups.values().filter(|group| group.tasks.iter().any(|task| is_opening(&task.doing)));
    groups.map(|group| group.pid).collect()
}

/// Keeps what has to do with these processes and pipes: their waits, those of whoever could end them, and so on to the end of each
/// chain, and the findings on the way. Who waits for one of the processes is kept too, but not who else could end that: a pipe
/// of a shell's may be held by all that it ever started.
pub(super) fn narrow(diagnosis: &mut Diagnosis, graph: &PipeGraph, pids: &BTreeSet<Pid>) {
    let pipes: BTreeSet<_> = graph.pipes.iter().map(|pipe| pipe.id).collect();
    let mut waits_of: BTreeMap<Pid, Vec<usize>> = BTreeMap::new();
    for (index, wait) in diagnosis.waits.iter().enumerate() {
        waits_of.entry(wait.task.pid).or_default().push(index);
    }
    let is_own = |wait: &Wait| pids.contains(&wait.task.pid);
    let is_on_pipe = |wait: &Wait| wait.pipe().is_some_and(|pipe| pipes.contains(&pipe));
    let which = |is: &dyn Fn(&Wait) -> bool| -> Vec<usize> {
        (0..diagnosis.waits.len()).filter(|index| is(&diagnosis.waits[*index])).collect()
    };
    let on_pipes = which(&is_on_pipe);
    let mut next = if pids.is_empty() { on_pipes.clone() } else { which(&is_own) };
    let mut kept = BTreeSet::new();
    while let Some(index) = next.pop() {
        if kept.insert(index) {
            let wakers = &diagnosis.waits[index].wakers;
            next.extend(wakers.iter().filter_map(|waker| waits_of.get(&waker.pid)).flatten());
        }
    }
    kept.extend(on_pipes);
    let tasks: BTreeSet<_> = kept.iter().map(|index| diagnosis.waits[*index].task).collect();
    let mut index = 0..;
    diagnosis.waits.retain(|_| index.next().is_some_and(|index| kept.contains(&index)));
    diagnosis.findings.retain(|finding| {
        finding.pipes.iter().any(|pipe| pipes.contains(pipe))
            || finding.tasks.iter().any(|task| tasks.contains(task) || pids.contains(&task.pid))
    });
}
