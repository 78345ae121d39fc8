//! That joining loses nothing, doubles nothing, and does not depend on the order of what was seen.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{AccessMode, Device, Fd, Pid, Tid};

fn pipe_id() -> impl Strategy<Value = PipeId> {
    // Few numbers, so that FIFOs of two devices and anonymous pipes share them.
    (0..3_u32, 0..4_u64).prop_map(|(device, inode)| match device {
        0 => PipeId::anonymous(inode),
        minor => PipeId::fifo(Device { major: 0, minor }, inode),
    })
}

fn seen_end() -> impl Strategy<Value = RawEndpoint> {
    let access = prop_oneof![Just(AccessMode::Read), Just(AccessMode::Write), Just(AccessMode::ReadWrite)];
    (pipe_id(), 1..6_u32, proptest::option::of(1..3_u32), 0..6_u32, access).prop_map(|(pipe, pid, tid, fd, access)| {
        let end = Endpoint { pid: Pid(pid), tid: tid.map(Tid), fd: Fd(fd), access, flags: None, description: None };
        RawEndpoint { pipe, end, facts: None, description: None }
    })
}

/// Sightings of which no two are of one descriptor in one pipe: one descriptor may be an end of two pipes.
fn distinct_ends() -> impl Strategy<Value = Vec<RawEndpoint>> {
    proptest::collection::vec(seen_end(), 0..40).prop_map(|mut ends| {
        let mut known = BTreeSet::new();
        ends.retain(|seen| known.insert((seen.pipe, seen.end.key())));
        ends
    })
}

#[test]
fn a_name_that_still_leads_to_the_fifo_is_preferred() {
    let pipe = PipeId::fifo(Device { major: 0, minor: 26 }, 7);
    let seen = |pid, path: &str| RawEndpoint {
        pipe,
        end: Endpoint { pid: Pid(pid), tid: None, fd: Fd(3), access: AccessMode::Read, flags: None, description: None },
        facts: Some(Box::new(FileFacts { path: Some(path.into()), ..FileFacts::default() })),
        description: None,
    };
    let pipes = join(vec![seen(1, "/run/old (deleted)"), seen(2, "/run/new")]);
    assert_eq!(pipes[0].path.as_deref(), Some(b"/run/new".as_slice()));
    // Of two hard links it is the same one, whoever has opened it by which.
    for [one, other] in [[1, 2], [2, 1]] {
        let pipes = join(vec![seen(one, "/run/a"), seen(other, "/run/b")]);
        assert_eq!(pipes[0].path.as_deref(), Some(b"/run/a".as_slice()));
    }
    let pipes = join(vec![seen(1, "/run/only (deleted)")]);
    assert_eq!(pipes[0].path.as_deref(), Some(b"/run/only (deleted)".as_slice()));
}

/// Two pipes, the ends of which come in any order.
#[test]
fn descriptors_of_one_open_file_have_one_number() {
    let seen = |pipe, pid, fd, file| RawEndpoint {
        pipe: PipeId::anonymous(pipe),
        end: Endpoint {
            pid: Pid(pid),
            tid: None,
            fd: Fd(fd),
            access: AccessMode::Read,
            flags: None,
            description: None,
        },
        facts: None,
        description: Some(Address::new(file)),
    };
    let mut ends = vec![seen(8, 1, 3, 70), seen(7, 2, 4, 90), seen(7, 1, 5, 80), seen(7, 1, 4, 90), seen(8, 3, 3, 70)];
    let numbers = |ends: &[RawEndpoint]| -> Vec<Option<u32>> {
        join(ends.to_vec()).iter().flat_map(|pipe| &pipe.ends).map(|end| end.description).collect()
    };
    let expected = [1, 2, 1, 3, 3].map(Some);
    assert_eq!(numbers(&ends), expected);
    ends.reverse();
    assert_eq!(numbers(&ends), expected);
    // Of /proc no description is known.
    for seen in &mut ends {
        seen.description = None;
    }
    assert_eq!(numbers(&ends), [None; 5]);
}

proptest! {
    #[test]
    fn every_end_is_in_its_pipe_and_in_no_other(ends in distinct_ends()) {
        let pipes = join(ends.clone());
        for seen in &ends {
            for pipe in &pipes {
                let is_end = ends.iter().any(|other| (other.pipe, other.end.key()) == (pipe.id, seen.end.key()));
                prop_assert_eq!(pipe.ends.iter().any(|end| end.key() == seen.end.key()), is_end);
            }
        }
        prop_assert_eq!(pipes.iter().map(|pipe| pipe.ends.len()).sum::<usize>(), ends.len());
        prop_assert!(pipes.is_sorted_by(|a, b| a.id < b.id));
        prop_assert!(pipes.iter().all(|pipe| pipe.ends.is_sorted_by(|a, b| a.key() < b.key())));
    }

    #[test]
    fn order_and_repetition_do_not_matter(ends in proptest::collection::vec(seen_end(), 0..30).prop_shuffle(), seed in any::<u64>()) {
        // One descriptor may be sighted twice with two accesses of one pipe only if it changed: keep what the kernel can show.
        let mut accesses = BTreeMap::new();
        let ends: Vec<RawEndpoint> = ends.into_iter().map(|mut seen| {
            seen.end.access = *accesses.entry((seen.end.key(), seen.pipe)).or_insert(seen.end.access);
            seen
        }).collect();
        let mut other: Vec<RawEndpoint> = ends.iter().chain(&ends).cloned().collect();
        let length = other.len().max(1);
        other.rotate_left(usize::try_from(seed % 1000).unwrap() % length);
        other.reverse();
        prop_assert_eq!(join(ends), join(other));
    }
}
