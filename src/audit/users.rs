//! `crosses-users`: the ends of one pipe are held by different users.

use super::{Case, all_on};
use crate::model::{Finding, Pipe, Risk, Side, Uid};

pub(super) const EXPLAIN: &str = "\
The ends of one pipe are held by processes of different users, by their
effective user IDs.

Warning if root is on exactly one of two sides: if it reads, whatever the others
write reaches a process with all rights; if it writes, whatever it writes the
others read. Otherwise info, also where nobody was seen on a side. A process
whose user could not be read counts for nothing.

Harmless where a privileged program starts another for a user and listens to
it, as cron(8), sudo(8) and su(1) do (`sudo cat FILE | less` is such a pipe), or
has workers that have dropped its rights, as many servers do. What is meant to
be so belongs into the baseline.

What to do: see who holds the ends. A program of root's has to check what it
reads from others, and must write no secrets to them. An end that a process
has by mistake should be closed before it changes its user, or be O_CLOEXEC.";

const ROOT: Uid = Uid(0);

pub(super) fn find(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    let [readers, writers] = Side::BOTH.map(|side| case.graph.users_on(pipe, side));
    let first = readers.first().or(writers.first())?;
    if readers.iter().chain(&writers).all(|user| user == first) {
        return None;
    }
    // Where nobody was seen on a side, nothing passes.
    let root = match (readers.contains(&ROOT), writers.contains(&ROOT)) {
        (true, false) if !writers.is_empty() => Some(Side::Read),
        (false, true) if !readers.is_empty() => Some(Side::Write),
        _ => None,
    };
    let risk = Risk::CrossesUsers { pipe: pipe.id, readers, writers, root };
    Some(case.finding(risk, all_on(pipe), vec![pipe.id], Vec::new()))
}
