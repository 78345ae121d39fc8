//! Who uses an end of a pipe, and who only holds a copy of it: a shell that has its children's output too, a program that inherited a
//! descriptor and knows nothing of it, a parent that did not close the side that is its child's.
//!
//! It is a judgement of how descriptors and processes are related. No rule leaves a side empty, and who was seen at work on a side is
//! on it whatever the rules say.

use std::collections::{BTreeMap, BTreeSet};

use crate::findings::Diagnosis;
use crate::judge::lineage::{fd_in_cmdline, is_stdio, knows_fd};
use crate::model::{
    AccessMode, Attribution, Endpoint, Fd, Operation, Pid, Pipe, PipeGraph, PipeId, PipeKind, PipeWait, Process, Side,
    Subject,
};

/// Those between whom the data of a pipe flow.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) writers: BTreeSet<Pid>,
    pub(super) readers: BTreeSet<Pid>,
    /// Everybody holds both sides, and nobody is in the sets.
    pub(super) shared: bool,
}

/// What processes were seen to do.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Those that wait at a pipe, and so use it, on this side.
    at_it: BTreeSet<(PipeId, Pid, Side)>,
    /// Those that wait for a child.
    idle: BTreeSet<Pid>,
}

impl Seen {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        let mut seen = Self::default();
        for wait in &diagnosis.waits {
            match &wait.subject {
                Subject::Child => {
                    seen.idle.insert(wait.task.pid);
                }
                // Who opens a FIFO has no end yet.
                Subject::Pipe(PipeWait { pipe: Some(pipe), operation, access, .. })
                    if *operation != Operation::Open && wait.certainty != Attribution::Candidate =>
                {
                    let sides = Side::BOTH.into_iter().filter(|side| access.is_on(*side));
                    seen.at_it.extend(sides.map(|side| (*pipe, wait.task.pid, side)));
                }
                Subject::Pipe(_) => {}
            }
        }
        seen
    }
}

/// A process on one side.
#[derive(Clone)]
struct Holder<'a> {
    ends: Vec<&'a Endpoint>,
    /// It has the side as its standard input, output or error output.
    standard: bool,
    /// It was seen to read or write.
    at_it: bool,
}

type Holders<'a> = BTreeMap<Pid, Holder<'a>>;

/// A pipe, and what else there is to know to judge who uses it.
struct Case<'a> {
    graph: &'a PipeGraph,
    pipe: &'a Pipe,
    seen: &'a Seen,
    /// Every end as its process, number and access.
    ends: BTreeSet<(Pid, Fd, AccessMode)>,
}

/// Tells those who use a pipe from those who hold a copy.
pub(super) fn split(graph: &PipeGraph, pipe: &Pipe, seen: &Seen) -> Split {
    let ends = pipe.ends.iter().map(|end| (end.pid, end.fd, end.access)).collect();
    let case = Case { graph, pipe, seen, ends };
    let mut sides = Side::BOTH.map(|side| case.holders(side));
    let [readers, writers] = &mut sides;
    for holders in [&mut *readers, &mut *writers] {
        case.set_untold_beside_standard_apart(holders);
    }
    if is_shared(readers, writers) {
        return Split { shared: true, ..Split::default() };
    }
    let before = [readers.clone(), writers.clone()];
    for holders in [&mut *readers, &mut *writers] {
        set_apart(holders, |pid, holder| case.is_unknowing_copy(pid, holder));
    }
    // Nobody makes a pipe to talk to itself, and passes it on by accident.
    if readers.len() == 1 && readers.keys().eq(writers.keys()) {
        [*readers, *writers] = before;
    }
    case.set_other_jobs_apart(readers, writers);
    set_both_apart(readers, writers);
    if is_shared(readers, writers) {
        return Split { shared: true, ..Split::default() };
    }
    for holders in [&mut *readers, &mut *writers] {
        case.set_kin_apart(holders);
    }
    let [readers, writers] = sides.map(|holders| holders.into_keys().collect());
    Split { writers, readers, shared: false }
}

/// Sets those apart of whom this is so, unless it is so of all.
fn set_apart(holders: &mut Holders<'_>, is_copy: impl Fn(Pid, &Holder<'_>) -> bool) {
    if holders.len() < 2 {
        return;
    }
    let copies: BTreeSet<Pid> =
        holders.iter().filter(|(pid, it)| !it.at_it && is_copy(**pid, it)).map(|(pid, _)| *pid).collect();
    if copies.len() < holders.len() {
        holders.retain(|pid, _| !copies.contains(pid));
    }
}

/// Whether several processes are on both sides, and nobody on one only.
fn is_shared(readers: &Holders<'_>, writers: &Holders<'_>) -> bool {
    readers.len() > 1 && readers.keys().eq(writers.keys())
}

/// A parent that did not close the side that is its child's is on both, and the child on one. So whoever is on both sides is apart
/// where somebody is on that side alone.
fn set_both_apart<'a>(readers: &mut Holders<'a>, writers: &mut Holders<'a>) {
    let both: BTreeSet<Pid> = readers.keys().filter(|pid| writers.contains_key(pid)).copied().collect();
    for holders in [readers, writers] {
        set_apart(holders, |pid, _| both.contains(&pid));
    }
}

impl<'a> Case<'a> {
    fn holders(&self, side: Side) -> Holders<'a> {
        let mut holders = Holders::new();
        for end in self.pipe.side(side).filter(|end| uses(end, side)) {
            let at_it = self.seen.at_it.contains(&(self.pipe.id, end.pid, side));
            let holder = holders.entry(end.pid).or_insert(Holder { ends: Vec::new(), standard: false, at_it });
            holder.ends.push(end);
            holder.standard |= is_stdio(end.fd);
        }
        if holders.is_empty() {
            // All have it open for both, at a number that means one.
            for end in self.pipe.side(side) {
                let holder =
                    holders.entry(end.pid).or_insert(Holder { ends: Vec::new(), standard: false, at_it: false });
                holder.ends.push(end);
            }
        }
        holders
    }

    /// Where somebody has the side as a standard descriptor, the others hold what they passed on, or came by. A FIFO may be opened by
    /// its name, so there it is so of kin only.
    fn set_untold_beside_standard_apart(&self, holders: &mut Holders<'_>) {
        let standard: BTreeSet<Pid> = holders.iter().filter(|(_, it)| it.standard).map(|(pid, _)| *pid).collect();
        if standard.is_empty() {
            return;
        }
        let parents_of_standard: BTreeSet<Pid> = match self.pipe.id.kind() {
            PipeKind::Anonymous => BTreeSet::new(),
            PipeKind::Fifo => standard.iter().flat_map(|pid| self.graph.ancestors(*pid)).collect(),
        };
        set_apart(holders, |pid, holder| {
            let is_kin =
                || parents_of_standard.contains(&pid) || self.graph.ancestors(pid).any(|it| standard.contains(&it));
            !holder.standard && (self.pipe.id.kind() == PipeKind::Anonymous || is_kin())
        });
    }

    /// Whether it is another program than an ancestor that has the same ends, and was told of none of them.
    fn is_unknowing_copy(&self, pid: Pid, holder: &Holder<'_>) -> bool {
        let from = self.graph.ancestors(pid).find(|ancestor| self.has_all(*ancestor, holder));
        let is_told = |process: &Process| holder.ends.iter().any(|end| knows_fd(process, end));
        from.is_some_and(|from| self.is_another_program(pid, from))
            && !self.graph.processes.get(&pid).is_none_or(is_told)
    }

    /// Where a job, which is a process group, has a reader and a writer, it is their pipe, and others came by it.
    fn set_other_jobs_apart(&self, readers: &mut Holders<'a>, writers: &mut Holders<'a>) {
        if self.pipe.id.kind() == PipeKind::Fifo {
            // It is there to be opened by others.
            return;
        }
        let job = |pid: Pid| self.graph.processes.get(&pid).and_then(|process| process.pgid);
        let mut writers_of: BTreeMap<u32, Vec<Pid>> = BTreeMap::new();
        for pid in writers.keys() {
            if let Some(group) = job(*pid) {
                writers_of.entry(group).or_default().push(*pid);
            }
        }
        let is_whole = |reader: &Pid| {
            let group = job(*reader)?;
            // One process that holds both is no pipeline.
            writers_of.get(&group)?.iter().any(|writer| writer != reader).then_some(group)
        };
        let whole: BTreeSet<u32> = readers.keys().filter_map(is_whole).collect();
        if !whole.is_empty() {
            for holders in [readers, writers] {
                set_apart(holders, |pid, _| job(pid).is_none_or(|group| !whole.contains(&group)));
            }
        }
    }

    /// Of a process and its descendant, the one that was seen at work uses the end; else the descendant if it knows of the end, as a
    /// program that a shell has started, and does not only wait for a child while the other does not; and else the process.
    fn set_kin_apart(&self, holders: &mut Holders<'_>) {
        if holders.len() < 2 {
            return;
        }
        let is_kin =
            |ancestor: Pid, of: &Holder<'_>| self.pipe.id.kind() == PipeKind::Anonymous || self.has_any(ancestor, of);
        let mut apart = BTreeSet::new();
        for (pid, holder) in holders.iter() {
            let above: Vec<(Pid, &Holder<'_>)> = self
                .graph
                .ancestors(*pid)
                .filter_map(|ancestor| Some((ancestor, holders.get(&ancestor)?)))
                .filter(|(ancestor, _)| is_kin(*ancestor, holder))
                .collect();
            let Some((nearest, _)) = above.first() else { continue };
            let is_below_worker = above.iter().any(|(_, it)| it.at_it)
                || (self.seen.idle.contains(pid) && !self.seen.idle.contains(nearest));
            if holder.at_it || (!is_below_worker && self.knows(*pid, holder, *nearest, &above)) {
                apart.extend(above.iter().map(|(ancestor, _)| *ancestor));
            } else {
                apart.insert(*pid);
            }
        }
        set_apart(holders, |pid, _| apart.contains(&pid));
    }

    /// Whether a process knows that it has the side: since it made a descriptor itself, or as another program than the nearest above it,
    /// by the number or by its arguments.
    fn knows(&self, pid: Pid, holder: &Holder<'_>, nearest: Pid, above: &[(Pid, &Holder<'_>)]) -> bool {
        let is_own =
            |end: &&Endpoint| !above.iter().any(|(ancestor, _)| self.ends.contains(&(*ancestor, end.fd, end.access)));
        let is_named = |process: &Process| holder.ends.iter().any(|end| fd_in_cmdline(process, end.fd));
        holder.ends.iter().any(is_own)
            || (self.is_another_program(pid, nearest)
                && (holder.standard || self.graph.processes.get(&pid).is_some_and(is_named)))
    }

    /// Whether a process was started by exec(2), as far as that shows.
    fn is_another_program(&self, pid: Pid, than: Pid) -> bool {
        let process = |pid: Pid| self.graph.processes.get(&pid);
        let Some((process, than)) = process(pid).zip(process(than)) else { return false };
        process.command != than.command || process.cmdline != than.cmdline
    }

    /// Whether a process has ends of the same numbers.
    fn has_all(&self, pid: Pid, holder: &Holder<'_>) -> bool {
        holder.ends.iter().all(|end| self.ends.contains(&(pid, end.fd, end.access)))
    }

    fn has_any(&self, pid: Pid, holder: &Holder<'_>) -> bool {
        holder.ends.iter().any(|end| self.ends.contains(&(pid, end.fd, end.access)))
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
