//! Which waits nobody will end: a pure question about who waits for whom, without pipes.
//!
//! Start with all that wait; let go each that some process could wake which has a thread that does not wait in vain; go on until
//! nothing changes. What remains can be ended only from outside. In it, the smallest groups that wait for nobody but themselves
//! are the deadlocks; the rest is stuck behind them.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// A thread, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its process, by number.
    pub(crate) process: usize,
    /// The set of processes that could wake it, by number; none if it does not wait, or anybody could. Many threads that wait for
    /// one pipe share one set, so that all of this grows with the waits and the ends, and not with their product.
    pub(crate) wakers: Option<usize>,
}

/// For each thread, whether nobody will wake it. `sets` are the processes of each set of wakers.
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

/// A smallest group of stuck threads that wait for nobody outside it, and those that are stuck behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Knot {
    /// The threads of the group, ascending.
    pub(crate) inside: Vec<usize>,
    /// The threads that wait, directly or not, for one inside, ascending.
    pub(crate) behind: Vec<usize>,
}

/// The knots among the stuck threads, ordered by their first threads.
pub(crate) fn knots(nodes: &[Node], sets: &[Vec<usize>], stuck: &[bool], processes: usize) -> Vec<Knot> {
    // Threads first, then sets, then processes: a thread leads to its set, a set to its processes, a process to its threads.
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    let vertices: Vec<NodeIndex> = (0..nodes.len() + sets.len() + processes).map(|_| graph.add_node(())).collect();
    let of_set = |set: usize| vertices[nodes.len() + set];
    let of_process = |process: usize| vertices[nodes.len() + sets.len() + process];
    for (thread, node) in nodes.iter().enumerate().filter(|(thread, _)| stuck[*thread]) {
        graph.extend_with_edges(node.wakers.map(|set| (vertices[thread], of_set(set))));
        graph.extend_with_edges([(of_process(node.process), vertices[thread])]);
    }
    for (set, members) in sets.iter().enumerate() {
        graph.extend_with_edges(members.iter().map(|process| (of_set(set), of_process(*process))));
    }
    let thread_of = |vertex: &NodeIndex| Some(vertex.index()).filter(|thread| stuck.get(*thread) == Some(&true));
    let components = kosaraju_scc(&graph);
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
