//! Reads a report that was saved as JSON into the types that an observation fills, so that every question is answered from it in the
//! same way. Nothing is looked up on the machine that reads it.
//!
//! Fields that are unknown, as another version may add them, are ignored; a value that makes no sense is an error.

mod error;

use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Number;

pub(crate) use self::error::{Invalid, SavedError};
use crate::escape::quote_name;
use crate::files;
use crate::findings::{AuditScope, Code, ReportedBy};
use crate::model::{Endpoint, Fd, Pid, Pipe, PipeId, Severity, TaskId, Tid};
pub(crate) use crate::report::Saved;
use crate::report::{ReadReport, SCHEMA_VERSION};

/// The file of a saved report; `-` is the standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile(pub PathBuf);

impl ReportFile {
    pub(crate) fn is_stdin(&self) -> bool {
        self.0.as_os_str() == "-"
    }

    /// As messages have it, safe to print.
    #[must_use]
    pub fn name(&self) -> String {
        if self.is_stdin() {
            return "standard input".to_owned();
        }
        quote_name(self.0.as_os_str().as_bytes())
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        if !self.is_stdin() {
            return files::read(&self.0);
        }
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// What is read of a file first, to find out whether it is a report.
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
/// If the file cannot be read, is truncated, or is not a report of this schema version.
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
    // A later report may have fields of these names too, so they only explain why something is not a report.
    let mut values = serde_json::Deserializer::from_slice(bytes);
    let report: ReadReport = serde_path_to_error::deserialize(&mut values).map_err(|error| match &head {
        Head { edges: Some(_), .. } => Invalid::Printed("graph"),
        Head { same_boot: Some(_), .. } => Invalid::Printed("diff"),
        Head { summary: Some(_), .. } => Invalid::Lines,
        _ => Invalid::NotWhole(error),
    })?;
    values.end().map_err(Invalid::Trailing)?;
    report.into_saved().map_err(Invalid::Contradictory)
}

impl Saved {
    /// Whether it was judged, and no finding of `why` was left out of it.
    pub(crate) fn has_all_of_why(&self) -> bool {
        let mut of_why = Code::ALL.iter().filter(|code| code.about().reported_by == ReportedBy::Why);
        let mut is_whole = |audit: &AuditScope| {
            audit.known == 0 && audit.severity == Severity::Info && of_why.all(|code| audit.codes.contains(code))
        };
        self.diagnosis.is_some() && self.audit.as_ref().is_none_or(&mut is_whole)
    }

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
pub(crate) mod tests;
