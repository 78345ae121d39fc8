//! Why a finding is not proven, in a sentence.

use super::amounts::{MOST_NAMED, thousands};
use super::{Phrases, in_parentheses};
use crate::model::{CommandName, Doubt, Doubts, HiddenVia, PossibleHolder};

impl Phrases<'_> {
    /// What keeps a finding from being proven, in a sentence.
    pub(crate) fn caveat(&self, doubts: &Doubts) -> String {
        let holders = self.possible_holders(doubts);
        let holders = holders.map(|holders| format!("such an end may also be held by {holders}"));
        let others = doubts.named.iter().filter_map(|doubt| match doubt {
            Doubt::Holder(_) => None,
            Doubt::Name(pipe) => Some(format!("another process may open {}", self.pipe(*pipe))),
            Doubt::Handler(pid) => Some(format!("a signal handler of {} may end its wait", self.process(*pid, None))),
            Doubt::Directories(pipe) => {
                Some(format!("the directories of {} could not be read, and may deny access", self.pipe(*pipe)))
            }
            Doubt::Counted(pipe) => {
                Some(format!("the kernel counts an end of {} that no fd table shows", self.pipe(*pipe)))
            }
            Doubt::Referenced(pipe) => Some(format!(
                "the kernel counts a reference to an end of {} that is no descriptor, as one in flight has",
                self.pipe(*pipe)
            )),
            Doubt::Starter(pid) => Some(format!(
                "orphans are reparented to {}, which may also have started the holder as a part of the pipeline",
                self.process(*pid, None)
            )),
        });
        let is_holder = |what: &str| HiddenVia::ALL.iter().any(|how| how.as_str() == what);
        let more: usize = doubts.more.iter().filter(|(what, _)| !is_holder(what)).map(|(_, more)| more).sum();
        let more = (more > 0).then(|| format!("the same holds for {} more", thousands(more)));
        let reasons: Vec<String> = holders.into_iter().chain(others).chain(more).collect();
        format!("Not proven: {}.", reasons.join("; "))
    }

    /// The processes that may hold an end that was not seen; none if none may. Of many, how many of each kind.
    pub(in crate::findings) fn possible_holders(&self, doubts: &Doubts) -> Option<String> {
        let holders: Vec<&PossibleHolder> =
            doubts.named.iter().filter_map(|it| if let Doubt::Holder(it) = it { Some(it) } else { None }).collect();
        let count = |how: HiddenVia| doubts.count(how.as_str());
        let all: usize = HiddenVia::ALL.iter().map(|how| count(*how)).sum();
        let names: Vec<String> = holders
            .chunk_by(|one, other| all > MOST_NAMED && one.how == other.how)
            .filter_map(|kind| {
                let first = kind.first()?;
                let count = count(first.how);
                let many = || format!("one of {} {}", thousands(count), many_holders(first.how));
                Some(if all > MOST_NAMED && count > 1 { many() } else { self.possible_holder(first) })
            })
            .collect();
        (!names.is_empty()).then(|| names.join(", or "))
    }

    fn possible_holder(&self, holder: &PossibleHolder) -> String {
        let command =
            holder.pid.and_then(|pid| self.command(pid)).or(holder.command.as_ref()).unwrap_or(CommandName::EMPTY);
        let name = holder.pid.map_or_else(|| "a process".to_owned(), |pid| self.named(command, pid, None));
        match holder.how {
            HiddenVia::ScmRights => {
                format!("{name}, to which a descriptor is in flight over its socket{}", in_parentheses(holder.fd))
            }
            HiddenVia::IoUring => {
                format!("{name}, which has it registered with its io_uring{}", in_parentheses(holder.fd))
            }
            HiddenVia::Exiting => format!("{name}, which is blocked while exiting"),
            HiddenVia::Unreadable => format!("{name}, which could not be read"),
            HiddenVia::Autofs => "the kernel, for an autofs mount".to_owned(),
            HiddenVia::Outside => format!("{name} that is not visible from here"),
        }
    }
}

/// What many that may hold an end are.
const fn many_holders(how: HiddenVia) -> &'static str {
    match how {
        HiddenVia::ScmRights => "sockets that have descriptors in flight",
        HiddenVia::IoUring => "io_urings that have it registered",
        HiddenVia::Exiting => "processes that are blocked while exiting",
        HiddenVia::Unreadable => "processes that could not be read",
        HiddenVia::Autofs | HiddenVia::Outside => "processes that are not visible from here",
    }
}
