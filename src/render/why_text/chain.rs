//! The chain of waits of a process or on a pipe as a tree: each process waits for those below it, down to one that is awake.

use std::collections::{BTreeSet, HashSet};

use super::WrappedLine;
use crate::findings::{MOST_LINES, Phrases, thousands};
use crate::judge::side::{self, SideState};
use crate::model::{Endpoint, Pid, Pipe, PipeId, Side, Task, Wait, Wakers};
use crate::report::{Judgment, Scope};

/// Maximum number of steps of a chain.
const MOST_STEPS: usize = 24;

/// Maximum number of processes with a chain each; of the others it is only said what they do.
const MOST_CHAINS: usize = 24;

/// Nothing is drawn below a line that comes after so many: the chains of many processes would each be as long as there are processes.
const MOST_IN_CHAIN: usize = 100;

pub(super) struct Chain<'a> {
    phrases: Phrases<'a>,
    judgment: &'a Judgment<'a>,
    /// The processes whose waits are drawn already.
    drawn: BTreeSet<Pid>,
    lines: Vec<WrappedLine>,
}

impl<'a> Chain<'a> {
    /// A tree for each process or pipe in scope.
    pub(super) fn of_all(phrases: Phrases<'a>, judgment: &'a Judgment<'a>) -> Vec<Vec<WrappedLine>> {
        let draw = |root: &dyn Fn(&mut Self)| {
            let mut chain = Self { phrases, judgment, drawn: BTreeSet::new(), lines: Vec::new() };
            root(&mut chain);
            chain.lines
        };
        match judgment.scope {
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
        }
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
        self.drawn.insert(pid);
        let (phrases, judgment) = (self.phrases, self.judgment);
        let tasks = judgment.groups.get(&pid).map_or(&[][..], |group| &group.tasks);
        if tasks.is_empty() {
            return self.line(format!("{} has no thread that could be read", phrases.process(pid, None)));
        }
        let all = &judgment.diagnosis.waits;
        let waits = |task: &&Task| all.binary_search_by_key(&task.id, |wait| wait.task).is_ok();
        let waiting: Vec<&Task> = tasks.iter().filter(waits).collect();
        if waiting.is_empty() {
            return self.line(format!("{} {}", phrases.process(pid, None), phrases.process_doing(pid)));
        }
        for task in waiting.iter().take(MOST_LINES) {
            self.line(format!("{} {}", phrases.task_name(task.id), phrases.doing(task)));
            let wakers = wakers(self.waits(task.id.pid).iter().filter(|wait| wait.task == task.id));
            self.below(&wakers, "", 0);
        }
        if let Some(more @ 1..) = waiting.len().checked_sub(MOST_LINES) {
            self.line(format!("and {} more of its threads, which are waiting too", thousands(more)));
        }
        match tasks.len() - waiting.len() {
            0 => {}
            1 => self.line("its other thread is not waiting for a pipe or a child"),
            others => {
                self.line(format!("{} more threads are not waiting for a pipe or a child", thousands(others)));
            }
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

    /// The processes that could end a wait, each with what it waits for itself.
    fn below(&mut self, wakers: &[(&'a Wakers, Option<PipeId>)], indent: &str, steps: usize) {
        let phrases = self.phrases;
        let last = |text: String| WrappedLine::new(format!("{indent}└─ "), format!("{indent}   "), text);
        let count: usize = wakers.iter().map(|(wakers, _)| wakers.len()).sum();
        if (steps == MOST_STEPS || self.lines.len() >= MOST_IN_CHAIN) && count > 0 {
            return self.lines.push(last("and so on".to_owned()));
        }
        let shown = wakers.iter().flat_map(|(wakers, pipe)| wakers.iter().map(move |waker| (*waker, *pipe)));
        for (index, (waker, pipe)) in shown.take(MOST_LINES).enumerate() {
            let (branch, below) = if index + 1 == count { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = format!("{indent}{below}");
            let end = pipe.zip(waker.fd).and_then(|(pipe, fd)| {
                let ends = &phrases.graph.pipe(pipe)?.ends;
                let place = ends.binary_search_by_key(&(waker.pid, waker.tid, fd), Endpoint::key).ok()?;
                ends.get(place)
            });
            let process = end.map_or_else(|| phrases.process(waker.pid, waker.tid), |end| phrases.holds(end));
            let is_new = self.drawn.insert(waker.pid);
            let doing = match (is_new, end) {
                (true, Some(_)) => format!(": it {}", phrases.process_doing(waker.pid)),
                (true, None) => format!(" {}", phrases.process_doing(waker.pid)),
                (false, _) => ": see above".to_owned(),
            };
            let text = format!("{process}{doing}");
            self.lines.push(WrappedLine::new(format!("{indent}{branch}"), below.clone(), text));
            if is_new {
                self.below(&self::wakers(self.waits(waker.pid)), &below, steps + 1);
            }
        }
        if let Some(more @ 1..) = count.checked_sub(MOST_LINES) {
            self.lines.push(last(format!("and {} more", thousands(more))));
        }
    }
}

/// What could end some waits: what several have in common, once.
fn wakers<'a>(waits: impl IntoIterator<Item = &'a Wait>) -> Vec<(&'a Wakers, Option<PipeId>)> {
    let mut shared = HashSet::new();
    let new = waits.into_iter().filter(|wait| shared.insert(wait.wakers.place()));
    new.map(|wait| (&wait.wakers, wait.pipe())).collect()
}
