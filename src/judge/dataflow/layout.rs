//! What is drawn where: the places that data go through, the arrows between them, and where each pipeline begins.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;

use super::{Drawing, Flow, MANY, Participant};
use crate::model::{Pid, PipeId, Side};

/// A place in a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A process.
    Process(Pid),
    /// A pipe through which the data of several go to several, or whose many processes are only counted.
    Junction(PipeId),
    /// The side of a pipe that nobody was seen on.
    Absent(PipeId),
}

/// Data go from one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrow<'a> {
    /// From where.
    pub from: Spot,
    /// To where.
    pub to: Spot,
    /// Through which pipe.
    pub through: Through<'a>,
}

/// How data go from one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through<'a> {
    /// A pipe, or the way into a pipe or out of it, by these ends as far as they are on this way.
    Pipe(&'a Flow, Option<&'a Participant>, Option<&'a Participant>),
    /// So many of the processes that are only counted read one pipe and write to the other.
    Processes(usize),
}

/// Pipes that have to do with each other.
#[derive(Debug)]
pub struct Pipeline<'a> {
    /// Where data come from: places to which nothing leads, and of circles to which nothing leads the first. From these everything is
    /// reached.
    pub roots: Vec<Spot>,
    /// The pipes, by ID.
    pub flows: Vec<&'a Flow>,
}

/// What is drawn.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The pipelines, by their first process.
    pub pipelines: Vec<Pipeline<'a>>,
    /// The pipes without a direction.
    pub shared: Vec<&'a Flow>,
    arrows: BTreeMap<Spot, Vec<Arrow<'a>>>,
    circles: BTreeMap<Spot, usize>,
}

impl<'a> Layout<'a> {
    /// Lays out a drawing.
    #[must_use]
    pub fn of(drawing: &'a Drawing) -> Self {
        let (shared, flows): (Vec<&Flow>, Vec<&Flow>) = drawing.flows.iter().partition(|flow| flow.shared);
        let arrows = arrows(&flows);
        let spots: BTreeSet<Spot> = arrows
            .iter()
            .flat_map(|arrow| [arrow.from, arrow.to])
            .chain(flows.iter().filter(|flow| flow.is_junction()).map(|flow| Spot::Junction(flow.pipe)))
            .collect();
        let spots: Vec<Spot> = spots.into_iter().collect();
        let mut layout = Self { pipelines: Vec::new(), shared, arrows: BTreeMap::new(), circles: BTreeMap::new() };
        layout.find_pipelines(&flows, &spots, &arrows);
        for arrow in arrows {
            layout.arrows.entry(arrow.from).or_default().push(arrow);
        }
        for arrows in layout.arrows.values_mut() {
            arrows.sort_by_key(|arrow| (arrow.to, arrow.pipe()));
        }
        layout
    }

    /// Where data go from a place, ordered by where and by pipe.
    #[must_use]
    pub fn from(&self, spot: Spot) -> &[Arrow<'a>] {
        self.arrows.get(&spot).map_or(&[], Vec::as_slice)
    }

    /// All arrows, by where they come from.
    pub fn arrows(&self) -> impl Iterator<Item = &Arrow<'a>> {
        self.arrows.values().flatten()
    }

    /// All places.
    pub fn spots(&self) -> impl Iterator<Item = Spot> {
        self.circles.keys().copied()
    }

    /// Whether data come back from one place to the other, if they go from that to the one.
    #[must_use]
    pub fn is_circle(&self, a: Spot, b: Spot) -> bool {
        self.circles.get(&a) == self.circles.get(&b)
    }

    fn find_pipelines(&mut self, flows: &[&'a Flow], spots: &[Spot], arrows: &[Arrow<'a>]) {
        let number_of = |spot: Spot| spots.binary_search(&spot).unwrap_or(0);
        let mut graph: DiGraph<(), ()> = DiGraph::new();
        let vertices: Vec<NodeIndex> = spots.iter().map(|_| graph.add_node(())).collect();
        let mut together = UnionFind::new(spots.len());
        for arrow in arrows {
            let (from, to) = (number_of(arrow.from), number_of(arrow.to));
            graph.add_edge(vertices[from], vertices[to], ());
            together.union(from, to);
        }
        // Not by recursion: a pipeline may be long.
        let mut circles: Vec<Vec<usize>> =
            kosaraju_scc(&graph).into_iter().map(|all| all.into_iter().map(NodeIndex::index).collect()).collect();
        for circle in &mut circles {
            circle.sort_unstable();
        }
        let mut circle_of = vec![0; spots.len()];
        for (number, spot) in
            circles.iter().enumerate().flat_map(|(number, all)| all.iter().map(move |it| (number, *it)))
        {
            circle_of[spot] = number;
        }
        let mut is_led_to = vec![false; circles.len()];
        for edge in graph.edge_indices() {
            if let Some((from, to)) = graph.edge_endpoints(edge)
                && circle_of[from.index()] != circle_of[to.index()]
            {
                is_led_to[circle_of[to.index()]] = true;
            }
        }
        let mut pipelines: BTreeMap<usize, (Option<Pid>, Pipeline<'a>)> = BTreeMap::new();
        let new = || (None, Pipeline { roots: Vec::new(), flows: Vec::new() });
        let mut roots: Vec<usize> = circles
            .iter()
            .zip(is_led_to)
            .filter(|(_, led_to)| !led_to)
            .filter_map(|(circle, _)| circle.first().copied())
            .collect();
        roots.sort_unstable();
        for root in roots {
            pipelines.entry(together.find(root)).or_insert_with(new).1.roots.push(spots[root]);
        }
        for flow in flows {
            let Some(spot) = first_spot(flow) else { continue };
            let (first, pipeline) = pipelines.entry(together.find(number_of(spot))).or_insert_with(new);
            let pids = flow.writers.iter().chain(&flow.readers).map(|tip| tip.pid);
            *first = pids.chain(*first).min();
            pipeline.flows.push(flow);
        }
        let mut pipelines: Vec<(Option<Pid>, Pipeline<'a>)> = pipelines.into_values().collect();
        pipelines.sort_by_key(|(first, pipeline)| (*first, pipeline.flows.first().map(|flow| flow.pipe)));
        self.pipelines = pipelines.into_iter().map(|(_, pipeline)| pipeline).collect();
        self.circles = spots.iter().copied().zip(circle_of).collect();
    }
}

impl Arrow<'_> {
    /// The pipe, where it is one.
    #[must_use]
    pub fn pipe(&self) -> Option<PipeId> {
        match self.through {
            Through::Pipe(flow, ..) => Some(flow.pipe),
            Through::Processes(_) => None,
        }
    }
}

/// A place that belongs to the pipe.
fn first_spot(flow: &Flow) -> Option<Spot> {
    if flow.is_junction() {
        return Some(Spot::Junction(flow.pipe));
    }
    flow.writers.iter().chain(&flow.readers).map(|tip| Spot::Process(tip.pid)).next()
}

/// From writer to reader where one side is one; else into the pipe and out of it, so that there are never more than ends.
fn arrows<'a>(flows: &[&'a Flow]) -> Vec<Arrow<'a>> {
    let sides = || flows.iter().flat_map(|flow| Side::BOTH.into_iter().map(move |side| (*flow, side)));
    let drawn: BTreeSet<Pid> = sides()
        .filter(|(flow, side)| !flow.is_folded(*side))
        .flat_map(|(flow, side)| flow.side(side).iter().map(|tip| tip.pid))
        .collect();
    let mut folded: BTreeMap<Pid, [Vec<PipeId>; 2]> = BTreeMap::new();
    for (flow, side) in sides().filter(|(flow, side)| flow.is_folded(*side)) {
        for tip in flow.side(side).iter().filter(|tip| !drawn.contains(&tip.pid)) {
            let [read, written] = folded.entry(tip.pid).or_default();
            if side == Side::Read { read } else { written }.push(flow.pipe);
        }
    }
    // Who has so many is better drawn than led through pair by pair.
    let has_many = |[read, written]: &[Vec<PipeId>; 2]| read.len() > MANY || written.len() > MANY;
    let is_drawn = |pid: Pid| drawn.contains(&pid) || folded.get(&pid).is_some_and(has_many);
    let mut arrows = Vec::new();
    for flow in flows {
        let pipe = |from, to, writer, reader| Arrow { from, to, through: Through::Pipe(flow, writer, reader) };
        let spot = |tip: &Participant| Spot::Process(tip.pid);
        if flow.is_junction() {
            let middle = Spot::Junction(flow.pipe);
            let shown = |tip: &&Participant| is_drawn(tip.pid);
            arrows.extend(flow.writers.iter().filter(shown).map(|tip| pipe(spot(tip), middle, Some(tip), None)));
            arrows.extend(flow.readers.iter().filter(shown).map(|tip| pipe(middle, spot(tip), None, Some(tip))));
            continue;
        }
        let absent = Spot::Absent(flow.pipe);
        match (flow.writers.as_slice(), flow.readers.as_slice()) {
            ([], readers) => arrows.extend(readers.iter().map(|tip| pipe(absent, spot(tip), None, Some(tip)))),
            (writers, []) => arrows.extend(writers.iter().map(|tip| pipe(spot(tip), absent, Some(tip), None))),
            (writers, readers) => arrows.extend(
                writers
                    .iter()
                    .flat_map(|writer| readers.iter().map(move |reader| (writer, reader)))
                    .map(|(writer, reader)| pipe(spot(writer), spot(reader), Some(writer), Some(reader))),
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
        from: Spot::Junction(from),
        to: Spot::Junction(to),
        through: Through::Processes(count),
    }));
    arrows
}
