//! What only the kernel knows of a pipe: how much is in it, whether it is full, and whether a reader or a writer exists at all.
//!
//! Asked through a duplicate of one of its ends (`pidfd_getfd(2)`, Linux 5.6), never by opening anything. The duplicate is taken by
//! a process of its own, the `helper`, so that nothing of it can hang the command; the `keeper` asks it. Here is whom to ask, and
//! what an answer proves.

mod helper;
mod keeper;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::time::Duration;

use thiserror::Error;

use self::keeper::{Keeper, Outcome};
use self::wire::{Polled, Request};
use crate::model::{AccessMode, Endpoint, Pipe, PipeGraph, PipeId, PipeKind, Probed, Side};

/// The only argument of the helper. No option of the command line is written so.
const HELPER: &str = "--probe-helper";

/// How long the kernel may take to answer about a pipe.
const LIMIT: Duration = Duration::from_millis(200);

/// So many ends of a side are tried: their processes may refuse, or be gone.
const MOST_TRIED: usize = 8;

/// After so many helpers that gave no answer, the questions that make them hang are left out.
const MOST_LEFT_BEHIND: u32 = 8;

/// Why nothing can be asked.
#[derive(Debug, Error)]
pub enum Impossible {
    /// A tree of plain files has no kernel to ask.
    #[error("a directory tree has no live pipes")]
    Tree,
    /// The PIDs are of another PID namespace, and so mean other processes to a system call.
    #[error("this proc numbers processes as another PID namespace does")]
    OtherPids,
    /// No helper can be started.
    #[error("no process could be started to do it: {0}")]
    NoHelper(io::Error),
}

/// What was learnt.
#[derive(Debug, Default)]
pub struct Answers {
    /// Of each pipe.
    pub pipes: BTreeMap<PipeId, Probed>,
    /// The pipes of which nothing was learnt since every process on them refused.
    pub refused: BTreeSet<PipeId>,
    /// `pipe-user-pages-soft` of pipe(7), by which new pipes of a user are small; zero where there is no such limit.
    pub user_pages_soft: Option<u64>,
}

/// Asks the kernel about each of these pipes, which are of that graph. Of an `untouchable` pipe, whose lock may be held by a call
/// that never returns, only poll(2) is asked, which takes no lock.
///
/// Only from a thread that outlives the call: its helper ends with it.
///
/// # Errors
///
/// If none of them can be asked.
pub fn probe(pipes: &[&Pipe], graph: &PipeGraph, untouchable: &BTreeSet<PipeId>) -> Result<Answers, Impossible> {
    if graph.pipefs.is_none() {
        return Err(Impossible::Tree);
    }
    if !graph.coverage.own_pids {
        return Err(Impossible::OtherPids);
    }
    let soft = std::fs::read_to_string(graph.coverage.proc_root.join("sys/fs/pipe-user-pages-soft"));
    let user_pages_soft = soft.ok().and_then(|text| text.trim().parse().ok());
    let mut answers = Answers { user_pages_soft, ..Answers::default() };
    if pipes.is_empty() {
        return Ok(answers);
    }
    let mut keeper = Keeper::new(&graph.coverage.proc_root).map_err(Impossible::NoHelper)?;
    for pipe in pipes {
        let sizes = !untouchable.contains(&pipe.id) && keeper.left_behind < MOST_LEFT_BEHIND;
        let mut probed = Probed::default();
        let refused = if keeper.left_behind < 2 * MOST_LEFT_BEHIND {
            ask(&mut keeper, pipe, graph, sizes, &mut probed)
        } else {
            false
        };
        probed.unanswered |= !sizes;
        if refused && !probed.knows_anything() {
            answers.refused.insert(pipe.id);
        }
        answers.pipes.insert(pipe.id, probed);
    }
    Ok(answers)
}

/// Asks about one pipe, and returns whether an end of it was refused. A write end knows more, so those come first.
fn ask(keeper: &mut Keeper, pipe: &Pipe, graph: &PipeGraph, sizes: bool, probed: &mut Probed) -> bool {
    let Some(device) = graph.device(pipe.id) else {
        return false;
    };
    let mut refused = false;
    for end in candidates(pipe) {
        let Endpoint { pid, tid, fd, .. } = *end;
        let request = Request { pid, tid, fd, device, inode: pipe.id.inode(), sizes };
        match keeper.ask(&request, LIMIT) {
            Ok(Outcome::Told { polled, queued, capacity }) => {
                conclude(probed, pipe.id.kind(), polled);
                (probed.queued, probed.capacity) = (queued, capacity);
                return refused;
            }
            Ok(Outcome::Nothing { refused: this }) => refused |= this,
            Ok(Outcome::Hung(polled)) => {
                if let Some(polled) = polled {
                    conclude(probed, pipe.id.kind(), polled);
                }
                probed.unanswered = true;
                return refused;
            }
            // Its helper was killed, or no other could be started.
            Err(_) => {
                probed.unanswered = true;
                return refused;
            }
        }
    }
    refused
}

/// The ends to try: write ends first, and of those, and of the others, a few of different processes. A table that threads have for
/// themselves is harder to get at, so those come last.
fn candidates(pipe: &Pipe) -> impl Iterator<Item = &Endpoint> {
    let of = |side: Side| {
        let mut ends: Vec<&Endpoint> = pipe.side(side).collect();
        ends.sort_by_key(|end| (end.tid.is_some(), end.key()));
        ends.dedup_by_key(|end| (end.pid, end.tid));
        ends.truncate(MOST_TRIED);
        ends
    };
    let readers = of(Side::Read);
    let only_read = readers.into_iter().filter(|end| end.access == AccessMode::Read);
    of(Side::Write).into_iter().chain(only_read)
}

/// What the poll of an end proves; see `pipe_poll` in fs/pipe.c. An end proves that its own side exists.
fn conclude(probed: &mut Probed, kind: PipeKind, polled: Polled) {
    let Polled { access, room, no_writer, no_reader } = polled;
    match access {
        AccessMode::Write => {
            probed.full = Some(!room);
            probed.writer = Some(true);
            probed.reader = Some(!no_reader);
        }
        AccessMode::ReadWrite => {
            probed.full = Some(!room);
            (probed.reader, probed.writer) = (Some(true), Some(true));
        }
        AccessMode::Read => {
            probed.reader = Some(true);
            probed.writer = match (no_writer, kind) {
                (true, _) => Some(false),
                (false, PipeKind::Anonymous) => Some(true),
                // It may have been opened with O_NONBLOCK before any writer, and is told of none before one came and went.
                (false, PipeKind::Fifo) => None,
            };
        }
    }
}

/// Serves as the helper, if this process was started to be one, and tells then whether that went well.
#[must_use]
pub fn serve_if_asked() -> Option<bool> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().as_deref() == Some(OsStr::new(HELPER)) && arguments.next().is_none();
    asked.then(|| helper::serve().is_ok())
}

#[cfg(test)]
mod tests;
