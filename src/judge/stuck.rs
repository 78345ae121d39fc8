//! Which waits no thread can end: a pure question about which thread waits for which process, without pipes.
//!
//! Start with every waiting thread. Remove each that could be woken by a process with a thread outside the set. Repeat until nothing
//! changes. What remains can be ended only from outside. The smallest groups in it that wait only for themselves are the deadlocks; the
//! rest is stuck behind them.

use petgraph::algo::condensation;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// By number.
    pub(crate) process: usize,
    /// The set of processes that could wake it, by number; none if it does not wait, or any process could. Many threads that wait for
    /// one pipe share one set, so that all of this grows with the waits and the ends, and not with their product.
    pub(crate) wakers: Option<usize>,
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
        if let Some(set) = node.wakers {
            waiting_for[set].push(thread);
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
    /// The threads that wait, directly or not, for one inside, ascending.
    pub(crate) behind: Vec<usize>,
}

/// The knots among the stuck threads, ordered by their first threads.
pub(crate) fn knots(nodes: &[Node], sets: &[Vec<usize>], stuck: &[bool], processes: usize) -> Vec<Knot> {
    // A thread leads to its set, a set to its processes, a process to its threads. Vertices of stuck threads have their numbers.
    let mut graph: DiGraph<Option<usize>, ()> = DiGraph::new();
    let processes: Vec<NodeIndex> = (0..processes).map(|_| graph.add_node(None)).collect();
    let sets: Vec<NodeIndex> = sets
        .iter()
        .map(|members| {
            let set = graph.add_node(None);
            graph.extend_with_edges(members.iter().map(|process| (set, processes[*process])));
            set
        })
        .collect();
    for (thread, node) in nodes.iter().enumerate().filter(|(thread, _)| stuck[*thread]) {
        let vertex = graph.add_node(Some(thread));
        graph.extend_with_edges(node.wakers.map(|set| (vertex, sets[set])));
        graph.extend_with_edges([(processes[node.process], vertex)]);
    }
    let graph = condensation(graph, false);
    let is_last = |component: &NodeIndex| graph.neighbors(*component).all(|next| next == *component);
    let mut knots: Vec<Knot> = graph
        .node_indices()
        .filter(is_last)
        .map(|component| Knot {
            inside: threads(&graph, [component]),
            behind: threads(&graph, leading_to(&graph, component)),
        })
        .filter(|knot| !knot.inside.is_empty())
        .collect();
    knots.sort_unstable_by(|a, b| a.inside.cmp(&b.inside));
    knots
}

/// The threads in some components, ascending.
fn threads(graph: &DiGraph<Vec<Option<usize>>, ()>, components: impl IntoIterator<Item = NodeIndex>) -> Vec<usize> {
    let mut threads: Vec<usize> =
        components.into_iter().flat_map(|component| graph[component].iter().copied().flatten()).collect();
    threads.sort_unstable();
    threads
}

/// Everything else from which one can get to a component.
fn leading_to<N>(graph: &DiGraph<N, ()>, component: NodeIndex) -> impl Iterator<Item = NodeIndex> {
    let reversed = Reversed(graph);
    let mut walk = Dfs::new(reversed, component);
    std::iter::from_fn(move || walk.next(reversed)).skip(1)
}

#[cfg(test)]
mod tests;
