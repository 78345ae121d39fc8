//! `pipe-pages`: the pipes of a user come near a limit of the pages that they may take.

use std::collections::BTreeMap;

use super::Case;
use crate::model::{Finding, PageLimit, Pid, Pipe, PipeId, PipePages, Risk, Uid};

/// The buffers of a new pipe, each of a page: `PIPE_DEF_BUFFERS` of `include/linux/pipe_fs_i.h`; and what is left of them once its
/// user has more than `pipe-user-pages-soft`: `PIPE_MIN_DEF_BUFFERS`.
const BUFFERS: u64 = 16;
const LEAST_BUFFERS: u64 = 2;

pub(super) const EXPLAIN: &str = "\
The pipes of a user take nearly all pages that pipe-user-pages-soft or
pipe-user-pages-hard of /proc/sys/fs allow, see pipe(7). A limit of 0 is none.

Info from four fifths of the soft limit on. Warning above it: new pipes of the
user hold 8192 bytes and not 65536 (4096 before Linux 5.14), and F_SETPIPE_SZ
fails with EPERM, so that writers block sooner, and programs that rely on the
usual capacity may deadlock. Error where one more pipe would pass the hard
limit: pipe(2) fails with ENFILE, open(2) of a FIFO with ENOMEM.

The kernel does not tell its own count. Pages are counted from the capacity
where --probe asked for it; of other pipes 16 pages are taken for granted, and
2 of those beyond the soft limit. Whose an anonymous pipe is, its inode tells;
a FIFO is taken to be its holders', if those are one user. Pipes that nobody
could see are not counted.

Processes with CAP_SYS_RESOURCE or CAP_SYS_ADMIN are exempt. Root usually has
them, but not in most containers, which share root's count with the host: so
that root over a limit is told as info.

Harmless where a user needs so many, and none of its programs counts on the
usual capacity.

What to do: close pipes that nobody uses, give services users of their own, or
raise the limit, as `sysctl fs.pipe-user-pages-soft=65536` does.";

/// What was counted of a user.
#[derive(Default)]
struct Count {
    /// The pages of those pipes of which the capacity is known.
    known: u64,
    /// The number of all pipes, and of those of which it is not known.
    pipes: u64,
    unknown: u64,
    /// The ends of each holder.
    ends: BTreeMap<Pid, u64>,
}

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut counts: BTreeMap<Uid, Count> = BTreeMap::new();
    for pipe in &case.graph.pipes {
        let Some(user) = maker(case, pipe) else { continue };
        let count = counts.entry(user).or_default();
        count.pipes += 1;
        let page = case.graph.limits.page_size.filter(|size| *size > 0);
        match case.graph.probed(pipe.id).capacity.zip(page) {
            Some((capacity, page)) => count.known = count.known.saturating_add(capacity.div_ceil(page)),
            None => count.unknown += 1,
        }
        for end in &pipe.ends {
            *count.ends.entry(end.pid).or_default() += 1;
        }
    }
    counts.into_iter().filter_map(|(user, count)| of_user(case, user, &count)).collect()
}

/// Whose count the kernel adds a pipe to. It does so for the real user who makes it, which is nearly always the one that owns it.
fn maker(case: &Case<'_>, pipe: &Pipe) -> Option<Uid> {
    if let PipeId::Anonymous { .. } = pipe.id {
        return Some(pipe.file?.owner);
    }
    // That of a FIFO is made anew by whoever is the first to open it.
    let mut users = super::all_on(pipe).into_iter().map(|pid| case.user(pid));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

fn of_user(case: &Case<'_>, user: Uid, count: &Count) -> Option<Finding> {
    let limits = case.graph.limits;
    let [soft, hard] = [limits.user_pages_soft, limits.user_pages_hard].map(|limit| limit.filter(|limit| *limit > 0));
    // A saved report may hold any numbers.
    let pages = count.known.saturating_add(unknown_pages(count, soft));
    // A new pipe must not pass the hard limit, and is a small one where it would else pass the soft one (`alloc_pipe_info` in fs/pipe.c).
    let is_small = soft.is_some_and(|soft| pages.saturating_add(BUFFERS) > soft);
    let next = pages.saturating_add(if is_small { LEAST_BUFFERS } else { BUFFERS });
    let limit = match (soft, hard) {
        (_, Some(hard)) if next > hard => PageLimit::Hard(hard),
        (Some(soft), _) if pages > soft => PageLimit::Soft(soft),
        (Some(soft), _) if pages >= soft - soft / 5 && user != Uid(0) => PageLimit::NearSoft(soft),
        _ => return None,
    };
    let most = count.ends.iter().max_by_key(|(pid, ends)| (**ends, std::cmp::Reverse(**pid)));
    let most = *most?.0;
    let estimated = count.unknown > 0;
    let pages = PipePages { user, pipes: count.pipes, pages, estimated, limit, most };
    Some(case.finding(Risk::PipePages(pages), [most], Vec::new(), Vec::new()))
}

/// The pages of pipes of unknown capacity, as if they had been made one after the other.
fn unknown_pages(count: &Count, soft: Option<u64>) -> u64 {
    let Some(soft) = soft else { return count.unknown * BUFFERS };
    // One more of the usual size would pass the limit.
    let usual = (soft.saturating_sub(count.known) / BUFFERS).min(count.unknown);
    usual * BUFFERS + (count.unknown - usual) * LEAST_BUFFERS
}
