//! The text of `why` and of an audit: each finding with its evidence, drawn and wrapped, and for a process or pipe that was asked about, the
//! chain of waits down to a process that is awake. The words of a finding are its own; here is only the layout.

mod chain;
mod summary;

use std::io::{self, Write};

use textwrap::{Options, WordSeparator, WordSplitter};

use self::chain::Chain;
use super::text::{TextRole, paint};
use super::{ReportView, Style};
use crate::escape::escape_name;
use crate::findings::{Code, Evidence, Finding, Phrases, Role};
use crate::model::Severity;
use crate::report::{Asked, Told};

/// A line that is not wrapped yet.
pub(super) struct WrappedLine {
    /// What stands before its first line.
    first: String,
    /// What stands before the lines that it wraps to.
    rest: String,
    text: String,
}

impl WrappedLine {
    pub(super) fn new(first: impl Into<String>, rest: impl Into<String>, text: impl Into<String>) -> Self {
        Self { first: first.into(), rest: rest.into(), text: text.into() }
    }

    /// On a terminal wrapped at blanks, so that a command stays in one piece; elsewhere on one line.
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(width) = style.width else {
            return writeln!(out, "{}{}", self.first, paint(&self.text, style.color));
        };
        let options = Options::new(usize::from(width).max(20))
            .initial_indent(&self.first)
            .subsequent_indent(&self.rest)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(&self.text, options) {
            writeln!(out, "{}", paint(line.trim_end(), style.color))?;
        }
        Ok(())
    }
}

impl ReportView<'_> {
    /// Writes all of it.
    pub(super) fn tell(&self, told: &Told<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let phrases = Phrases { graph: self.graph, groups: told.groups, users: self.users };
        let (shown, counted): (Vec<&Finding>, Vec<&Finding>) =
            told.diagnosis.findings.iter().partition(|finding| is_shown(finding, told));
        let mut paragraphs: Vec<Vec<WrappedLine>> = Chain::of_all(phrases, told);
        let by_process = matches!(told.asked, Asked::Processes(_));
        paragraphs.extend(shown.iter().map(|finding| lines(finding, by_process)));
        let mut closing = match told.audited {
            Some(audited) => vec![self.audit_summary(told, audited, &counted)],
            None => self.summary(told, &shown, &counted),
        };
        closing.extend(self.whose_pids(told).filter(|_| !paragraphs.is_empty()));
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

    /// The machine and the time that the PIDs of a report file are of.
    fn whose_pids(&self, told: &Told<'_>) -> Option<String> {
        let host = self.graph.host.hostname.as_deref().unwrap_or("another machine");
        let host = escape_name(host.as_bytes());
        told.from_file.then(|| format!("The PIDs are those of {host} at {:.0}.", self.graph.taken_at))
    }
}

/// Whether a finding is printed by itself: where the whole machine was asked about, notices are counted.
fn is_shown(finding: &Finding, told: &Told<'_>) -> bool {
    let is_each = told.audited.is_some_and(|audited| audited.each);
    is_each || *told.asked != Asked::Everything || finding.severity.is_at_least(Severity::Warning)
}

/// A finding: what is wrong, the evidence, and the advice. `is_drawn` if there is a chain of waits, too.
fn lines(finding: &Finding, is_drawn: bool) -> Vec<WrappedLine> {
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
    let mut lines = vec![WrappedLine::new("", "  ", head)];
    lines.extend(draw(&finding.evidence, finding.code, is_drawn));
    let sentences = finding.caveat.iter().chain([&finding.advice]);
    lines.extend(sentences.map(|text| WrappedLine::new("  ", "  ", text)));
    lines
}

/// Draws the evidence below its finding, without what a chain shows already.
fn draw(evidence: &[Evidence], code: Code, is_drawn: bool) -> Vec<WrappedLine> {
    let in_chain = |role: Role| role == Role::Cycle || code.about().evidence_in_chain;
    let mut lines = Vec::new();
    for role in Role::ALL.iter().copied().filter(|role| !(is_drawn && in_chain(*role))) {
        let of_role: Vec<&Evidence> = evidence.iter().filter(|line| line.role == role).collect();
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
