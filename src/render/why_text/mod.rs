//! The text of `why` and of an audit: each finding with its evidence, wrapped, and for a process or pipe in scope the chain of waits down
//! to a process that is awake. The sentences are those of the findings; here is only the layout.

mod blocked;
mod chain;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use self::chain::{Chain, Drawn};
use self::summary::{by_code, counted_noun};
use super::Style;
use super::text::TextRole;
use super::wrapped::WrappedLine;
use crate::escape::quote_name;
use crate::findings::{Code, Details, Evidence, Finding, Phrases, Role, list, thousands};
use crate::model::Severity;
use crate::report::{Judgment, ReportView, Scope};

/// Maximum number of notices that are printed where the whole machine is in scope; of the others, the number of each code.
const MOST_NOTICES: usize = 20;

/// The number of findings that say the same of the same commands from which an audit prints the first and counts the others.
const MANY_ALIKE: usize = 3;

impl ReportView<'_> {
    pub(super) fn write_text(&self, judgment: &Judgment<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let phrases = Phrases { graph: self.graph, groups: judgment.groups, users: self.users };
        let (shown, counted): (Vec<&Finding>, Vec<&Finding>) =
            judgment.diagnosis.findings.iter().partition(|finding| is_shown(finding, judgment));
        let (mut paragraphs, drawn) = Chain::of_all(phrases, judgment);
        let folds = judgment.audit.is_some_and(|audit| !audit.each) && !style.full;
        for alike in alike(&shown, phrases, folds) {
            let Some((first, rest)) = alike.split_first() else { continue };
            let mut paragraph = lines(first, &drawn);
            if !rest.is_empty() {
                paragraph.push(WrappedLine::new("  ", "  ", self.more_alike(first, rest)));
            }
            paragraphs.push(paragraph);
        }
        if judgment.audit.is_none() && !counted.is_empty() {
            paragraphs.push(notices(&counted));
        }
        let mut closing = match judgment.audit {
            Some(audit) => self.audit_summary(judgment, audit, &counted),
            None => self.summary(judgment, shown.is_empty()),
        };
        if judgment.from_file && !paragraphs.is_empty() {
            let host = quote_name(self.graph.host.hostname.as_deref().unwrap_or("another machine").as_bytes());
            closing.push(format!("The PIDs are those of {host} at {:.0}.", self.graph.taken_at));
        }
        if !closing.is_empty() {
            paragraphs.push(vec![WrappedLine::new("", "", closing.join(" "))]);
        }
        for (index, paragraph) in paragraphs.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            paragraph.iter().try_for_each(|line| line.write(style, out))?;
        }
        Ok(())
    }
}

/// The findings in their order, each by itself or, if it `folds`, with those that say the same of processes of the same commands.
fn alike<'f>(findings: &[&'f Finding], phrases: Phrases<'_>, folds: bool) -> Vec<Vec<&'f Finding>> {
    let key = |finding: &'f Finding| {
        let commands: BTreeSet<_> = finding.tasks.iter().map(|task| phrases.command(task.pid)).collect();
        (finding.severity, finding.code, commands)
    };
    let mut counts = BTreeMap::new();
    for finding in findings {
        *counts.entry(key(finding)).or_insert(0) += 1;
    }
    let mut places = BTreeMap::new();
    let mut alike: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let key = key(finding);
        match places.get(&key).filter(|_| folds && counts.get(&key).is_some_and(|count| *count >= MANY_ALIKE)) {
            Some(place) => alike.get_mut(*place).map(|group: &mut Vec<&Finding>| group.push(finding)),
            None => {
                places.insert(key, alike.len());
                alike.push(vec![finding]);
                None
            }
        };
    }
    alike
}

impl ReportView<'_> {
    /// `and 7 more crosses-users like it, on pipe:[5], pipe:[6], pipe:[7] and 4 more; --full prints each`.
    fn more_alike(&self, first: &Finding, rest: &[&Finding]) -> String {
        let pipes: BTreeSet<_> = rest.iter().flat_map(|finding| &finding.pipes).collect();
        let on =
            if pipes.is_empty() { String::new() } else { format!(" on {}", list(pipes, |pipe| self.pipe_name(*pipe))) };
        format!("and {} more {} like it{on}; --full prints each", thousands(rest.len()), first.code)
    }
}

/// Whether a finding is printed in full: where the whole machine is in scope, notices are shortened.
fn is_shown(finding: &Finding, judgment: &Judgment<'_>) -> bool {
    let is_each = judgment.asked().is_some_and(|asked| asked.each);
    is_each || *judgment.scope != Scope::Everything || finding.severity.is_at_least(Severity::Warning)
}

/// The severity, the code and the message of a finding.
fn head(finding: &Finding) -> String {
    let (role, severity) = match finding.severity {
        Severity::Error => (TextRole::Error, "error"),
        Severity::Warning => (TextRole::Warning, "warning"),
        Severity::Info => (TextRole::Faint, "notice"),
    };
    let mut head = String::new();
    role.push(&mut head, severity);
    head.push_str(": ");
    TextRole::Heading.push(&mut head, finding.code.as_str());
    head.push_str(": ");
    head.push_str(&finding.message);
    head
}

/// A line for each of some findings; of many, the first, and how many more there are of each code.
fn notices(findings: &[&Finding]) -> Vec<WrappedLine> {
    let (first, more) = findings.split_at(findings.len().min(MOST_NOTICES));
    let mut lines: Vec<WrappedLine> = first.iter().map(|finding| WrappedLine::new("", "  ", head(finding))).collect();
    if !more.is_empty() {
        let phrase = |(code, count): (Code, usize)| match code.about().summary {
            Some([one, many]) => format!("{count} {} ({code})", if count == 1 { one } else { many }),
            None => format!("{count} {code}"),
        };
        let counts = by_code(Code::ALL.iter().copied(), more).map(phrase).collect::<Vec<_>>().join(", ");
        lines.push(WrappedLine::new("", "  ", format!("{}: {counts}.", counted_noun(more.len(), "more notice"))));
    }
    lines
}

/// A finding with its evidence and advice, without what a chain of waits has `drawn`.
fn lines(finding: &Finding, drawn: &Drawn) -> Vec<WrappedLine> {
    let mut lines = vec![WrappedLine::new("", "  ", head(finding))];
    lines.extend(draw(finding, drawn));
    let sentences = finding.caveat.iter().chain([&finding.advice]);
    lines.extend(sentences.map(|text| WrappedLine::new("  ", "  ", text)));
    lines
}

/// The evidence of a finding, without what a chain shows already: a circle if each of its threads has a line, and everything if all of its
/// processes have, and a chain shows that.
fn draw(finding: &Finding, drawn: &Drawn) -> Vec<WrappedLine> {
    let is_circle_drawn = match &finding.details {
        Some(Details::Deadlock(waits) | Details::SelfDeadlock(waits)) => {
            waits.cycle.iter().all(|edge| drawn.tasks.contains(&edge.task))
        }
        _ => !drawn.pids.is_empty(),
    };
    let is_drawn =
        finding.code.about().evidence_in_chain && finding.tasks.iter().all(|task| drawn.pids.contains(&task.pid));
    let in_chain = |role: Role| is_drawn || (role == Role::Cycle && is_circle_drawn);
    let mut lines = Vec::new();
    for role in Role::ALL.iter().copied().filter(|role| !in_chain(*role)) {
        let of_role: Vec<&Evidence> = finding.evidence.iter().filter(|line| line.role == role).collect();
        let last = of_role.len().saturating_sub(1);
        for (index, line) in of_role.into_iter().enumerate() {
            let (first, rest) = match role {
                Role::Cycle if last == 0 => ("  ↻ ", "    "),
                Role::Cycle if index == 0 => ("  ╭▶ ", "  │  "),
                Role::Cycle if index == last => ("  ╰─ ", "     "),
                Role::Cycle => ("  │  ", "  │  "),
                Role::Behind | Role::Waits => ("  ", "    "),
                Role::Holder if index == last => ("  └─ ", "     "),
                Role::Holder => ("  ├─ ", "  │  "),
            };
            lines.push(WrappedLine::new(first, rest, &line.text));
        }
    }
    lines
}
