//! What is printed on stderr besides the report: what does not exist, and what could not be seen, each with what to do. Notes are data,
//! and no decision depends on their text or number.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use thiserror::Error;

use self::text::{
    cause, errno, first_pipes, in_file, incomplete, no_pipe, not_listed, of_host, outside, possible_holders,
    private_mounts, quote_path, similar, sockets_and_terminals, unread, unreadable_tables, were_left_out, would_match,
};
use crate::cli::PipeName;
use crate::escape::quote_name;
use crate::judge::processes::{NO_THREADS, Processes};
use crate::judge::side::{self, Unread};
use crate::model::{
    CommandName, Gap, Pid, Pipe, PipeGraph, PipeId, PossibleEnds, Process, ScanLimit, Side, Suspects, Time, Uid,
    ViewLimit,
};
use crate::observe::probe::{Answers, Unsupported};
use crate::observe::proc::OtherFiles;
use crate::privilege;
use crate::select::{CommandPattern, Missing, Selection};

/// Maximum number of pipes that have a note each.
const MAX_PIPES: usize = 6;

/// The capacity of a small pipe in bytes, `PIPE_MIN_DEF_BUFFERS` pages in `include/linux/pipe_fs_i.h`; before Linux 5.14 one page.
const SMALL: [u64; 2] = [4096, 8192];

/// The usual capacity in bytes: `PIPE_DEF_BUFFERS` pages.
const USUAL: u64 = 65536;

/// A note. `file` is the saved report that answers; none where the machine was observed.
#[expect(missing_docs, reason = "the fields are named by what they hold")]
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Note {
    /// A selected process does not exist. `proc_root` is the proc that does not list it.
    #[error("no process {pid} in {}{}", quote_path(.proc_root), not_listed(*.outside))]
    NoProcess { pid: Pid, proc_root: PathBuf, outside: Option<ViewLimit> },
    /// A selected process is not in the saved report.
    #[error("no process {pid} in {file}, which contains only processes that hold an end of a pipe")]
    NoSavedProcess { pid: Pid, file: String },
    /// The fd table of a selected process could not be read, nor those of `others` by the same error.
    #[error("{}", unreadable_tables(.gap, .others, .file, .cure))]
    UnreadableTable { gap: Gap, others: Vec<Pid>, file: Option<String>, cure: Cure },
    /// A saved report lacks the fd table of a process.
    #[error("the fd table of process {pid} is not in {file}: only `lspipe fds {pid} --json` saves it")]
    NoTable { pid: Pid, file: String },
    /// No process has a selected pipe open. `process` is the process with that number, if there is one, for which there is a `command`.
    #[error("{}", no_pipe(.name, *.process, .command))]
    NoPipe { name: PipeName, process: Option<Pid>, command: &'static str },
    /// No process has this name. `similar` are the names that contain it, and the pattern that matches them.
    #[error("no process{} is named {}{}", in_file(.file), quote_name(.name), would_match(.similar.as_ref()))]
    NoCommand { name: CommandName, similar: Option<(String, Vec<CommandName>)>, file: Option<String> },
    /// No process has a name that matches this expression.
    #[error("no process{} has a name that matches /{regex}/", in_file(.file))]
    NoCommandMatches { regex: String, file: Option<String> },
    /// The one process that was selected by its PID has another name than was asked for.
    #[error("process {pid} is named {}; --pid and --command are combined with AND", quote_name(.name))]
    OtherName { pid: Pid, name: CommandName },
    /// There are processes of this name, and none holds a pipe.
    #[error("no process named {} is known to hold an end of any pipe", quote_name(.0))]
    NoEndOf(CommandName),
    /// There is no such process.
    #[error("no process matches")]
    NoSuchProcess,
    /// The selection left nothing.
    #[error("no pipe matches")]
    NothingMatched,
    /// The one process that was selected, by its PID alone, holds no end.
    #[error("process {pid} is not known to hold an end of any pipe{}", if *.live { format!("; what it waits for: lspipe why -p {pid}") } else { String::new() })]
    NoEnd { pid: Pid, live: bool },
    /// The one process that was selected holds only ends that are not drawn, since they are copies.
    #[error("process {0} holds only inherited copies of ends; to list them: lspipe -p {0}")]
    OnlyCopiesIn(Pid),
    /// The selection left only ends that are not drawn.
    #[error("the selected processes hold only inherited copies of ends; lspipe with the same selection lists them")]
    OnlyCopies,
    /// The selected processes have files open that may be channels of other kinds. `pid` is the process, where it is one.
    #[error(
        "{} {} open; -k all shows those that are connected to another process",
        .pid.map_or_else(|| "the selected processes also have".to_owned(), |pid| format!("process {pid} also has")),
        sockets_and_terminals(*.sockets, *.terminals)
    )]
    OtherFiles { pid: Option<Pid>, sockets: usize, terminals: usize },
    /// A saved report lacks processes without a pipe, and so some descendants.
    #[error("{file} contains only processes that hold a pipe: descendants through other processes are missing")]
    NoOtherProcesses { file: String },
    /// A saved report is that of a selection.
    #[error("{file} was saved with a selection and contains only those pipes")]
    IsPart { file: String },
    /// A saved report is of that host at that time.
    #[error("{file}: a report{}, saved at {taken_at:.0}", of_host(.hostname))]
    SavedReport { file: String, hostname: Option<String>, taken_at: Time },
    /// Two reports are of different boots.
    #[error("{old} and {new} are of different machines, or of different boots of one, so that no pipe can be in both")]
    OtherBoot { old: String, new: String },
    /// Two reports seem to be in the wrong order.
    #[error("{new} was saved before {old}: swap them, or read + as - and - as +")]
    IsEarlier { old: String, new: String },
    /// The findings were written to a baseline.
    #[error("{}: {findings} finding{} written to the baseline", quote_path(.path), if *.findings == 1 { "" } else { "s" })]
    BaselineWritten { path: PathBuf, findings: usize },
    /// A call did not return, or something was not read that has nothing to do with pipes.
    #[error("{}", unread(.0))]
    Unread(Gap),
    /// Processes could not be read and may hold pipes. `only` is the process, where it is one.
    #[error("{}", incomplete(*.unreadable, *.processes, .only, .file, .cure))]
    Incomplete {
        unreadable: usize,
        processes: usize,
        only: Option<(Pid, CommandName)>,
        file: Option<String>,
        cure: Cure,
    },
    /// Processes were left out, since a limit of the scan was reached.
    #[error("{}", were_left_out(*.left_out, *.processes, *.limit, .file))]
    LeftOut { left_out: usize, processes: usize, limit: ScanLimit, file: Option<String> },
    /// The file systems of these descriptors answer their own users only. `gap` is the first of them, `fds` their number.
    #[error("{}", private_mounts(.gap, *.fds, .file))]
    PrivateMounts { gap: Gap, fds: u64, file: Option<String> },
    /// The proc does not list all processes. `own_pids` as in [`Coverage`](crate::model::Coverage).
    #[error("{}", outside(*.limit, *.own_pids, .file.is_some()))]
    Outside { limit: ViewLimit, own_pids: bool, file: Option<String> },
    /// The kernel was not asked.
    #[error("--probe: the kernel cannot be asked here: {0}")]
    NoProbe(Unsupported),
    /// An end exists that is in no fd table.
    #[error("{pipe} has a {} that no fd table shows: possibly {}", .sides.iter().map(|side| side.holder()).collect::<Vec<_>>().join(" and a "), possible_holders(.holders))]
    HiddenEnd { pipe: PipeId, sides: Vec<Side>, holders: Suspects },
    /// The number of further pipes with such an end.
    #[error("{0} more pipes have an end that no fd table shows")]
    MoreHiddenEnds(usize),
    /// A question about these pipes was not answered in time.
    #[error(
        "{} did not answer in time, and the contents are not known: the lock of a pipe is held, as by splice(2) from a dead file system",
        first_pipes(.0)
    )]
    Unanswered(Vec<PipeId>),
    /// The processes on this number of pipes refused.
    #[error("{pipes} pipes could not be probed: {cure}")]
    Refused { pipes: usize, cure: Cure },
    /// This number of pipes of each user is small, probably because of `pipe-user-pages-soft`.
    #[error(
        "some pipes have a capacity of at most 8192 bytes instead of {USUAL} ({}): new pipes of a user with more than \
         pipe-user-pages-soft ({soft}) pages in pipes are that small, unless they were made small on purpose",
        .counts.iter().map(|(uid, count)| format!("{count} of user {uid}")).collect::<Vec<_>>().join(", ")
    )]
    SmallPipes { counts: BTreeMap<Uid, usize>, soft: u64 },
}

/// What to do about processes that could not be read.
#[expect(missing_docs, reason = "the texts say it")]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cure {
    #[error("their files are missing from this tree or not readable")]
    CompleteTree,
    #[error("lspipe itself may have too few files open: raise its limit, for example with `ulimit -n 1024`")]
    RaiseFileLimit,
    #[error("{}", cause(*.0))]
    Limit(ScanLimit),
    #[error("{0}, see errno(3)")]
    Errno(String),
    #[error("denied even to root, as by a security module")]
    SecurityModule,
    #[error("run as root (sudo)")]
    Privileges,
    /// Capabilities of a user namespace are good for its own processes only.
    #[error("run as root of the initial user namespace")]
    InitialNamespace,
    /// As root of a container without them.
    #[error("run with more capabilities, see PERMISSIONS in lspipe(1)")]
    Capabilities,
}

impl Note {
    /// A part of the selection that cannot be shown. `names` are those of its pipes.
    pub(crate) fn missing(
        missing: &Missing<'_>,
        names: &[PipeName],
        graph: &PipeGraph,
        file: Option<&str>,
        command: &'static str,
    ) -> Self {
        let coverage = &graph.coverage;
        match (missing, file) {
            (Missing::Process(pid), Some(file)) => Self::NoSavedProcess { pid: *pid, file: file.to_owned() },
            (Missing::Process(pid), None) => {
                let (proc_root, outside) = (coverage.proc_root.clone(), coverage.outside);
                Self::NoProcess { pid: *pid, proc_root, outside }
            }
            (Missing::Table(gap), _) => {
                let (gap, file) = ((*gap).clone(), file.map(str::to_owned));
                Self::UnreadableTable { gap, others: Vec::new(), file, cure: Cure::new(graph) }
            }
            (Missing::Pipe(place), _) => {
                let name = names[*place].clone();
                let pid = if let PipeName::Inode(number) = name { u32::try_from(number).ok().map(Pid) } else { None };
                Self::NoPipe { name, process: pid.filter(|pid| graph.parents.contains_key(pid)), command }
            }
        }
    }

    /// Makes one note of the tables that could not be read by the same error.
    pub(crate) fn folded(notes: Vec<Self>) -> Vec<Self> {
        let mut folded: Vec<Self> = Vec::new();
        for note in notes {
            let same = match &note {
                Self::UnreadableTable { gap, .. } => folded.iter_mut().find_map(|earlier| match earlier {
                    Self::UnreadableTable { gap: first, others, .. } if first.error == gap.error => {
                        Some((others, gap.pid))
                    }
                    _ => None,
                }),
                _ => None,
            };
            match same {
                Some((others, pid)) => others.push(pid),
                None => folded.push(note),
            }
        }
        folded
    }

    pub(crate) fn nothing_matched(selection: &Selection, file: Option<&str>) -> Self {
        match selection.pids.as_slice() {
            [pid] if !selection.narrows_beyond_pids() && !selection.descendants => {
                Self::NoEnd { pid: *pid, live: file.is_none() }
            }
            _ => Self::NothingMatched,
        }
    }

    /// Why the selected commands mean no process, or no pipe where nothing `is_empty`; `processes` are all.
    pub(crate) fn unmatched(
        selection: &Selection,
        processes: &BTreeMap<Pid, Process>,
        file: Option<&str>,
        is_empty: bool,
    ) -> Vec<Self> {
        let file = || file.map(str::to_owned);
        let mut notes = Vec::new();
        for pattern in &selection.commands {
            for name in pattern.names() {
                if !processes.values().any(|process| CommandPattern::is_name_of(name, &process.command)) {
                    let similar = similar(name, processes.values().map(|process| &process.command));
                    notes.push(Self::NoCommand { name: name.as_slice().into(), similar, file: file() });
                }
            }
            if let CommandPattern::Regex(regex) = pattern
                && !processes.values().any(|process| pattern.matches(&process.command))
            {
                notes.push(Self::NoCommandMatches { regex: regex.as_str().to_owned(), file: file() });
            }
        }
        if notes.is_empty() && is_empty {
            notes.extend(match (selection.pids.as_slice(), selection.commands.as_slice()) {
                ([pid], commands) => {
                    let process = processes.get(pid).filter(|process| {
                        !commands.is_empty() && !commands.iter().any(|command| command.matches(&process.command))
                    });
                    process.map(|process| Self::OtherName { pid: *pid, name: process.command.clone() })
                }
                ([], [pattern]) if selection.is_of_commands() => {
                    pattern.names().first().map(|name| Self::NoEndOf(name.as_slice().into()))
                }
                _ => None,
            });
        }
        notes
    }

    pub(crate) fn only_copies(selection: &Selection) -> Self {
        if let [pid] = selection.pids.as_slice() { Self::OnlyCopiesIn(*pid) } else { Self::OnlyCopies }
    }

    /// That the selected processes have more open than the list shows, if they do.
    pub(crate) fn other_files(selection: &Selection, OtherFiles { sockets, terminals }: OtherFiles) -> Option<Self> {
        let pid = if let [pid] = selection.pids.as_slice() { Some(*pid) } else { None };
        (sockets + terminals > 0).then_some(Self::OtherFiles { pid, sockets, terminals })
    }

    /// That a saved report lacks some of the selected descendants, if it does.
    pub(crate) fn no_other_processes(selection: &Selection, graph: &PipeGraph, file: Option<&str>) -> Option<Self> {
        let file = file.filter(|_| selection.descendants)?.to_owned();
        let processes = Processes::new(graph, &NO_THREADS);
        let is_whole = graph.processes.keys().all(|pid| processes.knows_ancestors(*pid));
        (!is_whole).then_some(Self::NoOtherProcesses { file })
    }

    /// The machine and time of a saved report, for what depends on them, and whether it is that of a selection.
    pub(crate) fn saved_report(graph: &PipeGraph, file: Option<&str>) -> Vec<Self> {
        let Some(file) = file.map(str::to_owned) else { return Vec::new() };
        let hostname = graph.host.hostname.clone();
        let saved = Self::SavedReport { file: file.clone(), hostname, taken_at: graph.taken_at };
        std::iter::once(saved).chain(graph.selected.then_some(Self::IsPart { file })).collect()
    }

    /// What the scan could not see.
    pub(crate) fn coverage(graph: &PipeGraph, file: Option<&str>) -> Vec<Self> {
        let file = file.map(str::to_owned);
        let coverage = &graph.coverage;
        let mut of_limits: BTreeMap<ScanLimit, BTreeSet<Pid>> = BTreeMap::new();
        for gap in &coverage.gaps {
            if let Some(limit) = gap.limit() {
                of_limits.entry(limit).or_default().insert(gap.pid);
            }
        }
        let read = coverage.gaps.iter().filter(|gap| gap.limit().is_none());
        let (timeouts, others): (Vec<&Gap>, Vec<&Gap>) = read.partition(|gap| gap.is_timeout());
        let (harmless, gaps): (Vec<&Gap>, Vec<&Gap>) =
            others.into_iter().partition(|gap| gap.may_hold == PossibleEnds::NOTHING);
        let (private, gaps): (Vec<&Gap>, Vec<&Gap>) = gaps.into_iter().partition(|gap| gap.is_private_mount());
        let mut notes: Vec<Self> = timeouts.into_iter().chain(harmless).cloned().map(Self::Unread).collect();
        notes.extend(private.first().map(|first| {
            let fds = private.iter().fold(0_u64, |sum, gap| sum.saturating_add(gap.fds.unwrap_or(1)));
            Self::PrivateMounts { gap: (*first).clone(), fds, file: file.clone() }
        }));
        if !gaps.is_empty() {
            let only = if let [gap] = gaps.as_slice() { Some((gap.pid, gap.command.clone())) } else { None };
            let unreadable = gaps.chunk_by(|a, b| a.pid == b.pid).count();
            let (processes, file) = (coverage.processes, file.clone());
            notes.push(Self::Incomplete { unreadable, processes, only, file, cure: Cure::new(graph) });
        }
        notes.extend(of_limits.into_iter().map(|(limit, left_out)| {
            let (left_out, processes, file) = (left_out.len(), coverage.processes, file.clone());
            Self::LeftOut { left_out, processes, limit, file }
        }));
        notes.extend(coverage.outside.map(|limit| Self::Outside { limit, own_pids: coverage.own_pids, file }));
        notes
    }

    /// What a probe learned that no column shows. The graph is that of the pipes that are shown.
    pub(crate) fn probe(outcome: Option<&Result<Answers, Unsupported>>, graph: &PipeGraph) -> Vec<Self> {
        let answers = match outcome {
            None => return Vec::new(),
            Some(Err(cause)) => return vec![Self::NoProbe(cause.clone())],
            Some(Ok(answers)) => answers,
        };
        let unread = Unread::new(graph);
        let hidden_end = |pipe: &&Pipe| Self::HiddenEnd {
            pipe: pipe.id,
            sides: side::hidden_sides(graph, pipe),
            holders: unread.hidden_holders(pipe),
        };
        let hidden: Vec<&Pipe> = graph.pipes.iter().filter(|pipe| side::has_hidden(graph, pipe)).collect();
        let mut notes: Vec<Self> = hidden.iter().take(MAX_PIPES).map(hidden_end).collect();
        notes.extend(more(hidden.len(), MAX_PIPES).map(Self::MoreHiddenEnds));
        let ids = graph.pipes.iter().map(|pipe| pipe.id);
        let unanswered: Vec<PipeId> = ids.filter(|id| graph.probed(*id).unanswered).collect();
        notes.extend((!unanswered.is_empty()).then_some(Self::Unanswered(unanswered)));
        let cure = if graph.coverage.privileged { Cure::SecurityModule } else { Cure::privileges() };
        notes.extend((answers.refused > 0).then_some(Self::Refused { pipes: answers.refused, cure }));
        notes.extend(small_pipes(graph, answers.user_pages_soft));
        notes
    }
}

/// How many there are beyond a maximum, if any.
fn more(count: usize, maximum: usize) -> Option<usize> {
    count.checked_sub(maximum).filter(|more| *more > 0)
}

/// That pipes of users without privileges are smaller than usual; see pipe(7), "/proc files".
fn small_pipes(graph: &PipeGraph, soft: Option<u64>) -> Option<Note> {
    let soft = soft.filter(|soft| *soft > 0)?;
    let mut counts: BTreeMap<Uid, usize> = BTreeMap::new();
    for pipe in &graph.pipes {
        if graph.probed(pipe.id).capacity.is_some_and(|capacity| SMALL.contains(&capacity)) {
            // The creator is not known: most likely it is the user whose processes hold it.
            let mut owners = pipe.ends.iter().filter_map(|end| graph.processes.get(&end.pid)?.uid);
            if let Some(owner) = owners.find(|uid| *uid != Uid(0)) {
                *counts.entry(owner).or_default() += 1;
            }
        }
    }
    (!counts.is_empty()).then_some(Note::SmallPipes { counts, soft })
}

impl Cure {
    fn new(graph: &PipeGraph) -> Self {
        let gaps = &graph.coverage.gaps;
        let other = gaps.iter().find(|gap| !gap.is_denied() && !gap.is_timeout() && gap.limit().is_none());
        let limits = gaps.iter().filter_map(Gap::limit);
        if graph.pipefs.is_none() {
            Self::CompleteTree
        } else if gaps.iter().any(Gap::is_file_limit) {
            Self::RaiseFileLimit
        } else if let (Some(limit), true) = (limits.min(), gaps.iter().all(|gap| gap.limit().is_some())) {
            Self::Limit(limit)
        } else if let Some(gap) = other {
            Self::Errno(errno(gap))
        } else if graph.coverage.privileged {
            Self::SecurityModule
        } else {
            Self::privileges()
        }
    }

    /// What gives us the privileges that we lack.
    fn privileges() -> Self {
        match (privilege::is_in_initial_namespace(), privilege::is_root()) {
            (false, _) => Self::InitialNamespace,
            (true, true) => Self::Capabilities,
            (true, false) => Self::Privileges,
        }
    }
}

#[cfg(test)]
mod tests;
