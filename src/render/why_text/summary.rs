//! The closing summary: how much was found, which findings were only counted, what was not judged, and what --probe could add.

use std::collections::{BTreeSet, HashSet};

use crate::findings::narrow::chain;
use crate::findings::{AuditScope, Code, Finding};
use crate::judge::side;
use crate::model::{Pid, Pipe, Severity, TaskState};
use crate::report::{Judgment, ReportView, Scope};

impl ReportView<'_> {
    /// Which findings were only counted, or that there are none if `is_none_shown`.
    pub(super) fn summary(&self, judgment: &Judgment<'_>, is_none_shown: bool, counted: &[&Finding]) -> Vec<String> {
        let mut sentences = Vec::new();
        if is_none_shown {
            sentences.push(self.no_problem(judgment));
        }
        let phrase = |(code, count): (Code, usize)| {
            let [one, many] = code.about().summary?;
            Some(format!("{count} {} ({code})", if count == 1 { one } else { many }))
        };
        let counts: Vec<String> = by_code(Code::ALL.iter().copied(), counted).filter_map(phrase).collect();
        if !counts.is_empty() {
            sentences.push(format!("Also, and often as intended: {}; --json lists each.", counts.join(", ")));
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
        let sides = match graph.pipes.iter().filter(is_open).count() {
            0 if judgment.diagnosis.findings.is_empty() => return None,
            0 => String::new(),
            1 => ", and whether the unseen side of one has a process".to_owned(),
            count => format!(", and whether the unseen sides of {count} of them have a process"),
        };
        Some(format!("--probe would add how full the pipes are{sides}."))
    }

    /// Whether it is not known of some processes what their threads do.
    fn has_unknown_threads(&self, judgment: &Judgment<'_>) -> bool {
        let is_left_out = self.graph.coverage.gaps.iter().any(|gap| gap.limit().is_some());
        is_left_out || judgment.groups.values().any(|group| group.tasks.is_empty())
    }

    /// That no finding was printed, and what that is worth.
    fn no_problem(&self, judgment: &Judgment<'_>) -> String {
        let none = self.none_found();
        let waits = &judgment.diagnosis.waits;
        let waiting: BTreeSet<_> = waits.iter().filter(|wait| wait.pipe().is_some()).map(|wait| wait.task).collect();
        let may_proceed = |pid: &Pid| {
            let tasks = judgment.groups.get(pid).map_or(&[][..], |group| &group.tasks);
            tasks.is_empty() || tasks.iter().any(|task| !matches!(task.doing, TaskState::Waits { besides: None, .. }))
        };
        // A shell that waits for a selected process has other children, too: those are not below it.
        let below = chain(waits, |wait| match judgment.scope {
            Scope::Everything => true,
            Scope::Processes(pids) => pids.contains(&wait.task.pid),
            Scope::Pipes(pipes) => wait.pipe().is_some_and(|pipe| pipes.contains(&pipe)),
        });
        let mut shared = HashSet::new();
        let sets = below.iter().map(|index| &waits[*index].wakers).filter(|wakers| shared.insert(wakers.place()));
        let wakers: BTreeSet<Pid> = sets.flat_map(|wakers| wakers.iter()).map(|waker| waker.pid).collect();
        match (waiting.len(), *judgment.scope == Scope::Everything) {
            (0, true) if self.has_unknown_threads(judgment) => {
                format!("{none}. No thread was seen waiting on a pipe.")
            }
            (0, true) => format!("{none}. No thread is waiting on a pipe."),
            (1, true) => format!("{none}. One thread is waiting on a pipe, and can still be woken."),
            (count, true) => format!("{none}. {count} threads are waiting on pipes, and each can still be woken."),
            (0, false) => format!("{none} here. None of the selected threads is waiting on a pipe."),
            _ if wakers.iter().any(may_proceed) => {
                format!("{none} here. A process at the end of the chain can still proceed.")
            }
            _ => "No deadlock is proven here, but no process above can proceed by itself: only a process that opens one of these FIFOs, or \
                  that could not be seen, can unblock them."
                .to_owned(),
        }
    }

    fn none_found(&self) -> &'static str {
        if self.graph.coverage.is_complete() { "No problems found" } else { "No problems found in what could be seen" }
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
            (0, 0) => format!("{}.", self.none_found()),
            (0, _) => "No new problems found.".to_owned(),
            (count, _) => format!("{}: {}.", counted_noun(count, "finding"), by_severity(findings)),
        }];
        let codes: Vec<String> =
            by_code(audit.asked(), counted).map(|(code, count)| format!("{count} {code}")).collect();
        if !codes.is_empty() {
            sentences.push(format!(
                "Notices are often as intended and only counted here: {}. --severity info prints each, --explain CODE explains them.",
                codes.join(", ")
            ));
        }
        match audit.known {
            0 => {}
            1 => sentences.push("1 finding is in the baseline and suppressed.".to_owned()),
            known => sentences.push(format!("{known} findings are in the baseline and suppressed.")),
        }
        if self.graph.selected {
            sentences.push("Only a part of the report was judged, since it was saved with a selection.".to_owned());
        } else if !audit.not_judged.is_empty() {
            let codes: Vec<&str> = audit.not_judged.iter().map(|code| code.as_str()).collect();
            sentences.push(format!("Not judged, which needs a report of `lspipe audit --json`: {}.", codes.join(", ")));
        }
        sentences
    }
}

/// How many of the findings have each of the codes, without what there is none of.
fn by_code(codes: impl Iterator<Item = Code>, findings: &[&Finding]) -> impl Iterator<Item = (Code, usize)> {
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

fn counted_noun(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
