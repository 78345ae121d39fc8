//! Possible holders of an end that are too many to be named, in words. Which these are, it does not decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Doubt, HiddenVia, Pid};

/// Many possible holders, by how they may hold an end: `one of 3000 sockets of 1 process with descriptors in flight, or one of 2 processes
/// that could not be read`.
pub(super) fn counted(doubts: &[Doubt]) -> String {
    let mut ways: BTreeMap<HiddenVia, (usize, BTreeSet<Option<Pid>>)> = BTreeMap::new();
    for doubt in doubts {
        if let Doubt::Holder(holder) = doubt {
            let (count, pids) = ways.entry(holder.how).or_default();
            *count += 1;
            pids.insert(holder.pid);
        }
    }
    let way = |(how, (count, pids)): (HiddenVia, (usize, BTreeSet<Option<Pid>>))| {
        let of = |what: &str, whats: &str, count: usize| {
            if count == 1 { format!("a {what}") } else { format!("one of {count} {whats}") }
        };
        let processes = of("process", "processes", pids.len());
        let processes_of = match pids.len() {
            1 => "1 process".to_owned(),
            count => format!("{count} processes"),
        };
        match how {
            HiddenVia::ScmRights => {
                format!("{} of {processes_of} with descriptors in flight", of("socket", "sockets", count))
            }
            HiddenVia::IoUring => format!("{} of {processes_of}", of("io_uring", "io_urings", count)),
            HiddenVia::Exiting => format!("{processes} blocked while exiting"),
            HiddenVia::Unreadable => format!("{processes} that could not be read"),
            HiddenVia::Autofs => "the kernel, for an autofs mount".to_owned(),
            HiddenVia::Outside => "a process that is not visible from here".to_owned(),
        }
    };
    ways.into_iter().map(way).collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fd, HolderFd, PossibleHolder};

    /// Sockets are no processes, and a process that has them is no unreadable one.
    #[test]
    fn each_is_counted_as_what_it_is() {
        let socket = |fd| HolderFd { pid: Pid(5), fd: Fd(fd), command: "mail".into() };
        let mut holders: Vec<PossibleHolder> =
            (0..3000).map(|fd| PossibleHolder::holding(HiddenVia::ScmRights, &socket(fd))).collect();
        holders.push(PossibleHolder::process(HiddenVia::Unreadable, Pid(1), b"init"));
        let doubts: Vec<Doubt> = holders.into_iter().map(Doubt::Holder).collect();
        assert_eq!(
            counted(&doubts),
            "one of 3000 sockets of 1 process with descriptors in flight, or a process that could not be read"
        );
        let doubts: Vec<Doubt> = (2..9)
            .map(|pid| Doubt::Holder(PossibleHolder::process(HiddenVia::Unreadable, Pid(pid), b"x")))
            .chain([Doubt::Handler(Pid(1))])
            .collect();
        assert_eq!(counted(&doubts), "one of 7 processes that could not be read");
    }
}
