//! What is printed on stderr besides the report: what does not exist, and what could not be seen, each with what to do. Notes are data;
//! their text is here alone, and no decision depends on it.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::cli::PipeName;
use crate::escape::escape_name;
use crate::judge::processes::{NO_THREADS, Processes};
use crate::judge::side;
use crate::model::{
    CommandName, Gap, HiddenVia, Pid, Pipe, PipeGraph, PipeId, PossibleEnds, PossibleHolder, Side, Time, Uid,
    UnreadablePart, ViewLimit,
};
use crate::observe::probe::{Answers, Unsupported};
use crate::select::{Selection, Unmatched};

/// Maximum number of pipes that have a note each.
const MAX_PIPES: usize = 6;

/// Maximum number of possible holders of an end that a note names.
const MAX_HOLDERS: usize = 4;

/// The capacity of a small pipe in bytes, `PIPE_MIN_DEF_BUFFERS` pages in `include/linux/pipe_fs_i.h`; before Linux 5.14 one page.
const SMALL: [u64; 2] = [4096, 8192];

/// The usual capacity in bytes: `PIPE_DEF_BUFFERS` pages.
const USUAL: u64 = 65536;

/// What grants access to other processes. Root of a user namespace does not have it.
const GRANT: &str =
    "run as the machine's root, or with cap_sys_ptrace and cap_dac_read_search, see PERMISSIONS in lspipe(1)";

const PID_NAMESPACE: &str = "shows only one PID namespace: ends held outside it are not seen and shown as ?";
const HIDEPID: &str = "is mounted with hidepid: ends held by processes of other users are not seen and shown as ?";

/// A note. `file` is the saved report that answers; none where the machine was looked at.
#[expect(missing_docs, reason = "the fields are named by what they hold")]
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A process that was named does not exist. `proc_root` is the proc that does not list it.
    NoProcess { pid: Pid, file: Option<String>, proc_root: PathBuf, outside: Option<ViewLimit> },
    /// The fd table of a process that was named could not be read.
    UnreadableTable { gap: Gap, file: Option<String>, cure: Cure },
    /// A saved report lacks the fd table of a process.
    NoTable { pid: Pid, file: String },
    /// No process is known to have a pipe open that was named. `process` is the one whose PID is that number.
    NoPipe { name: PipeName, process: Option<Pid> },
    /// The selection left nothing. `pid` is the process, where only one was named and nothing else.
    NothingMatched { pid: Option<Pid>, file: Option<String> },
    /// The selection left only ends that are not drawn, since they are copies.
    OnlyCopies { pid: Option<Pid> },
    /// A saved report lacks processes without a pipe, and so some descendants.
    NoOtherProcesses { file: String },
    /// A saved report is that of a selection.
    IsPart { file: String },
    /// A saved report tells the state of that host at that time.
    SavedReport { file: String, hostname: Option<String>, taken_at: Time },
    /// Two reports are of different boots.
    OtherBoot { old: String, new: String },
    /// Two reports seem to be in the wrong order.
    IsEarlier { old: String, new: String },
    /// The findings were written to a baseline.
    BaselineWritten { path: PathBuf, findings: usize },
    /// A call did not return, or something was not read that has nothing to do with pipes.
    Unread(Gap),
    /// Processes could not be read and may hold pipes. `only` is the process, where it is one.
    Incomplete {
        unreadable: usize,
        processes: usize,
        only: Option<(Pid, CommandName)>,
        file: Option<String>,
        cure: Cure,
    },
    /// The proc does not list all processes. `own_pids` as in [`Coverage`](crate::model::Coverage).
    Outside { limit: ViewLimit, own_pids: bool, file: Option<String> },
    /// The kernel was not asked.
    NoProbe(Unsupported),
    /// There is an end that no fd table shows.
    HiddenEnd { pipe: PipeId, sides: Vec<Side>, holders: Vec<PossibleHolder> },
    /// The number of further pipes with such an end.
    MoreHiddenEnds(usize),
    /// A question about these pipes was not answered in time.
    Unanswered(Vec<PipeId>),
    /// The processes on this number of pipes refused.
    Refused { pipes: usize, cure: Cure },
    /// This number of pipes of each user is small, probably because of `pipe-user-pages-soft`.
    SmallPipes { counts: BTreeMap<Uid, usize>, soft: u64 },
}

/// What to do about processes that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure {
    /// Nothing is wrong but that the tree lacks files.
    CompleteTree,
    /// The scan ran out of file descriptors.
    RaiseFileLimit,
    /// This error has to be looked up.
    Errno(String),
    /// Access was denied in spite of full privileges.
    SecurityModule,
    /// More privileges would help.
    Privileges,
}

impl Note {
    /// What was named and cannot be shown. `names` are the names of the pipes in the selection.
    pub(crate) fn unmatched(
        unmatched: &Unmatched<'_>,
        names: &[PipeName],
        graph: &PipeGraph,
        file: Option<&str>,
    ) -> Vec<Self> {
        let file = file.map(str::to_owned);
        let coverage = &graph.coverage;
        let processes = unmatched.pids.iter().map(|pid| Self::NoProcess {
            pid: *pid,
            file: file.clone(),
            proc_root: coverage.proc_root.clone(),
            outside: coverage.outside,
        });
        let unreadable = unmatched.unreadable.iter().map(|gap| Self::unreadable_table(gap, graph, file.as_deref()));
        let pipes = unmatched.pipes.iter().filter_map(|place| names.get(*place)).map(|name| Self::NoPipe {
            name: name.clone(),
            process: match name {
                PipeName::Inode(number) => u32::try_from(*number).ok().map(Pid),
                PipeName::Id(_) | PipeName::Path(_) => None,
            }
            .filter(|pid| graph.parents.contains_key(pid)),
        });
        processes.chain(unreadable).chain(pipes).collect()
    }

    pub(crate) fn unreadable_table(gap: &Gap, graph: &PipeGraph, file: Option<&str>) -> Self {
        Self::UnreadableTable { gap: gap.clone(), file: file.map(str::to_owned), cure: Cure::new(graph) }
    }

    pub(crate) fn nothing_matched(selection: &Selection, file: Option<&str>) -> Self {
        let pid = match selection.pids.as_slice() {
            [pid] if !selection.narrows_beyond_pids() && !selection.descendants => Some(*pid),
            _ => None,
        };
        Self::NothingMatched { pid, file: file.map(str::to_owned) }
    }

    pub(crate) fn only_copies(selection: &Selection) -> Self {
        Self::OnlyCopies { pid: if let [pid] = selection.pids.as_slice() { Some(*pid) } else { None } }
    }

    /// That a saved report lacks some of the selected descendants, if it does.
    pub(crate) fn no_other_processes(selection: &Selection, graph: &PipeGraph, file: Option<&str>) -> Option<Self> {
        let file = file.filter(|_| selection.descendants)?.to_owned();
        let processes = Processes::new(graph, &NO_THREADS);
        let is_whole = graph.processes.keys().all(|pid| processes.knows_ancestors(*pid));
        (!is_whole).then_some(Self::NoOtherProcesses { file })
    }

    /// Of which machine and time a saved report is, for what depends on that, and whether it is that of a selection.
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
        let (timeouts, others): (Vec<&Gap>, Vec<&Gap>) = coverage.gaps.iter().partition(|gap| gap.is_timeout());
        let (harmless, gaps): (Vec<&Gap>, Vec<&Gap>) =
            others.into_iter().partition(|gap| gap.may_hold == PossibleEnds::NOTHING);
        let mut notes: Vec<Self> = timeouts.into_iter().chain(harmless).cloned().map(Self::Unread).collect();
        if !gaps.is_empty() {
            let only = if let [gap] = gaps.as_slice() { Some((gap.pid, gap.command.clone())) } else { None };
            let unreadable = gaps.chunk_by(|a, b| a.pid == b.pid).count();
            let (processes, file) = (coverage.processes, file.clone());
            notes.push(Self::Incomplete { unreadable, processes, only, file, cure: Cure::new(graph) });
        }
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
        let hidden: Vec<&Pipe> = graph.pipes.iter().filter(|pipe| side::has_hidden(graph, pipe)).collect();
        let ids = graph.pipes.iter().map(|pipe| pipe.id);
        let unanswered: Vec<PipeId> = ids.filter(|id| graph.probed(*id).unanswered).collect();
        let hidden_end = |pipe: &&Pipe| Self::HiddenEnd {
            pipe: pipe.id,
            sides: side::hidden_sides(graph, pipe),
            holders: side::hidden_holders(graph, pipe),
        };
        let mut notes: Vec<Self> = hidden.iter().take(MAX_PIPES).map(hidden_end).collect();
        notes.extend(more(hidden.len(), MAX_PIPES).map(Self::MoreHiddenEnds));
        if !unanswered.is_empty() {
            notes.push(Self::Unanswered(unanswered));
        }
        if answers.refused > 0 {
            let cure = if graph.coverage.privileged { Cure::SecurityModule } else { Cure::Privileges };
            notes.push(Self::Refused { pipes: answers.refused, cure });
        }
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
            // The creator is not known: in all likelihood it is the user whose processes hold it.
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
        let other = gaps.iter().find(|gap| !gap.is_denied() && !gap.is_timeout());
        if graph.pipefs.is_none() {
            Self::CompleteTree
        } else if gaps.iter().any(Gap::is_file_limit) {
            Self::RaiseFileLimit
        } else if let Some(gap) = other {
            Self::Errno(errno(gap))
        } else if graph.coverage.privileged {
            Self::SecurityModule
        } else {
            Self::Privileges
        }
    }
}

impl fmt::Display for Cure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CompleteTree => f.write_str("their files are missing from this tree or not readable"),
            Self::RaiseFileLimit => f.write_str(
                "lspipe itself may have too few files open: raise its limit, for example with `ulimit -n 1024`",
            ),
            Self::Errno(name) => write!(f, "{name}, see errno(3)"),
            Self::SecurityModule => {
                f.write_str("access was denied even with full privileges, possibly by a security module")
            }
            Self::Privileges => f.write_str(GRANT),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProcess { pid, file: Some(file), .. } => {
                write!(f, "no process {pid} in {file}, which contains only processes that hold an end of a pipe")
            }
            Self::NoProcess { pid, file: None, proc_root, outside } => {
                let why = match outside {
                    Some(ViewLimit::Hidepid) => {
                        ", which is mounted with hidepid and does not show processes of other users: run lspipe as root"
                    }
                    Some(ViewLimit::PidNamespace) => ", which shows only one PID namespace",
                    None => "",
                };
                write!(f, "no process {pid} in {}{why}", proc_root.display())
            }
            Self::UnreadableTable { gap, file, cure } => {
                let (pid, when, errno, what) = (gap.pid, when(file), errno(gap), what_to_do(file, cure));
                write!(f, "the fd table of process {pid} could not be read{when} ({errno}){what}")
            }
            Self::NoTable { pid, file } => {
                write!(f, "the fd table of process {pid} is not in {file}: only `lspipe fds {pid} --json` saves it")
            }
            Self::NoPipe { name: PipeName::Id(id), .. } => write!(f, "no process is known to have {id} open"),
            Self::NoPipe { name: PipeName::Path(path), .. } => {
                let path = escape_path(path);
                write!(f, "no process is known to have {path} open or to be blocked in open(2) of it")
            }
            Self::NoPipe { name: PipeName::Inode(inode), process: Some(pid) } => {
                write!(f, "no open pipe has inode {inode}; for the pipes of process {pid}: lspipe -p {pid}")
            }
            Self::NoPipe { name: PipeName::Inode(inode), process: None } => {
                write!(f, "no process is known to have a pipe with inode {inode} open")
            }
            Self::NothingMatched { pid: Some(pid), file } => {
                write!(f, "process {pid} is not known to hold an end of any pipe")?;
                if file.is_none() { write!(f, "; what it waits for: lspipe why -p {pid}") } else { Ok(()) }
            }
            Self::NothingMatched { pid: None, .. } => f.write_str("no pipe matches"),
            Self::OnlyCopies { pid: Some(pid) } => {
                write!(f, "process {pid} holds only inherited copies of ends; to list them: lspipe -p {pid}")
            }
            Self::OnlyCopies { pid: None } => f.write_str(
                "the selected processes hold only inherited copies of ends; lspipe with the same selection lists them",
            ),
            Self::NoOtherProcesses { file } => write!(
                f,
                "{file} contains only processes that hold a pipe: descendants through other processes are missing"
            ),
            Self::IsPart { file } => write!(f, "{file} was saved with a selection and contains only those pipes"),
            Self::SavedReport { file, hostname, taken_at } => {
                write!(f, "{file}: a report")?;
                if let Some(name) = hostname {
                    write!(f, " of {}", escape_name(name.as_bytes()))?;
                }
                write!(f, ", saved at {taken_at:.0}")
            }
            Self::OtherBoot { old, new } => write!(
                f,
                "{old} and {new} are of different machines, or of different boots of one, so that no pipe can be in both"
            ),
            Self::IsEarlier { old, new } => {
                write!(f, "{new} was saved before {old}: swap them, or read + as - and - as +")
            }
            Self::BaselineWritten { path, findings } => {
                let noun = if *findings == 1 { "finding" } else { "findings" };
                write!(f, "{}: {findings} {noun} written to the baseline", escape_path(path))
            }
            Self::Unread(gap) if gap.is_timeout() => {
                let mount =
                    gap.mount.as_deref().map_or_else(String::new, |mount| format!(" on {}", escape_path(mount)));
                let (process, part) = (process(gap), part(gap.what));
                write!(f, "{process}: {part}{mount} did not answer and is left out; its file system may be dead")
            }
            Self::Unread(gap) => write!(f, "{}: {} could not be read ({})", process(gap), part(gap.what), errno(gap)),
            Self::Incomplete { unreadable, processes, only, file, cure } => {
                let who = only.as_ref().map(|(pid, command)| known(&[format!("PID {pid}"), escape_name(command)]));
                let (who, when, what) = (who.unwrap_or_default(), when(file), what_to_do(file, cure));
                let what = format!("and may hold ends that are not shown (?){what}");
                write!(f, "{unreadable} of {processes} processes{who} could not be read{when} {what}")
            }
            Self::Outside { limit, own_pids, file } => {
                let (why, cure) = match limit {
                    ViewLimit::PidNamespace if *own_pids => (PID_NAMESPACE, "run lspipe on the host"),
                    // Our own is another, which may show more.
                    ViewLimit::PidNamespace => (PID_NAMESPACE, "run lspipe without --proc, or on the host"),
                    ViewLimit::Hidepid => (HIDEPID, "run lspipe as root"),
                };
                match file {
                    Some(_) => write!(f, "the proc of this report {why}"),
                    None => write!(f, "this proc {why}; {cure}"),
                }
            }
            Self::NoProbe(cause) => write!(f, "--probe: the kernel cannot be asked here: {cause}"),
            Self::HiddenEnd { pipe, sides, holders } => {
                let sides: Vec<&str> = sides.iter().map(|side| side.holder()).collect();
                let who = possible_holders(holders);
                write!(f, "{pipe} has a {} that no fd table shows: possibly {who}", sides.join(" and a "))
            }
            Self::MoreHiddenEnds(count) => write!(f, "{count} more pipes have an end that no fd table shows"),
            Self::Unanswered(pipes) => {
                let mut named: Vec<String> = pipes.iter().take(MAX_PIPES).map(ToString::to_string).collect();
                named.extend(more(pipes.len(), MAX_PIPES).map(|more| format!("{more} more pipes")));
                let (pipes, hint) =
                    (named.join(", "), "the lock of a pipe is held, as by splice(2) from a dead file system");
                write!(f, "{pipes} did not answer in time, and the contents are not known: {hint}")
            }
            Self::Refused { pipes, cure } => write!(f, "{pipes} pipes could not be probed: {cure}"),
            Self::SmallPipes { counts, soft } => {
                let counts: Vec<String> = counts.iter().map(|(uid, count)| format!("{count} of user {uid}")).collect();
                write!(
                    f,
                    "some pipes have a capacity of at most 8192 bytes instead of {USUAL} ({}): new pipes of a user with more than \
                     pipe-user-pages-soft ({soft}) pages in pipes are that small, unless they were made small on purpose",
                    counts.join(", ")
                )
            }
        }
    }
}

/// `that of process 70 (postgres), …, or process 1 (init), which could not be read`
fn possible_holders(holders: &[PossibleHolder]) -> String {
    // The first of many unreadable processes is no more likely than the others.
    let unread = holders.iter().filter(|holder| holder.how == HiddenVia::Unreadable).count();
    if unread == holders.len() && unread > 1 {
        return format!("one of {unread} processes that could not be read");
    }
    let mut named: Vec<String> = holders.iter().take(MAX_HOLDERS).map(possible_holder).collect();
    named.extend(more(holders.len(), MAX_HOLDERS).map(|more| format!("one of {more} others")));
    named.join(", or ")
}

fn possible_holder(holder: &PossibleHolder) -> String {
    let command = escape_name(holder.command.as_deref().unwrap_or_default());
    let pid = holder.pid.map_or_else(String::new, |pid| pid.to_string());
    let fd = holder.fd.map_or_else(String::new, |fd| format!("fd {fd}"));
    let process = format!("process {pid}{}", known(&[command, fd]));
    match holder.how {
        HiddenVia::ScmRights => format!("one in flight to {process}: sent to its socket and not received yet"),
        HiddenVia::IoUring => format!("one registered with the io_uring of {process}"),
        HiddenVia::Exiting => format!("{process}, which is stuck in exiting"),
        HiddenVia::Autofs => "the kernel, which uses it to serve an autofs mount".to_owned(),
        HiddenVia::Unreadable => format!("{process}, which could not be read"),
        HiddenVia::Outside => "a process that cannot be seen from here".to_owned(),
    }
}

fn process(gap: &Gap) -> String {
    format!("process {}{}", gap.pid, known(&[escape_name(&gap.command)]))
}

fn part(what: UnreadablePart) -> String {
    match what {
        UnreadablePart::Fd { fd } => format!("descriptor {fd}"),
        UnreadablePart::Cmdline => "the command line".to_owned(),
        UnreadablePart::FdTable | UnreadablePart::FdLinks | UnreadablePart::Tasks => "the fd table".to_owned(),
    }
}

/// ` (cat, fd 3)`, without the facts that are empty.
fn known(facts: &[String]) -> String {
    let facts: Vec<&str> = facts.iter().map(String::as_str).filter(|fact| !fact.is_empty()).collect();
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}

fn when(file: &Option<String>) -> String {
    file.as_ref().map_or_else(String::new, |file| format!(" when {file} was saved"))
}

/// Nothing, if the report was saved.
fn what_to_do(file: &Option<String>, cure: &Cure) -> String {
    if file.is_none() { format!(": {cure}") } else { String::new() }
}

/// Escaped, since a saved report may hold anything in its place.
fn errno(gap: &Gap) -> String {
    escape_name(gap.error.as_bytes())
}

fn escape_path(path: &Path) -> String {
    escape_name(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests;
