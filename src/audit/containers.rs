//! `crosses-containers`: the holders of one pipe are on two sides of a container or PID namespace.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, all_on};
use crate::model::{AccessMode, Endpoint, Fd, Finding, Pid, Pipe, Place, Risk};

pub(super) const EXPLAIN: &str = "\
The ends of one pipe are held in different containers, told by the control
groups of their holders, or in different PID namespaces.

Info if only the namespaces differ, as with sandboxes of browsers and
unshare(1), and if it is a standard stream of a container that a single process
on the other side has, as the monitors of container engines do. Otherwise
warning: two containers share a pipe, or one has an end of the host's that is
none of its standard streams.

Harmless where the engine passes such a descriptor on purpose.

What to do: a descriptor that leaked into a container lets it read or write
what is outside of it. Open it with O_CLOEXEC, or close it before the container
is started, and keep the container engine up to date.";

pub(super) fn find(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    let mut places: BTreeMap<(Option<&str>, Option<u64>), Vec<Pid>> = BTreeMap::new();
    for pid in all_on(pipe) {
        // Of whom nothing could be read it is not known where it is.
        if let Some(process) = case.graph.processes.get(&pid)
            && process.uid.is_some()
        {
            places.entry((process.container.as_deref(), process.pid_namespace)).or_default().push(pid);
        }
    }
    if !places.keys().any(|one| places.keys().any(|other| is_apart(*one, *other))) {
        return None;
    }
    let place = |((container, namespace), pids): ((Option<&str>, Option<u64>), Vec<Pid>)| Place {
        container: container.map(str::to_owned),
        namespace,
        pids,
    };
    let places: Vec<Place> = places.into_iter().map(place).collect();
    let is_within = places.iter().all(|place| Some(&place.container) == places.first().map(|first| &first.container));
    let usual = is_within || is_stdio(pipe, &places);
    let risk = Risk::CrossesContainers { pipe: pipe.id, places, usual };
    Some(case.finding(risk, all_on(pipe), vec![pipe.id], Vec::new()))
}

/// Whether two places surely differ: what could not be read may be the same.
fn is_apart(one: (Option<&str>, Option<u64>), other: (Option<&str>, Option<u64>)) -> bool {
    one.0 != other.0 || one.1.zip(other.1).is_some_and(|(one, other)| one != other)
}

/// Whether one side has it as a standard stream, and the other is a single process that watches it. A container may have sandboxes inside.
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
        // Between two containers it may be a monitor in the one, which has it as a descriptor of its own.
        let may_watch = Option::<&str>::is_none(outside) || !has_as_standard(watchers);
        inside.is_some() && watchers.len() == 1 && has_as_standard(within) && may_watch
    };
    is_watched(one, two) || is_watched(two, one)
}

fn is_standard(end: &Endpoint) -> bool {
    matches!((end.fd, end.access), (Fd(0), AccessMode::Read) | (Fd(1 | 2), AccessMode::Write))
}
