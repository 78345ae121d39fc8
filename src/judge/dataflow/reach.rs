//! Where data come from and go to, from a selection on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dataflow, Flow, InheritedCopy};
use crate::model::{Pid, PipeId, Side};
use crate::why::was_told;

/// The pipes that the data of these processes at these pipes come through or go through, from the first source to the last reader.
/// Without processes, everybody at the pipes is meant. Only those who use an end lead on, not who holds a copy, but for the standard
/// descriptors of the processes themselves; a shared pipe leads nowhere, but is among them if one of the processes has it.
pub(crate) fn within_reach(
    dataflow: &Dataflow,
    pipes: &BTreeSet<PipeId>,
    pids: Option<&BTreeSet<Pid>>,
) -> BTreeSet<PipeId> {
    let is_meant = |pid: Pid| pids.is_none_or(|pids| pids.contains(&pid));
    let seeds = || dataflow.flows.iter().filter(|flow| pipes.contains(&flow.pipe));
    let has_shared = |flow: &&Flow| flow.shared && flow.apart.iter().any(|apart| is_meant(apart.end.pid));
    let mut found: BTreeSet<PipeId> = seeds().filter(has_shared).map(|flow| flow.pipe).collect();
    for side in Side::BOTH {
        // Data go on through the pipes of which a reader is a writer, and come through those of which a writer is a reader.
        let mut pipes_of: BTreeMap<Pid, Vec<&Flow>> = BTreeMap::new();
        for (pid, flow) in
            dataflow.flows.iter().flat_map(|flow| flow.side(side.other()).iter().map(move |tip| (tip.pid, flow)))
        {
            pipes_of.entry(pid).or_default().push(flow);
        }
        // Who is asked about by name is no mere holder of what it has as its input or output, whoever else uses it.
        let has_standard = |apart: &InheritedCopy| {
            is_meant(apart.end.pid) && was_told(apart.end.fd) && apart.end.access.is_on(side.other())
        };
        let at_other = |flow: &&Flow| {
            pids.is_none()
                || flow.side(side.other()).iter().any(|tip| is_meant(tip.pid))
                || flow.apart.iter().any(has_standard)
        };
        let mut next: Vec<&Flow> = seeds().filter(|flow| !flow.shared).filter(at_other).collect();
        let mut passed = BTreeSet::new();
        while let Some(flow) = next.pop() {
            if passed.insert(flow.pipe) {
                // Each process is followed once.
                next.extend(flow.side(side).iter().filter_map(|tip| pipes_of.remove(&tip.pid)).flatten());
            }
        }
        found.extend(passed);
    }
    found
}
