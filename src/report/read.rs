//! From a report that was read to the types that an observation fills. Serde has checked each value; here it is checked that they agree.

use std::collections::BTreeMap;

use super::{End, PipeEntry, ReadReport, ReadWait, Scan};
use crate::escape::sanitize_sentence;
use crate::findings::{AuditScope, Diagnosis, Finding, Phrases};
use crate::judge::Groups;
use crate::judge::processes::Processes;
use crate::judge::waits::WakerSets;
use crate::model::{
    self, AccessMode, Certainty, Coverage, Doubts, Endpoint, Gap, Hidden, HiddenVia, HolderFd, Pid, Pipe, PipeGraph,
    PossibleHolder, Side, Suspects, Users, Wait,
};

/// A report that was read.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) graph: PipeGraph,
    /// As they were named on that machine.
    pub(crate) users: Users,
    /// What threads were doing; empty unless `why` or `audit` saved it.
    pub(crate) groups: Groups,
    /// None unless `why` or `audit` saved it.
    pub(crate) diagnosis: Option<Diagnosis>,
    /// None unless `audit` saved it, with everything that its rules judge by.
    pub(crate) audit: Option<AuditScope>,
}

impl ReadReport {
    /// # Errors
    ///
    /// Which of its parts contradict each other.
    pub(crate) fn into_saved(self) -> Result<Saved, String> {
        let users =
            self.processes.iter().filter_map(|process| Some((process.of.uid?, process.user.clone()?))).collect();
        let mut diagnosis = self
            .findings
            .filter(|_| self.waits.is_some())
            .map(|findings| Diagnosis { waits: Vec::new(), findings: findings.into_iter().map(sanitize).collect() });
        for finding in diagnosis.iter().flat_map(|diagnosis| &diagnosis.findings) {
            if let Some(details) = finding.details.as_ref().filter(|details| details.code() != finding.code) {
                return Err(format!("a finding `{}` has the details of `{}`", finding.code, details.code()));
            }
        }
        let mut groups = by_pid(self.threads.into_iter().flatten(), |group| group.pid)?;
        for group in groups.values_mut() {
            group.tasks.iter_mut().for_each(|task| task.id.pid = group.pid);
            group.tasks.sort_by_key(|task| task.id);
        }
        let processes = by_pid(self.processes.into_iter().map(|process| process.of), |process| process.pid)?;
        let mut gaps = self.unreadable;
        gaps.sort_by_key(|gap| gap.pid);
        // Processes that could not be read exist too.
        let mut parents: BTreeMap<Pid, Option<Pid>> = gaps.iter().map(|gap| (gap.pid, None)).collect();
        parents.extend(self.ancestors.into_iter().flatten().map(|it| (it.pid, Some(it.ppid))));
        parents.extend(processes.values().map(|process| (process.pid, process.ppid.map(Pid))));
        // A process that waits for a child may be selected although it holds no pipe.
        for group in groups.values() {
            parents.entry(group.pid).or_insert(group.parent);
        }
        let is_anonymous = |pipe: &&PipeEntry| pipe.kind == model::PipeKind::Anonymous;
        let mut graph = PipeGraph {
            host: self.host,
            taken_at: self.taken_at,
            coverage: coverage(&self.scan, gaps)?,
            pipefs: self.pipes.iter().filter(is_anonymous).find_map(|pipe| pipe.device),
            parents,
            processes,
            pipes: Vec::new(),
            descriptors: self.descriptors.unwrap_or_default(),
            probed: BTreeMap::new(),
            hidden: hidden(self.hidden.into_iter().flatten()),
            beside: BTreeMap::new(),
            waited: self.waited.unwrap_or_default(),
            polled: BTreeMap::new(),
            selected: self.scan.selected,
            limits: self.limits.unwrap_or_default(),
            user_pages: self.user_pages.unwrap_or_default(),
        };
        for entry in self.pipes {
            add_pipe(&mut graph, entry)?;
        }
        graph.user_pages.sort_unstable();
        graph.pipes.sort_by_key(|pipe| pipe.id);
        if let Some(pair) = graph.pipes.windows(2).find(|pair| matches!(pair, [a, b] if a.id == b.id)) {
            return Err(format!("{} is listed twice", pair[0].id));
        }
        graph.descriptors.sort_by_key(model::Descriptor::key);
        if let Some(diagnosis) = &mut diagnosis {
            diagnosis.waits = waits(self.waits.unwrap_or_default(), &graph, &groups)?;
        }
        let phrases = Phrases { graph: &graph, groups: &groups, users: &users };
        for finding in diagnosis.iter_mut().flat_map(|diagnosis| &mut diagnosis.findings) {
            add_caveat(finding, &phrases);
        }
        Ok(Saved { graph, users, groups, diagnosis, audit: self.audit })
    }
}

/// The waits with all that could end them: what is listed of many is completed from the ends of the pipe, or from the children.
fn waits(read: Vec<ReadWait>, graph: &PipeGraph, groups: &Groups) -> Result<Vec<Wait>, String> {
    let processes = Processes::new(graph, groups);
    let sets = WakerSets::new(graph, &processes);
    let whole = |ReadWait { mut wait, wakers_omitted }: ReadWait| {
        if wakers_omitted > 0 {
            let all = sets.of_wait(wait.task.pid, &wait.target);
            let (pid, tid) = (wait.task.pid, wait.task.tid);
            if !all.starts_with(&wait.wakers) || all.len() - wait.wakers.len() != wakers_omitted {
                return Err(format!("the wakers of thread {tid} of process {pid} are not those that the report has"));
            }
            wait.wakers = all;
        }
        Ok(wait)
    };
    let mut waits = read.into_iter().map(whole).collect::<Result<Vec<_>, String>>()?;
    waits.sort_by_key(|wait| (wait.task, wait.fd()));
    Ok(waits)
}

fn coverage(scan: &Scan, gaps: Vec<Gap>) -> Result<Coverage, String> {
    let coverage = Coverage {
        proc_root: scan.proc.clone().into(),
        backend: scan.backend,
        processes: scan.processes,
        vanished: scan.vanished,
        gaps,
        union: model::UnionOfGaps::default(),
        outside: scan.outside,
        privileged: scan.privileged,
        own_pids: scan.pid.is_some(),
        scanner: scan.pid,
    };
    if (scan.complete, scan.unreadable) == (coverage.is_complete(), coverage.unreadable()) {
        Ok(coverage)
    } else {
        Err("scan.complete and scan.unreadable contradict the list of what is unreadable".to_owned())
    }
}

/// What may hold an end of any pipe, without the ways that only another version knows.
fn hidden(holders: impl Iterator<Item = PossibleHolder>) -> Hidden {
    let mut hidden = Hidden::default();
    for PossibleHolder { how, pid, fd, command } in holders {
        let command = command.unwrap_or_default();
        match (how, pid, fd) {
            (HiddenVia::ScmRights, Some(pid), Some(fd)) => hidden.in_flight.push(HolderFd { pid, fd, command }),
            (HiddenVia::IoUring, Some(pid), fd) => hidden.unread_rings.push((pid, fd, command)),
            (HiddenVia::Exiting, Some(pid), _) => hidden.exiting.push((pid, command)),
            _ => {}
        }
    }
    hidden
}

fn add_pipe(graph: &mut PipeGraph, entry: PipeEntry) -> Result<(), String> {
    let id = entry.pipe.id;
    if (entry.kind, entry.inode, entry.device) != (id.kind(), id.inode(), graph.device(id)) {
        return Err(format!("{id} has another kind, device or inode than its id says"));
    }
    let ends = ends(graph, id, entry.readers, entry.writers)?;
    if entry.probed.knows_anything() {
        graph.probed.insert(id, entry.probed);
    }
    if let Some(named) = entry.hidden_by {
        let kind = named.last().map_or(HiddenVia::Outside, |holder| holder.how);
        let more = Some((kind, entry.hidden_by_omitted)).filter(|(_, more)| *more > 0);
        graph.hidden.told.insert(id, Suspects { named, more: more.into_iter().collect() });
    }
    graph.pipes.push(Pipe { ends, ..entry.pipe });
    Ok(())
}

/// The ends of both sides, of which those that are open for reading and writing are in both lists.
fn ends(graph: &PipeGraph, id: model::PipeId, readers: Vec<End>, writers: Vec<End>) -> Result<Vec<Endpoint>, String> {
    let both = |ends: &[End]| ends.iter().filter(|end| end.end.access == AccessMode::ReadWrite).count();
    let is_paired = both(&readers) == both(&writers);
    let mut ends: BTreeMap<_, Endpoint> = BTreeMap::new();
    let sides =
        readers.into_iter().map(|end| (Side::Read, end)).chain(writers.into_iter().map(|end| (Side::Write, end)));
    for (side, End { end, command, .. }) in sides {
        let Endpoint { pid, fd, access, .. } = end;
        if !access.is_on(side) {
            return Err(format!("{id} has a {} with access \"{access}\"", side.holder()));
        }
        let is_second = access == AccessMode::ReadWrite && side == Side::Write;
        if ends.insert(end.key(), end) != is_second.then_some(end) {
            return Err(format!("descriptor {fd} of process {pid} is listed differently, or too often, at {id}"));
        }
        if !graph.processes.contains_key(&pid) && !command.is_empty() {
            return Err(format!("process {pid} is at {id}, and is not listed"));
        }
    }
    if is_paired {
        Ok(ends.into_values().collect())
    } else {
        Err(format!("{id} has an end with access \"rw\" on one side only"))
    }
}

/// # Errors
///
/// If a process is listed twice.
fn by_pid<T>(items: impl IntoIterator<Item = T>, pid: impl Fn(&T) -> Pid) -> Result<BTreeMap<Pid, T>, String> {
    let mut all = BTreeMap::new();
    for item in items {
        let pid = pid(&item);
        if all.insert(pid, item).is_some() {
            return Err(format!("process {pid} is listed twice"));
        }
    }
    Ok(all)
}

/// A report of an older version says only in `doubts` why a finding is not proven.
fn add_caveat(finding: &mut Finding, phrases: &Phrases<'_>) {
    let is_missing = finding.caveat.is_none() && !finding.doubts.is_empty();
    if is_missing && finding.certainty == Certainty::Suspected {
        let mut doubts = Doubts::default();
        doubts.extend(finding.doubts.iter().cloned());
        finding.caveat = Some(phrases.caveat(&doubts));
    }
}

/// Makes the texts safe to print: the file may have been edited.
fn sanitize(mut finding: Finding) -> Finding {
    let lines = finding.evidence.iter_mut().map(|line| &mut line.text);
    for text in lines.chain([&mut finding.message, &mut finding.advice]).chain(&mut finding.caveat) {
        *text = sanitize_sentence(text);
    }
    finding
}
