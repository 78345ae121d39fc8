//! `pipe-pages`: the pipes of a user are near a limit of the pages that they may take.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phrases::lines;
use super::{About, Case, Details, Evidence, Identity, Judgement, Kind, Phrases, Role, all_on};
use crate::model::words::words;
use crate::model::{Certainty, Doubts, Pid, Pipe, Severity, Uid};

/// The buffers of a new pipe, each of a page: `PIPE_DEF_BUFFERS` of `include/linux/pipe_fs_i.h`; and what is left of them once its
/// user has more than `pipe-user-pages-soft`: `PIPE_MIN_DEF_BUFFERS`.
const BUFFERS: u64 = 16;
const LEAST_BUFFERS: u64 = 2;

/// The usual size of a page, where that of the machine is not known.
const PAGE: u64 = 4096;

pub(super) const ABOUT: About = About {
    severities: &[Severity::Error, Severity::Warning, Severity::Info],
    explain: "\
The pipes of a user take nearly all pages that pipe-user-pages-soft or
pipe-user-pages-hard of /proc/sys/fs allow, see pipe(7). A limit of 0 is none.

Notice (info) from four fifths of the soft limit on. Warning above it: new pipes
of the user hold 8192 bytes and not 65536 (4096 before Linux 5.14), and
F_SETPIPE_SZ fails with EPERM, so that writers block sooner, and programs that
rely on the usual capacity may deadlock. Error where one more pipe would exceed
the hard limit: pipe(2) fails with ENFILE, open(2) of a FIFO with ENOMEM.

The kernel's own count is taken where BPF can read it. /proc does not show it:
there, pages are counted from the capacity where that is known; other pipes are
assumed to have 16 pages, and 2 beyond the soft limit. The user of an anonymous
pipe is the owner of its inode; a FIFO is taken to be its holders', if those are
one user. Pipes that could not be seen are not counted.

Processes with CAP_SYS_RESOURCE or CAP_SYS_ADMIN are exempt. Root usually has
them, but not in most containers, which share root's count with the host: root
over a limit is a notice.

Harmless where a user needs so many, and none of its programs relies on the
usual capacity.

What to do: close pipes that are not used, give services users of their own, or
raise the limit, as `sysctl fs.pipe-user-pages-soft=65536` does.",
    summary: Some(["user near a limit of pipe pages", "users near a limit of pipe pages"]),
    ..super::OF_AUDIT
};

/// The pages of a user's pipes, and the limit of pipe(7) that is crossed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PipePages {
    /// The user that made the pipes.
    pub uid: Uid,
    /// The number of pipes that were seen.
    pub pipes: u64,
    /// The pages that their buffers may take.
    pub pages: u64,
    /// Whether the usual capacity was assumed for some pipes, since the kernel was not asked for it, nor for its count of pages.
    pub estimated: bool,
    /// Which limit.
    pub crossed: LimitCrossed,
    /// The limit in pages.
    pub limit: u64,
    /// The process that holds the most ends of them.
    pub most: Pid,
}

words! {
    /// How a limit of pipe(7) is crossed.
    pub enum LimitCrossed {
        /// `pipe-user-pages-soft` is near.
        NearSoft = "near-soft",
        /// It is exceeded: a new pipe of an unprivileged user is small.
        Soft = "soft",
        /// `pipe-user-pages-hard` is reached: an unprivileged user can make no more.
        Hard = "hard",
    }
}

impl Kind for PipePages {
    /// Root is exempt, unless it lacks the capabilities for that, as it does in most containers.
    fn severity(&self, _: bool) -> Severity {
        match self.crossed {
            _ if self.uid == Uid(0) => Severity::Info,
            LimitCrossed::NearSoft => Severity::Info,
            LimitCrossed::Soft => Severity::Warning,
            LimitCrossed::Hard => Severity::Error,
        }
    }

    fn certainty(&self, doubted: bool) -> Certainty {
        match (doubted, self.estimated) {
            (true, _) => Certainty::Suspected,
            (false, true) => Certainty::Inferred,
            (false, false) => Certainty::Proven,
        }
    }

    fn identity(&self) -> Identity {
        Identity::User(self.uid)
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        let Self { pipes, pages, limit, .. } = self;
        let about = if self.estimated { "about " } else { "" };
        let has = format!("{} has {about}{pages} pages in {pipes} pipes", phrases.user(self.uid));
        match self.crossed {
            LimitCrossed::NearSoft => {
                format!("{has}; above pipe-user-pages-soft ({limit}) its new pipes are small")
            }
            LimitCrossed::Soft => {
                let small = LEAST_BUFFERS.saturating_mul(phrases.graph.limits.page_size.unwrap_or(PAGE));
                format!("{has}, more than pipe-user-pages-soft ({limit}): new pipes hold at most {small} bytes")
            }
            LimitCrossed::Hard => {
                format!("{has}, and one more would exceed pipe-user-pages-hard ({limit}): pipe(2) fails with ENFILE")
            }
        }
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        let most = format!("{} holds the most of their ends", phrases.process(self.most, None));
        lines(Role::Holder, [most], |line| line)
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        match self.crossed {
            _ if self.uid == Uid(0) => {
                "Root is exempt only with CAP_SYS_RESOURCE or CAP_SYS_ADMIN, which most containers lack: raise the limit with sysctl(8) if \
                 pipes in containers are small."
            }
            LimitCrossed::Hard => "To unblock: close pipes, or raise the limit: `sysctl fs.pipe-user-pages-hard=N`.",
            LimitCrossed::Soft | LimitCrossed::NearSoft => {
                "To prevent: close pipes, or raise the limit: `sysctl fs.pipe-user-pages-soft=N`."
            }
        }
        .to_owned()
    }
}

/// The counts of one user.
#[derive(Default)]
struct Count {
    /// The pages of the pipes whose capacity is known.
    known: u64,
    /// The number of all pipes, and of those whose capacity is not known.
    pipes: u64,
    unknown: u64,
    /// The ends of each holder.
    ends: BTreeMap<Pid, u64>,
}

pub(super) fn find(case: &Case<'_>) -> Vec<Judgement> {
    let mut counts: BTreeMap<Uid, Count> = BTreeMap::new();
    for pipe in case.graph.pipes.iter().filter(|pipe| pipe.id.kind().is_pipe()) {
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

/// The user whose page count includes a pipe: the real user of the process that created it, nearly always its owner.
fn maker(case: &Case<'_>, pipe: &Pipe) -> Option<Uid> {
    if !pipe.id.kind().is_named() {
        return Some(pipe.file?.owner);
    }
    // The buffers of a FIFO are allocated by the first process that opens it.
    let mut users = all_on(pipe).into_iter().map(|pid| case.user(pid));
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(first)
}

fn of_user(case: &Case<'_>, uid: Uid, count: &Count) -> Option<Judgement> {
    let limits = case.graph.limits;
    let [soft, hard] = [limits.user_pages_soft, limits.user_pages_hard].map(|limit| limit.filter(|limit| *limit > 0));
    let user_pages = &case.graph.user_pages;
    let counted = user_pages.binary_search_by_key(&uid, |of| of.uid).ok().and_then(|place| user_pages.get(place));
    // A report in a file may hold any numbers.
    let pages = counted.map_or_else(|| count.known.saturating_add(unknown_pages(count, soft)), |of| of.pages);
    // A new pipe must not exceed the hard limit, and is a small one where it would else exceed the soft one (`alloc_pipe_info` in
    // fs/pipe.c).
    let is_small = soft.is_some_and(|soft| pages.saturating_add(BUFFERS) > soft);
    let next = pages.saturating_add(if is_small { LEAST_BUFFERS } else { BUFFERS });
    let (crossed, limit) = match (soft, hard) {
        (_, Some(hard)) if next > hard => (LimitCrossed::Hard, hard),
        (Some(soft), _) if pages > soft => (LimitCrossed::Soft, soft),
        (Some(soft), _) if pages >= soft - soft / 5 && uid != Uid(0) => (LimitCrossed::NearSoft, soft),
        _ => return None,
    };
    let most = *count.ends.iter().max_by_key(|(pid, ends)| (**ends, Reverse(**pid)))?.0;
    let (pipes, estimated) = (count.pipes, counted.is_none() && count.unknown > 0);
    let details = PipePages { uid, pipes, pages, estimated, crossed, limit, most };
    Some(Judgement::new(Details::PipePages(details), case.leaders([most]), []))
}

/// The pages of the pipes of unknown capacity, as if created one after the other.
fn unknown_pages(count: &Count, soft: Option<u64>) -> u64 {
    let Some(soft) = soft else { return count.unknown * BUFFERS };
    // Beyond these, a pipe of the usual size would exceed the limit.
    let usual = (soft.saturating_sub(count.known) / BUFFERS).min(count.unknown);
    usual * BUFFERS + (count.unknown - usual) * LEAST_BUFFERS
}
