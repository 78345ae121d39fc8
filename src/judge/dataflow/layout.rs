//! What is drawn where: the nodes that data go through, the arrows between them, and where each pipeline begins. No text, no colors.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction::Incoming;
use petgraph::algo::condensation;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;

use super::{Dataflow, Flow, MANY, Mark, Participant};
use crate::model::{Pid, PipeId, Side};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Process(Pid),
    /// A pipe with several writers and several readers, or with so many processes that they are only counted.
    Junction(PipeId),
    /// The side of a pipe on which no process was seen.
    Absent(PipeId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrow<'a> {
    pub(crate) from: Node,
    pub(crate) to: Node,
    pub(crate) through: Through<'a>,
}

/// How data go from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through<'a> {
    /// A pipe, with the writer and the reader; one of them is none on the way into a junction or out of it.
    Pipe(&'a Flow, Option<&'a Participant>, Option<&'a Participant>),
    /// Number of processes that are only counted, and read from one pipe and write to the other.
    Processes(usize),
}

/// Pipes that are connected by processes.
#[derive(Debug)]
pub(crate) struct Pipeline<'a> {
    /// Nodes without an incoming arrow, and the first node of each cycle without one from outside. All nodes are reached from these.
    pub(crate) roots: Vec<Node>,
    /// By ID.
    pub(crate) flows: Vec<&'a Flow>,
}

#[derive(Debug)]
pub(crate) struct Layout<'a> {
    dataflow: &'a Dataflow,
    /// By their first process.
    pub(crate) pipelines: Vec<Pipeline<'a>>,
    /// The pipes without a direction, and those that lead nowhere: they connect nothing.
    pub(crate) beside: Vec<&'a Flow>,
    arrows: BTreeMap<Node, Vec<Arrow<'a>>>,
    cycles: BTreeMap<Node, usize>,
}

impl<'a> Layout<'a> {
    pub(crate) fn of(dataflow: &'a Dataflow) -> Self {
        let (beside, flows): (Vec<&Flow>, Vec<&Flow>) =
            dataflow.flows.iter().partition(|flow| flow.shared || flow.unused);
        let arrows = arrows(&flows);
        let nodes: BTreeSet<Node> = arrows
            .iter()
            .flat_map(|arrow| [arrow.from, arrow.to])
            .chain(flows.iter().filter(|flow| flow.is_junction()).map(|flow| Node::Junction(flow.pipe)))
            .collect();
        let nodes: Vec<Node> = nodes.into_iter().collect();
        let mut layout =
            Self { dataflow, pipelines: Vec::new(), beside, arrows: BTreeMap::new(), cycles: BTreeMap::new() };
        layout.find_pipelines(&flows, &nodes, &arrows);
        for arrow in arrows {
            layout.arrows.entry(arrow.from).or_default().push(arrow);
        }
        for arrows in layout.arrows.values_mut() {
            arrows.sort_by_key(|arrow| (arrow.to, arrow.pipe()));
        }
        layout
    }

    /// Ordered by target and pipe.
    pub(crate) fn from(&self, node: Node) -> &[Arrow<'a>] {
        self.arrows.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Ordered by source.
    pub(crate) fn arrows(&self) -> impl Iterator<Item = &Arrow<'a>> {
        self.arrows.values().flatten()
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = Node> {
        self.cycles.keys().copied()
    }

    /// Whether both are in the same cycle.
    pub(crate) fn is_cycle(&self, a: Node, b: Node) -> bool {
        self.cycles.get(&a) == self.cycles.get(&b)
    }

    pub(crate) fn flow(&self, pipe: PipeId) -> Option<&'a Flow> {
        let flows = &self.dataflow.flows;
        flows.binary_search_by_key(&pipe, |flow| flow.pipe).ok().and_then(|index| flows.get(index))
    }

    /// What is wrong at a node, the worst first.
    pub(crate) fn marks(&self, node: Node) -> &'a [Mark] {
        match node {
            Node::Process(pid) => self.dataflow.marks.get(&pid).map_or(&[], Vec::as_slice),
            Node::Junction(_) | Node::Absent(_) => &[],
        }
    }

    fn find_pipelines(&mut self, flows: &[&'a Flow], nodes: &[Node], arrows: &[Arrow<'a>]) {
        let number_of = |node: Node| nodes.binary_search(&node).unwrap_or(0);
        let mut graph: DiGraph<Node, ()> = DiGraph::new();
        let vertices: Vec<NodeIndex> = nodes.iter().map(|node| graph.add_node(*node)).collect();
        let mut together = UnionFind::new(nodes.len());
        for arrow in arrows {
            let (from, to) = (number_of(arrow.from), number_of(arrow.to));
            graph.add_edge(vertices[from], vertices[to], ());
            together.union(from, to);
        }
        // Not by recursion: a pipeline may be long.
        let cycles = condensation(graph, false);
        for cycle in cycles.node_indices() {
            self.cycles.extend(cycles[cycle].iter().map(|node| (*node, cycle.index())));
        }
        let mut pipelines: BTreeMap<usize, (Option<Pid>, Pipeline<'a>)> = BTreeMap::new();
        let new = || (None, Pipeline { roots: Vec::new(), flows: Vec::new() });
        let is_root = |cycle: &NodeIndex| cycles.neighbors_directed(*cycle, Incoming).all(|from| from == *cycle);
        let first = |cycle: NodeIndex| cycles[cycle].iter().min().copied();
        let roots: BTreeSet<Node> = cycles.node_indices().filter(is_root).filter_map(first).collect();
        for root in roots {
            pipelines.entry(together.find(number_of(root))).or_insert_with(new).1.roots.push(root);
        }
        for flow in flows {
            let Some(node) = first_node(flow) else { continue };
            let (first, pipeline) = pipelines.entry(together.find(number_of(node))).or_insert_with(new);
            let pids = flow.writers.iter().chain(&flow.readers).map(|it| it.pid);
            *first = pids.chain(*first).min();
            pipeline.flows.push(flow);
        }
        let mut pipelines: Vec<(Option<Pid>, Pipeline<'a>)> = pipelines.into_values().collect();
        pipelines.sort_by_key(|(first, pipeline)| (*first, pipeline.flows.first().map(|flow| flow.pipe)));
        self.pipelines = pipelines.into_iter().map(|(_, pipeline)| pipeline).collect();
    }
}

impl Arrow<'_> {
    pub(crate) fn pipe(&self) -> Option<PipeId> {
        match self.through {
            Through::Pipe(flow, ..) => Some(flow.pipe),
            Through::Processes(_) => None,
        }
    }
}

fn first_node(flow: &Flow) -> Option<Node> {
    if flow.is_junction() {
        return Some(Node::Junction(flow.pipe));
    }
    flow.writers.iter().chain(&flow.readers).map(|it| Node::Process(it.pid)).next()
}

/// From writer to reader where one side has a single process; else into the pipe and out of it, so that there are never more arrows than
/// ends.
fn arrows<'a>(flows: &[&'a Flow]) -> Vec<Arrow<'a>> {
    let sides = || flows.iter().flat_map(|flow| Side::BOTH.into_iter().map(move |side| (*flow, side)));
    let drawn: BTreeSet<Pid> = sides()
        .filter(|(flow, side)| !flow.is_folded(*side))
        .flat_map(|(flow, side)| flow.side(side).iter().map(|it| it.pid))
        .collect();
    let mut folded: BTreeMap<Pid, [Vec<PipeId>; 2]> = BTreeMap::new();
    for (flow, side) in sides().filter(|(flow, side)| flow.is_folded(*side)) {
        for it in flow.side(side).iter().filter(|it| !drawn.contains(&it.pid)) {
            let [read, written] = folded.entry(it.pid).or_default();
            if side == Side::Read { read } else { written }.push(flow.pipe);
        }
    }
    // A process with many pipes is drawn; the pairs of its pipes would be too many.
    let has_many = |[read, written]: &[Vec<PipeId>; 2]| read.len() > MANY || written.len() > MANY;
    let is_drawn = |pid: Pid| drawn.contains(&pid) || folded.get(&pid).is_some_and(has_many);
    let mut arrows = Vec::new();
    for flow in flows {
        let pipe = |from, to, writer, reader| Arrow { from, to, through: Through::Pipe(flow, writer, reader) };
        let node = |it: &Participant| Node::Process(it.pid);
        if flow.is_junction() {
            let middle = Node::Junction(flow.pipe);
            let shown = |it: &&Participant| is_drawn(it.pid);
            arrows.extend(flow.writers.iter().filter(shown).map(|it| pipe(node(it), middle, Some(it), None)));
            arrows.extend(flow.readers.iter().filter(shown).map(|it| pipe(middle, node(it), None, Some(it))));
            continue;
        }
        let absent = Node::Absent(flow.pipe);
        match (flow.writers.as_slice(), flow.readers.as_slice()) {
            ([], readers) => arrows.extend(readers.iter().map(|it| pipe(absent, node(it), None, Some(it)))),
            (writers, []) => arrows.extend(writers.iter().map(|it| pipe(node(it), absent, Some(it), None))),
            (writers, readers) => arrows.extend(
                writers
                    .iter()
                    .flat_map(|writer| readers.iter().map(move |reader| (writer, reader)))
                    .map(|(writer, reader)| pipe(node(writer), node(reader), Some(writer), Some(reader))),
            ),
        }
    }
    let mut through: BTreeMap<(PipeId, PipeId), usize> = BTreeMap::new();
    for [read, written] in folded.values().filter(|pipes| !has_many(pipes)) {
        for (from, to) in read.iter().flat_map(|from| written.iter().map(move |to| (*from, *to))) {
            *through.entry((from, to)).or_default() += 1;
        }
    }
    arrows.extend(through.into_iter().map(|((from, to), count)| Arrow {
        from: Node::Junction(from),
        to: Node::Junction(to),
        through: Through::Processes(count),
    }));
    arrows
}
