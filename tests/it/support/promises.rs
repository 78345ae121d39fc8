//! What holds for any report, whatever it is of: order, and the same fact told alike in every place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::report::{End, Pipe, Process, Report, exact};

impl Pipe {
    #[track_caller]
    pub(crate) fn check(&self) {
        let id = match (self.kind.as_str(), &self.device) {
            ("anonymous", _) => format!("pipe:[{}]", self.inode),
            ("fifo", Some(device)) => format!("fifo:[{device}:{}]", self.inode),
            _ => panic!("kind and device of {self:?}"),
        };
        assert_eq!(self.id, id);
        assert_eq!(self.path.is_some(), self.kind == "fifo", "a FIFO has a path, a pipe has none: {self:?}");
        assert!(!self.deleted || self.kind == "fifo", "{self:?}");
        assert!(!self.readers.is_empty() || !self.writers.is_empty() || !self.openers.is_empty(), "nobody on {id}");
        for (side, ends) in [("r", &self.readers), ("w", &self.writers)] {
            assert_ascending(ends.iter().map(End::key), "ends");
            assert!(ends.iter().all(|end| end.access == side || end.access == "rw"), "{side} side of {id}: {ends:?}");
        }
        let both = |ends: &[End]| ends.iter().filter(|end| end.access == "rw").cloned().collect::<Vec<_>>();
        assert_eq!(both(&self.readers), both(&self.writers), "an rw end stands on both sides of {id}");
        for (ends, hidden) in [(&self.readers, self.hidden_readers), (&self.writers, self.hidden_writers)] {
            assert!(hidden.is_none() || ends.is_empty(), "nobody counts ends, so that this cannot be known: {self:?}");
        }
        let hidden = [self.hidden_readers, self.hidden_writers].contains(&Some(true));
        assert_eq!(self.hidden_by.is_some(), hidden, "who it may be is told where there is somebody: {self:?}");
        assert_ne!(self.hidden_by.as_ref().map(Vec::len), Some(0), "{self:?}");
        for end in self.ends() {
            assert_ascending(end.flags.iter().flatten(), "flags");
            exact(&end.command, end.command_bytes.as_deref());
        }
    }
}

impl Report {
    #[track_caller]
    pub(super) fn check(&self) {
        assert_eq!(self.schema_version, 1);
        // Anonymous pipes first, then by device and inode: not by the text of the id, in which 10 is before 9.
        let numbers = |device: &str| device.split(':').map(|part| part.parse().expect("number")).collect::<Vec<u32>>();
        assert_ascending(
            self.pipes.iter().map(|pipe| match (&*pipe.kind, &pipe.device) {
                ("fifo", Some(device)) => (Some(numbers(device)), pipe.inode),
                _ => (None, pipe.inode),
            }),
            "pipes",
        );
        self.pipes.iter().for_each(Pipe::check);

        assert_ascending(self.processes.iter().map(|process| process.pid), "processes");
        let tables = self.descriptors.iter().map(|descriptor| descriptor.pid);
        let holders: BTreeSet<u32> = self.pipes.iter().flat_map(Pipe::pids).chain(tables).collect();
        let listed: BTreeMap<u32, &Process> = self.processes.iter().map(|process| (process.pid, process)).collect();
        assert_eq!(listed.keys().copied().collect::<BTreeSet<_>>(), holders, "processes are those on the pipes");
        for end in self.pipes.iter().flat_map(Pipe::ends) {
            let process = listed[&end.pid];
            assert_eq!((&end.command, &end.command_bytes), (&process.command, &process.command_bytes));
            assert_eq!((end.uid, &end.user), (process.uid, &process.user));
        }

        let unreadable: BTreeSet<u32> = self.unreadable.iter().map(|gap| gap.pid).collect();
        assert_eq!(self.scan.unreadable, unreadable.len());
        assert_eq!(self.scan.complete, unreadable.is_empty() && self.scan.outside.is_none(), "{:?}", self.scan);
        assert!(self.unreadable.is_sorted_by_key(|gap| gap.pid));
        assert!(self.scan.processes >= holders.len());
    }
}

/// Sorted, and nothing twice.
#[track_caller]
pub(crate) fn assert_ascending<T: PartialOrd + Debug>(items: impl Iterator<Item = T>, what: &str) {
    let items: Vec<T> = items.collect();
    assert!(items.is_sorted_by(|a, b| a < b), "{what} are not in ascending order: {items:?}");
}
