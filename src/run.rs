//! One run: resolve what was named, observe, judge, select, render. Only the order of these steps is here, not how each is done.

mod audit;
mod diff;
mod error;
#[cfg(test)]
mod mutations;
mod pipes;
mod source;
mod why;

use std::ffi::OsString;
use std::io::{self, Write};
use std::thread;

use self::source::Source;
use crate::cli::{PipeName, Question, Request};
use crate::findings::{AuditScope, Diagnosis};
use crate::judge::dataflow::Dataflow;
use crate::model::{Pid, PipeGraph, Threads, Users};
use crate::note::Note;
use crate::observe::Depth;
use crate::observe::proc::{Detail, ScanOptions};
use crate::render::{Format, Style};
use crate::report::{Judgment, ReportView, Scope};
use crate::select::{Missing, Selection};
use crate::users::users_of;

pub use self::diff::compare;
pub use self::error::Error;

/// How a run ended that made a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The report was written.
    Reported,
    /// A selection was given and nothing matched.
    NothingMatched,
    /// `why` or an audit found a warning or an error, or `diff` a difference.
    Found,
    /// The report was written, but must not have gaps and has some.
    Incomplete,
}

impl Exit {
    const fn of_list(is_empty: bool) -> Self {
        if is_empty { Self::NothingMatched } else { Self::Reported }
    }

    const fn of_findings(is_found: bool) -> Self {
        if is_found { Self::Found } else { Self::Reported }
    }
}

/// The exit status of the command.
impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Reported => 0,
            Exit::NothingMatched | Exit::Found => 1,
            Exit::Incomplete => 2,
        }
    }
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct Report {
    /// The pipes that were selected, and the processes that hold them.
    pub graph: PipeGraph,
    /// What threads were doing; empty where the question does not depend on it.
    pub threads: Threads,
    /// What is blocked, and what is wrong; none where the question is not about that.
    pub diagnosis: Option<Diagnosis>,
    /// What should be known besides.
    pub notes: Vec<Note>,
    /// [`Exit::Incomplete`] is left to the caller.
    pub exit: Exit,
    scope: Scope,
    audit: Option<AuditScope>,
    drawing: Option<Dataflow>,
}

impl Report {
    fn new(graph: PipeGraph, notes: Vec<Note>, exit: Exit) -> Self {
        let (threads, scope) = (Threads::new(), Scope::Everything);
        Self { graph, threads, diagnosis: None, notes, exit, scope, audit: None, drawing: None }
    }

    /// Writes it as `--json` does, without the names of users. A saved report is read with `--from`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = Style { width: None, color: false };
        self.view(&Users::default(), false, false).render(&Format::Json, &style, out)
    }

    fn view<'a>(&'a self, users: &'a Users, may_probe: bool, from_file: bool) -> ReportView<'a> {
        let judgment = self.diagnosis.as_ref().map(|diagnosis| Judgment {
            diagnosis,
            groups: &self.threads,
            scope: &self.scope,
            audit: self.audit.as_ref(),
            may_probe,
            from_file,
        });
        ReportView { graph: &self.graph, users, judgment, dataflow: self.drawing.as_ref() }
    }
}

/// What a run of the program was started as.
#[derive(Debug, Clone)]
pub struct Started {
    /// The command of the probe's helper, empty for none; see [`serve_if_asked`](crate::command::serve_if_asked).
    pub helper: Vec<OsString>,
    /// The process that the user started, whose descriptors are those that the user gave. If it is another than the caller, the caller is
    /// not reported.
    pub pid: Pid,
}

impl Default for Started {
    /// This process, without a helper.
    fn default() -> Self {
        Self { helper: Vec::new(), pid: Pid(std::process::id()) }
    }
}

/// A question, and where its answers come from.
struct Session<'a> {
    request: &'a Request,
    source: Source,
    selection: Selection,
    /// The name that meant each of the pipes in the selection.
    names: Vec<PipeName>,
}

/// Answers a question once, without a probe: that takes a helper program.
///
/// # Errors
///
/// If the source cannot be read, or nothing of what was asked about exists.
pub fn report(request: &Request) -> Result<Report, Error> {
    Session::open(request, &Started::default())?.answer()
}

/// Writes the answer to a question, once or again and again, and passes notes to `notify`, each a line without its end.
///
/// # Errors
///
/// As for [`report`], and if the answer cannot be written.
pub fn run(
    request: &Request,
    started: &Started,
    style: &Style,
    out: &mut dyn Write,
    notify: &mut dyn FnMut(&str),
) -> Result<Exit, Error> {
    let mut session = Session::open(request, started)?;
    let mut printed = Vec::new();
    loop {
        let answer = session.answer()?;
        session.write(&answer, style, out)?;
        // Notes are printed again only when they change.
        if !request.output.quiet && answer.notes != printed {
            for note in &answer.notes {
                notify(&note.to_string());
            }
        }
        let Some(pause) = request.source.repeat else {
            let is_incomplete = request.output.require_complete && !answer.graph.coverage.is_complete();
            return Ok(if is_incomplete { Exit::Incomplete } else { answer.exit });
        };
        printed = answer.notes;
        thread::sleep(pause);
    }
}

impl<'a> Session<'a> {
    fn open(request: &'a Request, started: &Started) -> Result<Self, Error> {
        let source = Source::open(request, started)?;
        // Once: a process may end while its pipe goes on.
        let (selection, names) = source.resolve(&request.question)?;
        Ok(Self { request, source, selection, names })
    }

    fn answer(&mut self) -> Result<Report, Error> {
        let request = self.request;
        match &request.question {
            Question::Pipes(_) => self.pipes(),
            Question::Why(_) => self.why(),
            Question::Graph(_) => self.pipelines(),
            Question::Audit(wanted) => self.audit(wanted),
            Question::Tables(pids) => self.tables(pids),
        }
    }

    fn missing(&self, missing: &[Missing<'_>], graph: &PipeGraph) -> Vec<Note> {
        missing.iter().map(|it| Note::missing(it, &self.names, graph, self.source.file())).collect()
    }

    /// What the question takes; claims take the same whatever the format shows.
    fn depth(&self) -> Depth {
        let Request { format, question, probe, .. } = self.request;
        let selection = self.selection.clone();
        let (detail, is_claim) = match question {
            // A pipe is small because of its user.
            Question::Pipes(_) if format.needs_facts() || *probe || !selection.users.is_empty() => (Detail::All, false),
            Question::Tables(_) if format.needs_facts() => (Detail::All, false),
            Question::Pipes(_) | Question::Tables(_) => (Detail::Command, false),
            Question::Why(_) | Question::Graph(_) => (Detail::All, true),
            Question::Audit(_) => (Detail::Audit, true),
        };
        let tables = if let Question::Tables(pids) = question { pids.clone() } else { Vec::new() };
        let (flags, parents) = (is_claim || format.needs_flags(), is_claim || selection.descendants);
        let scan = ScanOptions { flags, detail, parents, tables, ..ScanOptions::default() };
        Depth { scan, selection, probe: *probe }
    }

    fn write(&self, answer: &Report, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
        let request = self.request;
        let is_for_machines = request.format.is_for_machines();
        if request.source.repeat.is_some() && !is_for_machines {
            writeln!(out, "=== {:.3} ===", answer.graph.taken_at)?;
        }
        // Headings alone are not printed, except in formats that need them.
        if is_for_machines || answer.exit != Exit::NothingMatched {
            // An audit has them in its messages, and those are the same in every format.
            let is_named = request.format.needs_users() || answer.audit.is_some();
            let users = if is_named { self.users(&answer.graph) } else { Users::default() };
            let is_saved = self.source.file().is_some();
            answer.view(&users, !request.probe && !is_saved, is_saved).render(&request.format, style, out)?;
        }
        out.flush()?;
        Ok(())
    }

    /// The names of all users in it.
    fn users(&self, graph: &PipeGraph) -> Users {
        match &self.source {
            _ if self.request.output.numeric_uid => Users::default(),
            Source::Live(_) => users_of(graph),
            Source::Saved { saved, .. } => saved.users.clone(),
        }
    }
}
