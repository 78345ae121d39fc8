//! What is drawn of the flows: junctions, circles, and what is within reach.

use super::super::layout::{Layout, Node};
use super::super::marks::Marks;
use super::super::{analyze, within_reach};
use super::{End, R, W, Who, graph, id};
use crate::judge::processes::NO_THREADS;
use crate::model::{Pid, PipeId};

/// Ten writers on one pipe and ten readers are twenty arrows, and not a hundred; counted only where nothing else is drawn of them.
#[test]
fn many_to_many_goes_through_the_pipe() {
    let processes: Vec<Who> = (1..=30).map(|pid| (pid, 100, pid, "x")).collect();
    let some: Vec<End> = (1..=5).map(|pid| (1, pid, 5, W)).chain((11..=15).map(|pid| (1, pid, 5, R))).collect();
    let dataflow = analyze(&graph(&processes, &some), &NO_THREADS, &[], Marks::default());
    assert_eq!(Layout::of(&dataflow).arrows().count(), 10);
    let many: Vec<End> = (1..=10).map(|pid| (1, pid, 5, W)).chain((11..=20).map(|pid| (1, pid, 5, R))).collect();
    let dataflow = analyze(&graph(&processes, &many), &NO_THREADS, &[], Marks::default());
    let layout = Layout::of(&dataflow);
    assert_eq!(layout.arrows().count(), 0);
    assert_eq!(layout.pipelines[0].roots, [Node::Junction(id(1))]);
    // Counted workers between two pipes join these.
    let mut workers: Vec<End> = vec![(1, 1, 5, W), (2, 30, 5, R)];
    workers.extend((11..=20).flat_map(|pid| [(1, pid, 5, R), (2, pid, 6, W)]));
    let dataflow = analyze(&graph(&processes, &workers), &NO_THREADS, &[], Marks::default());
    let layout = Layout::of(&dataflow);
    let arrows: Vec<_> = layout.arrows().map(|arrow| (arrow.from, arrow.to)).collect();
    let [first, second] = [1, 2].map(|pipe| Node::Junction(id(pipe)));
    assert_eq!(arrows, [(Node::Process(Pid(1)), first), (first, second), (second, Node::Process(Pid(30)))]);
    assert_eq!(layout.pipelines.len(), 1);
}

#[test]
fn reach_is_up_and_down_but_not_to_those_beside() {
    // 1 → 2 → 3, 4 → 3 by another pipe, 5 → 2 by the same.
    let processes: Vec<Who> = (1..=6).map(|pid| (pid, 100, pid, "x")).collect();
    let ends = [
        (1, 1, 1, W),
        (1, 5, 1, W),
        (1, 2, 0, R),
        (2, 2, 1, W),
        (2, 3, 0, R),
        (3, 4, 1, W),
        (3, 3, 5, R),
        (4, 6, 1, W),
        (4, 5, 0, R),
    ];
    let dataflow = analyze(&graph(&processes, &ends), &NO_THREADS, &[], Marks::default());
    let reach = |pid: u32| -> Vec<u64> {
        let pids = [Pid(pid)].into();
        let held = ends.iter().filter(|end| end.1 == pid).map(|end| id(end.0)).collect();
        within_reach(&dataflow, &held, Some(&pids)).into_iter().map(PipeId::inode).collect()
    };
    assert_eq!(reach(1), [1, 2]);
    assert_eq!(reach(2), [1, 2, 4]);
    assert_eq!(reach(3), [1, 2, 3, 4]);
    assert_eq!(reach(6), [1, 2, 4]);
    assert_eq!(reach(4), [3]);
    let of_pipe: Vec<u64> = within_reach(&dataflow, &[id(2)].into(), None).into_iter().map(PipeId::inode).collect();
    assert_eq!(of_pipe, [1, 2, 4]);
}

/// Roots are where nothing leads to, and the first of a circle.
#[test]
fn circles_begin_with_their_first_process() {
    let processes: Vec<Who> = (1..=5).map(|pid| (pid, 100, pid, "x")).collect();
    // 3 ⇄ 4 → 1, and 5 to itself.
    let ends = [
        (1, 3, 1, W),
        (1, 4, 0, R),
        (2, 4, 1, W),
        (2, 3, 0, R),
        (3, 4, 5, W),
        (3, 1, 0, R),
        (4, 5, 3, R),
        (4, 5, 4, W),
    ];
    let dataflow = analyze(&graph(&processes, &ends), &NO_THREADS, &[], Marks::default());
    let layout = Layout::of(&dataflow);
    let roots: Vec<_> = layout.pipelines.iter().map(|pipeline| pipeline.roots.clone()).collect();
    assert_eq!(roots, [[Node::Process(Pid(3))], [Node::Process(Pid(5))]]);
    let [one, three, four] = [1, 3, 4].map(|pid| Node::Process(Pid(pid)));
    assert!(layout.is_cycle(three, four) && !layout.is_cycle(four, one));
}
