//! What `why` says to a person: each finding with its evidence, drawn, and what would help; and for a process or pipe that was asked
//! about, the chain of waits to whoever is awake at its end.

mod advice;
mod audit;
mod chain;
mod closing;
mod evidence;
mod signals;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use textwrap::{Options, WordSeparator, WordSplitter};

use self::evidence::draw;
use super::text::{TextRole, paint};
use super::{ReportView, Style};
use crate::audit::AuditScope;
use crate::model::{Diagnosis, Finding, Pid, PipeId, Severity, ThreadGroup};

/// What `why` or an audit found, beside the pipes.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The waits and the findings.
    pub diagnosis: &'a Diagnosis,
    /// The processes with what their threads are doing.
    pub groups: &'a BTreeMap<Pid, ThreadGroup>,
    /// About what it was asked.
    pub asked: &'a Asked,
    /// How an audit came to it; none for `why`.
    pub audited: Option<&'a AuditScope>,
    /// Whether --probe could add something.
    pub may_probe: bool,
}

/// About what `why` was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Asked {
    /// The whole machine.
    #[default]
    Everything,
    /// These processes.
    Processes(BTreeSet<Pid>),
    /// These pipes.
    Pipes(BTreeSet<PipeId>),
}

/// A line of the telling, not wrapped yet.
pub(super) struct Piece {
    /// What stands before its first line.
    first: String,
    /// What stands before the lines that it wraps to.
    rest: String,
    text: String,
}

impl Piece {
    pub(super) fn new(first: impl Into<String>, rest: impl Into<String>, text: impl Into<String>) -> Self {
        Self { first: first.into(), rest: rest.into(), text: text.into() }
    }
}

impl ReportView<'_> {
    /// Writes all of it.
    pub(super) fn tell(&self, told: &Told<'_>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let chains = self.chains(told);
        let (told_each, counted): (Vec<&Finding>, Vec<&Finding>) =
            told.diagnosis.findings.iter().partition(|finding| is_told(finding, told));
        let mut paragraphs: Vec<Vec<Piece>> = chains;
        let by_process = matches!(told.asked, Asked::Processes(_));
        paragraphs.extend(told_each.iter().map(|finding| self.finding(finding, by_process)));
        let closing = match told.audited {
            Some(audited) => Some(self.audit_closing(told, audited, &counted)),
            None => self.closing(told, &told_each, &counted),
        };
        paragraphs.extend(closing.map(|text| vec![Piece::new("", "", text)]));
        for (index, paragraph) in paragraphs.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            paragraph.iter().try_for_each(|piece| write_piece(piece, style, out))?;
        }
        Ok(())
    }

    /// A finding: what is wrong, who is in it, and what would help.
    fn finding(&self, finding: &Finding, is_drawn: bool) -> Vec<Piece> {
        let mut head = String::new();
        let ink = match finding.severity() {
            Severity::Error => TextRole::Error,
            Severity::Warning => TextRole::Warning,
            Severity::Info => TextRole::Faint,
        };
        ink.push(&mut head, finding.severity().as_str());
        head.push_str(": ");
        TextRole::Heading.push(&mut head, finding.code().as_str());
        head.push_str(": ");
        head.push_str(&self.message(finding));
        let mut pieces = vec![Piece::new("", "  ", head)];
        pieces.extend(draw(&self.evidence(finding), finding.code(), is_drawn));
        pieces.extend(self.reservation(finding).map(|text| Piece::new("  ", "  ", text)));
        pieces.push(Piece::new("  ", "  ", self.advice(finding) + &self.of_then(finding)));
        pieces
    }
}

/// Whether a finding is told by itself: where the whole machine was asked about, what is only worth knowing is counted.
fn is_told(finding: &Finding, told: &Told<'_>) -> bool {
    let is_each = told.audited.is_some_and(|audited| audited.each);
    is_each || *told.asked != Asked::Everything || finding.severity() < Severity::Info
}

/// On a terminal wrapped at blanks, so that a command stays in one piece; elsewhere a line.
pub(super) fn write_piece(piece: &Piece, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(width) = style.width else {
        return writeln!(out, "{}{}", piece.first, paint(&piece.text, style.color));
    };
    let options = Options::new(usize::from(width).max(20))
        .initial_indent(&piece.first)
        .subsequent_indent(&piece.rest)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false);
    for line in textwrap::wrap(&piece.text, options) {
        writeln!(out, "{}", paint(line.trim_end(), style.color))?;
    }
    Ok(())
}
