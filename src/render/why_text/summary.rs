//! The closing summary: how much was found, which findings were only counted, what was not judged, and what --probe could add.

use std::collections::BTreeSet;

use crate::findings::{AuditScope, Code, Finding};
use crate::judge::side::{self, SideState};
use crate::model::{Pipe, Severity, Side, TaskState, Waker};
use crate::report::{Asked, ReportView, Told};

impl ReportView<'_> {
    /// In sentences: which findings were only counted, or that there are none.
    pub(super) fn summary(&self, told: &Told<'_>, shown: &[&Finding], counted: &[&Finding]) -> Vec<String> {
        let mut sentences = Vec::new();
        if shown.is_empty() {
            sentences.push(self.no_problem(told));
        }
        let phrase = |code: &Code| {
            let [one, many] = code.about().summary?;
            match counted.iter().filter(|finding| finding.code == *code).count() {
                0 => None,
                1 => Some(format!("1 {one} ({code})")),
                count => Some(format!("{count} {many} ({code})")),
            }
        };
        let counts: Vec<String> = Code::ALL.iter().filter_map(phrase).collect();
        if !counts.is_empty() {
            sentences.push(format!("Also, and often as intended: {}; --json lists each.", counts.join(", ")));
        }
        sentences.extend(self.probe_offer(told));
        sentences
    }

    /// What `--probe` would add.
    fn probe_offer(&self, told: &Told<'_>) -> Option<String> {
        let is_asked = *told.asked != Asked::Everything;
        if !told.may_probe || is_asked || self.graph.pipefs.is_none() {
            return None;
        }
        let is_unknown = |pipe: &&Pipe| {
            let mut states = Side::BOTH.into_iter().map(|side| side::state(self.graph, pipe, side));
            !pipe.ends.is_empty() && states.any(|state| state == SideState::Unknown)
        };
        match self.graph.pipes.iter().filter(is_unknown).count() {
            0 if told.diagnosis.findings.is_empty() => None,
            0 => Some("--probe would add how full the pipes are.".to_owned()),
            1 => Some(
                "--probe would add how full the pipes are, and whether the unseen side of one has a process."
                    .to_owned(),
            ),
            count => Some(format!(
                "--probe would add how full the pipes are, and whether the unseen sides of {count} of them have a process."
            )),
        }
    }

    /// That no finding was printed, and what that is worth.
    fn no_problem(&self, told: &Told<'_>) -> String {
        let none = if self.graph.coverage.is_complete() {
            "No problems found"
        } else {
            "No problems found in what could be seen"
        };
        let waits = &told.diagnosis.waits;
        let waiting: BTreeSet<_> = waits.iter().filter(|wait| wait.pipe().is_some()).map(|wait| wait.task).collect();
        let may_proceed = |waker: &Waker| {
            let tasks = told.groups.get(&waker.pid).map_or(&[][..], |group| &group.tasks);
            tasks.is_empty() || tasks.iter().any(|task| !matches!(task.doing, TaskState::Waits { besides: None, .. }))
        };
        match (waiting.len(), *told.asked == Asked::Everything) {
            (0, true) => format!("{none}. No thread is waiting on a pipe."),
            (1, true) => format!("{none}. One thread is waiting on a pipe, and can still be woken."),
            (count, true) => format!("{none}. {count} threads are waiting on pipes, and each can still be woken."),
            (0, false) => format!("{none} here. No thread of these is waiting on a pipe."),
            _ if waits.iter().flat_map(|wait| &wait.wakers).any(may_proceed) => {
                format!("{none} here. A process at the end of the chain can still proceed.")
            }
            _ => "No deadlock is proven here, but no process above can proceed by itself: only a process that opens one of these FIFOs, or \
                  that could not be seen, can unblock them."
                .to_owned(),
        }
    }

    /// The summary of an audit. `counted` are the findings that were not printed.
    pub(super) fn audit_summary(&self, told: &Told<'_>, audited: &AuditScope, counted: &[&Finding]) -> String {
        let findings = &told.diagnosis.findings;
        let mut sentences = vec![match (findings.len(), audited.known) {
            (0, 0) if self.graph.coverage.is_complete() => "No problems found.".to_owned(),
            (0, 0) => "No problems found in what could be seen.".to_owned(),
            (0, _) => "No new problems found.".to_owned(),
            (count, _) => format!("{}: {}.", counted_noun(count, "finding"), by_severity(findings)),
        }];
        let codes = audited.asked().map(|code| (code, counted.iter().filter(|it| it.code == code).count()));
        let codes: Vec<String> =
            codes.filter(|(_, count)| *count > 0).map(|(code, count)| format!("{count} {code}")).collect();
        if !codes.is_empty() {
            sentences.push(format!(
                "Notices are often as intended and only counted here: {}. --severity info prints each, --explain CODE explains them.",
                codes.join(", ")
            ));
        }
        match audited.known {
            0 => {}
            1 => sentences.push("1 finding is known from the baseline and left out.".to_owned()),
            known => sentences.push(format!("{known} findings are known from the baseline and left out.")),
        }
        if self.graph.selected {
            sentences.push("Only a part of the report was judged, since it was saved with a selection.".to_owned());
        } else if !audited.not_judged.is_empty() {
            let codes: Vec<&str> = audited.not_judged.iter().map(|code| code.as_str()).collect();
            sentences.push(format!("Not judged, which needs a report of `lspipe audit --json`: {}.", codes.join(", ")));
        }
        sentences.join(" ")
    }
}

/// `1 error, 2 warnings, 3 notices`, without what there is none of.
fn by_severity(findings: &[Finding]) -> String {
    let counted = Severity::ALL.iter().filter_map(|severity| {
        let noun = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        match findings.iter().filter(|finding| finding.severity == *severity).count() {
            0 => None,
            count => Some(counted_noun(count, noun)),
        }
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn counted_noun(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
