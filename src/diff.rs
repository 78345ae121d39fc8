//! What changed from one saved report to another: pipes and ends that came, went, or are not as they were. Pure.
//!
//! A process is the same if it has the same PID and was started at the same time; a pipe is the same if it has the same ID. Neither
//! means anything beyond one boot of one machine.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::model::{Endpoint, Fd, Pid, Pipe, PipeGraph, PipeId, Process, Tid};

/// The time of a process's start is known from the time of the boot, which the kernel computes anew for each reader of /proc/stat, and
/// rounds to a second.
const SAME_START: SignedDuration = SignedDuration::from_secs(2);

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Came,
    /// It is no longer there.
    Went,
    /// It is there still, and not as it was.
    Changed,
}

impl Change {
    /// The word for it in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Came => "came",
            Self::Went => "went",
            Self::Changed => "changed",
        }
    }
}

/// All that changed.
#[derive(Debug)]
pub struct Difference {
    /// Whether both are of one boot of one machine, as far as they say. If not, all pipes of the one went, and all of the other came.
    pub same_boot: bool,
    /// The pipes, by ID; one that went before one that came with the same ID.
    pub pipes: Vec<PipeChange>,
}

/// A pipe that is not as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct PipeChange {
    /// What became of it.
    pub change: Change,
    /// Which pipe.
    pub id: PipeId,
    /// The ends of it that are not as they were, ordered by [`Endpoint::key`]; those that went before those that came.
    pub ends: Vec<EndChange>,
}

/// An end that is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndChange {
    /// What became of it.
    pub change: Change,
    /// The end as it is, or was last.
    pub end: Endpoint,
    /// The end as it was, if it changed.
    pub was: Option<Endpoint>,
}

/// How many came, went, and changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many came.
    pub came: usize,
    /// How many went.
    pub went: usize,
    /// How many changed.
    pub changed: usize,
}

impl Count {
    fn of(changes: impl Iterator<Item = Change>) -> Self {
        changes.fold(Self::default(), |mut count, change| {
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
    /// How many pipes.
    #[must_use]
    pub fn pipes(&self) -> Count {
        Count::of(self.pipes.iter().map(|pipe| pipe.change))
    }

    /// How many ends, those of pipes that came or went included.
    #[must_use]
    pub fn ends(&self) -> Count {
        Count::of(self.pipes.iter().flat_map(|pipe| &pipe.ends).map(|end| end.change))
    }
}

/// Compares two reports.
#[must_use]
pub fn diff(old: &PipeGraph, new: &PipeGraph) -> Difference {
    let same_boot = is_same_boot(old, new);
    let mut pipes = Vec::new();
    for pipe in &old.pipes {
        match new.pipe(pipe.id).filter(|_| same_boot) {
            Some(now) => pipes.extend(changed(old, new, pipe, now)),
            None => pipes.push(whole(Change::Went, pipe)),
        }
    }
    let is_new = |pipe: &&Pipe| !same_boot || old.pipe(pipe.id).is_none();
    pipes.extend(new.pipes.iter().filter(is_new).map(|pipe| whole(Change::Came, pipe)));
    // Stable: of one ID, which is the same only by chance then, what went stands first.
    pipes.sort_by_key(|pipe| pipe.id);
    Difference { same_boot, pipes }
}

/// Whether the reports may be of one boot: what they do not say may be the same.
fn is_same_boot(old: &PipeGraph, new: &PipeGraph) -> bool {
    let same = |a: &Option<String>, b: &Option<String>| a.as_ref().zip(b.as_ref()).map(|(a, b)| a == b);
    same(&old.host.boot_id, &new.host.boot_id).or(same(&old.host.hostname, &new.host.hostname)).unwrap_or(true)
}

fn whole(change: Change, pipe: &Pipe) -> PipeChange {
    let ends = pipe.ends.iter().map(|end| EndChange { change, end: *end, was: None }).collect();
    PipeChange { change, id: pipe.id, ends }
}

/// What is not as it was with a pipe that is in both.
fn changed(old: &PipeGraph, new: &PipeGraph, was: &Pipe, now: &Pipe) -> Option<PipeChange> {
    let before: BTreeMap<_, &Endpoint> = was.ends.iter().map(|end| (end.key(), end)).collect();
    let after: BTreeMap<_, &Endpoint> = now.ends.iter().map(|end| (end.key(), end)).collect();
    let mut ends = Vec::new();
    for (key, end) in &before {
        let next = after.get(key).filter(|_| is_same_process(old, new, key.0));
        match next {
            None => ends.push(EndChange { change: Change::Went, end: **end, was: None }),
            Some(next) if is_as_it_was(old, new, end, next) => {}
            Some(next) => ends.push(EndChange { change: Change::Changed, end: **next, was: Some(**end) }),
        }
    }
    let is_new = |key: &(Pid, Option<Tid>, Fd)| !before.contains_key(key) || !is_same_process(old, new, key.0);
    let came = after.iter().filter(|(key, _)| is_new(key));
    ends.extend(came.map(|(_, end)| EndChange { change: Change::Came, end: **end, was: None }));
    ends.sort_by_key(|change| change.end.key());
    let is_as_it_was = ends.is_empty() && was.path == now.path && was.deleted == now.deleted;
    (!is_as_it_was).then_some(PipeChange { change: Change::Changed, id: now.id, ends })
}

/// Whether a PID means the same process in both.
fn is_same_process(old: &PipeGraph, new: &PipeGraph, pid: Pid) -> bool {
    let start = |graph: &PipeGraph| graph.processes.get(&pid).and_then(|process| process.started_at);
    match (start(old), start(new)) {
        (Some(old), Some(new)) => new.duration_since(old).abs() <= SAME_START,
        _ => true,
    }
}

/// Whether an end is open as it was, and held by the same program for the same user.
fn is_as_it_was(old: &PipeGraph, new: &PipeGraph, was: &Endpoint, now: &Endpoint) -> bool {
    let holder =
        |graph: &PipeGraph| graph.processes.get(&now.pid).map(|Process { command, uid, .. }| (command.clone(), *uid));
    // What could not be read need not be another.
    let flags = was.flags.zip(now.flags).is_none_or(|(was, now)| was == now);
    was.access == now.access && flags && holder(old) == holder(new)
}
