//! Scenes as the kernel was seen to count them, and any that a small model of it can make: what is certain is so in the model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{Device, OpenFlags};

const PIPE: Address = Address::new(1);
const READ: AccessMode = AccessMode::Read;
const WRITE: AccessMode = AccessMode::Write;
const BOTH: AccessMode = AccessMode::ReadWrite;

const STATE: PipeState = PipeState {
    address: PIPE,
    readers: 1,
    writers: 1,
    files: 2,
    read_opens: 0,
    write_opens: 0,
    slots: 3,
    max_slots: 16,
    queued: Some(700),
};

/// A descriptor of process 5, in its table.
fn end(fd: u32, file: u64, access: AccessMode, references: u64) -> EndRecord {
    EndRecord {
        pid: Pid(5),
        tid: Tid(5),
        fd: Fd(fd),
        table: Address::new(50),
        file: Address::new(file),
        references,
        kind: FileKind::Pipe,
        inode: 77,
        device: Device { major: 0, minor: 15 },
        unlinked: false,
        access: Some(access),
        flags: OpenFlags(0),
        has_cloexec: true,
        pipe: Some(STATE),
    }
}

fn pass_of(ends: Vec<EndRecord>) -> Pass {
    Pass { ends, users: BTreeMap::new() }
}

fn with_counts(ends: Vec<EndRecord>, readers: u32, writers: u32) -> Pass {
    let state = PipeState { readers, writers, ..STATE };
    pass_of(ends.into_iter().map(|end| EndRecord { pipe: Some(state), ..end }).collect())
}

fn twice(pass: &Pass) -> Probed {
    only(&[pass.clone(), pass.clone()])
}

fn only(passes: &[Pass]) -> Probed {
    let mut all = account(passes);
    let (record, probed) = all.pop().expect("the pipe");
    assert_eq!((record.pipe.map(|pipe| pipe.address), all.len()), (Some(PIPE), 0));
    probed
}

/// What there is besides the ends seen: descriptions and references of readers, then of writers.
fn unseen(probed: &Probed) -> Option<[(u32, u64); 2]> {
    let of = |side| probed.unseen(side).map(|unseen| (unseen.descriptions, unseen.references));
    Some([of(Side::Read)?, of(Side::Write)?])
}

const NOTHING: Option<[(u32, u64); 2]> = Some([(0, 0), (0, 0)]);

#[test]
fn duplicates_are_one_file_and_one_that_reads_and_writes_is_on_both_sides() {
    let ends = vec![end(3, 30, READ, 2), end(5, 30, READ, 2), end(4, 40, WRITE, 1)];
    let probed = twice(&with_counts(ends.clone(), 1, 1));
    assert_eq!((unseen(&probed), probed.references.len()), (NOTHING, 0));
    // Of ends that were seen, nothing is said besides.
    assert_eq!((probed.readers, probed.writers, probed.reader, probed.writer), (Some(1), Some(1), None, None));
    let ends = [ends, vec![end(6, 60, BOTH, 1)]].concat();
    assert_eq!(unseen(&twice(&with_counts(ends.clone(), 2, 2))), NOTHING);
    // Counts that are too small are those of a moment that no pass saw.
    assert_eq!(unseen(&twice(&with_counts(ends, 1, 2))), None);
}

#[test]
fn sizes_are_those_of_the_last_pass() {
    let full = PipeState { slots: 16, queued: None, ..STATE };
    let page = procfs::page_size();
    let pass = |state| pass_of(vec![EndRecord { pipe: Some(state), ..end(3, 30, READ, 1) }]);
    let probed = only(&[pass(STATE), pass(full)]);
    assert_eq!((probed.queued, probed.capacity, probed.full), (None, Some(16 * page), Some(true)));
    let probed = only(&[pass(full), pass(STATE)]);
    assert_eq!((probed.queued, probed.full), (Some(700), Some(false)));
    assert!(unseen(&probed).is_some(), "what is in it says nothing of its ends");
}

/// In flight while its sender keeps it: the counts are equal, and only the references are not.
#[test]
fn a_reference_that_is_no_descriptor_is_counted() {
    let probed = twice(&with_counts(vec![end(3, 30, READ, 1), end(4, 40, WRITE, 2)], 1, 1));
    assert_eq!(unseen(&probed), Some([(0, 0), (0, 1)]));
    let key = (Pid(5), None, Fd(4));
    assert_eq!(probed.references, [References { end: key, access: WRITE, count: Some(1) }]);
    let probed = twice(&with_counts(vec![end(3, 30, BOTH, 4)], 1, 1));
    assert_eq!(unseen(&probed), Some([(0, 3), (0, 3)]), "one that reads and writes is on both sides");
    let before = with_counts(vec![end(3, 30, READ, 1)], 1, 0);
    let after = with_counts(vec![end(3, 30, READ, 2)], 1, 0);
    let changed = only(&[before.clone(), after.clone()]);
    assert_eq!((unseen(&changed), changed.references[0].count), (Some([(0, 1), (0, 0)]), None));
    // A number that is too small is of another moment.
    let probed = twice(&with_counts(vec![end(3, 30, READ, 1), end(4, 30, READ, 1)], 1, 0));
    assert_eq!(probed.references[0].count, None);
    // Nor is a descriptor that came or went.
    let moved = with_counts(vec![end(4, 30, READ, 1)], 1, 0);
    assert_eq!(only(&[before, moved]).references[0].count, None);
}

/// Closed in flight, or registered with an `io_uring`. That the iterator lists none is no proof: only a count of 0 is.
#[test]
fn an_end_in_no_table_is_hidden() {
    let pass = with_counts(vec![end(3, 30, READ, 1)], 1, 1);
    let probed = twice(&pass);
    assert_eq!((unseen(&probed), probed.writer), (Some([(0, 0), (1, 0)]), Some(true)));
    let once = only(std::slice::from_ref(&pass));
    assert_eq!((unseen(&once), once.writer, once.writers), (None, None, Some(1)), "one pass does not prove it");
    let none = only(&[with_counts(vec![end(3, 30, READ, 1)], 1, 0)]);
    assert_eq!((none.writer, none.writers), (Some(false), Some(0)));
    // One that was seen is one of several.
    assert_eq!(
        unseen(&twice(&with_counts(vec![end(3, 30, READ, 1), end(4, 40, WRITE, 1)], 2, 3))),
        Some([(1, 0), (2, 0)])
    );
    // A count of 0 where an end was seen is that of a moment.
    assert_eq!(only(&[with_counts(vec![end(3, 30, READ, 1)], 0, 0)]).reader, None);
    assert!(account::<Pass>(&[]).is_empty());
}

/// Every live thread lists the table of an exited leader, and two processes may share one.
#[test]
fn a_table_that_several_show_counts_once() {
    let of = |pid, tid, end: EndRecord| EndRecord { pid: Pid(pid), tid: Tid(tid), ..end };
    let own = EndRecord { table: Address::new(51), ..end(3, 30, READ, 2) };
    let shown = [(7, 7), (5, 9), (5, 6)].map(|(pid, tid)| of(pid, tid, end(3, 30, READ, 2)));
    let probed = twice(&with_counts([shown.to_vec(), vec![of(5, 8, own)]].concat(), 1, 0));
    assert_eq!(unseen(&probed), NOTHING);
    let three = twice(&with_counts(shown.to_vec(), 1, 0));
    assert_eq!(three.references[0].end, (Pid(5), Some(Tid(6)), Fd(3)));
    assert_eq!(three.references[0].count, Some(1));
}

/// What passes that differ say is no proof.
#[test]
fn only_two_equal_passes_prove() {
    let pass = with_counts(vec![end(3, 30, READ, 1), end(4, 40, WRITE, 1)], 1, 1);
    let changed = |change: fn(&mut EndRecord)| {
        let mut other = pass.clone();
        other.ends.iter_mut().for_each(change);
        [only(&[pass.clone(), other.clone()]), only(&[other, pass.clone()])].map(|probed| unseen(&probed))
    };
    let with = |end: &mut EndRecord, change: fn(&mut PipeState)| end.pipe.iter_mut().for_each(change);
    assert_eq!(changed(|_| {}), [NOTHING; 2]);
    assert_eq!(changed(|end| end.inode += 1), [None; 2]);
    for change in [
        |state: &mut PipeState| state.read_opens += 1,
        |state: &mut PipeState| state.write_opens += 1,
        |state: &mut PipeState| state.files += 1,
        |state: &mut PipeState| state.readers += 1,
        |state: &mut PipeState| state.writers += 1,
    ] {
        let mut other = pass.clone();
        other.ends.iter_mut().for_each(|end| with(end, change));
        assert_eq!(unseen(&only(&[pass.clone(), other.clone()])), None);
        // Nor one that changed while it went on.
        other.ends[1] = pass.ends[1].clone();
        assert_eq!(unseen(&twice(&other)), None);
    }
    let fewer = with_counts(vec![end(3, 30, READ, 1)], 1, 1);
    assert_eq!(unseen(&only(&[fewer.clone(), pass.clone()])), None);
    let another = with_counts(vec![end(3, 30, READ, 1), end(4, 41, WRITE, 1)], 1, 1);
    assert_eq!(unseen(&only(&[another, pass.clone()])), None);
    // The last two count.
    assert_eq!(unseen(&only(&[fewer.clone(), pass.clone(), pass.clone()])), NOTHING);
    assert_eq!(unseen(&only(&[pass.clone(), pass, fewer])), None);
}

#[test]
fn what_is_no_pipe_and_what_is_in_no_count_is_left_out() {
    let path = EndRecord { access: None, ..end(9, 90, READ, 5) };
    let socket = EndRecord { kind: FileKind::Socket, pipe: None, ..end(8, 80, READ, 1) };
    let closed = EndRecord { pipe: None, ..path.clone() };
    let probed = twice(&with_counts(vec![end(3, 30, READ, 1), path], 1, 0));
    assert_eq!(unseen(&probed), NOTHING);
    assert!(account(&[pass_of(vec![socket, closed])]).is_empty());
}

/// What processes do with the descriptors of a pipe.
#[derive(Debug, Clone, Copy)]
enum Step {
    Open(AccessMode, u64),
    Duplicate(usize, u64),
    Close(usize),
    Send(usize),
    Receive(u64),
}

/// Descriptors in a table.
const FDS: u32 = 4;
/// Tables, of which the last cannot be seen.
const TABLES: u64 = 4;

/// A pipe, all that has it open, and what is in flight.
#[derive(Debug, Clone, Default)]
struct World {
    files: BTreeMap<u64, AccessMode>,
    slots: BTreeMap<(u64, u32), u64>,
    flying: Vec<u64>,
    opens: [u32; 2],
}

impl World {
    fn put(&mut self, table: u64, file: u64) {
        if let Some(fd) = (0..FDS).find(|fd| !self.slots.contains_key(&(table, *fd))) {
            self.slots.insert((table, fd), file);
        }
    }

    fn any(&self, number: usize) -> Option<(u64, u32)> {
        self.slots.keys().nth(number % self.slots.len().max(1)).copied()
    }

    fn references(&self, file: u64) -> usize {
        self.slots.values().chain(&self.flying).filter(|other| **other == file).count()
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Open(access, table) => {
                // The memory of one that is gone is used again.
                let file = (30..).find(|file| !self.files.contains_key(file)).unwrap();
                self.files.insert(file, access);
                for (opens, side) in self.opens.iter_mut().zip(Side::BOTH) {
                    *opens += u32::from(access.is_on(side));
                }
                self.put(table, file);
            }
            Step::Duplicate(number, table) => {
                if let Some(slot) = self.any(number) {
                    self.put(table, self.slots[&slot]);
                }
            }
            Step::Close(number) => drop(self.any(number).and_then(|slot| self.slots.remove(&slot))),
            Step::Send(number) => self.flying.extend(self.any(number).map(|slot| self.slots[&slot])),
            Step::Receive(table) => {
                if let Some(file) = self.flying.pop() {
                    self.put(table, file);
                }
            }
        }
        let used: BTreeSet<u64> = self.slots.values().chain(&self.flying).copied().collect();
        self.files.retain(|file, _| used.contains(file));
    }

    fn count(&self, side: Side) -> u32 {
        u32::try_from(self.files.values().filter(|access| access.is_on(side)).count()).unwrap()
    }

    /// What the iterator shows while these steps are taken, one after each place that it looks at.
    fn pass(&mut self, steps: &mut impl Iterator<Item = Option<Step>>) -> Pass {
        let mut ends = Vec::new();
        for (table, fd) in (0..TABLES - 1).flat_map(|table| (0..FDS).map(move |fd| (table, fd))) {
            if let Some(file) = self.slots.get(&(table, fd)) {
                let [readers, writers] = Side::BOTH.map(|side| self.count(side));
                let state = PipeState {
                    readers,
                    writers,
                    files: u32::try_from(self.files.len()).unwrap(),
                    read_opens: self.opens[0],
                    write_opens: self.opens[1],
                    ..STATE
                };
                let pid = u32::try_from(table).unwrap() + 5;
                let references = u64::try_from(self.references(*file)).unwrap();
                ends.push(EndRecord {
                    pid: Pid(pid),
                    tid: Tid(pid),
                    table: Address::new(table),
                    pipe: Some(state),
                    ..end(fd, *file, self.files[file], references)
                });
            }
            if let Some(step) = steps.next().flatten() {
                self.apply(step);
            }
        }
        pass_of(ends)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let access = prop_oneof![Just(READ), Just(WRITE), Just(BOTH)];
    prop_oneof![
        (access, 0..TABLES).prop_map(|(access, table)| Step::Open(access, table)),
        (any::<usize>(), 0..TABLES).prop_map(|(number, table)| Step::Duplicate(number, table)),
        any::<usize>().prop_map(Step::Close),
        any::<usize>().prop_map(Step::Send),
        (0..TABLES).prop_map(Step::Receive),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn what_is_certain_is_so(
        before in prop::collection::vec(step(), 0..14),
        during in prop::collection::vec(prop::option::weighted(0.1, step()), 0..24),
    ) {
        let mut world = World::default();
        for step in before {
            world.apply(step);
        }
        let is_quiet = during.iter().all(Option::is_none);
        let mut steps = during.into_iter();
        let first = world.pass(&mut steps);
        // Of this moment the claims are.
        let between = world.clone();
        let second = world.pass(&mut steps);
        let passes = [first, second.clone()];
        let accounts = account(&passes);
        let Some((_, probed)) = accounts.first() else { return Ok(()) };
        prop_assert!(!is_quiet || unseen(probed).is_some(), "nothing moved");
        for side in Side::BOTH {
            let Some(unseen) = probed.unseen(side) else { continue };
            let on_side = |file: &u64| between.files.get(file).is_some_and(|access| access.is_on(side));
            let seen = |table: u64| table < TABLES - 1;
            let shown: BTreeSet<Address> = second.ends.iter().filter(|end| end.access.is_some_and(|it| it.is_on(side))).map(|end| end.file).collect();
            let alive: BTreeSet<Address> = between.files.keys().filter(|file| on_side(file)).map(|file| Address::new(*file)).collect();
            prop_assert!(shown.is_subset(&alive));
            prop_assert_eq!(usize::try_from(unseen.descriptions).unwrap(), alive.len() - shown.len());
            let expected = match (alive.len(), shown.len()) {
                (0, _) => Some(false),
                (all, seen) => (all > seen).then_some(true),
            };
            prop_assert_eq!(probed.has(side), expected);
            if is_quiet {
                let is_shown = |file: &u64| shown.contains(&Address::new(*file));
                let elsewhere = between.slots.iter().filter(|((table, _), _)| !seen(*table)).map(|(_, file)| file);
                let count = elsewhere.chain(&between.flying).filter(|file| is_shown(file)).count();
                prop_assert_eq!(usize::try_from(unseen.references).unwrap(), count);
            }
        }
    }
}
