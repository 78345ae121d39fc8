//! One run: resolve what was named, observe, judge, select, render. Only the order of these steps is here, not how each is done.

mod audit;
mod diff;
mod error;
mod live;
#[cfg(test)]
mod mutations;
mod pipes;
mod source;
mod why;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::thread;

use self::live::{Live, Screen};
use self::source::Source;
use crate::cli::{PipeName, Question, Request};
use crate::findings::{AuditScope, Diagnosis};
use crate::judge::dataflow::Dataflow;
use crate::model::{Pid, PipeGraph, PipeId, Threads, Users};
use crate::note::Note;
use crate::observe::Depth;
use crate::observe::proc::{Detail, ScanOptions};
use crate::render::{Format, Style};
use crate::report::{Judgment, ReportView, Scope};
use crate::select::{CommandPattern, Missing, PipeMatch, Selection, keep, selected, selected_processes};
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
    why: Option<AuditScope>,
    drawing: Option<Dataflow>,
}

impl Report {
    fn new(graph: PipeGraph, notes: Vec<Note>, exit: Exit) -> Self {
        let (threads, scope) = (Threads::new(), Scope::Everything);
        Self { graph, threads, diagnosis: None, notes, exit, scope, audit: None, why: None, drawing: None }
    }

    /// Writes it as `--json` does, without the names of users. A saved report is read with `--from`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = Style::default();
        self.view(&Users::default(), false, false).render(&Format::Json, &style, out)
    }

    fn view<'a>(&'a self, users: &'a Users, may_probe: bool, from_file: bool) -> ReportView<'a> {
        let judgment = self.diagnosis.as_ref().map(|diagnosis| Judgment {
            diagnosis,
            groups: &self.threads,
            scope: &self.scope,
            audit: self.audit.as_ref(),
            why: self.why.as_ref(),
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
    Session::open(request, &Started::default())?.answer(&mut |_| ())
}

/// Who hears what a run has to say besides its answer.
pub struct Listeners<'a> {
    /// Hears notes, each a line without its end.
    pub note: &'a mut dyn FnMut(&str),
    /// Hears what is being done, where that takes long.
    pub progress: &'a mut dyn FnMut(&str),
}

/// Writes the answer to a question, once or again and again.
///
/// # Errors
///
/// As for [`report`], and if the answer cannot be written.
pub fn run(
    request: &Request,
    started: &Started,
    style: &Style,
    out: &mut dyn Write,
    listeners: &mut Listeners<'_>,
) -> Result<Exit, Error> {
    let mut session = Session::open(request, started)?;
    let mut printed = Vec::new();
    let mut live = session.is_live(style).then(Live::default);
    loop {
        let answer = session.answer(listeners.progress)?;
        let notes = if request.output.quiet { &[][..] } else { &answer.notes[..] };
        if let (Some(live), Some(rows), Some(pause)) = (&mut live, style.rows, request.source.repeat) {
            let mut text = Vec::new();
            session.write(&answer, &Live::style(style), &mut text)?;
            let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
            let screen = Screen { rows, columns: style.width };
            live.draw(&String::from_utf8_lossy(&text), &notes, pause, screen, out)?;
            out.flush()?;
        } else {
            if request.source.repeat.is_some() && !request.format.is_for_machines() {
                writeln!(out, "=== {:.3} ===", answer.graph.taken_at)?;
            }
            session.write(&answer, style, out)?;
            // Notes are printed again only when they change.
            if *notes != *printed {
                for note in notes {
                    (listeners.note)(&note.to_string());
                }
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

/// The processes and pipes of a selection, and notes about what of it matches nothing.
type Matched = (BTreeSet<Pid>, BTreeSet<PipeId>, Vec<Note>);

impl<'a> Session<'a> {
    fn open(request: &'a Request, started: &Started) -> Result<Self, Error> {
        let mut source = Source::open(request, started)?;
        // Once: a process may end while its pipe goes on.
        let (selection, names) = source.resolve(&request.question)?;
        Ok(Self { request, source, selection, names })
    }

    /// Whether the report is drawn again and again in one place.
    fn is_live(&self, style: &Style) -> bool {
        let format = &self.request.format;
        let is_list = format.is_for_machines() || matches!(format, Format::Terse(_));
        self.request.source.repeat.is_some() && style.rows.is_some() && !is_list
    }

    fn answer(&mut self, progress: &mut dyn FnMut(&str)) -> Result<Report, Error> {
        let request = self.request;
        match &request.question {
            Question::Pipes(_) => self.pipes(),
            Question::Why(_) => self.why(progress),
            Question::Graph(_) => self.pipelines(),
            Question::Audit(wanted) => self.audit(wanted, progress),
            Question::Tables(_) => self.tables(),
        }
    }

    /// Why the names of commands select nothing, where they do not. `is_empty` if nothing was selected.
    fn unmatched(&self, graph: &PipeGraph, is_empty: bool) -> Result<Vec<Note>, Error> {
        let commands = &self.selection.commands;
        let holders = || graph.processes.values();
        let is_held = |name: &[u8]| holders().any(|process| CommandPattern::is_name_of(name, &process.command));
        if commands.is_empty()
            || (!is_empty && commands.iter().flat_map(CommandPattern::names).all(|name| is_held(name)))
        {
            return Ok(Vec::new());
        }
        Ok(Note::unmatched(&self.selection, &self.source.named_processes()?, self.source.file(), is_empty))
    }

    /// The selected processes and pipes, and notes about names that match nothing. An error if nothing is selected.
    fn matched(&self, graph: &PipeGraph) -> Result<Matched, Error> {
        let (selection, file) = (&self.selection, self.source.file());
        let pids = selected_processes(graph, selection);
        let pipes: BTreeSet<PipeId> = selected(graph, selection).map(|pipe| pipe.id).collect();
        let is_empty = pipes.is_empty() && pids.is_empty();
        let unmatched = self.unmatched(graph, is_empty)?;
        if is_empty {
            let note = unmatched.into_iter().next();
            return Err(note.unwrap_or_else(|| Note::nothing_matched(selection, file)).into());
        }
        Ok((pids, pipes, unmatched))
    }

    /// A report of nothing, with the reason as a note, where nothing matched and the format is valid only in full; otherwise the error.
    fn without_pipes(&self, graph: PipeGraph, error: Error) -> Result<Report, Error> {
        let file = self.source.file();
        match error {
            Error::NothingThere(note)
                if self.request.format.is_for_machines() && !matches!(*note, Note::UnreadableTable { .. }) =>
            {
                let mut graph = keep(graph, &BTreeSet::new());
                graph.descriptors.clear();
                let notes = std::iter::once(*note).chain(Note::coverage(&graph, file)).collect();
                Ok(Report::new(graph, notes, Exit::NothingMatched))
            }
            error => Err(error),
        }
    }

    fn missing(&self, missing: &[Missing<'_>], graph: &PipeGraph) -> Vec<Note> {
        Note::folded(missing.iter().map(|it| self.missing_note(it, graph)).collect())
    }

    /// That a part of the selection cannot be shown.
    fn missing_note(&self, missing: &Missing<'_>, graph: &PipeGraph) -> Note {
        Note::missing(missing, &self.names, graph, self.source.file(), self.request.question.command())
    }

    /// What the question takes, with the fd tables of these processes; claims take the same whatever the format shows.
    fn depth(&self, tables: &[Pid]) -> Depth {
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
        let tables = tables.to_vec();
        // A list has them only where it is asked for.
        let channels = match question {
            Question::Pipes(_) => {
                let is_channel = |pipe: &PipeMatch| match pipe {
                    PipeMatch::Id(id) => !id.kind().is_pipe(),
                    PipeMatch::Inode(_) => true,
                };
                selection.kinds.iter().any(|kind| !kind.is_pipe()) || selection.pipes.iter().any(is_channel)
            }
            _ => true,
        };
        let (flags, parents) = (is_claim || format.needs_flags(), is_claim || selection.descendants);
        let scan = ScanOptions { flags, detail, channels, parents, tables, ..ScanOptions::default() };
        let polled = matches!(question, Question::Pipes(_)) && format.shows_polled();
        Depth { scan, selection, probe: *probe, polled }
    }

    fn write(&self, answer: &Report, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
        let request = self.request;
        let is_for_machines = request.format.is_for_machines();
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
