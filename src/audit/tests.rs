//! The rules, each on graphs made by hand: where each begins and ends, and what is not claimed since it is not known.

mod confirm;
mod fifos;
mod limits;
mod sides;

use std::collections::BTreeMap;

use super::*;
use crate::model::{
    AccessMode, Code, Coverage, Device, Directories, Endpoint, Fd, Gid, Hidden, Host, OpenFlags, PipeFile, PipeLimits,
    Process, Severity,
};

const ID: PipeId = PipeId::Anonymous { inode: 123 };
const FIFO: PipeId = PipeId::Fifo { device: Device { major: 0, minor: 26 }, inode: 7 };

/// A machine without pipes, of which everything was seen.
fn machine(processes: impl IntoIterator<Item = Process>) -> PipeGraph {
    PipeGraph {
        host: Host::default(),
        taken_at: crate::model::Time::EPOCH,
        coverage: Coverage {
            proc_root: "/proc".into(),
            processes: 9,
            vanished: 0,
            gaps: Vec::new(),
            outside: None,
            privileged: true,
            own_pids: true,
            scanner: None,
        },
        pipefs: Some(Device { major: 0, minor: 15 }),
        parents: BTreeMap::new(),
        processes: processes.into_iter().map(|process| (process.pid, process)).collect(),
        pipes: Vec::new(),
        descriptors: Vec::new(),
        probed: BTreeMap::new(),
        hidden: Hidden::default(),
        limits: PipeLimits::default(),
        selected: false,
    }
}

/// The process that has this PID, of the user of this number, in a session of that.
fn process(pid: u32, uid: u32, sid: u32) -> Process {
    Process { uid: Some(Uid(uid)), sid: Some(sid), ..Process::unknown(Pid(pid)) }
}

/// An end without `O_CLOEXEC`.
fn end(pid: u32, fd: u32, access: AccessMode) -> Endpoint {
    Endpoint { pid: Pid(pid), tid: None, fd: Fd(fd), access, flags: Some(OpenFlags(0)) }
}

fn reads(pid: u32) -> Endpoint {
    end(pid, 0, AccessMode::Read)
}

fn writes(pid: u32) -> Endpoint {
    end(pid, 1, AccessMode::Write)
}

fn with(graph: PipeGraph, id: PipeId, ends: &[Endpoint]) -> PipeGraph {
    with_pipe(graph, Pipe { ends: ends.to_vec(), ..Pipe::unknown(id) })
}

fn with_pipe(mut graph: PipeGraph, pipe: Pipe) -> PipeGraph {
    graph.pipes.push(pipe);
    graph.pipes.sort_by_key(|pipe| pipe.id);
    graph
}

/// What is found, after checking what holds for all of it.
fn found(graph: &PipeGraph, thresholds: &Thresholds) -> Vec<Finding> {
    let findings = audit(graph, &Groups::new(), thresholds);
    for finding in &findings {
        assert!(finding.code().severities().contains(&finding.severity()), "{finding:#?}");
        assert!(!finding.code().reported_by_why(), "{finding:#?}");
        assert!(finding.tasks.iter().all(|task| task.pid.0 == task.tid.0), "{finding:#?}");
        assert!(finding.tasks.is_sorted() && !finding.tasks.is_empty(), "{finding:#?}");
    }
    findings
}

/// The only finding of a code, or none.
fn only(graph: &PipeGraph, code: Code) -> Option<Finding> {
    let mut findings = found(graph, &Thresholds::default());
    findings.retain(|finding| finding.code() == code);
    assert!(findings.len() < 2, "{findings:#?}");
    findings.pop()
}

fn severity(graph: &PipeGraph, code: Code) -> Option<Severity> {
    only(graph, code).map(|finding| finding.severity())
}

fn pids(finding: &Finding) -> Vec<u32> {
    finding.tasks.iter().map(|task| task.pid.0).collect()
}

#[test]
fn explanations_are_of_eighty_columns_and_tell_each_severity() {
    for code in Code::ALL {
        let text = explain(code);
        assert!(text.lines().all(|line| line.len() <= 80 && line == line.trim_end()), "{code}: {text}");
        assert_eq!(text, text.trim(), "{code}");
        for severity in code.severities() {
            assert!(text.to_lowercase().contains(severity.as_str()), "{code} may be {severity:?}");
        }
        assert!(text.contains("What to do: ") && text.to_lowercase().contains("harmless"), "{code}: {text}");
    }
}

fn file(mode: u16, owner: u32, group: u32, directories: Option<Directories>) -> PipeFile {
    PipeFile { owner: Uid(owner), group: Gid(group), mode, directories }
}
