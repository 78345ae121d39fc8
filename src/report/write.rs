//! From what was observed and found to the report that is written. Large lists are made item by item while they are written.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use serde::{Serialize, Serializer};

use super::{
    Ancestor, End, Finding, Judgment, MOST_WAKERS, Named, OfUser, PipeEntry, Report, ReportView, SCHEMA_VERSION, Scan,
    WaitEntry,
};
use crate::findings::{self, AuditScope};
use crate::judge::processes::{NO_THREADS, Processes};
use crate::judge::side::{self, SideState, Unread};
use crate::model::{
    CommandName, Doubt, Endpoint, FlatDoubt, Host, Pid, Pipe, PipeGraph, PipeLimits, Probed, Severity, Side, TaskId,
    ThreadGroup, Time, Uid, Wait,
};

/// A list whose items are created while they are written.
pub(crate) struct Each<F>(pub(crate) F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Each<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Where a report comes from. Each line of `--ndjson` has it too, so that it is complete in itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Origin<'a> {
    pub(crate) host: &'a Host,
    pub(crate) taken_at: Time,
    pub(crate) scan: Scan,
}

/// One line of `--ndjson`: a pipe, complete in itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Line"))]
pub(crate) struct Line<'a, Pipe = PipeEntry> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    #[serde(flatten)]
    origin: Origin<'a>,
    pipe: Pipe,
}

/// A line of `lspipe why --ndjson` or `lspipe audit --ndjson`: a finding, or, as the last, the whole in numbers.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "AuditLine"))]
pub(crate) struct AuditLine<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    #[serde(flatten)]
    origin: Origin<'a>,
    #[serde(flatten)]
    item: AuditItem,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum AuditItem {
    Finding(Finding),
    Summary(AuditSummary),
}

/// `why` or an audit in numbers. It is written only when that is complete.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct AuditSummary {
    pipes: usize,
    ends: usize,
    findings: FindingCounts,
    #[serde(flatten)]
    audit: AuditScope,
}

/// How many findings have each severity.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FindingCounts {
    error: usize,
    warning: usize,
    info: usize,
}

impl<'a> ReportView<'a> {
    pub(crate) fn report(&'a self) -> impl Serialize + 'a {
        let (graph, judgment) = (self.graph, self.judgment);
        let diagnosis = judgment.map(|judgment| judgment.diagnosis);
        let Origin { host, taken_at, scan } = self.origin();
        let hidden: Vec<_> = graph.hidden.anywhere().collect();
        let unread = Rc::new(Unread::new(graph));
        Report {
            schema_version: SCHEMA_VERSION,
            host: host.clone(),
            taken_at,
            scan,
            unreadable: &graph.coverage.gaps,
            processes: Each(|| graph.processes.values().map(|of| OfUser { of, user: self.user(of.uid) })),
            pipes: Each(move || {
                let unread = Rc::clone(&unread);
                graph.pipes.iter().map(move |pipe| self.pipe(pipe, &unread))
            }),
            ancestors: judgment.map(|_| self.ancestors()),
            hidden: Some(hidden).filter(|hidden| !hidden.is_empty()),
            user_pages: Some(graph.user_pages.clone()).filter(|pages| !pages.is_empty()),
            limits: Some(graph.limits).filter(|limits| *limits != PipeLimits::default()),
            descriptors: Some(&graph.descriptors).filter(|descriptors| !descriptors.is_empty()),
            waited: judgment.map(|_| graph.waited.clone()).filter(|waited| !waited.is_empty()),
            threads: judgment.map(|judgment| {
                let (pids, processes) = (self.mentioned(), Processes::new(graph, judgment.groups));
                let groups = pids.into_iter().filter_map(|pid| judgment.groups.get(&pid));
                groups.map(|group| with_parent(group, &processes)).collect::<Vec<_>>()
            }),
            waits: diagnosis.map(|diagnosis| Each(|| diagnosis.waits.iter().map(|wait| self.wait(wait)))),
            findings: diagnosis
                .map(|diagnosis| Each(|| diagnosis.findings.iter().map(|finding| self.finding(finding)))),
            audit: judgment.and_then(|judgment| judgment.audit).cloned(),
        }
    }

    pub(crate) fn line(&'a self, pipe: &'a Pipe, unread: &Unread<'_>) -> Line<'a, impl Serialize + 'a> {
        Line { schema_version: SCHEMA_VERSION, origin: self.origin(), pipe: self.pipe(pipe, unread) }
    }

    pub(crate) fn origin(&self) -> Origin<'a> {
        let graph = self.graph;
        Origin { host: &graph.host, taken_at: graph.taken_at, scan: Scan::of(graph) }
    }

    pub(crate) fn finding_line(&self, finding: &findings::Finding) -> AuditLine<'a> {
        self.audit_line(AuditItem::Finding(self.finding(finding)))
    }

    /// The last line of `why` and of an audit; none of another report.
    pub(crate) fn summary_line(&self) -> Option<AuditLine<'a>> {
        let judgment = self.judgment?;
        let findings = &judgment.diagnosis.findings;
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Some(self.audit_line(AuditItem::Summary(AuditSummary {
            pipes: self.graph.pipes.len(),
            ends: self.graph.pipes.iter().map(|pipe| pipe.ends.len()).sum(),
            findings: FindingCounts {
                error: count(Severity::Error),
                warning: count(Severity::Warning),
                info: count(Severity::Info),
            },
            audit: judgment.asked()?.clone(),
        })))
    }

    fn audit_line(&self, item: AuditItem) -> AuditLine<'a> {
        AuditLine { schema_version: SCHEMA_VERSION, origin: self.origin(), item }
    }

    /// The ancestors of the processes that are not listed themselves.
    fn ancestors(&self) -> Vec<Ancestor> {
        let graph = self.graph;
        let processes = Processes::new(graph, &NO_THREADS);
        let above = processes.above(graph.processes.keys().copied());
        let others = above.into_iter().filter(|pid| !graph.processes.contains_key(pid));
        others.filter_map(|pid| Some(Ancestor { pid, ppid: (*graph.parents.get(&pid)?)? })).collect()
    }

    pub(crate) fn user(&self, uid: Option<Uid>) -> Option<&'a str> {
        self.users.name(uid?)
    }

    fn pipe(&'a self, pipe: &'a Pipe, unread: &Unread<'_>) -> PipeEntry<&'a Pipe, impl Serialize + use<'a>> {
        let graph = self.graph;
        let probed = graph.probed(pipe.id);
        // That an end exists says nothing where one was seen, unless it is another.
        let hidden = side::hidden_sides(graph, pipe);
        let unseen = |on: Side| match side::state(graph, pipe, on) {
            SideState::Seen => hidden.contains(&on).then_some(true),
            SideState::Hidden => Some(true),
            SideState::Unknown | SideState::None => probed.has(on).map(|_| false),
        };
        let probed = Probed { reader: unseen(Side::Read), writer: unseen(Side::Write), ..probed };
        let holders = unread.hidden_holders(pipe);
        let ends = move |side| Each(move || pipe.side(side).map(move |end| self.end(end)));
        PipeEntry {
            kind: pipe.id.kind(),
            inode: pipe.id.inode(),
            device: graph.device(pipe.id),
            pipe,
            readers: ends(Side::Read),
            writers: ends(Side::Write),
            probed,
            hidden_by_omitted: holders.omitted(),
            hidden_by: Some(holders.named).filter(|holders| !holders.is_empty()),
        }
    }

    pub(crate) fn end(&self, end: &'a Endpoint) -> End<&'a Endpoint, &'a CommandName, Option<&'a str>> {
        let process = self.graph.processes.get(&end.pid);
        let uid = process.and_then(|process| process.uid);
        let command = process.map_or(CommandName::EMPTY, |process| &process.command);
        End { end, command, uid, user: self.user(uid) }
    }

    /// All processes in the report, with their tracers.
    fn mentioned(&self) -> BTreeSet<Pid> {
        let mut pids: BTreeSet<Pid> = self.graph.processes.keys().copied().collect();
        let Some(Judgment { diagnosis, groups, .. }) = self.judgment else { return pids };
        let mut shared = HashSet::new();
        for wait in &diagnosis.waits {
            pids.insert(wait.task.pid);
            if shared.insert(wait.wakers.place()) {
                pids.extend(wait.wakers.iter().map(|waker| waker.pid));
            }
        }
        for finding in &diagnosis.findings {
            pids.extend(finding.tasks.iter().chain(&finding.behind).map(|task| task.pid));
            pids.extend(finding.doubts.iter().filter_map(Doubt::pid));
        }
        let tracers: Vec<Pid> = pids.iter().filter_map(|pid| groups.get(pid)?.tracer).collect();
        pids.extend(tracers);
        pids
    }

    /// The command name of a process, from wherever it is known.
    pub(crate) fn name(&self, pid: Pid) -> &'a CommandName {
        let groups = self.judgment.map_or(&NO_THREADS, |judgment| judgment.groups);
        Processes::new(self.graph, groups).name(pid).unwrap_or(CommandName::EMPTY)
    }

    fn wait(&'a self, wait: &'a Wait) -> WaitEntry<&'a Wait, &'a CommandName, impl Serialize + 'a> {
        let listed = wait.wakers.iter().take(MOST_WAKERS);
        let wakers = move || listed.clone().map(|waker| Named { of: waker, command: self.name(waker.pid) });
        let wakers_omitted = wait.wakers.len().saturating_sub(MOST_WAKERS);
        WaitEntry { wait, command: self.name(wait.task.pid), wakers: Each(wakers), wakers_omitted }
    }

    /// A finding in which each thread and doubt has the command of its process.
    fn finding(&self, finding: &findings::Finding) -> Finding {
        let name = |task: &TaskId| Named { of: *task, command: self.name(task.pid).clone() };
        let doubt = |doubt: &Doubt| {
            let mut flat = FlatDoubt::from(doubt.clone());
            let known = doubt.pid().map(|pid| self.name(pid)).filter(|name| *name != CommandName::EMPTY);
            flat.command = known.cloned().or(flat.command);
            flat
        };
        Finding {
            code: finding.code,
            severity: finding.severity,
            certainty: finding.certainty,
            message: finding.message.clone(),
            evidence: finding.evidence.clone(),
            caveat: finding.caveat.clone(),
            advice: finding.advice.clone(),
            tasks: finding.tasks.iter().map(name).collect(),
            behind: finding.behind.iter().map(name).collect(),
            pipes: finding.pipes.clone(),
            doubts: finding.doubts.iter().map(doubt).collect(),
            doubts_omitted: finding.doubts_omitted,
            details: finding.details.clone(),
        }
    }
}

/// The threads of a process, with its parent from wherever that is known: who reads the report finds the children of a process by it.
fn with_parent<'a>(group: &'a ThreadGroup, processes: &Processes<'_>) -> Cow<'a, ThreadGroup> {
    match processes.parent_or_zero(group.pid).filter(|_| group.parent.is_none()) {
        Some(parent) => Cow::Owned(ThreadGroup { parent: Some(parent), ..group.clone() }),
        None => Cow::Borrowed(group),
    }
}

impl Scan {
    fn of(graph: &PipeGraph) -> Self {
        let coverage = &graph.coverage;
        Self {
            proc: coverage.proc_root.to_string_lossy().into_owned(),
            backend: coverage.backend,
            complete: coverage.is_complete(),
            processes: coverage.processes,
            unreadable: coverage.unreadable(),
            vanished: coverage.vanished,
            outside: coverage.outside,
            selected: graph.selected,
            pid: coverage.scanner,
            privileged: coverage.privileged,
        }
    }
}
