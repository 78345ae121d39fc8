//! A report that was saved as JSON, read back into the very types that a scan fills, so that every question is answered from it in the
//! same way. Nothing is looked up on the machine that reads it.
//!
//! Reading is lenient where a version may have added a field, and strict where a value has no sense: half a report is none.

mod error;
mod graph;
mod why;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::error::{Invalid, SavedError};
use crate::model::{Diagnosis, Fd, Pid, PipeGraph, PipeId, Uid};
use crate::shape::{Report, SCHEMA_VERSION};
use crate::users::Users;
use crate::why::Groups;

/// Where a report was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavedFile {
    /// It comes on the standard input: `-`.
    Stdin,
    /// In this file.
    File(PathBuf),
}

impl SavedFile {
    /// What `--from` and `diff` take.
    #[must_use]
    pub fn named(name: PathBuf) -> Self {
        if name.as_os_str() == "-" { Self::Stdin } else { Self::File(name) }
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
        let mut bytes = Vec::new();
        match self {
            Self::Stdin => io::stdin().lock().read_to_end(&mut bytes)?,
            Self::File(path) => File::open(path)?.read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }
}

/// A report that was read back.
#[derive(Debug)]
pub struct Saved {
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
    schema_version: Option<u32>,
    /// Only a line of `--ndjson` has it.
    pipe: Option<serde::de::IgnoredAny>,
    finding: Option<serde::de::IgnoredAny>,
}

/// Reads a saved report.
///
/// # Errors
///
/// If the file cannot be read, is cut short, or is no report of a schema that is known here.
pub fn read(file: &SavedFile) -> Result<Saved, SavedError> {
    let fail = |what: Invalid| SavedError { name: file.name(), what };
    let bytes = file.bytes().map_err(|error| fail(Invalid::Unreadable(error)))?;
    parse(&bytes).map_err(fail)
}

fn parse(bytes: &[u8]) -> Result<Saved, Invalid> {
    if bytes.trim_ascii().is_empty() {
        return Err(Invalid::Empty);
    }
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Head>();
    let head = values.next().ok_or(Invalid::Empty)?.map_err(Invalid::of_head)?;
    if head.pipe.is_some() || head.finding.is_some() {
        return Err(Invalid::Lines);
    }
    match head.schema_version {
        None => return Err(Invalid::NotOurs),
        Some(SCHEMA_VERSION) => {}
        Some(other) => return Err(Invalid::OtherVersion(other)),
    }
    let report: Report<'_> = serde_json::from_slice(bytes).map_err(Invalid::NotWhole)?;
    let users = Users::saved(report.processes.iter().filter_map(|process| {
        let name = process.user.as_deref()?;
        Some((Uid(process.uid?), name.to_owned()))
    }));
    let diagnosis = why::diagnosis(&report)?;
    let groups = why::groups(report.threads.iter().flatten())?;
    let judged = diagnosis.is_some() && report.audit.as_ref().is_none_or(why::tells_all);
    let audited = report.audit.is_some();
    Ok(Saved { graph: graph::graph(report)?, users, groups, diagnosis, judged, audited })
}

impl Saved {
    /// The pipes that a path leads to: a FIFO of that name, or `/proc/PID/fd/N`.
    pub fn pipes_at(&self, path: &Path) -> Vec<PipeId> {
        use std::os::unix::ffi::OsStrExt as _;
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some((pid, fd)) = descriptor(&path) {
            let is_it = |pipe: &&crate::model::Pipe| pipe.ends.iter().any(|end| (end.pid, end.fd) == (pid, fd));
            return self.graph.pipes.iter().filter(is_it).map(|pipe| pipe.id).collect();
        }
        let name = path.as_os_str().as_bytes();
        let named = self.graph.pipes.iter().filter(|pipe| pipe.path.as_deref() == Some(name));
        named.map(|pipe| pipe.id).collect()
    }
}

/// `/proc/PID/fd/N`
fn descriptor(path: &Path) -> Option<(Pid, Fd)> {
    let mut parts = path.strip_prefix("/proc").ok()?.iter().map(|part| part.to_str().unwrap_or_default());
    let pid = parts.next()?.parse().ok()?;
    let fd = (parts.next()? == "fd").then(|| parts.next()?.parse().ok()).flatten()?;
    parts.next().is_none().then_some((Pid(pid), Fd(fd)))
}
