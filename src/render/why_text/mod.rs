//! The text of `why` and of an audit: each finding with its evidence, wrapped, and for a process or pipe in scope the chain of waits down
//! to a process that is awake. The sentences are those of the findings; here is only the layout.

mod chain;
mod summary;

use std::io::{self, Write};

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};

use self::chain::Chain;
use super::Style;
use super::text::{TextRole, paint, width};
use crate::escape::quote_name;
use crate::findings::{Code, Evidence, Finding, Phrases, Role};
use crate::model::Severity;
use crate::report::{Judgment, ReportView, Scope};

/// A line that is to be wrapped.
pub(super) struct WrappedLine {
    /// The indentation of its first line.
    first: String,
    /// The indentation of the lines that it wraps to.
    rest: String,
    pub(super) text: String,
}

impl WrappedLine {
    pub(super) fn new(first: impl Into<String>, rest: impl Into<String>, text: impl Into<String>) -> Self {
        Self { first: first.into(), rest: rest.into(), text: text.into() }
    }

    pub(super) fn width(&self) -> usize {
        width(&self.first) + width(&self.text)
    }

    /// On a terminal wrapped at blanks, so that a command stays in one piece; elsewhere on one line.
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(width) = style.width else {
            return writeln!(out, "{}{}", self.first, paint(&self.text, style.color));
        };
        let options = Options::new(usize::from(width).max(20))
            .initial_indent(&self.first)
            .subsequent_indent(&self.rest)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(&self.text, options) {
            writeln!(out, "{}", paint(line.trim_end(), style.color))?;
        }
        Ok(())
    }
}

/// The words of a line. What stands between backticks is one word: a command that is copied from two lines is another command.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    // One too many is of a saved report that was edited.
    let is_paired = line.matches('`').count().is_multiple_of(2);
    let (mut in_command, mut is_gap) = (false, false);
    let mut starts = vec![0];
    for (at, byte) in line.bytes().enumerate() {
        if byte != b' ' && is_gap && !in_command {
            starts.push(at);
        }
        is_gap = byte == b' ';
        in_command ^= is_paired && byte == b'`';
    }
    starts.push(line.len());
    Box::new(starts.windows(2).map(|pair| Word::from(&line[pair[0]..pair[1]])).collect::<Vec<_>>().into_iter())
}

impl ReportView<'_> {
    pub(super) fn write_text(&self, judgment: &Judgment<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let phrases = Phrases { graph: self.graph, groups: judgment.groups, users: self.users };
        let (shown, counted): (Vec<&Finding>, Vec<&Finding>) =
            judgment.diagnosis.findings.iter().partition(|finding| is_shown(finding, judgment));
        let mut paragraphs: Vec<Vec<WrappedLine>> = Chain::of_all(phrases, judgment);
        let by_process = matches!(judgment.scope, Scope::Processes(_));
        paragraphs.extend(shown.iter().map(|finding| lines(finding, by_process)));
        let mut closing = match judgment.audit {
            Some(audit) => self.audit_summary(judgment, audit, &counted),
            None => self.summary(judgment, shown.is_empty(), &counted),
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

/// Whether a finding is printed: where the whole machine is in scope, notices are only counted.
fn is_shown(finding: &Finding, judgment: &Judgment<'_>) -> bool {
    let is_each = judgment.audit.is_some_and(|audit| audit.each);
    is_each || *judgment.scope != Scope::Everything || finding.severity.is_at_least(Severity::Warning)
}

/// A finding with its evidence and advice. `is_drawn` if there is a chain of waits too.
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

/// The evidence of a finding, without what a chain shows already.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stays_on_one_line() {
        let text = "To unblock: `kill 100 200` and  `cat '/a b'`, or wait for it";
        let mut lines = Vec::new();
        WrappedLine::new("  ", "  ", text).write(&Style { width: Some(20), color: false }, &mut lines).unwrap();
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            "  To unblock:\n  `kill 100 200` and\n  `cat '/a b'`, or\n  wait for it\n"
        );
    }
}
