//! `deleted-fifo`: a FIFO is in use that has no name left.

use super::{Case, all_on};
use crate::model::{Finding, Pipe, Risk, Side};

pub(super) const EXPLAIN: &str = "\
A FIFO is open somewhere, and its last name was removed (link count 0). Nobody
can open it by name any more; a FIFO made anew at the old path is another one.

Warning if one side surely has nobody: the other will then have no partner,
unless somebody opens it as /proc/PID/fd/N. Info if both sides have somebody,
or if there may be one who could not be seen.

Harmless where its users remove it on purpose once all of them have opened it.

What to do: usually somebody cleaned up a directory, or a service was started
anew and made its FIFO again, while a client still has the old one. Start that
client anew.";

pub(super) fn find(case: &Case<'_>, pipe: &Pipe) -> Option<Finding> {
    pipe.deleted.then_some(())?;
    let is_empty = |side: &Side| case.graph.lacks(pipe, *side) && case.graph.unseen(pipe.id, *side).is_empty();
    let lacks = Side::BOTH.into_iter().find(is_empty);
    let risk = Risk::DeletedFifo { pipe: pipe.id, lacks };
    Some(case.finding(risk, all_on(pipe), vec![pipe.id], Vec::new()))
}
