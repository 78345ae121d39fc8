//! What is said beside the report, on stderr: what was not found, and what could not be seen, each with what to do. Pure.

mod probe;

use std::path::Path;

use crate::cli::PipeName;
use crate::model::{Gap, Pid, PipeGraph, PossibleEnds, UnreadablePart, ViewLimit};
use crate::render::escape_name;
use crate::select::{PipeMatch, Selection};

pub(crate) use self::probe::{no_probe, probe};

/// What grants sight. Root of a user namespace is not enough.
const GRANT: &str =
    "run as the machine's root, or with cap_sys_ptrace and cap_dac_read_search, see PERMISSIONS in lspipe(1)";

const NAMESPACE: &str = "shows one PID namespace only, so that an end held outside it is not seen and ? stands for it";
const HIDEPID: &str = "is mounted with hidepid, so that processes of others are not seen and ? stands for their ends";

/// Says which of the processes and pipes that were asked for are not there, or could not be read.
pub(crate) fn not_there(
    selection: &Selection,
    names: &[PipeName],
    graph: &PipeGraph,
    file: Option<&str>,
) -> Vec<String> {
    let processes = no_process(&selection.pids, graph, file).into_iter();
    let unread = unreadable(&selection.pids, graph, file);
    processes.chain(unread).chain(no_pipe(names, &selection.pipes, graph)).collect()
}

/// Says which of the processes that were asked for are not there.
pub(crate) fn no_process(pids: &[Pid], graph: &PipeGraph, file: Option<&str>) -> Vec<String> {
    let missing = pids.iter().filter(|pid| !graph.parents.contains_key(pid));
    let say = |pid: &Pid| match file {
        Some(file) => format!("no process {pid} in {file}, which has those only that hold an end of a pipe"),
        None => format!("no process {pid} in {}{}", graph.coverage.proc_root.display(), not_shown(graph)),
    };
    missing.map(say).collect()
}

/// Why a process may be there though it is not listed.
const fn not_shown(graph: &PipeGraph) -> &'static str {
    match graph.coverage.outside {
        Some(ViewLimit::Hidepid) => {
            ", which is mounted with hidepid and does not show those of others: run lspipe as root"
        }
        Some(ViewLimit::PidNamespace) => ", which shows one PID namespace only",
        None => "",
    }
}

/// Says that two reports have nothing in common.
pub(crate) fn other_boot(old: &str, new: &str) -> String {
    format!("{old} and {new} are of different machines, or of different boots of one, so that no pipe can be in both")
}

/// Says that findings are known from now on.
pub(crate) fn baseline_written(path: &Path, findings: usize) -> String {
    let noun = if findings == 1 { "finding" } else { "findings" };
    format!("{}: {findings} {noun} written, to be known from now on", readable_path(path))
}

/// Says that two reports were given in the wrong order, as it seems.
pub(crate) fn is_earlier(old: &str, new: &str) -> String {
    format!("{new} was saved before {old}: swap them, or read + as - and - as +")
}

/// Says that a saved report does not tell of all who descend from a process, if it does not.
pub(crate) fn no_other_processes(file: &str, graph: &PipeGraph) -> Option<String> {
    let is_whole = graph.processes.keys().all(|pid| graph.knows_ancestors(*pid));
    (!is_whole).then(|| {
        format!("{file} tells of no process without a pipe, so that descendants through such a one are missing")
    })
}

/// Says whose fd tables a saved report lacks.
pub(crate) fn no_table(pids: &[Pid], file: &str) -> Vec<String> {
    let say =
        |pid: &Pid| format!("the fd table of process {pid} is not in {file}: only `lspipe fds {pid} --json` saves it");
    pids.iter().map(say).collect()
}

/// Says of what machine a saved report is and of when, for what tells how long something lasts, and what it leaves out. Nothing where no file answers.
pub(crate) fn of_file(file: Option<&str>, graph: &PipeGraph) -> Vec<String> {
    let Some(file) = file else { return Vec::new() };
    let host =
        graph.host.hostname.as_deref().map_or_else(String::new, |name| format!(" of {}", escape_name(name.as_bytes())));
    let saved = format!("{file}: a report{host}, saved at {:.0}", graph.taken_at);
    std::iter::once(saved).chain(graph.selected.then(|| is_part(file))).collect()
}

/// Says that a saved report does not tell of all pipes.
pub(crate) fn is_part(file: &str) -> String {
    format!("{file} was saved with a selection, and tells of those pipes only")
}

/// Says which of the processes that were asked for are there, but could not be read.
pub(crate) fn unreadable(pids: &[Pid], graph: &PipeGraph, file: Option<&str>) -> Vec<String> {
    let pids_to_recheck =
        |gap: &&Gap| pids.contains(&gap.pid) && matches!(gap.what, UnreadablePart::FdTable | UnreadablePart::FdLinks);
    let say = |gap: &Gap| match file {
        Some(file) => {
            format!("the fd table of process {} could not be read when {file} was saved ({})", gap.pid, errno(gap))
        }
        None => format!("the fd table of process {} cannot be read ({}): {}", gap.pid, errno(gap), advice(graph)),
    };
    graph.coverage.gaps.iter().filter(pids_to_recheck).map(say).collect()
}

/// Says which of the pipes that were asked for nobody was seen to hold.
pub(crate) fn no_pipe(names: &[PipeName], wanted: &[PipeMatch], graph: &PipeGraph) -> Vec<String> {
    let missing = |(name, wanted): (&PipeName, &PipeMatch)| {
        if graph.pipes.iter().any(|pipe| wanted.matches(pipe.id)) {
            return None;
        }
        Some(match name {
            PipeName::Id(id) => format!("no process was seen to have {id} open"),
            PipeName::Path(path) => {
                format!("no process was seen to have {} open, nor to wait in open(2) of it", readable_path(path))
            }
            PipeName::Inode(number) => match living(*number, graph) {
                Some(pid) => format!("no open pipe has inode {number}; for those of process {pid}: lspipe -p {pid}"),
                None => format!("no process was seen to have a pipe of inode {number} open"),
            },
        })
    };
    names.iter().zip(wanted).filter_map(missing).collect()
}

fn living(number: u64, graph: &PipeGraph) -> Option<Pid> {
    let pid = Pid(u32::try_from(number).ok()?);
    graph.parents.contains_key(&pid).then_some(pid)
}

/// Says that a selection left nothing.
pub(crate) fn nothing_matched(selection: &Selection, file: Option<&str>) -> String {
    match selection.pids.as_slice() {
        [pid] if !selection.narrows_beyond_pids() && !selection.descendants => {
            let hint = if file.is_none() { format!("; what it waits for: lspipe why -p {pid}") } else { String::new() };
            format!("process {pid} was not seen to hold an end of any pipe{hint}")
        }
        _ => "no pipe matches".to_owned(),
    }
}

/// Says that a selection left ends only that are copies.
pub(crate) fn only_copies(selection: &Selection) -> String {
    match selection.pids.as_slice() {
        [pid] => format!("process {pid} holds only copies of ends that others use; for those: lspipe -p {pid}"),
        _ => "the processes that match hold only copies of ends that others use; lspipe with the same selection lists them".to_owned(),
    }
}

/// Says what the scan could not see.
pub(crate) fn coverage(graph: &PipeGraph, file: Option<&str>) -> Vec<String> {
    let coverage = &graph.coverage;
    let hung = coverage.gaps.iter().filter(|gap| is_hung(gap)).map(hung);
    let harmless =
        coverage.gaps.iter().filter(|gap| !is_hung(gap) && gap.may_hold == PossibleEnds::NOTHING).map(harmless);
    let mut notes: Vec<String> = hung.chain(harmless).collect();
    let gaps: Vec<&Gap> =
        coverage.gaps.iter().filter(|gap| !is_hung(gap) && gap.may_hold != PossibleEnds::NOTHING).collect();
    let who = match gaps.as_slice() {
        [] => None,
        [gap] => Some(known(&[format!("PID {}", gap.pid), escape_name(&gap.command)])),
        _ => Some(String::new()),
    };
    notes.extend(who.map(|who| {
        let count = gaps.chunk_by(|a, b| a.pid == b.pid).count();
        let all = coverage.processes;
        match file {
            Some(file) => format!(
                "{count} of {all} processes{who} could not be read when {file} was saved, and may hold ends that are not shown (?)"
            ),
            None => format!(
                "{count} of {all} processes{who} could not be read, and may hold ends that are not shown (?): {}",
                advice(graph)
            ),
        }
    }));
    notes.extend(coverage.outside.map(|outside| {
        let (why, what) = match outside {
            // Ours is another, which may show more.
            ViewLimit::PidNamespace if !coverage.own_pids => (NAMESPACE, "run lspipe without --proc, or on the host"),
            ViewLimit::PidNamespace => (NAMESPACE, "run lspipe on the host"),
            ViewLimit::Hidepid => (HIDEPID, "run lspipe as root"),
        };
        match file {
            Some(_) => format!("the proc of this report {why}"),
            None => format!("this proc {why}: {what}"),
        }
    }));
    notes
}

/// What to do about processes that could not be read.
fn advice(graph: &PipeGraph) -> String {
    let refusal = |gap: &&Gap| !["EACCES", "EPERM", "ETIMEDOUT"].contains(&gap.error.as_str());
    if graph.pipefs.is_none() {
        "the files are missing from this tree, or may not be read".to_owned()
    } else if graph.coverage.gaps.iter().any(|gap| gap.error == "EMFILE") {
        "lspipe itself may have too few files open: raise its limit, as `ulimit -n 1024` does".to_owned()
    } else if let Some(gap) = graph.coverage.gaps.iter().find(refusal) {
        format!("{}, see errno(3)", errno(gap))
    } else if graph.coverage.privileged {
        "refused in spite of all rights, perhaps by a security module".to_owned()
    } else {
        GRANT.to_owned()
    }
}

fn harmless(gap: &Gap) -> String {
    format!("{}: the command line could not be read ({})", process(gap), errno(gap))
}

fn process(gap: &Gap) -> String {
    format!("process {}{}", gap.pid, known(&[escape_name(&gap.command)]))
}

/// ` (cat, fd 3)`: what is known of something; nothing where it is nothing.
fn known(facts: &[String]) -> String {
    let facts: Vec<&str> = facts.iter().map(String::as_str).filter(|fact| !fact.is_empty()).collect();
    if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) }
}

/// The name of the error: a saved report may hold anything in its place.
fn errno(gap: &Gap) -> String {
    escape_name(gap.error.as_bytes())
}

fn is_hung(gap: &Gap) -> bool {
    gap.error == "ETIMEDOUT"
}

fn hung(gap: &Gap) -> String {
    let what = match gap.what {
        UnreadablePart::Fd(fd) => format!("descriptor {fd}"),
        UnreadablePart::Cmdline => "the command line".to_owned(),
        UnreadablePart::FdTable | UnreadablePart::FdLinks | UnreadablePart::Tasks => "the fd table".to_owned(),
    };
    let mount = gap.mount.as_deref().map_or_else(String::new, |mount| format!(" on {}", readable_path(mount)));
    format!("{}: {what}{mount} gave no answer and is left out; its file system may be dead", process(gap))
}

fn readable_path(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    escape_name(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_a_process_leaves_no_brackets() {
        let known = |facts: &[&str]| known(&facts.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(known(&["PID 1", "init"]), " (PID 1, init)");
        assert_eq!(known(&["PID 1", ""]), " (PID 1)");
        assert_eq!(known(&["", "fd 3"]), " (fd 3)");
        assert_eq!(known(&[""]), "");
    }
}
