//! What the kernel counts of the pipes in a scan: how many open files each has, and what that says of ends that no fd table shows.
//!
//! Joins the addresses of the kernel with the pipes of the graph. What counts prove, the kernel's account says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::recorded::{anonymous, listing};
use super::scanner::Scanner;
use super::work::Work;
use super::{Error, NoKernelView};
use crate::model::{Pid, Pipe, PipeGraph, PipeId, Probed, Side};
use crate::observe::kernel::{Address, EndRecord, Pass, account};

/// Adds the counts to [`PipeGraph::probed`], if the kernel has listed its files. `fifos` are those that were looked at.
///
/// The list is read again where two are wanted, and where an end would be reported that one list alone does not prove.
pub(super) fn add(scanner: &Arc<Scanner>, graph: &mut PipeGraph, fifos: Vec<(Address, PipeId)>) -> Result<(), Error> {
    let (Some(recorded), Some(view)) = (scanner.recorded.get(), scanner.options.kernel.as_ref()) else {
        return Ok(());
    };
    let Some(pipefs) = scanner.root.pipefs() else { return Ok(()) };
    let named = view.named_in(&recorded.pass);
    let is_named = |pipe: &PipeId| named.iter().any(|(_, named)| named == pipe);
    let fifos = by_address(fifos.into_iter().chain(named.iter().copied()));
    let id =
        |record: &EndRecord| anonymous(record, pipefs).or_else(|| fifos.get(&record.pipe.as_ref()?.address).copied());
    let counted = |graph: &PipeGraph, passes: &[&Pass]| -> BTreeMap<PipeId, Probed> {
        let known = account(passes).into_iter().filter_map(|(record, probed)| Some((id(record)?, probed)));
        known.filter(|(pipe, _)| graph.pipe(*pipe).is_some() || is_named(pipe)).collect()
    };
    let first = &recorded.pass;
    if !scanner.options.twice {
        graph.probed = counted(graph, &[first]);
        if !graph.pipes.iter().any(|pipe| is_undecided(graph, pipe)) {
            return Ok(());
        }
    }
    let again = || listing(scanner, |_| Work::Kernel { processes: false }).map(|listing| listing.pass);
    let count = |graph: &mut PipeGraph| -> Result<(), NoKernelView> {
        let second = again()?;
        graph.probed = counted(graph, &[first, &second]);
        withdraw_shown(graph, &[first, &second], id);
        // An end that two processes hand to each other may be missing in two lists; in three it was never missing.
        if graph.pipes.iter().any(|pipe| has_hidden(graph, pipe)) {
            let third = again()?;
            let later = counted(graph, &[&second, &third]);
            for (pipe, probed) in &mut graph.probed {
                for side in Side::BOTH {
                    if is_hidden(probed, side) && !later.get(pipe).is_some_and(|later| is_hidden(later, side)) {
                        probed.withdraw(side);
                    }
                }
            }
            withdraw_shown(graph, &[first, &second, &third], id);
        }
        Ok(())
    };
    if let Err(why) = count(graph) {
        graph.probed = BTreeMap::new();
        view.fail(why)?;
    }
    Ok(())
}

/// Whether the kernel counts an end of a side that no list shows.
fn is_hidden(probed: &Probed, side: Side) -> bool {
    probed.unseen(side).is_some_and(|unseen| unseen.descriptions > 0)
}

fn has_hidden(graph: &PipeGraph, pipe: &Pipe) -> bool {
    graph.probed.get(&pipe.id).is_some_and(|probed| Side::BOTH.iter().any(|side| is_hidden(probed, *side)))
}

/// Withdraws what the counts say of a side that has no end in the graph, if a list shows one that is not ours: it has moved, or its process is
/// gone or too new for the graph, and is neither hidden nor absent.
fn withdraw_shown(graph: &mut PipeGraph, passes: &[&Pass], id: impl Fn(&EndRecord) -> Option<PipeId>) {
    let lacking = |pipe: &Pipe| Side::BOTH.into_iter().filter(|side| lacks(graph, pipe, *side)).collect::<Vec<_>>();
    let lacking: HashMap<PipeId, Vec<Side>> =
        graph.pipes.iter().map(|pipe| (pipe.id, lacking(pipe))).filter(|(_, sides)| !sides.is_empty()).collect();
    if lacking.is_empty() {
        return;
    }
    let own = Pid(std::process::id());
    for record in passes.iter().flat_map(|pass| &pass.ends).filter(|record| record.pid != own) {
        let Some((pipe, access)) = id(record).zip(record.access) else { continue };
        for side in lacking.get(&pipe).into_iter().flatten().filter(|side| access.is_on(**side)) {
            if let Some(probed) = graph.probed.get_mut(&pipe) {
                probed.withdraw(*side);
            }
        }
    }
}

/// Whether the kernel counts an end on a side on which the graph has none.
fn lacks(graph: &PipeGraph, pipe: &Pipe, side: Side) -> bool {
    let counts_some = || graph.probed.get(&pipe.id)?.count(side).map(|count| count > 0);
    pipe.side(side).next().is_none() && counts_some() == Some(true)
}

/// The same where one list does not prove that it is so.
fn is_undecided(graph: &PipeGraph, pipe: &Pipe) -> bool {
    let is_proven = |side: Side| graph.probed.get(&pipe.id).is_some_and(|probed| probed.has(side).is_some());
    Side::BOTH.into_iter().any(|side| lacks(graph, pipe, side) && !is_proven(side))
}

/// The FIFOs by their addresses. One that was seen under two IDs, or two under one, moved while they were looked at.
fn by_address(fifos: impl Iterator<Item = (Address, PipeId)>) -> HashMap<Address, PipeId> {
    let mut of_id: BTreeMap<PipeId, BTreeSet<Address>> = BTreeMap::new();
    let mut of_address: HashMap<Address, BTreeSet<PipeId>> = HashMap::new();
    for (address, id) in fifos.filter(|(_, id)| id.kind().is_named()) {
        of_id.entry(id).or_default().insert(address);
        of_address.entry(address).or_default().insert(id);
    }
    let only = |(id, addresses): (PipeId, BTreeSet<Address>)| {
        let address = *addresses.first().filter(|_| addresses.len() == 1)?;
        of_address.get(&address).filter(|ids| ids.len() == 1).map(|_| (address, id))
    };
    of_id.into_iter().filter_map(only).collect()
}
