//! The chain of waits of a process or on a pipe as a tree: each thread that waits, and below it what could end that, down to a thread
//! that is awake.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::wrapped::WrappedLine;
use crate::escape::quote_name;
use crate::findings::{Details, MOST_LINES, Phrases, list, thousands};
use crate::judge::side::{self, SideState};
use crate::model::{
    CommandName, Endpoint, Operation, Pid, Pipe, Side, SleepOn, Task, TaskId, TaskState, Wait, WaitTarget, Waker,
};
use crate::report::{Judgment, Scope};

/// Maximum number of steps of a chain.
const MOST_STEPS: usize = 24;

/// Maximum number of processes with a chain each; of the others it is only said what they do.
const MOST_CHAINS: usize = 24;

/// Maximum number of processes that are compared, to draw one of those that do the same.
const MOST_COMPARED: usize = 1024;

/// Nothing is drawn below a line that comes after so many: the chains of many processes would each be as long as there are processes.
const MOST_IN_CHAIN: usize = 100;

/// Some processes and threads: those that the chains show, so that a finding need not show them again.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    /// The processes.
    pub(super) pids: BTreeSet<Pid>,
    /// The threads with a line of their own.
    pub(super) tasks: BTreeSet<TaskId>,
}

pub(super) struct Chain<'a> {
    phrases: Phrases<'a>,
    judgment: &'a Judgment<'a>,
    /// The threads and processes in a circle that a finding reports: where there are many, these are named first.
    in_circle: &'a Drawn,
    /// What this chain shows.
    drawn: Drawn,
    lines: Vec<WrappedLine>,
}

/// The threads of a process, as a chain shows them.
struct Threads<'a> {
    /// Those with a line each.
    shown: Vec<&'a Task>,
    /// Others that would have one, but there are too many.
    more: usize,
    /// Those that wait for nothing that leads further.
    others: Vec<&'a Task>,
}

impl<'a> Chain<'a> {
    /// A tree for each process or pipe in scope, and what all of them show.
    pub(super) fn of_all(phrases: Phrases<'a>, judgment: &'a Judgment<'a>) -> (Vec<Vec<WrappedLine>>, Drawn) {
        let circles = judgment.diagnosis.findings.iter().filter_map(|finding| match &finding.details {
            Some(Details::Deadlock(waits) | Details::SelfDeadlock(waits)) => Some(waits),
            _ => None,
        });
        let mut in_circle = Drawn::default();
        for edge in circles.flat_map(|waits| &waits.cycle) {
            in_circle.pids.extend([edge.task.pid, edge.waker.pid]);
            in_circle.tasks.insert(edge.task);
        }
        let mut all = Drawn::default();
        let mut draw = |root: &dyn Fn(&mut Chain<'_>)| {
            let mut chain =
                Chain { phrases, judgment, in_circle: &in_circle, drawn: Drawn::default(), lines: Vec::new() };
            root(&mut chain);
            all.pids.extend(chain.drawn.pids);
            all.tasks.extend(chain.drawn.tasks);
            chain.lines
        };
        let chains = match judgment.scope {
            Scope::Everything => Vec::new(),
            Scope::Processes(pids) => {
                let known: Vec<Pid> = pids.iter().copied().filter(|pid| judgment.groups.contains_key(pid)).collect();
                let (drawn, others) = known.split_at(known.len().min(MOST_CHAINS));
                let mut chains: Vec<_> = drawn.iter().map(|pid| draw(&|chain| chain.process(*pid))).collect();
                chains.extend((!others.is_empty()).then(|| draw(&|chain| chain.processes(others))));
                chains
            }
            Scope::Pipes(pipes) => {
                let known = pipes.iter().filter_map(|pipe| phrases.graph.pipe(*pipe));
                known.map(|pipe| draw(&|chain| chain.pipe(pipe))).collect()
            }
        };
        (chains, all)
    }

    fn line(&mut self, text: impl Into<String>) {
        self.lines.push(WrappedLine::new("", "  ", text));
    }

    /// Further processes, without what they wait for.
    fn processes(&mut self, pids: &[Pid]) {
        self.line(format!("Not drawn: the chains of {} more. --pid selects fewer processes.", thousands(pids.len())));
        for pid in pids {
            let (process, doing) = (self.phrases.process(*pid, None), self.phrases.process_doing(*pid));
            self.line(format!("{process} {doing}"));
        }
    }

    /// A process with all that its threads wait for.
    fn process(&mut self, pid: Pid) {
        self.drawn.pids.insert(pid);
        let phrases = self.phrases;
        let threads = self.threads(pid);
        if threads.shown.is_empty() {
            return self.line(format!("{} {}", phrases.process(pid, None), phrases.process_doing(pid)));
        }
        for task in &threads.shown {
            self.line(format!("{} {}", phrases.task_name(task.id), phrases.doing(task)));
            self.below(task, "", 0);
        }
        for text in rest(&threads, phrases, &format!(" of {}", phrases.process(pid, None))) {
            self.line(text);
        }
    }

    /// A pipe with its holders, and what they are doing.
    fn pipe(&mut self, pipe: &Pipe) {
        let phrases = self.phrases;
        let name = phrases.pipe(pipe.id);
        for side in Side::BOTH {
            let opens = match side {
                Side::Read => "is opening it for reading",
                Side::Write => "is opening it for writing",
            };
            let ends: Vec<_> = pipe.side(side).collect();
            let openers: Vec<_> = pipe.openers.iter().filter(|opener| opener.access.is_on(side)).collect();
            let none = match side::state(phrases.graph, pipe, side) {
                SideState::Seen => None,
                SideState::Hidden => Some("one that no fd table shows"),
                SideState::Unknown => Some("none was seen"),
                SideState::None => Some("none"),
            };
            let mut lines: Vec<String> = none.map(str::to_owned).into_iter().collect();
            lines.extend(ends.iter().take(MOST_LINES).map(|end| {
                let (process, doing) = (phrases.process(end.pid, end.tid), phrases.process_doing(end.pid));
                format!("{process} (fd {}): it {doing}", end.fd)
            }));
            let more = ends.len().checked_sub(MOST_LINES).filter(|more| *more > 0);
            lines.extend(more.map(|more| format!("{} more", thousands(more))));
            let named = openers.iter().take(MOST_LINES);
            lines.extend(named.map(|opener| format!("{} {opens}", phrases.task_name(opener.task))));
            let more = openers.len().checked_sub(MOST_LINES).filter(|more| *more > 0);
            lines.extend(more.map(|more| format!("{} more {opens}", thousands(more))));
            for line in lines {
                self.line(format!("{name}, {}: {line}", side.holder()));
            }
        }
    }

    /// The waits of a process.
    fn waits(&self, pid: Pid) -> &'a [Wait] {
        let waits = &self.judgment.diagnosis.waits[..];
        let first = waits.partition_point(|wait| wait.task.pid < pid);
        let count = waits[first..].partition_point(|wait| wait.task.pid == pid);
        &waits[first..][..count]
    }

    /// Which threads of a process have a line each: those that wait for a channel or a child, those in a circle first, and those that wait
    /// for a file or a terminal that can be named. A process with one thread needs no choice.
    fn threads(&self, pid: Pid) -> Threads<'a> {
        let tasks = self.judgment.groups.get(&pid).map_or(&[][..], |group| &group.tasks);
        if let [task] = tasks {
            return Threads { shown: vec![task], more: 0, others: Vec::new() };
        }
        let waits = self.waits(pid);
        let rank = |task: &Task| -> Option<u8> {
            if waits.binary_search_by_key(&task.id, |wait| wait.task).is_ok() {
                return Some(u8::from(!self.in_circle.tasks.contains(&task.id)));
            }
            match (&task.doing, task.woke.as_deref()) {
                (TaskState::Runs, Some(TaskState::Waits { causes, .. })) => {
                    causes.iter().any(|cause| *cause != WaitTarget::Threads).then_some(2)
                }
                (TaskState::Sleeps { sleep }, _) => {
                    matches!(sleep.on, SleepOn::Files | SleepOn::Socket | SleepOn::Terminal).then_some(3)
                }
                _ => None,
            }
        };
        let (mut shown, mut others) = (Vec::new(), Vec::new());
        for task in tasks {
            match rank(task) {
                Some(rank) => shown.push((rank, task)),
                None => others.push(task),
            }
        }
        shown.sort_by_key(|(rank, _)| *rank);
        let more = shown.len().saturating_sub(MOST_LINES);
        Threads { shown: shown.into_iter().take(MOST_LINES).map(|(_, task)| task).collect(), more, others }
    }

    /// Below the line of a thread: the processes that could end its wait, each with what its own threads wait for.
    fn below(&mut self, task: &'a Task, indent: &str, steps: usize) {
        self.drawn.tasks.insert(task.id);
        let all = self.waits(task.id.pid);
        let first = all.partition_point(|wait| wait.task < task.id);
        let own = all[first..].iter().take_while(|wait| wait.task == task.id);
        // What several waits have in common, once.
        let mut shared = HashSet::new();
        let own: Vec<&Wait> = own.filter(|wait| shared.insert(wait.wakers.place())).collect();
        let mut branches: Vec<(&Wait, &[Waker])> =
            own.iter().flat_map(|wait| wait.wakers.chunk_by(is_of_one).map(move |wakers| (*wait, wakers))).collect();
        branches.sort_by_key(|(_, wakers)| !wakers.iter().any(|waker| self.in_circle.pids.contains(&waker.pid)));
        let unseen = own.iter().find(|wait| is_unseen(wait)).and_then(|_| {
            let holders = self.phrases.likely_holders(task.id.pid)?;
            Some(format!("no writer was seen; most likely, by session and start time: {holders}"))
        });
        let (drawn, alike) = self.fold(branches);
        branches = drawn;
        let is_cut = (steps == MOST_STEPS || self.lines.len() >= MOST_IN_CHAIN) && !branches.is_empty();
        let more = branches.len().saturating_sub(MOST_LINES);
        let mut closing: Vec<String> = unseen.into_iter().chain(alike).collect();
        closing.extend((more > 0 && !is_cut).then(|| format!("and {} more", thousands(more))));
        if is_cut {
            (branches, closing) = (Vec::new(), vec!["and so on".to_owned()]);
        }
        let count = branches.len().min(MOST_LINES) + closing.len();
        for (index, (wait, wakers)) in branches.into_iter().take(MOST_LINES).enumerate() {
            self.branch(wait, wakers, indent, index + 1 == count, steps);
        }
        for (index, text) in closing.iter().enumerate() {
            self.twig(text, indent, index + 1 == closing.len());
        }
    }

    /// Of many processes of one command that could end a wait and do the same, only the first is drawn; and how many more there are of each.
    fn fold<'b>(&self, branches: Vec<(&'b Wait, &'b [Waker])>) -> (Vec<(&'b Wait, &'b [Waker])>, Vec<String>) {
        if branches.len() <= MOST_LINES || branches.len() > MOST_COMPARED {
            return (branches, Vec::new());
        }
        let kind = |(wait, wakers): &(&'b Wait, &'b [Waker])| {
            let pid = wakers.first()?.pid;
            let command = self.phrases.command(pid).filter(|name| !name.is_empty())?;
            // For how long is not the same for any two.
            let doing: String = self.phrases.process_doing(pid).chars().filter(|it| !it.is_ascii_digit()).collect();
            (!self.in_circle.pids.contains(&pid)).then_some((wait.pipe(), command, doing))
        };
        let kinds: Vec<_> = branches.iter().map(kind).collect();
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        for kind in kinds.iter().flatten() {
            *counts.entry(kind).or_default() += 1;
        }
        counts.retain(|_, count| *count > MOST_LINES);
        let mut seen = BTreeSet::new();
        let mut drawn = Vec::new();
        for (kind, branch) in kinds.iter().zip(&branches) {
            if kind.as_ref().is_none_or(|kind| !counts.contains_key(kind) || seen.insert(kind)) {
                drawn.push(*branch);
            }
        }
        let more = |((_, command, _), count): (&(_, &CommandName, _), &usize)| {
            format!("{} ×{} more, which do the same", quote_name(command), thousands(count - 1))
        };
        (drawn, counts.iter().map(|(kind, count)| more((*kind, count))).collect())
    }

    /// A line below another, and what lines below it begin with.
    fn twig(&mut self, text: &str, indent: &str, is_last: bool) -> String {
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let below = format!("{indent}{below}");
        self.lines.push(WrappedLine::new(format!("{indent}{branch}"), below.clone(), text));
        below
    }

    /// A process that could end a wait, by some ends in its fd table, with all that it waits for itself.
    fn branch(&mut self, wait: &Wait, wakers: &[Waker], indent: &str, is_last: bool, steps: usize) {
        let Some(waker) = wakers.first() else { return };
        let (phrases, pid) = (self.phrases, waker.pid);
        let reached = self.reached(wait, wakers);
        let (process, it) = match &reached {
            Some(reached) => (reached.clone(), ": it"),
            None => (phrases.process(pid, waker.tid), ""),
        };
        if !self.drawn.pids.insert(pid) {
            let place = if pid == wait.task.pid { "the process itself" } else { "see above" };
            self.twig(&format!("{process}: {place}"), indent, is_last);
            return;
        }
        let threads = self.threads(pid);
        if threads.shown.len() + threads.more + threads.others.len() < 2 || threads.shown.is_empty() {
            let below = self.twig(&format!("{process}{it} {}", phrases.process_doing(pid)), indent, is_last);
            if let [task] = threads.shown[..] {
                self.below(task, &below, steps + 1);
            }
            return;
        }
        let count = threads.shown.len() + threads.more + threads.others.len();
        let below = self.twig(&format!("{process}{it} has {} threads", thousands(count)), indent, is_last);
        let rest = rest(&threads, phrases, "");
        for (index, task) in threads.shown.iter().enumerate() {
            let is_last = rest.is_empty() && index + 1 == threads.shown.len();
            let below = self.twig(&format!("thread {} {}", task.id.tid, phrases.doing(task)), &below, is_last);
            self.below(task, &below, steps + 1);
        }
        for (index, text) in rest.iter().enumerate() {
            self.twig(text, &below, index + 1 == rest.len());
        }
    }

    /// By what a process could end a wait: `pipe:[18913]: cat (PID 252) holds a write end (fd 1)`; none of a child.
    fn reached(&self, wait: &Wait, wakers: &[Waker]) -> Option<String> {
        let waker = wakers.first()?;
        let process = || self.phrases.process(waker.pid, waker.tid);
        match &wait.target {
            WaitTarget::Pipe(_) => {
                let id = wait.pipe()?;
                let pipe = self.phrases.graph.pipe(id)?;
                let end = |waker: &Waker| {
                    let key = (waker.pid, waker.tid, waker.fd?);
                    pipe.ends.binary_search_by_key(&key, Endpoint::key).ok().and_then(|place| pipe.ends.get(place))
                };
                let ends: Vec<Endpoint> = wakers.iter().filter_map(end).cloned().collect();
                (!ends.is_empty()).then(|| format!("{}: {}", self.phrases.pipe(id), self.phrases.holds_of(id, &ends)))
            }
            WaitTarget::Lock(_) => Some(format!("{} shares the memory of the lock", process())),
            WaitTarget::Event(_) => Some(format!("{} holds the eventfd", process())),
            WaitTarget::FileLock(_) => {
                let fds = list(wakers.iter().filter_map(|waker| waker.fd), |fd| format!("fd {fd}"));
                Some(format!("{} holds the lock ({fds})", process()))
            }
            WaitTarget::Children(_) | WaitTarget::Threads => None,
        }
    }
}

/// Whether two ends that could end a wait are in one fd table.
fn is_of_one(one: &Waker, other: &Waker) -> bool {
    (one.pid, one.tid) == (other.pid, other.tid)
}

/// Whether a thread waits for data although no writer was seen.
fn is_unseen(wait: &Wait) -> bool {
    let reads = |target: &WaitTarget| matches!(target, WaitTarget::Pipe(at) if at.operation == Operation::Read && at.pipe.is_some());
    wait.wakers.is_empty() && reads(&wait.target)
}

/// The threads of a process without a line of their own, in words; `of` names the process, where that is not above.
fn rest(threads: &Threads<'_>, phrases: Phrases<'_>, of: &str) -> Vec<String> {
    let more = (threads.more > 0).then(|| format!("{} more threads{of} are waiting, too", thousands(threads.more)));
    let others = match threads.others[..] {
        [] => None,
        [task] => Some(format!("the other thread{of} {}", phrases.doing(task))),
        _ => {
            let count = thousands(threads.others.len());
            Some(format!("{count} other threads{of}{}", Phrases::threads_doing(&threads.others)))
        }
    };
    more.into_iter().chain(others).collect()
}
