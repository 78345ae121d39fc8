//! One run, from options to a written report and an exit status: the order of the steps, nothing of how each is done.

mod graph;
mod why;

use std::collections::BTreeSet;
use std::io::Write;

use crate::error::Error;
use crate::graph::Drawing;
use crate::join::{add_openers, join};
use crate::model::{Diagnosis, Pid, Pipe, PipeGraph, PipeId, Severity};
use crate::notes;
use crate::options::{Options, PipeName, Question, Wanted};
use crate::probe;
use crate::render::{Asked, Style, Told, render};
use crate::scan::{self, Facts, Want};
use crate::select::{PipeMatch, Selection, keep, select, select_tables, selected, selected_processes};
use crate::users::{self, Users};
use crate::why::{Groups, locked};

/// How a run ended, where it made a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The report was written.
    Reported,
    /// A selection was given and nothing matched.
    NothingMatched,
    /// `why` found something that is a warning or an error.
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
    why: Option<Reasons>,
    drawing: Option<Drawing>,
}

/// What `why` adds.
struct Reasons {
    diagnosis: Diagnosis,
    groups: Groups,
    asked: Asked,
}

/// Makes the report, once or again and again, and passes notes to `notify`, each a line without its end.
///
/// # Errors
///
/// If the report cannot be made or written.
pub fn run(options: &Options, style: &Style, out: &mut dyn Write, notify: &mut dyn FnMut(&str)) -> Result<Exit, Error> {
    // Once: a process may end while its pipe goes on.
    let selection = match &options.question {
        Question::Pipes(wanted) | Question::Why(wanted) | Question::Graph(wanted) => resolve(options, wanted)?,
        Question::Tables(_) => Selection::default(),
    };
    let mut said = Vec::new();
    // Each question about one of these may cost a process that hangs, so it is asked once only.
    let mut untouchable = BTreeSet::new();
    loop {
        let answer = match &options.question {
            Question::Pipes(wanted) => pipes(options, wanted, &selection, &mut untouchable)?,
            Question::Why(wanted) => reasons(options, wanted, &selection, &mut untouchable)?,
            Question::Graph(wanted) => graph::pipelines(options, wanted, &selection, &mut untouchable)?,
            Question::Tables(pids) => tables(options, pids)?,
        };
        write(options, &answer, style, out)?;
        // What was said of the last report need not be said again.
        if !options.quiet && answer.notes != said {
            answer.notes.iter().for_each(|note| notify(note));
        }
        match options.repeat {
            Some(pause) => {
                said = answer.notes;
                std::thread::sleep(pause);
            }
            None if options.require_complete && !answer.graph.coverage.is_complete() => {
                return Ok(Exit::Incomplete);
            }
            None if answer.is_warning() => return Ok(Exit::Found),
            None if answer.nothing_matched => return Ok(Exit::NothingMatched),
            None => return Ok(Exit::Reported),
        }
    }
}

impl Answer {
    /// Whether anything was found that is more than worth knowing.
    fn is_warning(&self) -> bool {
        let findings = self.why.iter().flat_map(|why| &why.diagnosis.findings);
        findings.map(crate::model::Finding::severity).any(|severity| severity < Severity::Info)
    }
}

fn pipes(
    options: &Options,
    wanted: &Wanted,
    selection: &Selection,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    // Whoever opens a FIFO has no descriptor yet: to find them, every thread has to be looked at.
    let names_fifo =
        selection.pipes.iter().any(|pipe| matches!(pipe, PipeMatch::Id(PipeId::Fifo { .. }) | PipeMatch::Inode(_)));
    let groups = if names_fifo { scan::threads(&options.proc_root, None)? } else { Groups::new() };
    let mut graph = join(scan::scan(&Want {
        proc_root: options.proc_root.clone(),
        flags: options.format.needs_flags(),
        // Whose a pipe is tells why it is small.
        facts: facts(options.format.needs_facts() || !selection.users.is_empty() || options.probe),
        parents: selection.descendants,
        tables: Vec::new(),
        also: why::opening(&groups),
    })?);
    add_openers(&mut graph, &groups);
    let mut notes = notes::no_process(&selection.pids, &graph);
    notes.extend(notes::unreadable(&selection.pids, &graph));
    notes.extend(notes::no_pipe(&wanted.pipes, &selection.pipes, &graph));
    let mut graph = select(graph, selection);
    let nothing_matched = graph.pipes.is_empty() && !selection.is_everything();
    if nothing_matched && notes.is_empty() {
        notes.push(notes::nothing_matched(selection));
    }
    notes.extend(notes::coverage(&graph));
    if options.probe {
        let holders: Vec<Pid> = graph.processes.keys().copied().collect();
        untouchable.extend(locked(&scan::threads(&options.proc_root, Some(&holders))?));
        let shown: Vec<PipeId> = graph.pipes.iter().map(|pipe| pipe.id).collect();
        notes.extend(probe(&mut graph, &shown, untouchable)?);
    }
    Ok(Answer { graph, notes, nothing_matched, why: None, drawing: None })
}

fn reasons(
    options: &Options,
    wanted: &Wanted,
    selection: &Selection,
    untouchable: &mut BTreeSet<PipeId>,
) -> Result<Answer, Error> {
    let why::Found { mut graph, groups, mut diagnosis, notes: probed } =
        why::find_out(options, selection, untouchable)?;
    let mut notes = notes::no_process(&selection.pids, &graph);
    let no_pipe = notes::no_pipe(&wanted.pipes, &selection.pipes, &graph);
    // To say that nothing is wrong with what is not there would be misleading.
    for (missing, named) in [(&notes, selection.pids.len()), (&no_pipe, selection.pipes.len())] {
        if let Some(first) = missing.first()
            && missing.len() == named
        {
            return Err(Error::NothingThere(first.clone()));
        }
    }
    let unreadable = notes::unreadable(&selection.pids, &graph);
    let waits = |pid: &Pid| diagnosis.waits.iter().any(|wait| wait.task.pid == *pid);
    if let Some(first) = unreadable.first()
        && !selection.pids.iter().any(waits)
    {
        return Err(Error::Unreadable(first.clone()));
    }
    notes.extend(unreadable);
    notes.extend(no_pipe);
    notes.extend(notes::coverage(&graph));
    notes.extend(probed);
    let pids = selected_processes(&graph, selection);
    let asked = if selection.is_everything() {
        Asked::Everything
    } else {
        let pipes: BTreeSet<PipeId> = selected(&graph, selection).map(|pipe| pipe.id).collect();
        if pipes.is_empty() && pids.is_empty() {
            return Err(Error::NothingThere(notes::nothing_matched(selection)));
        }
        why::narrow(&mut diagnosis, &pipes, &pids);
        graph = keep(graph, &pipes.iter().copied().chain(why::pipes_of(&diagnosis)).collect());
        if pids.is_empty() { Asked::Pipes(pipes) } else { Asked::Processes(pids) }
    };
    Ok(Answer { graph, notes, nothing_matched: false, why: Some(Reasons { diagnosis, groups, asked }), drawing: None })
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
        graph.hidden = scan::hidden(&graph.coverage.proc_root)?;
    }
    Ok(notes::probe(graph, &answers))
}

fn tables(options: &Options, pids: &[Pid]) -> Result<Answer, Error> {
    let graph = join(scan::scan(&Want {
        proc_root: options.proc_root.clone(),
        flags: options.format.needs_flags(),
        facts: facts(options.format.needs_facts()),
        parents: false,
        tables: pids.to_vec(),
        also: Vec::new(),
    })?);
    let mut notes = notes::no_process(pids, &graph);
    let unreadable = notes::unreadable(pids, &graph);
    if graph.descriptors.is_empty()
        && let Some(reason) = unreadable.first()
    {
        return Err(Error::Unreadable(reason.clone()));
    }
    notes.extend(unreadable);
    let nothing_matched = pids.iter().all(|pid| !graph.parents.contains_key(pid));
    let graph = select_tables(graph);
    notes.extend(notes::coverage(&graph));
    Ok(Answer { graph, notes, nothing_matched, why: None, drawing: None })
}

fn write(options: &Options, answer: &Answer, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
    let Answer { graph, nothing_matched, why, drawing, .. } = answer;
    let is_for_machines = options.format.is_for_machines();
    if options.repeat.is_some() && !is_for_machines {
        writeln!(out, "=== {:.3} ===", graph.taken_at)?;
    }
    // Headings over nothing would only be in the way; what machines read says by itself that there is nothing.
    if is_for_machines || !nothing_matched {
        let users =
            if options.format.needs_users() && !options.numeric_uid { Users::of(graph) } else { Users::default() };
        let told = why.as_ref().map(|Reasons { diagnosis, groups, asked }| Told {
            diagnosis,
            groups,
            asked,
            probed: options.probe,
        });
        render(graph, &users, told.as_ref(), drawing.as_ref(), &options.format, style, out)?;
    }
    out.flush()?;
    Ok(())
}

/// Looks up what the selection names: users, and the pipes that paths lead to.
fn resolve(options: &Options, wanted: &Wanted) -> Result<Selection, Error> {
    let pipe = |name: &PipeName| match name {
        PipeName::Id(id) => Ok(PipeMatch::Id(*id)),
        PipeName::Inode(inode) => Ok(PipeMatch::Inode(*inode)),
        PipeName::Path(path) => scan::pipe_at(&options.proc_root, path).map(PipeMatch::Id),
    };
    Ok(Selection {
        pids: wanted.pids.clone(),
        descendants: wanted.descendants,
        commands: wanted.commands.clone(),
        users: wanted.users.iter().map(|name| users::user(name)).collect::<Result<_, _>>()?,
        kinds: wanted.kinds.clone(),
        no_reader: wanted.no_reader,
        no_writer: wanted.no_writer,
        pipes: wanted.pipes.iter().map(pipe).collect::<Result<_, _>>()?,
    })
}

const fn facts(all: bool) -> Facts {
    if all { Facts::All } else { Facts::Command }
}
