//! The closing summary: how much was found, what is blocked all the same, which findings were shortened, what was not judged, and what --probe could add.

use std::collections::{BTreeSet, HashSet};

use super::blocked;
use crate::findings::narrow::chain;
use crate::findings::{AuditScope, Code, Finding, Phrases, thousands};
use crate::judge::deadlock::acts_on_signals;
use crate::judge::side;
use crate::model::{Pid, Pipe, Severity, TaskState, Wait};
use crate::report::{Judgment, ReportView, Scope};

/// Maximum number of blocked threads that are named.
const MOST_BLOCKED: usize = 3;

impl ReportView<'_> {
    /// That nothing was found if `is_none_shown`, and what could be asked for besides.
    pub(super) fn summary(&self, judgment: &Judgment<'_>, is_none_shown: bool) -> Vec<String> {
        let mut sentences = Vec::new();
        if is_none_shown {
            sentences.push(self.no_problem(judgment));
        }
        let is_short = *judgment.scope == Scope::Everything && !judgment.asked().is_some_and(|asked| asked.each);
        if is_short && judgment.diagnosis.findings.iter().any(|finding| finding.severity == Severity::Info) {
            sentences.push(
                "Notices are often harmless; --severity info prints each in full, --explain CODE explains it."
                    .to_owned(),
            );
        }
        sentences.extend(self.probe_offer(judgment));
        sentences
    }

    /// What `--probe` would add.
    fn probe_offer(&self, judgment: &Judgment<'_>) -> Option<String> {
        let graph = self.graph;
        if !judgment.may_probe || *judgment.scope != Scope::Everything || graph.pipefs.is_none() {
            return None;
        }
        let is_open = |pipe: &&Pipe| !pipe.ends.is_empty() && side::has_unprobed(graph, pipe);
        // Nothing but pipes is probed; the kernel's own list may have answered already.
        let lacks_contents = |pipe: &Pipe| {
            let probed = graph.probed(pipe.id);
            !pipe.ends.is_empty() && pipe.id.kind().is_pipe() && (probed.queued.is_none() || probed.capacity.is_none())
        };
        let is_known = !graph.pipes.iter().any(lacks_contents);
        let sides = match (graph.pipes.iter().filter(is_open).count(), is_known) {
            (0, true) => return None,
            (0, false) if judgment.diagnosis.findings.is_empty() => return None,
            (0, false) => String::new(),
            (1, true) => "whether the unseen side of one pipe has a process".to_owned(),
            (count, true) => format!("whether the unseen sides of {count} pipes have a process"),
            (1, false) => ", and whether the unseen side of one has a process".to_owned(),
            (count, false) => format!(", and whether the unseen sides of {count} of them have a process"),
        };
        let contents = if is_known { "" } else { "how full the pipes are" };
        Some(format!("--probe would add {contents}{sides}."))
    }

    /// Whether it is not known of some processes what their threads do.
    fn has_unknown_threads(&self, judgment: &Judgment<'_>) -> bool {
        let is_left_out = self.graph.coverage.gaps.iter().any(|gap| gap.limit().is_some());
        is_left_out || judgment.groups.values().any(|group| group.tasks.is_empty())
    }

    /// That no finding was printed, and what that is worth.
    fn no_problem(&self, judgment: &Judgment<'_>) -> String {
        let waits = &judgment.diagnosis.waits;
        // A shell that waits for a selected process has other children, too: those are not below it.
        let below = chain(waits, |wait| match judgment.scope {
            Scope::Everything => true,
            Scope::Processes(pids) => pids.contains(&wait.task.pid),
            Scope::Pipes(pipes) => wait.pipe().is_some_and(|pipe| pipes.contains(&pipe)),
        });
        let mut shared = HashSet::new();
        let sets = below.iter().map(|index| &waits[*index].wakers).filter(|wakers| shared.insert(wakers.place()));
        let mut involved: BTreeSet<Pid> = sets.flat_map(|wakers| wakers.iter()).map(|waker| waker.pid).collect();
        match judgment.scope {
            Scope::Everything => involved.extend(judgment.groups.keys()),
            Scope::Processes(pids) => involved.extend(pids),
            Scope::Pipes(_) => {}
        }
        if let Some(sentence) = self.long_blocked(judgment, &involved) {
            return sentence;
        }
        let none = self.none_found(judgment);
        let waiting: BTreeSet<_> = waits.iter().filter(|wait| wait.pipe().is_some()).map(|wait| wait.task).collect();
        let may_proceed = |pid: &Pid| {
            let tasks = judgment.groups.get(pid).map_or(&[][..], |group| &group.tasks);
            tasks.is_empty() || tasks.iter().any(|task| may_proceed(&task.doing))
        };
        match (waiting.len(), *judgment.scope == Scope::Everything) {
            (0, true) if self.has_unknown_threads(judgment) => {
                format!("{none}. No thread was seen waiting on a pipe.")
            }
            (0, true) => format!("{none}. No thread is waiting on a pipe."),
            (1, true) => format!("{none}. One thread is waiting on a pipe, and can still be woken."),
            (count, true) => format!("{none}. {count} threads are waiting on pipes, and each can still be woken."),
            (0, false) => format!("{none} here. None of the selected threads is waiting on a pipe."),
            _ if involved.iter().any(may_proceed) => {
                format!("{none} here. A process at the end of the chain can still proceed.")
            }
            _ if involved.iter().any(|pid| blocked::is_stopped(judgment, *pid)) => {
                "No process above can proceed by itself, since one of them is stopped.".to_owned()
            }
            _ => self.no_way_on(judgment, &involved),
        }
    }

    /// That none of these processes can proceed, although no deadlock is proven, and what is left that could end it.
    fn no_way_on(&self, judgment: &Judgment<'_>, pids: &BTreeSet<Pid>) -> String {
        let waits = &judgment.diagnosis.waits;
        let has_path = |wait: &Wait| {
            let pipe = wait.pipe().filter(|_| pids.contains(&wait.task.pid)).and_then(|id| self.graph.pipe(id));
            pipe.is_some_and(Pipe::has_name)
        };
        let handles = |pid: &&Pid| judgment.groups.get(*pid).is_some_and(acts_on_signals);
        let phrases = Phrases { graph: self.graph, groups: judgment.groups, users: self.users };
        let opener = waits.iter().any(has_path).then(|| "a process that opens one of these FIFOs".to_owned());
        let handler = pids.iter().find(handles);
        let handler = handler.map(|pid| format!("a signal handler, such as one of {}", phrases.process(*pid, None)));
        let ways: Vec<String> =
            opener.into_iter().chain(handler).chain(["a process that could not be seen".to_owned()]).collect();
        format!(
            "No deadlock is proven here, but no process above can proceed by itself: only {} can unblock them.",
            ways.join(", or ")
        )
    }

    /// That something has been blocked for long, although no finding that is printed says why; none if nothing has. Of `pids`, what they
    /// wait for in themselves, too.
    fn long_blocked(&self, judgment: &Judgment<'_>, pids: &BTreeSet<Pid>) -> Option<String> {
        let phrases = Phrases { graph: self.graph, groups: judgment.groups, users: self.users };
        let mut blocked = blocked::for_long(phrases, judgment, pids);
        let more = blocked.len().saturating_sub(MOST_BLOCKED);
        blocked.truncate(MOST_BLOCKED);
        let first = blocked.join("; ");
        let more = if more > 0 { format!("; and {} more threads", thousands(more)) } else { String::new() };
        (!first.is_empty()).then(|| format!("No warning and no error was found, but {first}{more}."))
    }

    /// That there is nothing worse than the notices, which stand above.
    fn none_found(&self, judgment: &Judgment<'_>) -> String {
        let such = if judgment.asked().is_some_and(|asked| asked.filtered) { "such " } else { "" };
        let seen = if self.graph.coverage.is_complete() { "" } else { " in what could be seen" };
        match judgment.diagnosis.findings.iter().filter(|finding| finding.severity == Severity::Info).count() {
            0 => format!("No {such}problems found{seen}"),
            count => format!("No {such}errors or warnings{seen}, {}", counted_noun(count, "notice")),
        }
    }

    /// `counted` are the findings that were not printed.
    pub(super) fn audit_summary(
        &self,
        judgment: &Judgment<'_>,
        audit: &AuditScope,
        counted: &[&Finding],
    ) -> Vec<String> {
        let findings = &judgment.diagnosis.findings;
        let mut sentences = vec![match (findings.len(), audit.known) {
            (0, 0) => {
                let all = judgment.groups.keys().copied().collect();
                self.long_blocked(judgment, &all).unwrap_or_else(|| format!("{}.", self.none_found(judgment)))
            }
            (0, _) => "No new problems found.".to_owned(),
            (count, _) => format!("{}: {}.", counted_noun(count, "finding"), by_severity(findings)),
        }];
        let codes: Vec<String> =
            by_code(audit.asked(), counted).map(|(code, count)| format!("{count} {code}")).collect();
        if !codes.is_empty() {
            sentences.push(format!(
                "Notices are often harmless and only counted here: {}. --severity info prints each, --explain CODE explains them.",
                codes.join(", ")
            ));
        }
        match audit.known {
            0 => {}
            1 => sentences.push("1 finding is in the baseline and suppressed.".to_owned()),
            known => sentences.push(format!("{known} findings are in the baseline and suppressed.")),
        }
        if self.graph.selected && audit.codes.is_empty() && !audit.not_judged.is_empty() {
            sentences.push("Only a part of the report was judged, since it was saved with a selection.".to_owned());
        } else if !audit.not_judged.is_empty() {
            let codes: Vec<&str> = audit.not_judged.iter().map(|code| code.as_str()).collect();
            sentences.push(format!("Not judged, which needs a report of `lspipe audit --json`: {}.", codes.join(", ")));
        }
        sentences
    }
}

/// Whether a thread may go on without a process that waits: it is awake, or something else can wake it, and nothing holds it.
const fn may_proceed(doing: &TaskState) -> bool {
    match doing {
        TaskState::Waits { besides: None, .. } => false,
        TaskState::Stopped | TaskState::Traced | TaskState::Frozen => false,
        TaskState::Waits { besides: Some(_), .. } | TaskState::Runs | TaskState::Exits => true,
        TaskState::Sleeps { .. } | TaskState::Unknown => true,
    }
}

/// How many of the findings have each of the codes, without what there is none of.
pub(super) fn by_code(codes: impl Iterator<Item = Code>, findings: &[&Finding]) -> impl Iterator<Item = (Code, usize)> {
    codes
        .map(|code| (code, findings.iter().filter(|finding| finding.code == code).count()))
        .filter(|(_, count)| *count > 0)
}

/// `1 error, 2 warnings, 3 notices`, without what there is none of.
fn by_severity(findings: &[Finding]) -> String {
    let noun = |severity: Severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "notice",
    };
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts =
        Severity::ALL.iter().map(|severity| (count(*severity), noun(*severity))).filter(|(count, _)| *count > 0);
    counts.map(|(count, noun)| counted_noun(count, noun)).collect::<Vec<_>>().join(", ")
}

pub(super) fn counted_noun(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
