//! `crosses-containers`: the holders of one pipe are in different containers or PID namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::phrases::list;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, all_on};
use crate::escape::quote_name;
use crate::model::{AccessMode, Doubts, Endpoint, Fd, Pid, Pipe, PipeId, Severity};

pub(super) const ABOUT: About = About {
    severities: &[Severity::Warning, Severity::Info],
    explain: "\
The ends of one pipe are held in different containers, by the cgroups of their
holders, or in different PID namespaces.

Notice (info) if only the namespaces differ, as with sandboxes of browsers and
unshare(1), and if it is a standard stream of a container that a single process
on the other side holds, as the monitors of container engines do. Otherwise
warning: two containers share a pipe, or a container has an end of the host's
that is none of its standard streams.

Harmless where the engine passes such a descriptor on purpose.

What to do: a descriptor that leaked into a container lets it read or write what
is outside of it. Open it with O_CLOEXEC, or close it before the container is
started, and keep the container engine up to date.",
    summary: Some(["pipe between containers or PID namespaces", "pipes between containers or PID namespaces"]),
    about_sharing: true,
    ..super::OF_AUDIT
};

/// The places that share the pipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CrossesContainers {
    /// The pipe.
    pub pipe: PipeId,
    /// The places of its holders.
    pub places: Vec<Place>,
    /// Whether this is expected: only the namespaces differ, or it is a standard stream of a container that a single process outside holds.
    pub expected: bool,
}

/// A container and PID namespace, and the holders of the pipe in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// The container; null for the host, and for a container that is not in the cgroup path.
    pub container: Option<String>,
    /// The inode of the PID namespace; null if it could not be read.
    pub pid_namespace: Option<u64>,
    /// The processes, ascending.
    pub pids: Vec<Pid>,
}

impl Place {
    /// Whether they certainly differ: what could not be read may be the same.
    fn is_apart(&self, other: &Self) -> bool {
        self.container != other.container
            || self.pid_namespace.zip(other.pid_namespace).is_some_and(|(one, other)| one != other)
    }

    fn name(&self) -> String {
        /// Length of an ID as docker(1) prints it.
        const SHORT: usize = 12;
        match (&self.container, self.pid_namespace) {
            (Some(name), _) => {
                // One of a user has its name in front.
                let id = name.rsplit('/').next().unwrap_or(name);
                let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                let shown = if is_id { name.get(..name.len() - 64 + SHORT).unwrap_or(name) } else { name };
                format!("container {}", quote_name(shown.as_bytes()))
            }
            (None, Some(inode)) => format!("PID namespace {inode}"),
            (None, None) => "no container".to_owned(),
        }
    }
}

impl Kind for CrossesContainers {
    fn severity(&self, _: bool) -> Severity {
        if self.expected { Severity::Info } else { Severity::Warning }
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let places = list(&self.places, |place| format!("in {}", place.name()));
        format!("{} has holders {places}", phrases.pipe(self.pipe))
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let place = |pid: Pid| {
            let place = self.places.iter().find(|place| place.pids.contains(&pid))?;
            Some(format!("in {}", place.name()))
        };
        phrases.holders(self.pipe, place)
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        if self.expected {
            "Nothing to do if it is a standard stream of a container or sandbox that a process outside reads or writes."
                .to_owned()
        } else {
            "To prevent: close the descriptor before the container is started, or open it with O_CLOEXEC.".to_owned()
        }
    }
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(of_pipe)
}

/// Whether it is reported as a pipe that a container usually has.
pub(super) fn is_usual(case: &Case<'_>, pipe: &Pipe) -> bool {
    of_pipe(case, pipe).is_some_and(|judgement| judgement.severity() == Severity::Info)
}

fn of_pipe(case: &Case<'_>, pipe: &Pipe) -> Option<Judgement> {
    if !pipe.id.kind().is_pipe() {
        return None;
    }
    let mut places: BTreeMap<(Option<String>, Option<u64>), Vec<Pid>> = BTreeMap::new();
    let mut knows_all = true;
    for pid in all_on(pipe) {
        // The place of a process that could not be read is not known.
        match case.processes.facts(pid).filter(|process| process.uid.is_some()) {
            Some(process) => places.entry((process.container.clone(), process.pid_namespace)).or_default().push(pid),
            None => knows_all = false,
        }
    }
    let place = |((container, pid_namespace), pids)| Place { container, pid_namespace, pids };
    let places: Vec<Place> = places.into_iter().map(place).collect();
    if !places.iter().any(|one| places.iter().any(|other| one.is_apart(other))) {
        return None;
    }
    let is_within = places.windows(2).all(|pair| pair[0].container == pair[1].container);
    let expected = is_within || !knows_all || is_stdio(pipe, &places);
    Some(case.of_all_on(pipe, Details::CrossesContainers(CrossesContainers { pipe: pipe.id, places, expected })))
}

/// Whether one place has it as a standard stream, and the other is a single monitoring process. A container may have sandboxes inside.
fn is_stdio(pipe: &Pipe, places: &[Place]) -> bool {
    let mut sides: BTreeMap<Option<&str>, BTreeSet<Pid>> = BTreeMap::new();
    for place in places {
        sides.entry(place.container.as_deref()).or_default().extend(&place.pids);
    }
    let sides: Vec<_> = sides.into_iter().collect();
    let [one, two] = sides.as_slice() else { return false };
    let has_as_standard =
        |pids: &BTreeSet<Pid>| pipe.ends.iter().any(|end| pids.contains(&end.pid) && is_standard(end));
    let is_watched = |(inside, within): &(Option<&str>, BTreeSet<Pid>), (outside, watchers): &(_, BTreeSet<Pid>)| {
        // Of two containers, one may have the monitor, which does not have it as a standard stream.
        let may_watch = Option::<&str>::is_none(outside) || !has_as_standard(watchers);
        inside.is_some() && watchers.len() == 1 && has_as_standard(within) && may_watch
    };
    is_watched(one, two) || is_watched(two, one)
}

fn is_standard(end: &Endpoint) -> bool {
    matches!((end.fd, end.access), (Fd(0), AccessMode::Read) | (Fd(1 | 2), AccessMode::Write))
}
