//! Which processes use an end of a pipe, and which only hold a copy of it: a shell that has the output of its children too, a program
//! that inherited a descriptor and does not know it, a parent that did not close its child's side.
//!
//! It judges how descriptors and processes are related. No rule leaves a side empty. A process that was seen to wait on a side is on
//! it, and a standard descriptor belongs to the program that was started with it, unless that only waits for its children.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::foreground::{is_asynchronous, is_shell};
use crate::judge::lineage::{Lineage, fd_in_cmdline, is_pool};
use crate::judge::processes::{Kin, Processes};
use crate::model::{
    AccessMode, Attribution, Endpoint, Fd, Operation, Pid, Pipe, PipeId, PipeWait, Process, Side, SleepOn, Wait,
    WaitTarget,
};

/// The processes between which the data of a pipe flow.
#[derive(Debug, Default)]
pub(crate) struct Split {
    pub(crate) writers: BTreeSet<Pid>,
    pub(crate) readers: BTreeSet<Pid>,
    /// Several processes hold both sides, and no process uses one only. The sets are empty.
    pub(crate) shared: bool,
}

/// The processes that wait on a side of a pipe, and so use it.
pub(crate) type Active = BTreeSet<(PipeId, Pid, Side)>;

pub(crate) fn active(waits: &[Wait]) -> Active {
    let mut active = Active::new();
    for wait in waits {
        // A process that opens a FIFO has no end yet, and one that polls for a hang-up moves no data.
        if let WaitTarget::Pipe(PipeWait { pipe: Some(pipe), operation, access, .. }) = &wait.target
            && !matches!(operation, Operation::Open | Operation::Hangup)
            && wait.certainty != Attribution::Candidate
        {
            let sides = Side::BOTH.into_iter().filter(|side| access.is_on(*side));
            active.extend(sides.map(|side| (*pipe, wait.task.pid, side)));
        }
    }
    active
}

/// A process on one side.
#[derive(Clone)]
struct Holder<'a> {
    ends: Vec<&'a Endpoint>,
    /// It has the side as its standard input, output or error output.
    standard: bool,
    /// It waits on this side.
    active: bool,
}

type Holders<'a> = BTreeMap<Pid, Holder<'a>>;

/// A pipe, and what else there is to know to judge what uses it.
struct Case<'a> {
    processes: &'a Processes<'a>,
    pipe: &'a Pipe,
    active: &'a Active,
    /// Every end as its process, number and access.
    ends: BTreeSet<(Pid, Fd, AccessMode)>,
    /// How its holders descend from each other.
    kin: Kin,
}

/// Separates the processes that use a pipe from those that hold a copy.
pub(crate) fn split(processes: &Processes<'_>, pipe: &Pipe, active: &Active) -> Split {
    let ends = pipe.ends.iter().map(|end| (end.pid, end.fd, end.access)).collect();
    let kin = processes.kin(&pipe.ends.iter().map(|end| end.pid).collect());
    let case = Case { processes, pipe, active, ends, kin };
    let mut sides = Side::BOTH.map(|side| case.holders(side));
    let [readers, writers] = &mut sides;
    for holders in [&mut *readers, &mut *writers] {
        case.drop_others_beside_standard(holders);
    }
    if is_shared(readers, writers) {
        return Split { shared: true, ..Split::default() };
    }
    let before = [readers.clone(), writers.clone()];
    for holders in [&mut *readers, &mut *writers] {
        drop_copies(holders, |pid, holder| case.is_unknowing_copy(pid, holder));
    }
    // No program makes a pipe to itself that others inherit by accident.
    if readers.len() == 1 && readers.keys().eq(writers.keys()) {
        [*readers, *writers] = before;
    }
    drop_two_sided(readers, writers);
    case.drop_other_jobs(readers, writers);
    if is_shared(readers, writers) {
        return Split { shared: true, ..Split::default() };
    }
    case.drop_related_copies(Side::Read, readers);
    case.drop_related_copies(Side::Write, writers);
    let [readers, writers] = sides.map(|holders| holders.into_keys().collect());
    Split { writers, readers, shared: false }
}

/// Drops those of which this is so, unless it is so of all.
fn drop_copies(holders: &mut Holders<'_>, is_copy: impl Fn(Pid, &Holder<'_>) -> bool) {
    let is_used = |pid: Pid, holder: &Holder<'_>| holder.active || !is_copy(pid, holder);
    if holders.iter().any(|(pid, holder)| is_used(*pid, holder)) {
        holders.retain(|pid, holder| is_used(*pid, holder));
    }
}

/// Whether several processes are on both sides, and no process on one only.
fn is_shared(readers: &Holders<'_>, writers: &Holders<'_>) -> bool {
    is_pool(readers.keys().chain(writers.keys()).copied(), |pid| {
        readers.contains_key(&pid) && writers.contains_key(&pid)
    })
}

/// A parent that did not close its child's side is on both, and the child on one. So a process on both sides is dropped from that on
/// which there is one of that side alone.
fn drop_two_sided<'a>(readers: &mut Holders<'a>, writers: &mut Holders<'a>) {
    let both: BTreeSet<Pid> = readers.keys().filter(|pid| writers.contains_key(pid)).copied().collect();
    for holders in [readers, writers] {
        drop_copies(holders, |pid, holder| !holder.standard && both.contains(&pid));
    }
}

impl<'a> Case<'a> {
    fn holders(&self, side: Side) -> Holders<'a> {
        let of = |uses: fn(&Endpoint, Side) -> bool| {
            let mut holders = Holders::new();
            for end in self.pipe.side(side).filter(|end| uses(end, side)) {
                let active = self.active.contains(&(self.pipe.id, end.pid, side));
                let holder = holders.entry(end.pid).or_insert(Holder { ends: Vec::new(), standard: false, active });
                holder.ends.push(end);
                holder.standard |= is_standard(end, side);
            }
            holders
        };
        let holders = of(uses);
        // Else all have it open for both, at a number that means the other side.
        if holders.is_empty() { of(|_, _| true) } else { holders }
    }

    /// Where a process has the side as a standard descriptor, the others hold what they passed on or inherited. A FIFO can be opened
    /// by its name, so there it is so only of ancestors and descendants.
    fn drop_others_beside_standard(&self, holders: &mut Holders<'_>) {
        let standard: BTreeSet<Pid> = holders.iter().filter(|(_, it)| it.standard).map(|(pid, _)| *pid).collect();
        if standard.is_empty() {
            return;
        }
        let (above, below) = (self.kin.all_above(&standard), self.kin.all_below(&standard));
        let is_related = |pid: Pid| above.contains(&pid) || below.contains(&pid);
        let is_anonymous = !self.pipe.id.kind().is_named();
        drop_copies(holders, |pid, holder| !holder.standard && (is_anonymous || is_related(pid)));
    }

    /// Whether it runs another program than an ancestor that has the same ends, and was not passed any of them.
    fn is_unknowing_copy(&self, pid: Pid, holder: &Holder<'_>) -> bool {
        let has_all =
            |ancestor: &Pid| holder.ends.iter().all(|end| self.ends.contains(&(*ancestor, end.fd, end.access)));
        let from = self.kin.above(pid).find(has_all);
        from.is_some_and(|from| self.lineage().inherited_unknowingly(pid, from, &holder.ends))
    }

    /// Where a job, which is a process group, has a reader and a writer, it is their pipe, and others inherited it, but for those that
    /// were started with it as a standard descriptor.
    fn drop_other_jobs(&self, readers: &mut Holders<'a>, writers: &mut Holders<'a>) {
        if self.pipe.id.kind().is_named() {
            // It is there to be opened by others.
            return;
        }
        let job = |pid: Pid| self.processes.process_group(pid);
        let mut writers_of: BTreeMap<u32, Vec<Pid>> = BTreeMap::new();
        for pid in writers.keys() {
            if let Some(group) = job(*pid) {
                writers_of.entry(group).or_default().push(*pid);
            }
        }
        // One process that holds both is no pipeline.
        let has_writer =
            |group: u32, reader: Pid| writers_of.get(&group).is_some_and(|all| all.iter().any(|pid| *pid != reader));
        let whole: BTreeSet<u32> =
            readers.keys().filter_map(|pid| job(*pid).filter(|group| has_writer(*group, *pid))).collect();
        if !whole.is_empty() {
            for holders in [readers, writers] {
                drop_copies(holders, |pid, holder| {
                    !holder.standard && job(pid).is_none_or(|group| !whole.contains(&group))
                });
            }
        }
    }

    /// Of a process and its descendant, the descendant uses the end if it is active, or knows of the end and does not only wait for its
    /// own children; else the process does. Both do where the process was started with it and is at work, as `tee` in
    /// `tee >(grep x) | cat`. But an input is read by the one that it was given to: in `diff <(sort) -` that is not `sort`.
    fn drop_related_copies(&self, side: Side, holders: &mut Holders<'_>) {
        if holders.len() < 2 {
            return;
        }
        let awaits = |pid: Pid| self.processes.awaits_children(pid);
        let is_own = |pid: Pid, holder: &Holder<'_>| holder.standard && awaits(pid) == Some(false);
        let mut copies = BTreeSet::new();
        for (pid, holder) in holders.iter() {
            let above: Vec<(Pid, &Holder<'_>)> = self
                .kin
                .above(*pid)
                .filter_map(|ancestor| Some((ancestor, holders.get(&ancestor)?)))
                .filter(|(ancestor, _)| !self.pipe.id.kind().is_named() || self.has_any(*ancestor, holder))
                .collect();
            let Some((nearest, _)) = above.first() else { continue };
            if !holder.active && self.only_sleeps(*pid, holder, *nearest) {
                copies.insert(*pid);
                continue;
            }
            let is_below_user = above.iter().any(|(ancestor, it)| match side {
                Side::Read => it.active || is_own(*ancestor, it),
                Side::Write => it.active && !is_own(*pid, holder),
            });
            let only_waits = awaits(*pid) == Some(true) && awaits(*nearest) != Some(true);
            if holder.active || (!is_below_user && !only_waits && self.knows(*pid, holder, *nearest, &above)) {
                copies.extend(above.iter().filter(|(pid, it)| !is_own(*pid, it)).map(|(pid, _)| *pid));
            } else {
                copies.insert(*pid);
            }
        }
        drop_copies(holders, |pid, _| copies.contains(&pid));
    }

    /// Whether it is sleep(1), with the ends of the parent that waits for it: a shell that writes between two sleeps.
    fn only_sleeps(&self, pid: Pid, holder: &Holder<'_>, parent: Pid) -> bool {
        let has = |end: &&Endpoint| self.ends.contains(&(parent, end.fd, end.access));
        let is_named = self.processes.name(pid).is_some_and(|name| matches!(name.as_slice(), b"sleep" | b"usleep"));
        let line = self.processes.facts(parent).and_then(|process| process.cmdline.as_ref());
        is_named
            && line.is_some_and(is_shell)
            && self.processes.parent(pid) == Some(parent)
            && self.processes.awaits_children(parent) == Some(true)
            && self.processes.sleeps_on(pid) == Some(SleepOn::Timer)
            // It inherits that from a shell that was itself started so, and then it says nothing.
            && (!is_asynchronous(self.processes, pid) || is_asynchronous(self.processes, parent))
            && holder.ends.iter().all(has)
    }

    /// Whether a process knows that it has the side: since it made a descriptor itself, or as another program than the nearest above it,
    /// by the number or by its arguments.
    fn knows(&self, pid: Pid, holder: &Holder<'_>, nearest: Pid, above: &[(Pid, &Holder<'_>)]) -> bool {
        let is_own =
            |end: &&Endpoint| !above.iter().any(|(ancestor, _)| self.ends.contains(&(*ancestor, end.fd, end.access)));
        let is_named = |process: &Process| holder.ends.iter().any(|end| fd_in_cmdline(process, end.fd));
        holder.ends.iter().any(is_own)
            || (self.lineage().is_another_program(pid, nearest)
                && (holder.standard || self.processes.facts(pid).is_some_and(is_named)))
    }

    const fn lineage(&self) -> Lineage<'a> {
        Lineage { processes: self.processes }
    }

    /// Whether a process has an end of the same number.
    fn has_any(&self, pid: Pid, holder: &Holder<'_>) -> bool {
        holder.ends.iter().any(|end| self.ends.contains(&(pid, end.fd, end.access)))
    }
}

/// Whether it is the standard input, or an output.
const fn is_standard(end: &Endpoint, side: Side) -> bool {
    match side {
        Side::Read => end.fd.0 == 0,
        Side::Write => matches!(end.fd.0, 1 | 2),
    }
}

/// Whether an end is used on that side: one that is open for both is for reading as the standard input, and for writing as an output.
fn uses(end: &Endpoint, side: Side) -> bool {
    match (end.access, end.fd.0) {
        (AccessMode::ReadWrite, 0) => side == Side::Read,
        (AccessMode::ReadWrite, 1 | 2) => side == Side::Write,
        _ => true,
    }
}
