//! What a thread waits for in a poll(2), select(2) or `epoll_wait(2)`, by the descriptors that it polls and by what it asks of each.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::descriptors::Descriptors;
use super::polled::{FileKind, Polled};
use crate::model::{AccessMode, Children, Fd, Operation, OtherFile, PipeId, PipeWait, WaitTarget};

/// What is kept of each thing that a thread polls, by all that is concluded from it, and of each other file, in bytes.
pub(super) const CAUSE: usize = 512;
pub(super) const OTHER: usize = 64;

/// Maximum number of files other than channels that are kept of a thread.
const MOST_OTHERS: usize = 16;

/// What a thread polls.
#[derive(Default)]
pub(super) struct PollSet {
    /// Channels first, in the order of the set; then children, and eventfds.
    pub(super) causes: Vec<WaitTarget>,
    /// The other files, ordered by descriptor.
    pub(super) others: Vec<OtherFile>,
    /// Whether a timer is among them, which is as a timeout.
    pub(super) has_timer: bool,
}

/// The ends that are polled, by their places among the causes. It waits once for a pipe, however many descriptors are ends of it.
type Known = HashMap<(PipeId, AccessMode), usize>;

/// The causes that are no channel, each once.
#[derive(Default)]
struct Beside {
    known: HashSet<FileKind>,
    causes: Vec<WaitTarget>,
}

impl PollSet {
    pub(super) fn of(set: &[Polled], table: &Descriptors<'_>) -> Self {
        let mut polls = Self::default();
        let (mut known, mut files, mut last) = (Known::new(), HashSet::new(), None);
        let mut beside = Beside::default();
        for polled in set.iter().copied() {
            if last.replace(polled) == Some(polled) || files.contains(&polled.fd) {
                continue;
            }
            let ends = table.ends(polled.fd);
            if ends == [None, None] {
                files.insert(polled.fd);
                polls.add_file(polled.fd, table, &mut beside);
                continue;
            }
            // Of two directions, the one that is not asked for does not matter, nor does it matter twice that the other side hangs up.
            let has_two = ends.iter().all(Option::is_some);
            let hangs_up_once = |access| !has_two || !polled.asks.is_for_any() && access == AccessMode::Read;
            for (pipe, access) in ends.into_iter().flatten() {
                match polled.asks.at(access) {
                    Some(asked) => {
                        let full = polled.asks.shows_full(asked);
                        polls.add_end(&mut known, polled.fd, pipe, asked, (Operation::Poll, full));
                    }
                    None if hangs_up_once(access) => {
                        polls.add_end(&mut known, polled.fd, pipe, access, (Operation::Hangup, false));
                    }
                    None => {}
                }
            }
        }
        polls.causes.append(&mut beside.causes);
        polls.causes.shrink_to_fit();
        polls.others.sort_unstable_by_key(|file| file.fd);
        polls
    }

    fn add_end(
        &mut self,
        known: &mut Known,
        fd: Fd,
        pipe: PipeId,
        access: AccessMode,
        (operation, full): (Operation, bool),
    ) {
        let wait = PipeWait { operation, access, fd: Some(fd), pipe: Some(pipe), path: None, deleted: false, full };
        match known.entry((pipe, access)) {
            Entry::Vacant(place) => {
                place.insert(self.causes.len());
                self.causes.push(WaitTarget::Pipe(wait));
            }
            // By another descriptor, it asks for more than a hang-up.
            Entry::Occupied(place) if operation == Operation::Poll => {
                if let Some(WaitTarget::Pipe(earlier)) = self.causes.get_mut(*place.get())
                    && earlier.operation == Operation::Hangup
                {
                    *earlier = wait;
                }
            }
            Entry::Occupied(_) => {}
        }
    }

    fn add_file(&mut self, fd: Fd, table: &Descriptors<'_>, beside: &mut Beside) {
        let file = table.file(fd);
        let cause = match file.kind {
            FileKind::Process(pid) => WaitTarget::Children(Children::One(pid)),
            FileKind::Event(id) => WaitTarget::Event(id),
            FileKind::Timer => return self.has_timer = true,
            FileKind::Other => {
                if self.others.len() < MOST_OTHERS {
                    self.others.push(OtherFile { fd, target: file.link.clone().map(Into::into) });
                }
                return;
            }
        };
        if beside.known.insert(file.kind) {
            beside.causes.push(cause);
        }
    }
}
