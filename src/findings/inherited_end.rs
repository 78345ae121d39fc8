//! `inherited-end`: a process of another session also holds an end of a pipeline's pipe. Inferred from how the processes are related.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::phrases::{ends_held, lines, verb};
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role};
use crate::judge::lineage::{is_pool, is_stdio};
use crate::model::{Certainty, Doubts, Endpoint, Pid, Pipe, PipeId, PipeKind, Severity, Side};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
A session has a reader and a writer of an anonymous pipe, and a process of
another session holds an end of it, too, without O_CLOEXEC: probably it was
started by one of them and inherited the end. While it holds a write end, the
readers do not see EOF though the pipeline has ended; while it holds a read end,
the writers do not see EPIPE. leaked-write-end reports the same once a process
is blocked.

Warning if it has a write end and none of its living ancestors is on the pipe.
Notice (info) if it has a read end only, or is a descendant of a process on the
pipe, as the command of sudo(8) is: that may be waiting for it. Not reported are
a pipe that all of its holders read and write, such as the jobserver of make(1);
a process that was forked by a holder and runs the same program; and a service
that systemd-run(1) started, as with `systemd-run --pipe`. It is inferred from
sessions, ancestors, command lines and units.

Harmless where a daemon is meant to write into the pipeline for as long as it
runs.

What to do: start it with its descriptors redirected or closed, as in
`daemon >/dev/null 2>&1 </dev/null 3>&-`, and open pipes with O_CLOEXEC in
programs that start others.",
    summary: Some(["pipe inherited by a process of another session", "pipes inherited by processes of other sessions"]),
    needs_audit_facts: false,
    about_sharing: true,
    ..super::OF_AUDIT
};

/// The session of the pipeline, and the ends in others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct InheritedEnd {
    /// The pipe.
    pub pipe: PipeId,
    /// The session that has a reader and a writer.
    pub session: u32,
    /// The ends of processes of other sessions, ordered as ends are; not empty.
    pub ends: Vec<ForeignEnd>,
    /// Whether all of these processes descend, or may descend, from a holder of the session's own ends.
    pub descend: bool,
}

/// An end in another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ForeignEnd {
    /// The end.
    #[serde(flatten)]
    pub end: Endpoint,
    /// The session of its process.
    pub session: u32,
}

impl InheritedEnd {
    fn has_write_end(&self) -> bool {
        self.ends.iter().any(|end| end.end.access.is_on(Side::Write))
    }
}

impl Kind for InheritedEnd {
    fn severity(&self, _: bool) -> Severity {
        if self.has_write_end() && !self.descend { Severity::Warning } else { Severity::Info }
    }

    fn certainty(&self, doubted: bool) -> Certainty {
        if doubted { Certainty::Suspected } else { Certainty::Inferred }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    /// If all are write ends, leaked-write-end reports them all.
    fn is_covered_by(&self, leaked: &BTreeSet<PipeId>) -> bool {
        leaked.contains(&self.pipe) && self.ends.iter().all(|end| end.end.access.is_on(Side::Write))
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let pids: BTreeSet<Pid> = self.ends.iter().map(|end| end.end.pid).collect();
        let without =
            if self.has_write_end() { "readers will not see EOF" } else { "writers will not get SIGPIPE or EPIPE" };
        let is_all = |side| self.ends.iter().all(|end| end.end.access.is_on(side));
        let end = match (is_all(Side::Read), is_all(Side::Write)) {
            (true, false) => "a read end",
            (false, true) => "a write end",
            (true, true) | (false, false) => "an end",
        };
        let holds = verb(pids.len(), "holds", "hold");
        let until = verb(pids.len(), "that process closes it", "those processes close theirs");
        format!(
            "{} belongs to a pipeline of session {}, and {} of another session also {holds} {end}: {without} until {until}",
            phrases.pipe(self.pipe),
            self.session,
            phrases.processes(pids.iter().copied()),
        )
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let line = |ends: &[ForeignEnd]| {
            let ForeignEnd { end, session } = ends.first()?;
            let held: Vec<Endpoint> = ends.iter().map(|end| end.end).collect();
            let process = phrases.process(end.pid, None);
            Some(format!("{process}, of session {session}, holds {}, without O_CLOEXEC", ends_held(&held)))
        };
        let by_process = self.ends.chunk_by(|one, other| one.end.pid == other.end.pid);
        lines(Role::Holder, by_process, |ends| line(ends).unwrap_or_default())
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        if self.descend {
            return "Nothing to do if its ancestor on the pipe waits for it. To prevent: start it with that descriptor closed."
                .to_owned();
        }
        let how = match self.ends.first() {
            Some(ForeignEnd { end, .. }) if is_stdio(end.fd) => " or redirected".to_owned(),
            Some(ForeignEnd { end, .. }) => format!(" (in a shell `{}>&-`)", end.fd),
            None => String::new(),
        };
        format!("To prevent: start it with that descriptor closed{how}, or open the pipe with O_CLOEXEC.")
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(of_pipe)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    if pipe.id.kind() != PipeKind::Anonymous {
        return None;
    }
    // Session 0, from which a PID namespace was entered, counts like any other.
    let session = |pid: Pid| case.processes.session(pid);
    let [reading, writing] =
        Side::BOTH.map(|side| pipe.side(side).filter_map(|end| session(end.pid)).collect::<BTreeSet<u32>>());
    // Nor if that of a holder is not known: it may be another such.
    if pipe.ends.iter().any(|end| session(end.pid).is_none()) {
        return None;
    }
    // If there are several such sessions, it is not known which one the pipeline belongs to.
    let mut both = reading.intersection(&writing);
    let (Some(whole), None) = (both.next().copied(), both.next()) else { return None };
    let own: BTreeSet<Pid> = pipe.ends.iter().map(|end| end.pid).filter(|pid| session(*pid) == Some(whole)).collect();
    let foreign = |end: &Endpoint| {
        let other = session(end.pid).filter(|other| *other != whole)?;
        let is_open = end.flags.is_some_and(|flags| !flags.closes_on_exec());
        is_open.then_some(ForeignEnd { end: *end, session: other })
    };
    let mut ends: Vec<ForeignEnd> = pipe.ends.iter().filter_map(foreign).collect();
    if ends.is_empty() {
        return None;
    }
    let on_both = pipe.on_both();
    if is_pool(pipe.ends.iter().map(|end| end.pid), |pid| on_both.contains(&pid)) {
        return None;
    }
    let kin = case.processes.kin(&pipe.ends.iter().map(|end| end.pid).collect());
    let was_given: BTreeSet<Pid> = ends.iter().map(|end| end.end.pid).filter(|pid| is_run(case, *pid, &own)).collect();
    let was_forked = |pid: Pid| kin.above(pid).next().is_some_and(|above| is_fork(case, pid, above));
    ends.retain(|end| !was_given.contains(&end.end.pid) && !was_forked(end.end.pid));
    if ends.is_empty() {
        return None;
    }
    // If one of them does not descend, all are reported. A saved plain report lacks ancestors that hold no end.
    let below = kin.all_below(&own);
    let may_descend = |pid: Pid| below.contains(&pid) || !case.processes.knows_ancestors(pid);
    let descend = ends.iter().all(|end| may_descend(end.end.pid));
    let tasks = case.leaders(ends.iter().map(|end| end.end.pid));
    let details = InheritedEnd { pipe: pipe.id, session: whole, ends, descend };
    Some(Judgement::new(Details::InheritedEnd(details), tasks, [pipe.id]))
}

/// Whether a process is a fork of the holder above it and runs the same program, which made the pipe or was given it; or may be, as far as is
/// known. A server may have overwritten the command line of its workers with a title: `postgres: checkpointer`.
fn is_fork(case: &Case<'_>, pid: Pid, above: Pid) -> bool {
    let facts = |pid: Pid| case.processes.facts(pid);
    let (Some(fork), Some(above)) = (facts(pid), facts(above)) else { return true };
    let [command, of_above] = [&fork.command, &above.command].map(|command| command.as_slice());
    if !command.is_empty() && !of_above.is_empty() && command != of_above {
        return false;
    }
    let (Some(line), Some(of_above)) = (&fork.cmdline, &above.cmdline) else { return true };
    line == of_above || line.text.starts_with(&[command, b": "].concat())
}

/// Whether a service manager started it for systemd-run(1), which passes it the ends as its standard streams.
fn is_run(case: &Case<'_>, pid: Pid, own: &BTreeSet<Pid>) -> bool {
    let unit_of = |pid: Pid| case.processes.facts(pid).and_then(|process| process.unit.as_deref()).unwrap_or_default();
    let unit = unit_of(pid);
    let is_transient = unit.starts_with("run-") && (unit.ends_with(".service") || unit.ends_with(".scope"));
    let is_client = |pid: &Pid| case.processes.name(*pid).is_some_and(|name| name.as_slice() == b"systemd-run");
    let is_other = !unit.is_empty() && own.iter().all(|pid| unit_of(*pid) != unit);
    is_other && (is_transient || own.iter().any(is_client))
}
