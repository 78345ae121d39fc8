//! From passes over the open files to what is certain of each pipe: how many ends the kernel counts, and whether there are others than
//! those that were seen. Pure.
//!
//! A pass is not atomic. Two that agree are a proof all the same: the numbers of opens only grow, so if they did not, no file was added; what
//! both saw was open from the one to the other; so when the second began, the counts were those of the files that both saw, and of what
//! neither saw. That a pass lists nothing proves nothing: only a count does.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use super::record::{Address, EndRecord, FileKind, Pass, PipeState};
use crate::model::{AccessMode, Fd, Pid, Probed, References, Side, Tid, Unseen};

/// Of each pipe in the last pass: one of its records, what that pass says, and where the pass before agrees with it, what there is besides
/// the ends that were seen.
pub(crate) fn account<P: Borrow<Pass>>(passes: &[P]) -> Vec<(&EndRecord, Probed)> {
    let page = procfs::page_size();
    let Some((last, earlier)) = passes.split_last() else { return Vec::new() };
    let before = earlier.last().map(|pass| Sorted::new(pass.borrow())).unwrap_or_default();
    let mut before = before.pipes().peekable();
    let last = Sorted::new(last.borrow());
    let mut counted = Vec::new();
    for pipe in last.pipes() {
        while before.next_if(|other| other.address() < pipe.address()).is_some() {}
        let unseen = before.next_if(|other| other.address() == pipe.address()).and_then(|before| pipe.unseen(&before));
        counted.extend(pipe.probed(page, unseen));
    }
    counted
}

/// The ends in one pass, by pipe and open file, and of one file in the order of the pass. A map with a place for each pipe, file and descriptor
/// would be ten times as large as the pass.
#[derive(Default)]
struct Sorted<'a> {
    ends: Vec<End<'a>>,
}

struct End<'a> {
    pipe: Address,
    place: usize,
    record: &'a EndRecord,
}

impl<'a> Sorted<'a> {
    fn new(pass: &'a Pass) -> Self {
        let of_pipes = pass.ends.iter().enumerate().filter(|(_, end)| end.kind == FileKind::Pipe);
        let with_pipe = of_pipes.filter_map(|(place, record)| Some(End { pipe: record.pipe?.address, place, record }));
        let mut ends: Vec<End<'_>> = with_pipe.collect();
        ends.sort_unstable_by_key(|end| (end.pipe, end.record.file, end.place));
        Self { ends }
    }

    fn pipes<'s>(&'s self) -> impl Iterator<Item = Pipe<'s, 'a>> {
        self.ends.chunk_by(|a, b| a.pipe == b.pipe).map(|ends| Pipe { ends })
    }
}

/// The ends of a pipe in one pass; there is one at least.
struct Pipe<'s, 'a> {
    ends: &'s [End<'a>],
}

/// The ends of a pipe that are one open file description; there is one at least.
struct File<'s, 'a> {
    ends: &'s [End<'a>],
}

/// What there is besides the ends that were seen: of each side, and the references in it.
type Besides = ([Unseen; 2], Vec<References>);

/// What must not change between two passes.
fn counts(record: &EndRecord) -> (u64, Option<[u32; 5]>) {
    let of = |it: &PipeState| [it.readers, it.writers, it.files, it.read_opens, it.write_opens];
    (record.inode, record.pipe.as_ref().map(of))
}

impl<'s, 'a> Pipe<'s, 'a> {
    fn address(&self) -> Address {
        self.ends[0].pipe
    }

    /// Its open files; without those with `O_PATH`, which are in no count.
    fn files(&self) -> impl Iterator<Item = File<'s, 'a>> + use<'s, 'a> {
        let files = self.ends.chunk_by(|a, b| a.record.file == b.record.file).map(|ends| File { ends });
        files.filter(|file| file.ends[0].record.access.is_some())
    }

    /// Whether all records of it agree in what two passes are compared by.
    fn is_steady(&self) -> bool {
        let first = counts(self.ends[0].record);
        self.ends.iter().all(|end| counts(end.record) == first)
            && self.files().all(|file| file.all_same(|record| record.access))
    }

    /// The number of open file descriptions on a side.
    fn seen(&self, side: Side) -> usize {
        self.files().filter(|file| file.is_on(side)).count()
    }

    /// What there is besides what was seen, if the pass before saw the same files and the same counts.
    fn unseen(&self, before: &Self) -> Option<Besides> {
        let is_same = self.is_steady()
            && before.is_steady()
            && counts(self.ends[0].record) == counts(before.ends[0].record)
            && self.files().map(|file| file.identity()).eq(before.files().map(|file| file.identity()));
        if !is_same {
            return None;
        }
        let files = self.files().zip(before.files());
        let mut references: Vec<References> =
            files.filter_map(|(file, earlier)| file.references_besides(&earlier)).collect();
        references.sort_unstable_by_key(|it| it.end);
        let of = |side: Side| -> Option<Unseen> {
            let state = self.ends[0].record.pipe.as_ref()?;
            let descriptions = state.count(side).checked_sub(u32::try_from(self.seen(side)).ok()?)?;
            Some(Unseen { descriptions, references: References::on(&references, side) })
        };
        Some(([of(Side::Read)?, of(Side::Write)?], references))
    }

    /// By its last record.
    fn probed(&self, page: u64, besides: Option<Besides>) -> Option<(&'a EndRecord, Probed)> {
        let record = self.ends.iter().max_by_key(|end| end.place)?.record;
        let state = record.pipe.as_ref()?;
        let PipeState { readers, writers, slots, max_slots, queued, .. } = *state;
        // Of ends that were not seen, two passes have to say so. Of others, who shows them says what became of them.
        let exists = |side: Side, unseen: Option<Unseen>| match (state.count(side), self.seen(side)) {
            (0, 0) => Some(false),
            (0, 1..) => None,
            (1.., _) => unseen.filter(|unseen| unseen.descriptions > 0).map(|_| true),
        };
        let (unseen, references) = besides.unzip();
        let [unseen_readers, unseen_writers] = unseen.map_or([None; 2], |unseen| unseen.map(Some));
        let probed = Probed {
            queued,
            capacity: Some(u64::from(max_slots).saturating_mul(page)),
            full: Some(slots >= max_slots),
            reader: exists(Side::Read, unseen_readers),
            writer: exists(Side::Write, unseen_writers),
            readers: Some(readers),
            writers: Some(writers),
            unseen_readers,
            unseen_writers,
            references: references.unwrap_or_default(),
            unanswered: false,
        };
        Some((record, probed))
    }
}

impl PipeState {
    const fn count(&self, side: Side) -> u32 {
        match side {
            Side::Read => self.readers,
            Side::Write => self.writers,
        }
    }
}

impl File<'_, '_> {
    /// What it is told from others by.
    fn identity(&self) -> (Address, Option<AccessMode>) {
        let record = self.ends[0].record;
        (record.file, record.access)
    }

    fn is_on(&self, side: Side) -> bool {
        self.ends[0].record.access.is_some_and(|access| access.is_on(side))
    }

    fn all_same<T: PartialEq>(&self, of: impl Fn(&EndRecord) -> T) -> bool {
        let first = of(self.ends[0].record);
        self.ends.iter().all(|end| of(end.record) == first)
    }

    /// The descriptors of it, each once: several threads and processes may show one table.
    fn slots(&self) -> BTreeSet<(Address, Fd)> {
        self.ends.iter().map(|end| (end.record.table, end.record.fd)).collect()
    }

    /// The references to it that are no descriptor; none if there are none.
    fn references_besides(&self, before: &Self) -> Option<References> {
        let slots = self.slots();
        let is_same = self.all_same(|record| record.references)
            && before.all_same(|record| record.references)
            && self.ends[0].record.references == before.ends[0].record.references
            && slots == before.slots();
        let all = Some(self.ends[0].record.references).filter(|_| is_same);
        let count = all.and_then(|all| all.checked_sub(u64::try_from(slots.len()).ok()?));
        // The first of them in the order of a report.
        let end = self.ends.iter().map(|end| end.record.key()).min()?;
        (count != Some(0)).then_some(References { end, access: self.ends[0].record.access?, count })
    }
}

impl EndRecord {
    /// What ends are ordered by in a report.
    fn key(&self) -> (Pid, Option<Tid>, Fd) {
        (self.pid, Some(self.tid).filter(|tid| tid.0 != self.pid.0), self.fd)
    }
}

#[cfg(test)]
mod tests;
