//! What holds for any processes and pipes at all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::layout::{Layout, Node};
use super::super::{Dataflow, Flow, InheritedCopy, MANY, Marks, analyze, within_reach};
use super::{FIFOS, R, RW, W, Who, graph, pids};
use crate::judge::processes::NO_THREADS;
use crate::model::{Endpoint, Fd, Pid, PipeGraph, PipeId, Side};

/// Processes in a tree, of a few programs and jobs, and ends of a few pipes and FIFOs among them.
fn any_graph() -> impl Strategy<Value = PipeGraph> {
    let access = prop_oneof![4 => Just(R), 4 => Just(W), 1 => Just(RW)];
    let end = (prop_oneof![1..6_u64, FIFOS..FIFOS + 2], 2..30_u32, 0..6_u32, access);
    let program = prop_oneof![Just("bash"), Just("cat"), Just("gpg --status-fd=4"), Just("server")];
    let process = (1..30_u32, 1..5_u32, program);
    (proptest::collection::vec(process, 30), proptest::collection::vec(end, 1..80)).prop_map(|(processes, ends)| {
        let who = |(pid, (parent, job, program))| (pid, parent, job, program);
        let processes: Vec<Who> = (1..).zip(processes).map(who).collect();
        graph(&processes, &ends)
    })
}

fn every_node(dataflow: &Dataflow, layout: &Layout<'_>) -> BTreeSet<Node> {
    let flows = || dataflow.flows.iter().filter(|flow| !flow.shared);
    let unfolded = flows().flat_map(|flow| Side::BOTH.map(|side| (flow, side)));
    let processes = unfolded.filter(|(flow, side)| !flow.is_folded(*side)).flat_map(|(flow, side)| flow.side(side));
    let known: BTreeSet<Node> = processes.map(|it| Node::Process(it.pid)).collect();
    let missing: Vec<_> = known.iter().filter(|node| !layout.nodes().any(|it| it == **node)).collect();
    assert!(missing.is_empty(), "not drawn: {missing:?}");
    layout.nodes().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_is_lost_and_no_side_is_emptied(graph in any_graph()) {
        let dataflow = analyze(&graph, &NO_THREADS, &[], Marks::default());
        prop_assert_eq!(dataflow.flows.len(), graph.pipes.len());
        for (flow, pipe) in dataflow.flows.iter().zip(&graph.pipes) {
            let told: BTreeSet<(Pid, Fd)> = flow.writers.iter().chain(&flow.readers).flat_map(|it| it.fds.iter().map(|fd| (it.pid, *fd)))
                .chain(flow.apart.iter().map(|apart| (apart.end.pid, apart.end.fd))).collect();
            let held: BTreeSet<(Pid, Fd)> = pipe.ends.iter().map(|end| (end.pid, end.fd)).collect();
            prop_assert_eq!(told, held);
            for side in Side::BOTH {
                let is_empty = pipe.side(side).next().is_none();
                prop_assert_eq!(flow.side(side).is_empty(), is_empty || flow.shared);
                let are_holders = flow.side(side).iter().all(|it| pipe.side(side).any(|end| end.pid == it.pid));
                prop_assert!(are_holders, "{:?}", flow);
            }
            prop_assert_eq!(flow.absence.is_some(), flow.empty_side().is_some());
        }
    }

    #[test]
    fn everything_is_reached_from_the_roots_and_once(graph in any_graph()) {
        let dataflow = analyze(&graph, &NO_THREADS, &[], Marks::default());
        let layout = Layout::of(&dataflow);
        let nodes = every_node(&dataflow, &layout);
        let mut reached = BTreeSet::new();
        for pipeline in &layout.pipelines {
            let mut here = BTreeSet::new();
            let mut next = pipeline.roots.clone();
            while let Some(node) = next.pop() {
                if here.insert(node) {
                    next.extend(layout.from(node).iter().map(|arrow| arrow.to));
                }
            }
            prop_assert!(here.is_disjoint(&reached), "in two pipelines");
            reached.extend(here);
        }
        prop_assert_eq!(reached, nodes);
        let flows: usize = layout.pipelines.iter().map(|pipeline| pipeline.flows.len()).sum();
        prop_assert_eq!(flows + layout.beside.len(), dataflow.flows.len());
        for flow in &dataflow.flows {
            let arrows = layout.arrows().filter(|arrow| arrow.pipe() == Some(flow.pipe)).count();
            prop_assert!(arrows <= flow.writers.len() + flow.readers.len(), "{} arrows for {:?}", arrows, flow);
            prop_assert!(!flow.is_folded(Side::Read) || flow.readers.len() > MANY);
        }
    }

    /// By the plain meaning: all that somebody writes to, those who read that, and so on, and the same against the data.
    #[test]
    fn reach_is_what_it_is_said_to_be(graph in any_graph(), pid in 2..30_u32) {
        let dataflow = analyze(&graph, &NO_THREADS, &[], Marks::default());
        let held = graph.pipes.iter().filter(|pipe| pipe.ends.iter().any(|end| end.pid == Pid(pid))).map(|pipe| pipe.id);
        let reached = within_reach(&dataflow, &held.collect(), Some(&[Pid(pid)].into()));
        let has_shared = |flow: &&Flow| flow.shared && flow.apart_pids().contains(&Pid(pid));
        let mut expected: BTreeSet<PipeId> = dataflow.flows.iter().filter(has_shared).map(|flow| flow.pipe).collect();
        for to in Side::BOTH {
            let mut known = BTreeSet::from([pid]);
            // What it has as its input or output counts, whoever else uses it.
            let is_own = |apart: &InheritedCopy| {
                let Endpoint { pid: holder, fd, access, .. } = apart.end;
                holder == Pid(pid) && fd < Fd(3) && access.is_on(to.other())
            };
            for flow in dataflow.flows.iter().filter(|flow| !flow.shared && flow.apart.iter().any(is_own)) {
                expected.insert(flow.pipe);
                known.extend(pids(flow, to));
            }
            for _ in 0..30 {
                for flow in &dataflow.flows {
                    if pids(flow, to.other()).iter().any(|pid| known.contains(pid)) {
                        expected.insert(flow.pipe);
                        known.extend(pids(flow, to));
                    }
                }
            }
        }
        prop_assert_eq!(reached, expected);
    }
}
