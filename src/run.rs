//! One run, from options to a written report and an exit status: the order of the steps, nothing of how each is done.

mod audit;
mod diff;
mod graph;
mod report;
mod source;
mod why;

use std::collections::BTreeSet;
use std::io::Write;

use self::source::{Sought, Source};
use crate::audit::AuditScope;
use crate::cli::{Question, Request};
use crate::error::Error;
use crate::judge::dataflow::Drawing;
use crate::model::{Diagnosis, Pipe, PipeGraph, PipeId};
use crate::notes;
use crate::observe::probe;
use crate::observe::proc;
use crate::render::{Asked, Style, Told, render};
use crate::users::Users;
use crate::why::Groups;

pub use self::diff::compare;

/// How a run ended, where it made a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The report was written.
    Reported,
    /// A selection was given and nothing matched.
    NothingMatched,
    /// `why` or an audit found something that is a warning or an error, or `diff` a difference.
    Found,
    /// The report was written, but must not have gaps and has some.
    Incomplete,
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

/// What is to be shown, and what is to be said about it.
struct Answer {
    graph: PipeGraph,
    notes: Vec<String>,
    nothing_matched: bool,
    /// Whether something was found that makes for the exit status.
    is_warning: bool,
    why: Option<Reasons>,
    drawing: Option<Drawing>,
}

impl Answer {
    /// An answer that is all in its pipes.
    const fn of(graph: PipeGraph, notes: Vec<String>) -> Self {
        Self { graph, notes, nothing_matched: false, is_warning: false, why: None, drawing: None }
    }
}

/// What `why` and an audit add.
struct Reasons {
    diagnosis: Diagnosis,
    groups: Groups,
    asked: Asked,
    audited: Option<AuditScope>,
    /// Whether --probe could add something.
    may_probe: bool,
}

impl Reasons {
    const fn told(&self) -> Told<'_> {
        Told {
            diagnosis: &self.diagnosis,
            groups: &self.groups,
            asked: &self.asked,
            audited: self.audited.as_ref(),
            may_probe: self.may_probe,
        }
    }
}

/// Makes the report, once or again and again, and passes notes to `notify`, each a line without its end.
///
/// # Errors
///
/// If the report cannot be made or written.
pub fn run(options: &Request, style: &Style, out: &mut dyn Write, notify: &mut dyn FnMut(&str)) -> Result<Exit, Error> {
    let source = Source::open(options)?;
    // Once: a process may end while its pipe goes on.
    let sought = match &options.question {
        Question::Pipes(wanted) | Question::Why(wanted) | Question::Graph(wanted) => source.resolve(wanted)?,
        Question::Audit(_) | Question::Tables(_) => Sought::default(),
    };
    let mut said = Vec::new();
    // Each question about one of these may cost a process that hangs, so it is asked once only.
    let mut untouchable = BTreeSet::new();
    loop {
        let answer = match &options.question {
            Question::Pipes(_) => report::pipes(options, &source, &sought, &mut untouchable)?,
            Question::Why(_) => why::reasons(options, &source, &sought, &mut untouchable)?,
            Question::Graph(_) => graph::pipelines(options, &source, &sought, &mut untouchable)?,
            Question::Audit(wanted) => audit::findings(options, &source, wanted, &mut untouchable)?,
            Question::Tables(pids) => report::tables(options, &source, pids)?,
        };
        write(options, &source, &answer, style, out)?;
        // What was said of the last report need not be said again.
        if !options.output.quiet && answer.notes != said {
            answer.notes.iter().for_each(|note| notify(note));
        }
        match options.source.repeat {
            Some(pause) => {
                said = answer.notes;
                std::thread::sleep(pause);
            }
            None if options.output.require_complete && !answer.graph.coverage.is_complete() => {
                return Ok(Exit::Incomplete);
            }
            None if answer.is_warning => return Ok(Exit::Found),
            None if answer.nothing_matched => return Ok(Exit::NothingMatched),
            None => return Ok(Exit::Reported),
        }
    }
}

/// Asks the kernel about these pipes, and says what is to be said of the answers.
fn probe(graph: &mut PipeGraph, pipes: &[PipeId], untouchable: &mut BTreeSet<PipeId>) -> Result<Vec<String>, Error> {
    let pipes: Vec<&Pipe> = pipes.iter().filter_map(|id| graph.pipe(*id)).collect();
    let answers = match probe::probe(&pipes, graph, untouchable) {
        Ok(answers) => answers,
        Err(cause) => return Ok(vec![notes::no_probe(&cause)]),
    };
    untouchable.extend(answers.pipes.iter().filter(|(_, probed)| probed.unanswered).map(|(id, _)| *id));
    graph.probed.clone_from(&answers.pipes);
    if graph.pipes.iter().any(|pipe| graph.hides_any(pipe)) {
        graph.hidden = proc::hidden(&graph.coverage.proc_root)?;
    }
    Ok(notes::probe(graph, &answers))
}

fn write(options: &Request, source: &Source, answer: &Answer, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
    let Answer { graph, nothing_matched, why, drawing, .. } = answer;
    let is_for_machines = options.format.is_for_machines();
    if options.source.repeat.is_some() && !is_for_machines {
        writeln!(out, "=== {:.3} ===", graph.taken_at)?;
    }
    // Headings over nothing would only be in the way; what machines read says by itself that there is nothing.
    if is_for_machines || !nothing_matched {
        // An audit names them in sentences, and those are the same in every form.
        let named = options.format.needs_users() || matches!(options.question, Question::Audit(_));
        let users = match source {
            _ if options.output.numeric_uid || !named => Users::default(),
            Source::Live(_) => Users::of(graph),
            Source::Saved { saved, .. } => saved.users.clone(),
        };
        let told = why.as_ref().map(Reasons::told);
        render(graph, &users, told.as_ref(), drawing.as_ref(), &options.format, style, out)?;
    }
    out.flush()?;
    Ok(())
}
