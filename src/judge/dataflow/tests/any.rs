//! What holds for any processes and pipes at all.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::layout::{Layout, Spot};
use super::super::{Drawing, Flow, InheritedCopy, MANY, draw, within_reach};
use super::{FIFOS, R, RW, W, Who, graph, pids};
use crate::findings::Diagnosis;
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

fn every_spot(drawing: &Drawing, layout: &Layout<'_>) -> BTreeSet<Spot> {
    let flows = || drawing.flows.iter().filter(|flow| !flow.shared);
    let unfolded = flows().flat_map(|flow| Side::BOTH.map(|side| (flow, side)));
    let processes = unfolded.filter(|(flow, side)| !flow.is_folded(*side)).flat_map(|(flow, side)| flow.side(side));
    let known: BTreeSet<Spot> = processes.map(|tip| Spot::Process(tip.pid)).collect();
    let missing: Vec<_> = known.iter().filter(|spot| !layout.spots().any(|it| it == **spot)).collect();
    assert!(missing.is_empty(), "not drawn: {missing:?}");
    layout.spots().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_is_lost_and_no_side_is_emptied(graph in any_graph()) {
        let drawing = draw(&graph, &Diagnosis::default());
        prop_assert_eq!(drawing.flows.len(), graph.pipes.len());
        for (flow, pipe) in drawing.flows.iter().zip(&graph.pipes) {
            let told: BTreeSet<(Pid, Fd)> = flow.writers.iter().chain(&flow.readers).flat_map(|tip| tip.fds.iter().map(|fd| (tip.pid, *fd)))
                .chain(flow.apart.iter().map(|apart| (apart.end.pid, apart.end.fd))).collect();
            let held: BTreeSet<(Pid, Fd)> = pipe.ends.iter().map(|end| (end.pid, end.fd)).collect();
            prop_assert_eq!(told, held);
            for side in Side::BOTH {
                let is_empty = pipe.side(side).next().is_none();
                prop_assert_eq!(flow.side(side).is_empty(), is_empty || flow.shared);
                let are_holders = flow.side(side).iter().all(|tip| pipe.side(side).any(|end| end.pid == tip.pid));
                prop_assert!(are_holders, "{:?}", flow);
            }
            prop_assert_eq!(flow.absence.is_some(), flow.empty_side().is_some());
        }
    }

    #[test]
    fn everything_is_reached_from_the_roots_and_once(graph in any_graph()) {
        let drawing = draw(&graph, &Diagnosis::default());
        let layout = Layout::of(&drawing);
        let spots = every_spot(&drawing, &layout);
        let mut reached = BTreeSet::new();
        for pipeline in &layout.pipelines {
            let mut here = BTreeSet::new();
            let mut next = pipeline.roots.clone();
            while let Some(spot) = next.pop() {
                if here.insert(spot) {
                    next.extend(layout.from(spot).iter().map(|arrow| arrow.to));
                }
            }
            prop_assert!(here.is_disjoint(&reached), "in two pipelines");
            reached.extend(here);
        }
        prop_assert_eq!(reached, spots);
        let flows: usize = layout.pipelines.iter().map(|pipeline| pipeline.flows.len()).sum();
        prop_assert_eq!(flows + layout.shared.len(), drawing.flows.len());
        for flow in &drawing.flows {
            let arrows = layout.arrows().filter(|arrow| arrow.pipe() == Some(flow.pipe)).count();
            prop_assert!(arrows <= flow.writers.len() + flow.readers.len(), "{} arrows for {:?}", arrows, flow);
            prop_assert!(!flow.is_folded(Side::Read) || flow.readers.len() > MANY);
        }
    }

    /// By the plain meaning: all that somebody writes to, those who read that, and so on, and the same against the data.
    #[test]
    fn reach_is_what_it_is_said_to_be(graph in any_graph(), pid in 2..30_u32) {
        let drawing = draw(&graph, &Diagnosis::default());
        let held = graph.pipes.iter().filter(|pipe| pipe.ends.iter().any(|end| end.pid == Pid(pid))).map(|pipe| pipe.id);
        let reached = within_reach(&drawing, &held.collect(), Some(&[Pid(pid)].into()));
        let has_shared = |flow: &&Flow| flow.shared && flow.apart_pids().contains(&Pid(pid));
        let mut expected: BTreeSet<PipeId> = drawing.flows.iter().filter(has_shared).map(|flow| flow.pipe).collect();
        for to in Side::BOTH {
            let mut known = BTreeSet::from([pid]);
            // What it has as its input or output counts, whoever else uses it.
            let is_own = |apart: &InheritedCopy| {
                let Endpoint { pid: holder, fd, access, .. } = apart.end;
                holder == Pid(pid) && fd < Fd(3) && access.is_on(to.other())
            };
            for flow in drawing.flows.iter().filter(|flow| !flow.shared && flow.apart.iter().any(is_own)) {
                expected.insert(flow.pipe);
                known.extend(pids(flow, to));
            }
            for _ in 0..30 {
                for flow in &drawing.flows {
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
