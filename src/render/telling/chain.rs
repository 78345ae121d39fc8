//! The chain of waits of a process or at a pipe, drawn as a tree: each waits for those below it, down to whoever is awake.

use std::collections::BTreeSet;

use super::super::ReportView;
use super::{Asked, Piece, Told};
use crate::model::{Pid, Pipe, Side, Task, TaskState, Wait, Waker};

/// So many holders are drawn one by one; of more, the rest is counted.
pub(super) const MOST_WAKERS: usize = 8;

impl ReportView<'_> {
    /// A tree for each process or pipe that was asked about.
    pub(super) fn chains(&self, told: &Told<'_>) -> Vec<Vec<Piece>> {
        match told.asked {
            Asked::Everything => Vec::new(),
            Asked::Processes(pids) => pids
                .iter()
                .filter(|pid| told.groups.contains_key(pid))
                .map(|pid| {
                    let mut tree = Tree { sheet: self, told, drawn: BTreeSet::new(), pieces: Vec::new() };
                    tree.process(*pid);
                    tree.pieces
                })
                .collect(),
            Asked::Pipes(pipes) => pipes
                .iter()
                .filter_map(|pipe| self.graph.pipe(*pipe))
                .map(|pipe| {
                    let mut tree = Tree { sheet: self, told, drawn: BTreeSet::new(), pieces: Vec::new() };
                    tree.pipe(pipe);
                    tree.pieces
                })
                .collect(),
        }
    }

    /// What a process is doing, in a few words: what its first thread does, or one that is awake.
    pub(super) fn what_does(&self, pid: Pid) -> String {
        let tasks = self.told.and_then(|told| told.groups.get(&pid)).map_or(&[][..], |group| &group.tasks);
        let is_awake = |task: &&Task| !matches!(task.doing, TaskState::Waits { besides: None, .. });
        match tasks {
            [] => "does something that could not be read".to_owned(),
            [task] => self.doing(task),
            [first, ..] => {
                let task = tasks.iter().find(is_awake).unwrap_or(first);
                format!("has {} threads, of which {} {}", tasks.len(), task.id.tid, self.doing(task))
            }
        }
    }
}

/// So many steps of a chain are drawn.
const MOST_STEPS: usize = 24;

struct Tree<'a> {
    sheet: &'a ReportView<'a>,
    told: &'a Told<'a>,
    /// The processes whose waits are drawn already.
    drawn: BTreeSet<Pid>,
    pieces: Vec<Piece>,
}

impl Tree<'_> {
    /// A process with all that its threads wait for.
    fn process(&mut self, pid: Pid) {
        self.drawn.insert(pid);
        let tasks = self.told.groups.get(&pid).map_or(&[][..], |group| &group.tasks);
        if tasks.is_empty() {
            let text = format!("{} has no thread that could be read", self.sheet.who(pid, None));
            return self.pieces.push(Piece::new("", "  ", text));
        }
        let waits = |task: &&Task| self.told.diagnosis.waits.iter().any(|wait| wait.task == task.id);
        let waiting: Vec<&Task> = tasks.iter().filter(waits).collect();
        if waiting.is_empty() {
            let text = format!("{} {}", self.sheet.who(pid, None), self.sheet.what_does(pid));
            return self.pieces.push(Piece::new("", "  ", text));
        }
        for task in waiting.iter().take(MOST_WAKERS) {
            self.pieces.push(Piece::new(
                "",
                "  ",
                format!("{} {}", self.sheet.who_task(task.id), self.sheet.doing(task)),
            ));
            let wakers = self.wakers(|wait| wait.task == task.id);
            self.below(&wakers, "", 0);
        }
        if let Some(more @ 1..) = waiting.len().checked_sub(MOST_WAKERS) {
            self.pieces.push(Piece::new("", "  ", format!("and {more} more of its threads, which wait too")));
        }
        match tasks.len() - waiting.len() {
            0 => {}
            1 => self.pieces.push(Piece::new("", "  ", "its other thread waits for no pipe and no child")),
            others => {
                let text = format!("{others} more threads wait for no pipe and no child");
                self.pieces.push(Piece::new("", "  ", text));
            }
        }
    }

    /// A pipe with all that have an end of it, and what they do.
    fn pipe(&mut self, pipe: &Pipe) {
        let name = self.sheet.pipe_name(pipe.id);
        let unknown = |side| {
            if self.sheet.graph.coverage.may_hide(pipe.id.kind(), side) { "nobody who could be seen" } else { "nobody" }
        };
        for side in [Side::Read, Side::Write] {
            let (role, opens) = match side {
                Side::Read => ("reader", "is opening it to read"),
                Side::Write => ("writer", "is opening it to write"),
            };
            let ends: Vec<_> = pipe.side(side).collect();
            let openers: Vec<_> = pipe.openers.iter().filter(|opener| opener.access.is_on(side)).collect();
            let mut lines = Vec::new();
            if ends.is_empty() && openers.is_empty() {
                lines.push(unknown(side).to_owned());
            }
            lines.extend(ends.iter().take(MOST_WAKERS).map(|end| {
                format!("{} (fd {}): it {}", self.sheet.who(end.pid, end.tid), end.fd, self.sheet.what_does(end.pid))
            }));
            lines.extend(
                ends.len().checked_sub(MOST_WAKERS).filter(|more| *more > 0).map(|more| format!("{more} more")),
            );
            lines.extend(openers.iter().map(|opener| format!("{} {opens}", self.sheet.who_task(opener.task))));
            self.pieces.extend(lines.into_iter().map(|line| Piece::new("", "  ", format!("{name}, {role}: {line}"))));
        }
    }

    fn wakers(&self, of: impl Fn(&Wait) -> bool) -> Vec<(Waker, Option<crate::model::PipeId>)> {
        let waits = self.told.diagnosis.waits.iter().filter(|wait| of(wait));
        waits.flat_map(|wait| wait.wakers.iter().map(|waker| (*waker, wait.pipe()))).collect()
    }

    /// Those who could end a wait, each with what it waits for itself.
    fn below(&mut self, wakers: &[(Waker, Option<crate::model::PipeId>)], indent: &str, steps: usize) {
        if steps == MOST_STEPS && !wakers.is_empty() {
            return self.pieces.push(Piece::new(format!("{indent}└─ "), format!("{indent}   "), "and so on"));
        }
        let shown = wakers.len().min(MOST_WAKERS);
        for (index, (waker, pipe)) in wakers.iter().take(shown).enumerate() {
            let is_last = index + 1 == wakers.len();
            let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = format!("{indent}{below}");
            let end = pipe.and_then(|pipe| self.sheet.graph.pipe(pipe)).and_then(|pipe| {
                pipe.ends.iter().find(|end| (end.pid, end.tid, Some(end.fd)) == (waker.pid, waker.tid, waker.fd))
            });
            let who = end.map_or_else(|| self.sheet.who(waker.pid, waker.tid), |end| self.sheet.waker_end(end));
            let is_new = self.drawn.insert(waker.pid);
            let what = match (is_new, end) {
                (true, Some(_)) => format!(": it {}", self.sheet.what_does(waker.pid)),
                (true, None) => format!(" {}", self.sheet.what_does(waker.pid)),
                (false, _) => ": see above".to_owned(),
            };
            self.pieces.push(Piece::new(format!("{indent}{branch}"), below.clone(), format!("{who}{what}")));
            if is_new {
                let next = self.wakers(|wait| wait.task.pid == waker.pid);
                self.below(&next, &below, steps + 1);
            }
        }
        if wakers.len() > shown {
            let text = format!("and {} more", wakers.len() - shown);
            self.pieces.push(Piece::new(format!("{indent}└─ "), format!("{indent}   "), text));
        }
    }
}
