//! What changed from one saved report to another: pipes and ends that came, went, or are not as they were. Pure.
//!
//! A process is the same if it has the same PID and was started at the same time after the boot, whatever the clock says; a pipe is the same
//! if it has the same ID. Neither means anything beyond one boot of one machine.

use std::collections::BTreeMap;

use crate::judge::side::may_hide_end;
use crate::model::words::words;
use crate::model::{Endpoint, Fd, Pid, Pipe, PipeGraph, PipeId, Process, Tid};

words! {
    /// What became of something.
    pub(crate) enum Change {
        Came = "came",
        Went = "went",
        /// It is still there with another name, other ends or other flags.
        Changed = "changed",
    }
}

#[derive(Debug)]
pub(crate) struct Difference {
    /// Whether both are of one boot of one machine, as far as is known. If not, all pipes of the old one went, and all of the new one came.
    pub same_boot: bool,
    /// By ID; a pipe that went before one that came with the same ID.
    pub pipes: Vec<PipeChange>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PipeChange {
    pub change: Change,
    /// False if one of the reports may be incomplete there.
    pub certain: bool,
    pub id: PipeId,
    /// The ends that changed, ordered by [`Endpoint::key`]; those that went before those that came.
    pub ends: Vec<EndChange>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndChange {
    pub change: Change,
    /// False if the report that lacks it could not read its process, or was saved with a selection and lacks its
    /// whole pipe.
    pub certain: bool,
    /// The end as it is, or was last.
    pub end: Endpoint,
    /// The end as it was, if it changed.
    pub was: Option<Endpoint>,
}

/// Numbers of changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Count {
    pub came: usize,
    pub went: usize,
    pub changed: usize,
    /// Number of these that are not certain.
    pub uncertain: usize,
}

impl Count {
    fn of(changes: impl Iterator<Item = (Change, bool)>) -> Self {
        changes.fold(Self::default(), |mut count, (change, certain)| {
            count.uncertain += usize::from(!certain);
            *match change {
                Change::Came => &mut count.came,
                Change::Went => &mut count.went,
                Change::Changed => &mut count.changed,
            } += 1;
            count
        })
    }
}

impl Difference {
    pub(crate) fn pipes(&self) -> Count {
        Count::of(self.pipes.iter().map(|pipe| (pipe.change, pipe.certain)))
    }

    /// With the ends of pipes that came or went.
    pub(crate) fn ends(&self) -> Count {
        Count::of(self.pipes.iter().flat_map(|pipe| &pipe.ends).map(|end| (end.change, end.certain)))
    }
}

/// Compares two reports. FIFOs that are only being opened have no end yet, and are left out.
pub(crate) fn diff(old: &PipeGraph, new: &PipeGraph) -> Difference {
    let same_boot = is_same_boot(old, new);
    let both = Both { old, new };
    let mut pipes = Vec::new();
    for pipe in old.pipes.iter().filter(|pipe| !pipe.ends.is_empty()) {
        match new.pipe(pipe.id).filter(|now| same_boot && !now.ends.is_empty()) {
            Some(now) => pipes.extend(both.changed(pipe, now)),
            None => pipes.push(both.whole(Change::Went, pipe, same_boot)),
        }
    }
    let is_new = |pipe: &&Pipe| !same_boot || old.pipe(pipe.id).is_none_or(|was| was.ends.is_empty());
    let came = new.pipes.iter().filter(|pipe| !pipe.ends.is_empty()).filter(is_new);
    pipes.extend(came.map(|pipe| both.whole(Change::Came, pipe, same_boot)));
    // Stable: of one ID, which is the same only by chance then, what went stands first.
    pipes.sort_by_key(|pipe| pipe.id);
    Difference { same_boot, pipes }
}

/// Whether the reports may be of one boot: what is unknown counts as the same.
fn is_same_boot(old: &PipeGraph, new: &PipeGraph) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| a.as_ref().zip(b.as_ref()).map(|(a, b)| a == b);
    same(&old.host.boot_id, &new.host.boot_id).or(same(&old.host.hostname, &new.host.hostname)).unwrap_or(true)
}

/// The two reports.
struct Both<'a> {
    old: &'a PipeGraph,
    new: &'a PipeGraph,
}

impl Both<'_> {
    /// A pipe that is in one report only.
    fn whole(&self, change: Change, pipe: &Pipe, same_boot: bool) -> PipeChange {
        let is_left_out = self.without(change).selected;
        // Nothing of another boot is still there, whatever could not be read.
        let end = |end: &Endpoint| {
            let of_end = self.end(change, pipe.id, *end);
            EndChange { certain: !same_boot || (of_end.certain && !is_left_out), ..of_end }
        };
        let ends: Vec<EndChange> = pipe.ends.iter().map(end).collect();
        let certain = ends.iter().all(|end| end.certain);
        PipeChange { change, certain, id: pipe.id, ends }
    }

    /// The report that lacks what came or went.
    const fn without(&self, change: Change) -> &PipeGraph {
        match change {
            Change::Came => self.old,
            Change::Went | Change::Changed => self.new,
        }
    }

    /// An end that is in one report only; certain unless the other may not show the process that has it.
    fn end(&self, change: Change, pipe: PipeId, end: Endpoint) -> EndChange {
        let other = self.without(change);
        let is_outside = other.coverage.outside.is_some() && !other.processes.contains_key(&end.pid);
        let certain = !is_outside && !may_hide_end(&other.coverage, pipe, &end);
        EndChange { change, certain, end, was: None }
    }

    /// The change of a pipe that is in both.
    fn changed(&self, was: &Pipe, now: &Pipe) -> Option<PipeChange> {
        let before: BTreeMap<_, &Endpoint> = was.ends.iter().map(|end| (end.key(), end)).collect();
        let after: BTreeMap<_, &Endpoint> = now.ends.iter().map(|end| (end.key(), end)).collect();
        let mut ends = Vec::new();
        for (key, end) in &before {
            match after.get(key).filter(|_| self.is_same_process(key.0)) {
                None => ends.push(self.end(Change::Went, now.id, **end)),
                Some(next) if self.is_as_it_was(end, next) => {}
                Some(next) => {
                    ends.push(EndChange { change: Change::Changed, certain: true, end: **next, was: Some(**end) });
                }
            }
        }
        let is_new = |key: &(Pid, Option<Tid>, Fd)| !before.contains_key(key) || !self.is_same_process(key.0);
        let came = after.iter().filter(|(key, _)| is_new(key));
        ends.extend(came.map(|(_, end)| self.end(Change::Came, now.id, **end)));
        ends.sort_by_key(|change| change.end.key());
        let is_named_so = was.path == now.path && was.deleted == now.deleted;
        let certain = !is_named_so || ends.iter().any(|end| end.certain);
        let is_as_it_was = is_named_so && ends.is_empty();
        (!is_as_it_was).then_some(PipeChange { change: Change::Changed, certain, id: now.id, ends })
    }

    /// Whether a PID means the same process in both. If the clock is set, the date of the start changes, but not the time since the boot; in
    /// another time namespace it is the other way round.
    fn is_same_process(&self, pid: Pid) -> bool {
        let date = |graph: &PipeGraph| graph.processes.get(&pid)?.started_at;
        let since = |graph: &PipeGraph| Some(date(graph)?.duration_since(graph.host.booted_at?));
        let dates = date(self.old).zip(date(self.new));
        let sinces = since(self.old).zip(since(self.new));
        dates.is_some_and(|(old, new)| old == new) || sinces.is_none_or(|(old, new)| old == new)
    }

    /// Whether an end has the same mode and flags, and a holder with the same command and user. What is unknown counts as the same.
    fn is_as_it_was(&self, was: &Endpoint, now: &Endpoint) -> bool {
        let holders = self.old.processes.get(&now.pid).zip(self.new.processes.get(&now.pid));
        let is_same = |(was, now): (&Process, &Process)| {
            was.command == now.command && was.uid.zip(now.uid).is_none_or(|(was, now)| was == now)
        };
        was.access == now.access
            && was.flags.zip(now.flags).is_none_or(|(was, now)| was == now)
            && holders.is_none_or(is_same)
    }
}

#[cfg(test)]
mod tests;
