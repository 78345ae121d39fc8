//! Which waits no thread can end: a pure question about which thread waits for which process, without pipes.
//!
//! Start with every waiting thread. Remove each that could be woken by a process with a thread outside the set. Repeat until nothing
//! changes. What remains can be ended only from outside. The smallest groups in it that wait only for themselves are the deadlocks; the
//! rest is stuck behind them.

use petgraph::Direction::Incoming;
use petgraph::algo::condensation;
use petgraph::graph::{DiGraph, NodeIndex};

/// A thread is reported as stuck behind no more knots than this: one may wait for many, and many for that one.
const MOST_KNOTS: usize = 16;

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// By number.
    pub(crate) process: usize,
    /// The sets of processes that could wake it, by number; none if it does not wait, or any process could. Many threads that wait for
    /// one pipe share one set, so that all of this grows with the waits and the ends, and not with their product.
    pub(crate) wakers: Option<Vec<usize>>,
}

/// For each thread, whether no thread will wake it. `sets` are the processes of each set of wakers.
pub(crate) fn stuck(nodes: &[Node], sets: &[Vec<usize>], processes: usize) -> Vec<bool> {
    let mut sets_with: Vec<Vec<usize>> = vec![Vec::new(); processes];
    for (set, members) in sets.iter().enumerate() {
        for process in members {
            sets_with[*process].push(set);
        }
    }
    let mut waiting_for: Vec<Vec<usize>> = vec![Vec::new(); sets.len()];
    for (thread, node) in nodes.iter().enumerate() {
        for set in node.wakers.iter().flatten() {
            waiting_for[*set].push(thread);
        }
    }
    let mut stuck = vec![true; nodes.len()];
    let mut freed: Vec<usize> = (0..nodes.len()).filter(|thread| nodes[*thread].wakers.is_none()).collect();
    while let Some(thread) = freed.pop() {
        if std::mem::replace(&mut stuck[thread], false) {
            // What is taken here need not be looked at again: it is free from now on.
            for set in std::mem::take(&mut sets_with[nodes[thread].process]) {
                freed.append(&mut waiting_for[set]);
            }
        }
    }
    stuck
}

/// A smallest group of stuck threads that wait for no process outside it, and those that are stuck behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Knot {
    /// The threads of the group, ascending.
    pub(crate) inside: Vec<usize>,
    /// The threads that wait, directly or not, for one inside, ascending; without those that do so for many knots before this one.
    pub(crate) behind: Vec<usize>,
}

/// The knots among the stuck threads, ordered by their first threads.
pub(crate) fn knots(nodes: &[Node], sets: &[Vec<usize>], stuck: &[bool], processes: usize) -> Vec<Knot> {
    // A thread leads to its sets, a set to its processes, a process to its threads. Vertices of stuck threads have their numbers.
    let mut graph: DiGraph<Option<usize>, ()> = DiGraph::new();
    let processes: Vec<NodeIndex> = (0..processes).map(|_| graph.add_node(None)).collect();
    let members = sets;
    let sets: Vec<NodeIndex> = members
        .iter()
        .map(|members| {
            let set = graph.add_node(None);
            graph.extend_with_edges(members.iter().map(|process| (set, processes[*process])));
            set
        })
        .collect();
    for (thread, node) in nodes.iter().enumerate().filter(|(thread, _)| stuck[*thread]) {
        let vertex = graph.add_node(Some(thread));
        let with_members = node.wakers.iter().flatten().filter(|set| !members[**set].is_empty());
        graph.extend_with_edges(with_members.map(|set| (vertex, sets[*set])));
        graph.extend_with_edges([(processes[node.process], vertex)]);
    }
    let graph = condensation(graph, false);
    let is_last = |component: &NodeIndex| graph.neighbors(*component).all(|next| next == *component);
    let mut last: Vec<(Vec<usize>, NodeIndex)> =
        graph.node_indices().filter(is_last).map(|component| (threads(&graph, [component]), component)).collect();
    last.retain(|(inside, _)| !inside.is_empty());
    last.sort_unstable();
    let mut behind =
        Behind { graph: &graph, visits: vec![0; graph.node_count()], seen: vec![None; graph.node_count()] };
    last.into_iter().map(|(inside, component)| Knot { inside, behind: behind.threads(component) }).collect()
}

/// The threads in some components, ascending.
fn threads(graph: &DiGraph<Vec<Option<usize>>, ()>, components: impl IntoIterator<Item = NodeIndex>) -> Vec<usize> {
    let mut threads: Vec<usize> =
        components.into_iter().flat_map(|component| graph[component].iter().copied().flatten()).collect();
    threads.sort_unstable();
    threads
}

/// Walks from knots to what is stuck behind them.
struct Behind<'a> {
    graph: &'a DiGraph<Vec<Option<usize>>, ()>,
    /// How many walks came to each component.
    visits: Vec<usize>,
    /// The knot of the last walk that came to it.
    seen: Vec<Option<NodeIndex>>,
}

impl Behind<'_> {
    /// The threads in all other components from which one can get to a knot, as far as they are not behind many others already. Then those
    /// that wait for them are, too.
    fn threads(&mut self, knot: NodeIndex) -> Vec<usize> {
        self.seen[knot.index()] = Some(knot);
        let (mut next, mut found) = (vec![knot], Vec::new());
        while let Some(component) = next.pop() {
            for from in self.graph.neighbors_directed(component, Incoming) {
                if self.seen[from.index()] != Some(knot) && self.visits[from.index()] < MOST_KNOTS {
                    self.seen[from.index()] = Some(knot);
                    self.visits[from.index()] += 1;
                    found.push(from);
                    next.push(from);
                }
            }
        }
        threads(self.graph, found)
    }
}

#[cfg(test)]
mod tests;
