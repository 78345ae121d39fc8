//! A report that was saved as JSON, read back into the very types that a scan fills, so that every question is answered from it in the
//! same way. Nothing is looked up on the machine that reads it.
//!
//! Reading is lenient where a version may have added a field, and strict where a value has no sense: half a report is none.

mod error;

use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Number;

pub(crate) use self::error::{Invalid, SavedError};
use crate::files;
use crate::findings::{AuditScope, Code, Diagnosis, ReportedBy};
use crate::judge::Groups;
use crate::model::{Endpoint, Fd, Pid, Pipe, PipeGraph, PipeId, Severity, TaskId, Tid, Users};
use crate::report::{Parts, ReadReport, SCHEMA_VERSION};

/// Where a report was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportFile {
    /// It comes on the standard input: `-`.
    Stdin,
    /// In this file.
    File(PathBuf),
}

impl ReportFile {
    /// What `--from` and `diff` take.
    #[must_use]
    pub fn named(name: PathBuf) -> Self {
        if name.as_os_str() == "-" { Self::Stdin } else { Self::File(name) }
    }

    pub(crate) fn is_stdin(&self) -> bool {
        matches!(self, Self::Stdin)
    }

    /// How a message calls it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.to_string_lossy().escape_debug().to_string(),
        }
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Stdin => {
                let mut bytes = Vec::new();
                io::stdin().lock().read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Self::File(path) => files::read(path),
        }
    }
}

/// A report that was read back.
#[derive(Debug)]
pub(crate) struct Saved {
    /// The pipes, with the processes and tables that were saved.
    pub graph: PipeGraph,
    /// The names of the users, as they were on that machine.
    pub users: Users,
    /// What threads were doing; empty unless `why` saved it.
    pub groups: Groups,
    /// What was found; none unless `why` or `audit` saved it.
    pub diagnosis: Option<Diagnosis>,
    /// Whether no finding of `why` was left out of it.
    pub judged: bool,
    /// Whether an audit saved it, with all that its rules judge by.
    pub audited: bool,
}

/// What a file must say of itself before anything else of it is believed.
#[derive(Deserialize)]
struct Head {
    schema_version: Option<Number>,
    /// Only a line of `--ndjson` has it.
    pipe: Option<serde::de::IgnoredAny>,
    finding: Option<serde::de::IgnoredAny>,
    /// The last of the lines of an audit has it, and what `diff` prints.
    summary: Option<serde::de::IgnoredAny>,
    /// Only what `diff` prints has it.
    same_boot: Option<serde::de::IgnoredAny>,
    /// Only what `graph` prints has it.
    edges: Option<serde::de::IgnoredAny>,
}

/// Reads a saved report.
///
/// # Errors
///
/// If the file cannot be read, is cut short, or is no report of a schema that is known here.
pub(crate) fn read(file: &ReportFile) -> Result<Saved, SavedError> {
    let fail = |what: Invalid| SavedError { name: file.name(), what };
    let bytes = file.bytes().map_err(|error| fail(Invalid::Unreadable(error)))?;
    parse(&bytes).map_err(fail)
}

/// Reads a report from what was in its file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Saved, Invalid> {
    if bytes.trim_ascii().is_empty() {
        return Err(Invalid::Empty);
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Head>();
    let head = values.next().ok_or(Invalid::Empty)?.map_err(|error| Invalid::of_head(error, bytes))?;
    if head.pipe.is_some() || head.finding.is_some() {
        return Err(Invalid::Lines);
    }
    match &head.schema_version {
        // A list may hold the same values, without their names.
        Some(_) if !bytes.trim_ascii_start().starts_with(b"{") => return Err(Invalid::NotOurs),
        None => return Err(Invalid::NotOurs),
        Some(version) if version.as_u64() == Some(SCHEMA_VERSION.into()) => {}
        Some(other) => return Err(Invalid::OtherVersion(other.clone())),
    }
    // A report may come to have fields of these names too, so they tell only what it is that is none.
    let report: ReadReport = serde_json::from_slice(bytes).map_err(|error| match &head {
        Head { edges: Some(_), .. } => Invalid::Printed("graph"),
        Head { same_boot: Some(_), .. } => Invalid::Printed("diff"),
        Head { summary: Some(_), .. } => Invalid::Lines,
        _ => Invalid::NotWhole(error),
    })?;
    let audited = report.audit.is_some();
    let is_whole = report.audit.as_ref().is_none_or(has_all_of_why);
    let Parts { graph, users, groups, diagnosis } = report.into_parts().map_err(Invalid::Senseless)?;
    let judged = diagnosis.is_some() && is_whole;
    Ok(Saved { graph, users, groups, diagnosis, judged, audited })
}

/// Whether an audit has left out none of the findings of `why`.
fn has_all_of_why(audit: &AuditScope) -> bool {
    let mut of_why = Code::ALL.iter().filter(|code| code.about().reported_by == ReportedBy::Why);
    audit.known == 0 && audit.severity == Severity::Info && of_why.all(|code| audit.codes.contains(code))
}

impl Saved {
    /// The pipes that a path leads to: FIFOs that were opened by that name, or a descriptor, `/proc/PID/fd/N`.
    pub(crate) fn pipes_at(&self, path: &Path) -> Vec<PipeId> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let root = &self.graph.coverage.proc_root;
        let below = path.strip_prefix("/proc").or_else(|_| path.strip_prefix(root)).ok();
        let descriptor = below.and_then(descriptor);
        let name = path.as_os_str().as_bytes();
        let is_it = |pipe: &&Pipe| match descriptor {
            Some((task, fd)) => pipe.ends.iter().any(|end| end.fd == fd && is_of(end, task)),
            None => pipe.path.as_deref() == Some(name),
        };
        self.graph.pipes.iter().filter(is_it).map(|pipe| pipe.id).collect()
    }
}

/// Whether an end is in the fd table of a thread, which may be that of its process.
fn is_of(end: &Endpoint, task: TaskId) -> bool {
    end.tid.map_or(end.pid == task.pid, |tid| tid == task.tid)
}

/// `PID/fd/N` or `PID/task/TID/fd/N`. For the former, PID may be any thread.
fn descriptor(below: &Path) -> Option<(TaskId, Fd)> {
    let parts: Vec<&str> = below.iter().map(|part| part.to_str().unwrap_or_default()).collect();
    let (pid, tid, fd) = match parts.as_slice() {
        [pid, "fd", fd] => (pid, pid, fd),
        [pid, "task", tid, "fd", fd] => (pid, tid, fd),
        _ => return None,
    };
    Some((TaskId { pid: Pid(pid.parse().ok()?), tid: Tid(tid.parse().ok()?) }, Fd(fd.parse().ok()?)))
}

#[cfg(test)]
mod tests;
