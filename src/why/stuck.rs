//! Which waits nobody will end: a pure question about who waits for whom, without pipes.
//!
//! Start with all that wait; let go each that some process could wake which has a thread that does not wait in vain; go on until
//! nothing changes. What remains can be ended only from outside. In it, the smallest groups that wait for nobody but themselves
//! are the deadlocks; the rest is stuck behind them.

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// A thread, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Its process, by number.
    pub(super) process: usize,
    /// The processes that could wake it; none if it does not wait, or anybody could.
    pub(super) wakers: Option<Vec<usize>>,
}

/// For each thread, whether nobody will wake it.
pub(super) fn stuck(nodes: &[Node], processes: usize) -> Vec<bool> {
    let mut waiting_for: Vec<Vec<usize>> = vec![Vec::new(); processes];
    for (thread, node) in nodes.iter().enumerate() {
        for process in node.wakers.iter().flatten() {
            if let Some(waiting) = waiting_for.get_mut(*process) {
                waiting.push(thread);
            }
        }
    }
    let mut stuck = vec![true; nodes.len()];
    let mut is_free = vec![false; processes];
    let mut freed: Vec<usize> = (0..nodes.len()).filter(|thread| nodes[*thread].wakers.is_none()).collect();
    while let Some(thread) = freed.pop() {
        if !std::mem::replace(&mut stuck[thread], false) {
            continue;
        }
        let process = nodes[thread].process;
        if let Some(free) = is_free.get_mut(process)
            && !std::mem::replace(free, true)
        {
            freed.append(&mut waiting_for[process]);
        }
    }
    stuck
}

/// A smallest group of stuck threads that wait for nobody outside it, and those that are stuck behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Knot {
    /// The threads of the group, ascending.
    pub(super) inside: Vec<usize>,
    /// The threads that wait, directly or not, for one inside, ascending.
    pub(super) behind: Vec<usize>,
}

/// The knots among the stuck threads, ordered by their first threads.
pub(super) fn knots(nodes: &[Node], stuck: &[bool], processes: usize) -> Vec<Knot> {
    // Threads first, then processes: a thread leads to the processes that it waits for, a process to its threads.
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    let vertices: Vec<NodeIndex> = (0..nodes.len() + processes).map(|_| graph.add_node(())).collect();
    let of_process = |process: usize| vertices.get(nodes.len() + process).copied();
    for (thread, node) in nodes.iter().enumerate().filter(|(thread, _)| stuck[*thread]) {
        let waits_for = node.wakers.iter().flatten().filter_map(|process| of_process(*process));
        graph.extend_with_edges(waits_for.map(|process| (vertices[thread], process)));
        graph.extend_with_edges(of_process(node.process).map(|process| (process, vertices[thread])));
    }
    let thread_of = |vertex: &NodeIndex| Some(vertex.index()).filter(|thread| stuck.get(*thread) == Some(&true));
    let components = tarjan_scc(&graph);
    let mut component_of = vec![0; graph.node_count()];
    for (number, vertex) in
        components.iter().enumerate().flat_map(|(number, all)| all.iter().map(move |it| (number, it)))
    {
        component_of[vertex.index()] = number;
    }
    let mut knots: Vec<Knot> = components
        .into_iter()
        .enumerate()
        .filter_map(|(number, component)| {
            let mut inside: Vec<usize> = component.iter().filter_map(thread_of).collect();
            inside.sort_unstable();
            let outside = |next: NodeIndex| component_of[next.index()] != number;
            let leaves = component.iter().any(|vertex| graph.neighbors(*vertex).any(outside));
            (!inside.is_empty() && !leaves).then(|| {
                let mut behind: Vec<usize> = reaching(&graph, &component).iter().filter_map(thread_of).collect();
                behind.retain(|thread| inside.binary_search(thread).is_err());
                behind.sort_unstable();
                Knot { inside, behind }
            })
        })
        .collect();
    knots.sort_unstable_by(|a, b| a.inside.cmp(&b.inside));
    knots
}

/// Everything from which one can get to one of these.
fn reaching(graph: &DiGraph<(), ()>, targets: &[NodeIndex]) -> Vec<NodeIndex> {
    let reversed = petgraph::visit::Reversed(graph);
    let mut walk = petgraph::visit::Dfs::empty(reversed);
    let mut found = Vec::new();
    for target in targets {
        walk.move_to(*target);
        while let Some(vertex) = walk.next(reversed) {
            found.push(vertex);
        }
    }
    found
}

#[cfg(test)]
mod tests;
