//! The last word: how much was found, how much was not told one by one, what was not judged, and what could be added.

use std::collections::BTreeSet;

use super::super::ReportView;
use super::{Asked, Told};
use crate::audit::AuditScope;
use crate::model::{Code, Finding, Pipe, Severity, Side, TaskState, Waker};

impl ReportView<'_> {
    /// The last word: how many findings were not told one by one, or that nothing is wrong.
    pub(super) fn closing(&self, told: &Told<'_>, each: &[&Finding], counted: &[&Finding]) -> Option<String> {
        let mut sentences = Vec::new();
        if each.is_empty() {
            sentences.push(self.nothing_wrong(told));
        }
        let count = |code| counted.iter().filter(|finding| finding.code() == code).count();
        let mut more = Vec::new();
        for (code, words) in [
            (Code::LeakedWriteEnd, "pipes whose write end strangers hold"),
            (Code::StalledReader, "full pipes whose readers are at something else"),
            (Code::HiddenEnd, "pipes with an end that no fd table shows"),
            (Code::NoReader, "pipes that nobody reads"),
            (Code::NoWriter, "pipes that nobody writes to"),
        ] {
            match count(code) {
                0 => {}
                1 => more.push(format!(
                    "1 {} ({code})",
                    words.replacen("pipes", "pipe", 1).replace("whose readers are", "whose reader is")
                )),
                count => more.push(format!("{count} {words} ({code})")),
            }
        }
        if !more.is_empty() {
            sentences.push(format!("Also, and often as it should be: {}; --json has each.", more.join(", ")));
        }
        sentences.extend(self.probe_offer(told));
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    /// What `--probe` would add.
    fn probe_offer(&self, told: &Told<'_>) -> Option<String> {
        let is_asked = *told.asked != Asked::Everything;
        if !told.may_probe || is_asked || self.graph.pipefs.is_none() {
            return None;
        }
        let coverage = &self.graph.coverage;
        let may_hide = |pipe: &&Pipe| {
            let open = |side: &Side| pipe.side(*side).next().is_none() && coverage.may_hide(pipe.id.kind(), *side);
            !pipe.ends.is_empty() && Side::BOTH.iter().any(open)
        };
        match self.graph.pipes.iter().filter(may_hide).count() {
            0 if told.diagnosis.findings.is_empty() => None,
            0 => Some("--probe would add how full the pipes are.".to_owned()),
            1 => Some(
                "--probe would add how full the pipes are, and whether anybody is on the unseen side of one."
                    .to_owned(),
            ),
            count => Some(format!(
                "--probe would add how full the pipes are, and whether anybody is on the unseen sides of {count} of them."
            )),
        }
    }

    /// That nothing was told one by one, and what that is worth.
    fn nothing_wrong(&self, told: &Told<'_>) -> String {
        let nothing = if self.graph.coverage.is_complete() { "Nothing is wrong" } else { "Nothing wrong was seen" };
        let waits = &told.diagnosis.waits;
        let waiting: BTreeSet<_> = waits.iter().filter(|wait| wait.pipe().is_some()).map(|wait| wait.task).collect();
        let may_go_on = |waker: &Waker| {
            let tasks = told.groups.get(&waker.pid).map_or(&[][..], |group| &group.tasks);
            tasks.is_empty() || tasks.iter().any(|task| !matches!(task.doing, TaskState::Waits { besides: None, .. }))
        };
        match (waiting.len(), *told.asked == Asked::Everything) {
            (0, true) => format!("{nothing}: no thread waits on a pipe."),
            (1, true) => format!("{nothing}: one thread waits on pipes, and not surely in vain."),
            (count, true) => format!("{nothing}: {count} threads wait on pipes, and none surely in vain."),
            (0, false) => format!("{nothing} here: nobody waits on a pipe."),
            _ if waits.iter().flat_map(|wait| &wait.wakers).any(may_go_on) => {
                format!("{nothing} here: somebody at the end may go on by itself.")
            }
            _ => "No deadlock is proven here, and yet nobody above goes on by itself: only somebody who opens a FIFO of theirs, or who could \
                  not be seen, can end that."
                .to_owned(),
        }
    }

    /// The last word of an audit. `counted` are the findings that were not told one by one.
    pub(super) fn audit_closing(&self, told: &Told<'_>, audited: &AuditScope, counted: &[&Finding]) -> String {
        let findings = &told.diagnosis.findings;
        let mut sentences = vec![match (findings.len(), audited.known) {
            (0, 0) if self.graph.coverage.is_complete() => "Nothing was found.".to_owned(),
            (0, 0) => "Nothing was found in what could be seen.".to_owned(),
            (0, _) => "Nothing new was found.".to_owned(),
            (count, _) => format!("{count} {}: {}.", noun(count), by_severity(findings)),
        }];
        let codes = audited.asked().map(|code| (code, counted.iter().filter(|it| it.code() == code).count()));
        let codes: Vec<String> =
            codes.filter(|(_, count)| *count > 0).map(|(code, count)| format!("{count} {code}")).collect();
        if !codes.is_empty() {
            sentences.push(format!("Not told one by one, since they are often as they should be: {}; --severity info tells each, --explain CODE what they mean.", codes.join(", ")));
        }
        match audited.known {
            0 => {}
            1 => sentences.push("1 finding is known by the baseline and left out.".to_owned()),
            known => sentences.push(format!("{known} findings are known by the baseline and left out.")),
        }
        if self.graph.selected {
            sentences.push("A part of a report, which was saved with a selection, is all that was judged.".to_owned());
        } else if !audited.not_judged.is_empty() {
            let codes: Vec<&str> = audited.not_judged.iter().map(|code| code.as_str()).collect();
            sentences.push(format!("Not judged, which takes a report of `lspipe audit --json`: {}.", codes.join(", ")));
        }
        sentences.join(" ")
    }
}

fn noun(count: usize) -> &'static str {
    if count == 1 { "finding" } else { "findings" }
}

/// `1 error, 2 warnings, 3 infos`, without what there is none of.
fn by_severity(findings: &[Finding]) -> String {
    let counted = Severity::ALL.iter().copied().filter_map(|severity| {
        match findings.iter().filter(|finding| finding.severity() == severity).count() {
            0 => None,
            1 => Some(format!("1 {}", severity.as_str())),
            count => Some(format!("{count} {}s", severity.as_str())),
        }
    });
    counted.collect::<Vec<_>>().join(", ")
}
