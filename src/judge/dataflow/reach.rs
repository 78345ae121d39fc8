//! From a selection, where its data come from and go to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dataflow, Flow, InheritedCopy};
use crate::judge::lineage::is_stdio;
use crate::model::{Pid, PipeId, Side};

/// The pipes that the data of these processes at these pipes come through or go through, from the first source to the last reader.
/// Without processes, all at the pipes are meant. Data go on only by the ends that are used, not by copies, except for the standard
/// descriptors of the processes themselves. A shared pipe leads nowhere, but is included if one of the processes has it.
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
            dataflow.flows.iter().flat_map(|flow| flow.side(side.other()).iter().map(move |it| (it.pid, flow)))
        {
            pipes_of.entry(pid).or_default().push(flow);
        }
        // The input and output of a selected process belong to it, also where they are copies.
        let has_standard = |apart: &InheritedCopy| {
            is_meant(apart.end.pid) && is_stdio(apart.end.fd) && apart.end.access.is_on(side.other())
        };
        let at_other = |flow: &&Flow| {
            pids.is_none()
                || flow.side(side.other()).iter().any(|it| is_meant(it.pid))
                || flow.apart.iter().any(has_standard)
        };
        let mut next: Vec<&Flow> = seeds().filter(|flow| !flow.shared).filter(at_other).collect();
        let mut passed = BTreeSet::new();
        while let Some(flow) = next.pop() {
            if passed.insert(flow.pipe) {
                // Each process is followed once.
                next.extend(flow.side(side).iter().filter_map(|it| pipes_of.remove(&it.pid)).flatten());
            }
        }
        found.extend(passed);
    }
    found
}
