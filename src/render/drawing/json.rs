//! What `graph --format json` prints: the processes in the pipelines, and between which of them data flow.

use serde::Serialize;

use super::super::ReportView;
use super::usual_fd;
use crate::judge::dataflow::{self, Absence, Dataflow, InheritedCopy, Mark};
use crate::model::{CommandName, Fd, PathName, Pid, PipeId, PipeKind, Process, Side, Uid};
use crate::report::{Each, Origin, SCHEMA_VERSION};

/// The pipelines, as from `lspipe graph`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Graph"))]
pub(crate) struct Graph<'a, Edges = Vec<Edge<'a>>, Pipes = Vec<Flow<'a>>> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    #[serde(flatten)]
    origin: Origin<'a>,
    /// The processes that hold an end of a pipe that is listed, or wait to open one, by PID.
    nodes: Vec<Node<'a>>,
    /// Between which processes data flow, by pipe.
    edges: Edges,
    /// What else there is to say of the pipes, by ID.
    pipes: Pipes,
}

/// A process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Node<'a> {
    pid: Pid,
    ppid: Option<u32>,
    #[serde(flatten)]
    command: &'a CommandName,
    /// The effective user ID.
    uid: Option<Uid>,
    user: Option<&'a str>,
    /// What is wrong with it, the worst first.
    marks: &'a [Mark],
}

/// Data flow from a writer to a reader. Of a pipe with several of both, or with many on a side, each writer has an edge into the pipe, and
/// each reader one out of it: so that there are never more edges than ends. The same where no process is on a side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Edge<'a> {
    /// The ID of the pipe.
    pipe: PipeId,
    /// The writer; null for an edge out of the pipe.
    from: Option<Participant<'a>>,
    /// The reader; null for an edge into the pipe.
    to: Option<Participant<'a>>,
}

/// A process at one side of a pipe.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Participant<'a> {
    /// The descriptor by which it most likely reads or writes; null while it waits in open(2).
    fd: Option<Fd>,
    #[serde(flatten)]
    participant: &'a dataflow::Participant,
}

/// A pipe in the pipelines.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Flow<'a> {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    id: PipeId,
    kind: PipeKind,
    /// The name a FIFO was opened by.
    #[serde(flatten, serialize_with = "PathName::or_null")]
    #[cfg_attr(test, schemars(with = "crate::model::OrNull<PathName>"))]
    path: Option<PathName>,
    /// How many processes write to it.
    writers: usize,
    /// How many read from it.
    readers: usize,
    /// If there is no writer: `nobody`; `unsure`, since a process that could not be read may be one; or `hidden`, since there is one that
    /// no fd table shows.
    no_writer: Option<Absence>,
    /// Where there is no reader, the same.
    no_reader: Option<Absence>,
    /// Whether it has no direction, since processes hold both its ends. It has no edges then.
    shared: bool,
    /// The ends that are only held, not used, as by a shell the output of its children; of a shared pipe all ends.
    apart: &'a [InheritedCopy],
}

impl<'a> ReportView<'a> {
    pub(super) fn drawing_view(&'a self, dataflow: &'a Dataflow) -> Graph<'a, impl Serialize, impl Serialize> {
        Graph {
            schema_version: SCHEMA_VERSION,
            origin: self.origin(),
            nodes: self.graph.processes.values().map(|process| self.node(process, dataflow)).collect(),
            edges: Each(|| dataflow.flows.iter().flat_map(edges)),
            pipes: Each(|| dataflow.flows.iter().map(|flow| self.flow(flow))),
        }
    }

    fn node(&self, process: &'a Process, dataflow: &'a Dataflow) -> Node<'a> {
        Node {
            pid: process.pid,
            ppid: process.ppid,
            command: &process.command,
            uid: process.uid,
            user: self.user(process.uid),
            marks: dataflow.marks.get(&process.pid).map_or(&[], Vec::as_slice),
        }
    }

    fn flow(&self, flow: &'a dataflow::Flow) -> Flow<'a> {
        let path = self.graph.pipe(flow.pipe).and_then(|pipe| pipe.path.as_ref());
        let absence = |side| flow.absence.filter(|_| flow.empty_side() == Some(side));
        Flow {
            id: flow.pipe,
            kind: flow.pipe.kind(),
            path: path.cloned(),
            writers: flow.writers.len(),
            readers: flow.readers.len(),
            no_writer: absence(Side::Write),
            no_reader: absence(Side::Read),
            shared: flow.shared,
            apart: &flow.apart,
        }
    }
}

fn edges(flow: &dataflow::Flow) -> Vec<Edge<'_>> {
    let pipe = flow.pipe;
    let writers = flow.writers.iter().map(|it| Participant { fd: usual_fd(it, Side::Write), participant: it });
    let readers = flow.readers.iter().map(|it| Participant { fd: usual_fd(it, Side::Read), participant: it });
    if flow.is_junction() || flow.empty_side().is_some() {
        let into = writers.map(|writer| Edge { pipe, from: Some(writer), to: None });
        return into.chain(readers.map(|reader| Edge { pipe, from: None, to: Some(reader) })).collect();
    }
    let pairs = writers.flat_map(|writer| readers.clone().map(move |reader| (writer, reader)));
    pairs.map(|(writer, reader)| Edge { pipe, from: Some(writer), to: Some(reader) }).collect()
}
