//! What is said of the answers to `--probe`: what nobody told, who may hold an end that no fd table shows, and why pipes are small.

use std::collections::BTreeMap;

use super::{GRANT, known};
use crate::escape::escape_name;
use crate::model::{HiddenVia, Pipe, PipeGraph, PossibleHolder, Side, Uid};
use crate::observe::probe::{Answers, Impossible};

/// So many pipes are told of one by one.
const MOST_PIPES: usize = 6;

/// So many of those who may hold an end are named.
const MOST_SUSPECTS: usize = 4;

/// What a pipe has at least and usually, in bytes: buffers of a page each, `PIPE_MIN_DEF_BUFFERS` and `PIPE_DEF_BUFFERS` of
/// `include/linux/pipe_fs_i.h`. Before Linux 5.14 the least was one.
const SMALL: [u64; 2] = [4096, 8192];
const USUAL: u64 = 65536;

/// Says why the kernel was not asked.
pub(crate) fn no_probe(cause: &Impossible) -> String {
    format!("--probe: the kernel cannot be asked here: {cause}")
}

/// Says what is to be said of the answers.
pub(crate) fn probe(graph: &PipeGraph, answers: &Answers) -> Vec<String> {
    let hidden: Vec<&Pipe> = graph.pipes.iter().filter(|pipe| graph.hides_any(pipe)).collect();
    let unanswered: Vec<&Pipe> = graph.pipes.iter().filter(|pipe| graph.probed(pipe.id).unanswered).collect();
    let mut notes = Vec::new();
    tell(&mut notes, &hidden, |pipe| hidden_end(graph, pipe), "have an end that no fd table shows");
    tell(&mut notes, &unanswered, no_answer, "gave no answer in time");
    match answers.refused.len() {
        0 => {}
        count if graph.coverage.privileged => {
            notes.push(format!(
                "{count} pipes could not be probed: their processes are kept from us in spite of all rights"
            ));
        }
        count => notes
            .push(format!("{count} pipes could not be probed, since their processes may not be attached to: {GRANT}")),
    }
    notes.extend(small(graph, answers.user_pages_soft));
    notes
}

/// Tells of some pipes one by one, and of the others by their number.
fn tell(notes: &mut Vec<String>, pipes: &[&Pipe], say: impl Fn(&Pipe) -> String, others: &str) {
    notes.extend(pipes.iter().take(MOST_PIPES).map(|pipe| say(pipe)));
    if let Some(more @ 1..) = pipes.len().checked_sub(MOST_PIPES) {
        notes.push(format!("{more} more pipes {others}"));
    }
}

fn no_answer(pipe: &Pipe) -> String {
    format!(
        "{} gave no answer in time: somebody holds its lock, as splice(2) from a dead file system does; what is in it is not known",
        pipe.id
    )
}

/// `pipe:[123] has a writer that no fd table shows: perhaps …`
fn hidden_end(graph: &PipeGraph, pipe: &Pipe) -> String {
    let sides = Side::BOTH.into_iter().filter(|side| graph.hides(pipe, *side) == Some(true));
    let sides: Vec<&str> = sides.map(Side::holder).collect();
    let suspects = graph.suspects(pipe);
    // Of many it would say nothing to name the first.
    let unread = suspects.iter().filter(|suspect| suspect.how == HiddenVia::Unreadable).count();
    if unread == suspects.len() && unread > 1 {
        let who = format!("perhaps one of {unread} processes that could not be read");
        return format!("{} has a {} that no fd table shows: {who}", pipe.id, sides.join(" and a "));
    }
    let mut named: Vec<String> = suspects.iter().take(MOST_SUSPECTS).map(suspect).collect();
    if let Some(more @ 1..) = suspects.len().checked_sub(MOST_SUSPECTS) {
        named.push(format!("one of {more} others"));
    }
    format!("{} has a {} that no fd table shows: perhaps {}", pipe.id, sides.join(" and a "), named.join(", or "))
}

fn suspect(suspect: &PossibleHolder) -> String {
    let command = escape_name(suspect.command.as_deref().unwrap_or_default());
    let pid = suspect.pid.map_or_else(String::new, |pid| pid.to_string());
    let fd = suspect.fd.map_or_else(String::new, |fd| format!("fd {fd}"));
    let process = format!("process {pid}{}", known(&[command, fd]));
    match suspect.how {
        HiddenVia::ScmRights => format!("one that is in flight to {process}, sent to its socket and not yet received"),
        HiddenVia::IoUring => format!("that of {process}, registered with its io_uring"),
        HiddenVia::Exiting => format!("that of {process}, which is stuck in exiting"),
        HiddenVia::Autofs => "the kernel, which serves an autofs mount by it".to_owned(),
        HiddenVia::Unreadable => format!("{process}, which could not be read"),
        HiddenVia::Outside => "somebody that cannot be seen from here".to_owned(),
    }
}

/// Says why pipes of users without privileges are smaller than usual; see pipe(7), "/proc files".
fn small(graph: &PipeGraph, soft: Option<u64>) -> Option<String> {
    let soft = soft.filter(|soft| *soft > 0)?;
    let mut counts: BTreeMap<Uid, usize> = BTreeMap::new();
    for pipe in &graph.pipes {
        if graph.probed(pipe.id).capacity.is_some_and(|capacity| SMALL.contains(&capacity)) {
            // Who made it, nobody knows: in all likelihood the user whose processes hold it.
            let owners = pipe.ends.iter().filter_map(|end| graph.processes.get(&end.pid)?.uid);
            if let Some(owner) = owners.into_iter().find(|uid| *uid != Uid(0)) {
                *counts.entry(owner).or_default() += 1;
            }
        }
    }
    if counts.is_empty() {
        return None;
    }
    let counts: Vec<String> = counts.into_iter().map(|(uid, count)| format!("{count} of user {uid}")).collect();
    Some(format!(
        "some pipes have a capacity of 8192 bytes or less and not {USUAL} ({}): a user who has more than \
         pipe-user-pages-soft ({soft}) pages in pipes gets no larger ones, unless they were made small on purpose",
        counts.join(", ")
    ))
}

#[cfg(test)]
mod tests;
