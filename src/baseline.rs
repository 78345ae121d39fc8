//! The baseline: known findings in a file that is reviewed and kept. What identifies a finding across restarts of its processes, and the
//! format of the file.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::escape::{quote_name, sanitize_sentence, shell_word};
use crate::files;
use crate::findings::{Code, Finding, Identity};
use crate::judge::Groups;
use crate::judge::processes::Processes;
use crate::model::{AccessMode, Pid, PipeGraph, Severity, Side};
use crate::sys::reason;

/// The version of the file. It changes with anything that an older lspipe would misread.
const VERSION: u64 = 1;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Baseline(BTreeSet<Known>);

/// What identifies a finding: nothing that changes when its processes are restarted. A more severe one is another.
///
/// Names are exact in ASCII: bytes that are none, backslashes, quotes and control characters are escaped as
/// [`escape_ascii`](slice::escape_ascii) does it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    code: String,
    /// The commands of its processes.
    commands: BTreeSet<String>,
    /// Their effective user IDs.
    users: BTreeSet<u32>,
    /// Their systemd units.
    units: BTreeSet<String>,
    /// The paths of its FIFOs.
    fifos: BTreeSet<String>,
    /// Last, so that entries that differ in nothing else stand together, the worst first.
    severity: Severity,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<F> {
    baseline_version: u64,
    findings: F,
}

/// A file that cannot be used as a baseline.
#[derive(Debug, Error)]
#[error("{}: {what}", quote_name(path.as_os_str().as_bytes()))]
pub struct Error {
    path: PathBuf,
    what: Invalid,
}

#[derive(Debug, Error)]
enum Invalid {
    #[error("cannot read the baseline: {}{}", reason(.0), missing_hint(.0, .1))]
    Unreadable(io::Error, PathBuf),
    #[error(
        "a baseline of version {0}, and this lspipe reads only version {VERSION}: use the lspipe that wrote it, or write a new one with --write-baseline"
    )]
    Version(u64),
    #[error("not a whole baseline of lspipe: {}; correct it, or write a new one with --write-baseline", sanitize_sentence(.0))]
    Corrupt(String),
}

fn missing_hint(error: &io::Error, path: &Path) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return String::new();
    }
    let command = shell_word(path.as_os_str().as_bytes()).map(|path| format!("`lspipe audit --write-baseline {path}`"));
    format!("; {} creates one", command.as_deref().unwrap_or("--write-baseline"))
}

impl Baseline {
    /// Reads a baseline from its file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = files::read(path).map_err(|error| Invalid::Unreadable(error, path.to_owned()));
        let error = |what| Error { path: path.to_owned(), what };
        bytes.and_then(|bytes| Self::parse(&bytes)).map_err(error)
    }

    /// Writes the file: equal for equal findings, whenever it is written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), files::Error> {
        let mut json = serde_json::to_vec_pretty(&File { baseline_version: VERSION, findings: &self.0 })
            .map_err(|error| files::Error::new(path, io::Error::from(error)))?;
        json.push(b'\n');
        files::write_atomic(path, &json)
    }

    /// What identifies these findings; of those that differ in severity only, the worst.
    #[must_use]
    pub(crate) fn new<'a>(findings: impl IntoIterator<Item = &'a Finding>, graph: &PipeGraph, groups: &Groups) -> Self {
        let all: BTreeSet<Known> = findings.into_iter().map(|finding| known(finding, graph, groups)).collect();
        let is_worst = |known: &&Known| all.range(known.worst()..(*known).clone()).next().is_none();
        Self(all.iter().filter(is_worst).cloned().collect())
    }

    /// Whether a finding is one of them, with the same severity or a lower one.
    #[must_use]
    pub(crate) fn knows(&self, finding: &Finding, graph: &PipeGraph, groups: &Groups) -> bool {
        let has = |known: Known| self.0.range(known.worst()..=known).next().is_some();
        // A baseline of an older version has heirs, too.
        has(known(finding, graph, groups)) || has(known_with_heirs(finding, graph, groups))
    }

    /// Parses any bytes; what is a baseline comes back when it is written.
    #[cfg(fuzzing)]
    pub(crate) fn read_bytes(bytes: &[u8]) {
        if let Ok(baseline) = Self::parse(bytes) {
            let text = serde_json::to_vec(&File { baseline_version: VERSION, findings: &baseline.0 });
            assert!(text.is_ok_and(|text| Self::parse(&text).is_ok_and(|again| again.0 == baseline.0)));
        }
    }

    /// Parses what [`Self::write`] wrote, possibly edited. Strictly: a file that is misread would suppress the wrong findings.
    fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        // The version first: what follows it may look different in another.
        #[derive(Deserialize)]
        struct Versioned {
            baseline_version: u64,
        }
        let corrupt = |error: serde_json::Error| Invalid::Corrupt(error.to_string());
        let Versioned { baseline_version } = serde_json::from_slice(bytes).map_err(corrupt)?;
        if baseline_version != VERSION {
            return Err(Invalid::Version(baseline_version));
        }
        let file: File<BTreeSet<Known>> = serde_json::from_slice(bytes).map_err(corrupt)?;
        match file.findings.iter().find(|known| known.code.parse::<Code>().is_err()) {
            Some(unknown) => {
                Err(Invalid::Corrupt(format!("there is no finding {}", quote_name(unknown.code.as_bytes()))))
            }
            None => Ok(Self(file.findings)),
        }
    }
}

impl Known {
    /// The same with the highest severity: the first in order of those that differ only in severity.
    fn worst(&self) -> Self {
        Self { severity: Severity::Error, ..self.clone() }
    }
}

/// Without the processes that inherited their ends from another one of the finding: they come and go.
fn known(finding: &Finding, graph: &PipeGraph, groups: &Groups) -> Known {
    identified(finding, graph, groups, &heirs(finding, graph, groups))
}

/// As older versions of lspipe did it.
fn known_with_heirs(finding: &Finding, graph: &PipeGraph, groups: &Groups) -> Known {
    identified(finding, graph, groups, &BTreeSet::new())
}

/// The processes of a finding that are not blocked themselves, and of which each end is also that of an ancestor of the same user.
fn heirs(finding: &Finding, graph: &PipeGraph, groups: &Groups) -> BTreeSet<Pid> {
    let identity = finding.identity();
    let blocked: BTreeSet<Pid> = identity.blocked().iter().map(|task| task.pid).collect();
    let table = Processes::new(graph, groups);
    let user = |pid: Pid| graph.processes.get(&pid).and_then(|process| process.uid);
    let (mut heirs, mut others) = (BTreeSet::new(), blocked);
    for pipe in finding.pipes.iter().filter_map(|id| graph.pipe(*id)) {
        let ends: BTreeSet<(Pid, AccessMode)> = pipe.ends.iter().map(|end| (end.pid, end.access)).collect();
        let kin = table.kin(&ends.iter().map(|(pid, _)| *pid).collect());
        for (pid, access) in &ends {
            let has_same = |above: Pid| ends.contains(&(above, *access)) && user(above) == user(*pid);
            if kin.above(*pid).any(has_same) { &mut heirs } else { &mut others }.insert(*pid);
        }
        others.extend(pipe.openers.iter().map(|opener| opener.task.pid));
    }
    &heirs - &others
}

fn identified(finding: &Finding, graph: &PipeGraph, groups: &Groups, heirs: &BTreeSet<Pid>) -> Known {
    let pipes = || finding.pipes.iter().filter_map(|id| graph.pipe(*id));
    let (user, mut pids, path): (_, BTreeSet<Pid>, _) = match finding.identity() {
        // Which of a user's processes has the most does not matter.
        Identity::User(user) => (Some(user), BTreeSet::new(), None),
        Identity::Blocked(_, path) => (None, finding.tasks.iter().map(|task| task.pid).collect(), path),
        Identity::Process(pid) => (None, BTreeSet::from([pid]), None),
        Identity::Pipe if finding.tasks.is_empty() => {
            (None, Side::BOTH.iter().flat_map(|side| pipes().flat_map(|pipe| pipe.on(*side))).collect(), None)
        }
        Identity::Pipe => (None, finding.tasks.iter().map(|task| task.pid).collect(), None),
    };
    pids.retain(|pid| !heirs.contains(pid));
    let processes = || pids.iter().filter_map(|pid| graph.processes.get(pid));
    let unread = |pid: Pid| graph.coverage.gaps.iter().find(move |gap| gap.pid == pid);
    let table = Processes::new(graph, groups);
    let users = pids.iter().filter_map(|pid| match graph.processes.get(pid) {
        Some(process) => process.uid,
        None => unread(*pid)?.uid,
    });
    let mut fifos: BTreeSet<String> = pipes().filter_map(|pipe| pipe.path.as_deref()).map(exact).collect();
    if fifos.is_empty() {
        fifos.extend(path.map(|path| exact(&path)));
    }
    Known {
        code: finding.code.as_str().to_owned(),
        commands: pids.iter().filter_map(|pid| table.name(*pid)).map(|name| exact(name)).collect(),
        users: users.chain(user).map(|uid| uid.0).collect(),
        units: processes().filter_map(|process| process.unit.as_deref()).map(stable_unit_name).collect(),
        fifos,
        severity: finding.severity,
    }
}

fn exact(name: &[u8]) -> String {
    name.escape_ascii().to_string()
}

/// A unit without the part that systemd generates for each start: `session-3.scope` and `run-u17.service` have other names after the next
/// login.
fn stable_unit_name(unit: &str) -> String {
    let Some((name, kind)) = unit.rsplit_once('.') else { return exact(unit.as_bytes()) };
    if let Some((template, instance)) = name.split_once('@')
        && is_of_connection(instance)
    {
        return exact(format!("{template}@*.{kind}").as_bytes());
    }
    if !(kind == "scope" || name.starts_with("run-") || name.starts_with("app-")) {
        return exact(unit.as_bytes());
    }
    let is_generated = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
    let mut stem = without_uuid(name);
    while let Some((rest, last)) = stem.rsplit_once(['-', '@', ':'])
        && is_generated(last)
    {
        stem = rest;
    }
    let star = if stem.len() < name.len() { "-*" } else { "" };
    exact(format!("{stem}{star}.{kind}").as_bytes())
}

/// Whether an instance is that of one connection: `3-10.0.0.1:22-10.0.0.9:51000`, or `3-4242-1000` of a UNIX socket; see `Accept=` in
/// systemd.socket(5).
fn is_of_connection(instance: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = instance.split('-');
    parts.next().is_some_and(is_number)
        && parts.clone().count() >= 2
        && parts.all(|part| is_number(part) || part.contains(':'))
}

/// What stands before a UUID at the end, of which a part may be without a digit.
fn without_uuid(name: &str) -> &str {
    let is_hex =
        |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut parts = name.rsplitn(6, '-');
    let has_uuid = parts.by_ref().take(5).zip([12, 4, 4, 4, 8]).filter(|part| is_hex(*part)).count() == 5;
    parts.next().filter(|_| has_uuid).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::stable_unit_name;

    #[test]
    fn of_a_unit_that_lasts() {
        for unit in [
            "sshd.service",
            "getty@tty1.service",
            "user@1000.service",
            "cups.socket",
            "init.scope",
            "x-1.service",
            "postgresql@15-main.service",
            "odd@1-2.service",
            "plain",
        ] {
            assert_eq!(stable_unit_name(unit), unit);
        }
        for (unit, expected) in [
            ("sshd@0-10.0.0.1:22-10.0.0.9:51000.service", "sshd@*.service"),
            ("echo@12-4242-1000.service", "echo@*.service"),
            ("session-3.scope", "session-*.scope"),
            ("session-c12.scope", "session-*.scope"),
            ("run-u17.service", "run-*.service"),
            ("run-r0f1e2d3c4b5a69788796a5b4c3d2e1f0.scope", "run-*.scope"),
            ("run-p812-i813.service", "run-*.service"),
            ("docker-0f1e2d.scope", "docker-*.scope"),
            ("app-gnome-firefox-4242.scope", "app-gnome-firefox-*.scope"),
            ("app-org.gnome.Terminal@0f1e.service", "app-org.gnome.Terminal-*.service"),
            ("vte-spawn-1b2c3d4e-0f1e-4a5b-8c9d-0a1b2c3d4e5f.scope", "vte-spawn-*.scope"),
            ("snap.firefox.firefox-1b2c3d4e-cafe-4a5b-feed-0a1b2c3d4e5f.scope", "snap.firefox.firefox-*.scope"),
            ("odd\u{fc}-1.scope", "odd\\xc3\\xbc-*.scope"),
        ] {
            assert_eq!(stable_unit_name(unit), expected);
        }
    }
}
