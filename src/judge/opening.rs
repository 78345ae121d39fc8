//! An open(2) of a FIFO that waits for a process which is to open the other side, and which waits for the opener in turn: two FIFOs that two
//! programs open in different orders. That a process is to open a FIFO is known from its arguments only.

use std::collections::{BTreeSet, HashMap};

use super::Groups;
use super::deadlock::{WaitCycle, WaitEdge};
use super::processes::Processes;
use super::waits::{WakerSets, WakersOf};
use crate::model::{
    AlternativeWake, Children, CommandLine, Operation, Pid, PipeId, PipeWait, Task, TaskState, WaitTarget, Waker,
};

/// Maximum number of steps from the process that is to open the FIFO back to the opener.
const MOST_STEPS: usize = 16;

/// Maximum number of processes with a FIFO of that name among their arguments that are looked at for one opener.
const MOST_CANDIDATES: usize = 64;

/// A cycle of waits that an open(2) is part of, with the FIFO and the pipes in it.
#[derive(Debug, Clone)]
pub(crate) struct OpeningCircle {
    pub(crate) waits: WaitCycle,
    pub(crate) pipes: Vec<PipeId>,
}

/// The cycles, ordered by opener.
pub(crate) fn find(groups: &Groups, processes: &Processes<'_>, wakers: &WakerSets<'_>) -> Vec<OpeningCircle> {
    let tasks = groups.values().flat_map(|group| &group.tasks);
    let opens = tasks.flat_map(|task| task.doing.pipe_waits().map(move |wait| (task, wait)));
    let mut opens = opens.filter(|(_, wait)| wait.operation == Operation::Open && wait.path.is_some()).peekable();
    if opens.peek().is_none() {
        return Vec::new();
    }
    let mut named: HashMap<&[u8], Vec<Pid>> = HashMap::new();
    for pid in groups.keys() {
        let line = processes.facts(*pid).and_then(|process| process.cmdline.as_ref());
        let names: BTreeSet<&[u8]> = line.into_iter().flat_map(CommandLine::arguments).skip(1).map(last_name).collect();
        for name in names {
            named.entry(name).or_default().push(*pid);
        }
    }
    let circle = |(task, wait): (&Task, &PipeWait)| {
        let path: &[u8] = wait.path.as_ref()?;
        let candidates = named.get(last_name(path)).map_or(&[][..], Vec::as_slice).iter().copied();
        let is_it = |pid: &Pid| {
            let line = processes.facts(*pid).and_then(|process| process.cmdline.as_ref());
            *pid != task.id.pid && line.is_some_and(|line| has_argument(line, path))
        };
        candidates.take(MOST_CANDIDATES).filter(is_it).find_map(|other| circle(task, wait, other, groups, wakers))
    };
    opens.filter_map(circle).collect()
}

/// The part of a path after its last slash.
fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// The steps from an opener to the process that is to open the other side, and back.
fn circle(
    opener: &Task,
    wait: &PipeWait,
    other: Pid,
    groups: &Groups,
    wakers: &WakerSets<'_>,
) -> Option<OpeningCircle> {
    let target = WaitTarget::Pipe(wait.clone());
    let mut steps = vec![WaitEdge { task: opener.id, target, waker: Waker::process(other) }];
    steps.extend(way(other, opener.id.pid, groups, wakers)?);
    let pipe = |edge: &WaitEdge| if let WaitTarget::Pipe(wait) = &edge.target { wait.pipe } else { None };
    let pipes: BTreeSet<PipeId> = steps.iter().filter_map(pipe).collect();
    let blocked = steps.iter().map(|edge| edge.task).collect();
    let waits = WaitCycle { cycle: steps, blocked, blocked_behind: Vec::new(), inferred: true };
    Some(OpeningCircle { waits, pipes: pipes.into_iter().collect() })
}

/// Whether a path, or its end below some working directory, is an argument of a program.
fn has_argument(line: &CommandLine, path: &[u8]) -> bool {
    let is_it = |argument: &[u8]| {
        let argument = argument.strip_prefix(b"./").unwrap_or(argument);
        let before = path.strip_suffix(argument).filter(|_| !argument.is_empty());
        before.is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
    };
    line.arguments().skip(1).any(is_it)
}

/// The steps by which a process waits for another, each for one process alone.
fn way(from: Pid, to: Pid, groups: &Groups, wakers: &WakerSets<'_>) -> Option<Vec<WaitEdge>> {
    let (mut at, mut steps) = (from, Vec::new());
    while at != to && steps.len() < MOST_STEPS {
        let tasks = &groups.get(&at)?.tasks;
        let edge = tasks.iter().find_map(|task| only_step(at, task, wakers))?;
        at = edge.waker.pid;
        steps.push(edge);
    }
    (at == to).then_some(steps)
}

/// What a thread waits for, if that is one process alone and nothing else can end it.
fn only_step(pid: Pid, task: &Task, wakers: &WakerSets<'_>) -> Option<WaitEdge> {
    let TaskState::Waits { causes, besides: None | Some(AlternativeWake::Files) } = &task.doing else { return None };
    let [cause] = causes.as_slice() else { return None };
    let wakers = wakers.of(WakersOf::wait(pid, cause));
    let others: BTreeSet<Pid> = wakers.iter().map(|waker| waker.pid).filter(|other| *other != pid).collect();
    let only = others.first().copied().filter(|_| others.len() == 1)?;
    let waker = *wakers.iter().find(|waker| waker.pid == only)?;
    let target = match cause {
        WaitTarget::Children(_) => WaitTarget::Children(Children::One(only)),
        other => other.clone(),
    };
    Some(WaitEdge { task: task.id, target, waker })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_an_argument_whole_or_below_a_directory() {
        let has = |argument: &str| {
            has_argument(&format!("ffmpeg\0-i\0{argument}\0").into_bytes().into(), b"/srv/a/audio.fifo")
        };
        assert!(
            ["/srv/a/audio.fifo", "audio.fifo", "./audio.fifo", "a/audio.fifo"].map(has).iter().all(|is_it| *is_it)
        );
        assert!(!["o.fifo", "/audio.fifo", "", "audio.fifo2", "b/audio.fifo"].map(has).iter().any(|is_it| *is_it));
    }
}
