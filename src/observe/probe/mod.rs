//! What only the kernel knows of a pipe: how much is in it, whether it is full, and whether a reader or a writer exists at all.
//!
//! Asked through a duplicate of one of its ends (`pidfd_getfd(2)`, Linux 5.6), never by opening anything. The duplicate is taken by
//! a process of its own, the `helper`, so that nothing of it can hang the command; the `client` asks it. This file chooses the ends to
//! ask; what an answer proves, the class of the pipe says.

mod client;
mod helper;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::client::{Client, Outcome};
use self::wire::Request;
use super::channel::class;
use super::proc::{self, Budget};
use crate::model::{AccessMode, Endpoint, Pipe, PipeGraph, PipeId, Probed, Side};

/// The only argument of the helper. No option of the command line is written so.
const HELPER: &str = "--probe-helper";

/// How long the kernel may take to answer about a pipe.
const LIMIT: Duration = Duration::from_millis(200);

/// Maximum number of ends of a side that are tried: their processes may refuse, or be gone.
const MAX_TRIES: usize = 8;

/// After this number of helpers that hung, the requests that make them hang are left out; after twice as many, all.
const MAX_ABANDONED: u32 = 8;

/// Why the kernel cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Unsupported {
    /// A tree of plain files has no kernel to ask.
    #[error("a directory tree has no live pipes")]
    Tree,
    /// The PIDs are of another PID namespace, and so mean other processes to a system call.
    #[error("this proc shows the PIDs of another PID namespace")]
    OtherPids,
    /// The caller named no program that serves as the helper.
    #[error("no helper program was given")]
    NoHelper,
    /// The kernel does not let any process duplicate a descriptor of another, nor even of itself: why not.
    #[error(
        "pidfd_getfd(2) does not work: {0}; it is new in Linux 5.6, and a seccomp profile may forbid it, such as that of a container \
         runtime"
    )]
    NoDuplicate(String),
    /// The helper cannot be started: why not.
    #[error("the helper process cannot be started: {0}")]
    HelperFailed(String),
}

/// What was learned besides [`PipeGraph::probed`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// The number of pipes of which nothing was learned, because all processes on them refused.
    pub refused: usize,
    /// `pipe-user-pages-soft` of pipe(7), above which new pipes of a user are small; zero for no limit.
    pub user_pages_soft: Option<u64>,
}

/// Asks the kernel about each of these pipes, and stores the answers in [`PipeGraph::probed`]. Of the pipes in `skip_sizes`, whose lock may
/// be held by a call that never returns, only poll(2) is asked, which takes no lock.
///
/// `helper` is the program, with its arguments, that calls [`serve_if_asked`] before anything else. It exits with the calling thread. It
/// serves only a process that has all the capabilities that its file gives it.
///
/// # Errors
///
/// If no pipe can be asked about.
pub(crate) fn probe(
    graph: &mut PipeGraph,
    pipes: &[PipeId],
    skip_sizes: &BTreeSet<PipeId>,
    helper: &[OsString],
    budget: &Budget,
) -> Result<Answers, Unsupported> {
    if graph.pipefs.is_none() {
        return Err(Unsupported::Tree);
    }
    if !graph.coverage.own_pids {
        return Err(Unsupported::OtherPids);
    }
    if helper.is_empty() {
        return Err(Unsupported::NoHelper);
    }
    let proc_root = &graph.coverage.proc_root;
    let failed = |error: proc::Error| Unsupported::HelperFailed(error.to_string());
    let (proc_root, limits) = proc::open_root(proc_root).map_err(failed)?;
    let user_pages_soft = limits.user_pages_soft;
    let mut answers = Answers { refused: 0, user_pages_soft };
    let mut all = BTreeMap::new();
    if !pipes.is_empty() {
        let mut client = Client::new(helper, proc_root)?;
        for pipe in pipes.iter().filter_map(|id| graph.pipe(*id)) {
            if budget.is_over() {
                break;
            }
            let sizes = !skip_sizes.contains(&pipe.id) && client.abandoned < MAX_ABANDONED;
            let mut probed = Probed::default();
            let refused = client.abandoned < 2 * MAX_ABANDONED && ask(&mut client, pipe, graph, sizes, &mut probed);
            probed.unanswered |= !sizes;
            answers.refused += usize::from(refused && !probed.knows_anything());
            all.insert(pipe.id, probed);
        }
    }
    for (id, probed) in all {
        let known = graph.probed.remove(&id).unwrap_or_default();
        graph.probed.insert(id, probed.or(known));
    }
    Ok(answers)
}

/// Asks about one pipe, and returns whether an end of it was refused. A write end knows more, so those come first.
fn ask(client: &mut Client, pipe: &Pipe, graph: &PipeGraph, sizes: bool, probed: &mut Probed) -> bool {
    let Some(device) = graph.device(pipe.id) else {
        return false;
    };
    let (kind, inode) = (pipe.id.kind(), pipe.id.inode());
    let mut refused = false;
    for end in candidates(pipe) {
        let Endpoint { pid, tid, fd, .. } = *end;
        let request = Request { pid, tid, fd, kind, device, inode, sizes };
        let (polled, sizes) = match client.ask(&request, LIMIT) {
            Some(Outcome::Nothing { refused: this }) => {
                refused |= this;
                continue;
            }
            Some(Outcome::Asked(polled, sizes)) => (polled, sizes),
            // Its helpers were killed, or no other could be started.
            None => (None, None),
        };
        if let Some(polled) = polled {
            (class(kind).conclude)(polled, probed);
        }
        probed.unanswered = sizes.is_none();
        (probed.queued, probed.capacity) = sizes.map(|sizes| (sizes.queued, sizes.capacity)).unwrap_or_default();
        return refused;
    }
    refused
}

/// The ends to try: write ends first, and of each side a few of different processes. The private table of a thread is harder to get at,
/// so those come last.
fn candidates(pipe: &Pipe) -> impl Iterator<Item = &Endpoint> {
    let of = |side: Side| {
        let mut ends: Vec<&Endpoint> = pipe.side(side).collect();
        ends.sort_by_key(|end| (end.tid.is_some(), end.key()));
        ends.dedup_by_key(|end| (end.pid, end.tid));
        ends.truncate(MAX_TRIES);
        ends
    };
    let readers = of(Side::Read);
    let only_read = readers.into_iter().filter(|end| end.access == AccessMode::Read);
    of(Side::Write).into_iter().chain(only_read)
}

/// The command of a helper that is the running program itself, even where its file has been replaced. With the capabilities of that file.
#[must_use]
pub fn own_helper() -> Vec<OsString> {
    vec!["/proc/self/exe".into(), HELPER.into()]
}

/// Serves as the helper, if this process was started to be one; then returns whether it succeeded.
#[must_use]
pub fn serve_if_asked() -> Option<bool> {
    let mut arguments = std::env::args_os().skip(1);
    let asked = arguments.next().as_deref() == Some(OsStr::new(HELPER)) && arguments.next().is_none();
    asked.then(|| helper::serve().is_ok())
}

/// Reads a packet as a request and as an answer: whatever is read, is written and read the same.
#[cfg(fuzzing)]
pub(crate) fn read_packet(packet: &[u8]) {
    fn comes_back<T: serde::de::DeserializeOwned + Serialize + PartialEq>(packet: &[u8]) {
        if let Some(message) = wire::from_packet::<T>(packet) {
            assert!(
                wire::from_packet(&wire::to_packet(&message)) == Some(message),
                "a message that does not come back"
            );
        }
    }
    comes_back::<Request>(packet);
    comes_back::<wire::Answer>(packet);
}

#[cfg(test)]
mod tests;
