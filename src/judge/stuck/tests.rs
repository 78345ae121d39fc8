//! The fixpoint against a model that tries every schedule, on small random graphs.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

/// Up to so many threads and processes: the model tries 2⁷ states.
const THREADS: usize = 7;
const PROCESSES: usize = 4;

/// A thread with the processes that could wake it, as the model has it.
#[derive(Debug, Clone)]
struct Thread {
    process: usize,
    wakers: Option<Vec<usize>>,
}

/// The same as it is asked about: threads with equal wakers share a set, and some have a part of theirs in another set.
fn asked(threads: &[Thread]) -> (Vec<Node>, Vec<Vec<usize>>) {
    let parts = |wakers: &Vec<usize>| match wakers.split_first() {
        Some((first, rest)) if first % 2 == 0 => vec![vec![*first], rest.to_vec()],
        _ => vec![wakers.clone()],
    };
    let mut sets: Vec<Vec<usize>> =
        threads.iter().filter_map(|thread| thread.wakers.as_ref()).flat_map(parts).collect();
    sets.sort();
    sets.dedup();
    let set_of = |part: Vec<usize>| sets.iter().position(|set| *set == part).unwrap();
    let sets_of = |wakers: &Vec<usize>| parts(wakers).into_iter().map(set_of).collect();
    let node = |thread: &Thread| Node { process: thread.process, wakers: thread.wakers.as_ref().map(sets_of) };
    (threads.iter().map(node).collect(), sets)
}

fn stuck_of(threads: &[Thread]) -> Vec<bool> {
    let (nodes, sets) = asked(threads);
    stuck(&nodes, &sets, PROCESSES)
}

fn knots_of(threads: &[Thread], stuck: &[bool]) -> Vec<Knot> {
    let (nodes, sets) = asked(threads);
    knots(&nodes, &sets, stuck, PROCESSES)
}

fn nodes() -> impl Strategy<Value = Vec<Thread>> {
    // More often waiting than not, so that there is something to find.
    let wakers = option::weighted(0.85, btree_set(0..PROCESSES, 0..3));
    let node = (0..PROCESSES, wakers)
        .prop_map(|(process, wakers)| Thread { process, wakers: wakers.map(|set| set.into_iter().collect()) });
    vec(node, 1..=THREADS)
}

/// Nobody waits for nobody, or for a process without threads.
fn as_in_use(mut nodes: Vec<Thread>) -> Vec<Thread> {
    let first = nodes[0].process;
    let processes: BTreeSet<usize> = nodes.iter().map(|node| node.process).collect();
    for wakers in nodes.iter_mut().filter_map(|node| node.wakers.as_mut()) {
        wakers.retain(|process| processes.contains(process));
        if wakers.is_empty() {
            wakers.push(first);
        }
    }
    nodes
}

/// Whether each thread is awake in some state that can be reached: a state is who is awake, and a step is that somebody who is awake
/// wakes one who waits for its process.
fn reached_in_some_schedule(nodes: &[Thread]) -> Vec<bool> {
    let start: BTreeSet<usize> = (0..nodes.len()).filter(|thread| nodes[*thread].wakers.is_none()).collect();
    let (mut seen, mut next) = (BTreeSet::from([start.clone()]), vec![start]);
    while let Some(state) = next.pop() {
        for (waker, sleeper) in state.iter().flat_map(|waker| (0..nodes.len()).map(move |sleeper| (*waker, sleeper))) {
            let process = nodes[waker].process;
            if !state.contains(&sleeper)
                && nodes[sleeper].wakers.as_ref().is_some_and(|wakers| wakers.contains(&process))
            {
                let mut after = state.clone();
                after.insert(sleeper);
                if seen.insert(after.clone()) {
                    next.push(after);
                }
            }
        }
    }
    (0..nodes.len()).map(|thread| seen.iter().any(|state| state.contains(&thread))).collect()
}

/// The threads that each thread waits for, by the definition.
fn waited_for(nodes: &[Thread], thread: usize) -> BTreeSet<usize> {
    let wakers = nodes[thread].wakers.clone().unwrap_or_default();
    (0..nodes.len()).filter(|other| wakers.contains(&nodes[*other].process)).collect()
}

/// A group that waits for nobody outside itself.
fn is_closed(nodes: &[Thread], group: &BTreeSet<usize>) -> bool {
    group.iter().all(|thread| waited_for(nodes, *thread).is_subset(group))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn stuck_is_who_wakes_in_no_schedule(nodes in nodes()) {
        let stuck = stuck_of(&nodes);
        let reached = reached_in_some_schedule(&nodes);
        let awake: Vec<bool> = stuck.iter().map(|stuck| !stuck).collect();
        prop_assert_eq!(awake, reached);
    }

    /// A knot is a closed group, and no smaller part of it is closed.
    #[test]
    fn knots_are_the_smallest_closed_groups(nodes in nodes().prop_map(as_in_use)) {
        let stuck = stuck_of(&nodes);
        let expected: BTreeSet<BTreeSet<usize>> = {
            let all: Vec<usize> = (0..nodes.len()).filter(|thread| stuck[*thread]).collect();
            let closed: Vec<BTreeSet<usize>> = (1..1_usize << all.len())
                .map(|bits| all.iter().enumerate().filter(|(place, _)| bits & (1 << place) != 0).map(|(_, thread)| *thread).collect())
                .filter(|group| is_closed(&nodes, group))
                .collect();
            closed.iter().filter(|group| !closed.iter().any(|other| other != *group && other.is_subset(group))).cloned().collect()
        };
        let knots = knots_of(&nodes, &stuck);
        let found: BTreeSet<BTreeSet<usize>> = knots.iter().map(|knot| knot.inside.iter().copied().collect()).collect();
        prop_assert_eq!(found, expected);
        for knot in &knots {
            for thread in &knot.behind {
                prop_assert!(stuck[*thread] && !knot.inside.contains(thread));
            }
        }
        // Everybody who is stuck is in a knot or behind one.
        let told: BTreeSet<usize> = knots.iter().flat_map(|knot| knot.inside.iter().chain(&knot.behind)).copied().collect();
        prop_assert_eq!(told, (0..nodes.len()).filter(|thread| stuck[*thread]).collect::<BTreeSet<_>>());
    }
}

#[test]
fn a_ring_is_a_knot_until_somebody_free_holds_an_end_too() {
    let waits = |process, wakers: &[usize]| Thread { process, wakers: Some(wakers.to_vec()) };
    let ring = [waits(0, &[1]), waits(1, &[2]), waits(2, &[0]), waits(3, &[2])];
    let is_stuck = stuck_of(&ring);
    assert_eq!(is_stuck, [true; 4]);
    assert_eq!(knots_of(&ring, &is_stuck), [Knot { inside: vec![0, 1, 2], behind: vec![3] }]);

    let freed = [waits(0, &[1]), waits(1, &[2, 3]), waits(2, &[0]), Thread { process: 3, wakers: None }];
    assert_eq!(stuck_of(&freed), [false; 4]);
}

#[test]
fn a_free_thread_frees_those_who_wait_for_its_process() {
    let waits = Thread { process: 0, wakers: Some(vec![0]) };
    let free = Thread { process: 0, wakers: None };
    assert_eq!(stuck_of(&[waits.clone(), free]), [false, false]);
    let is_stuck = stuck_of(std::slice::from_ref(&waits));
    assert_eq!(is_stuck, [true]);
    assert_eq!(knots_of(&[waits], &is_stuck), [Knot { inside: vec![0], behind: vec![] }]);
}

/// Everybody may start as many processes as the machine allows, each of which waits for the next.
#[test]
fn a_long_chain_takes_no_stack() {
    const LENGTH: usize = 100_000;
    let nodes: Vec<Node> = (0..LENGTH).map(|number| Node { process: number, wakers: Some(vec![number]) }).collect();
    // The last waits for itself.
    let sets: Vec<Vec<usize>> = (0..LENGTH).map(|number| vec![(number + 1).min(LENGTH - 1)]).collect();
    let stuck = stuck(&nodes, &sets, LENGTH);
    let knots = knots(&nodes, &sets, &stuck, LENGTH);
    let found: Vec<(&[usize], usize)> = knots.iter().map(|knot| (&knot.inside[..], knot.behind.len())).collect();
    assert_eq!(found, [(&[LENGTH - 1][..], LENGTH - 1)]);
}
