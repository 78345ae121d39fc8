//! What `graph --format json` prints: the processes in the pipelines, and between which of them data flow.

use serde::Serialize;

use super::super::ReportView;
use super::usual_fd;
use crate::judge::dataflow::{
    Absence, Dataflow, Flow as Data, InheritedCopy, Mark as Marked, MarkKind, Participant as Part,
};
use crate::model::{
    AccessMode, CommandName, Fd, Host, PathName, Pid, PipeId, PipeKind, Process, Severity, Side, Tid, Time, Uid,
};
use crate::report::{Each, SCHEMA_VERSION, Scan};

/// The pipelines, as from `lspipe graph`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Graph"))]
pub(crate) struct Graph<'a, Edges = Vec<Edge>, Pipes = Vec<Flow>> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    host: &'a Host,
    taken_at: Time,
    scan: Scan,
    /// The processes that hold an end of a pipe that is listed, or wait to open one, by PID.
    nodes: Vec<Node<'a>>,
    /// Between whom data flow, by pipe.
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
    marks: Vec<Mark>,
}

/// Something that is wrong with a process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Mark {
    mark: MarkKind,
    severity: Severity,
    /// Whether something that could not be seen keeps it from being proven.
    suspected: bool,
}

/// Data flow from a writer to a reader. Of a pipe with several of both, or with many on a side, each writer has an edge into the pipe, and
/// each reader one out of it: so that there are never more edges than ends. The same where nobody is on a side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Edge {
    /// The ID of the pipe.
    pipe: PipeId,
    /// The writer; null for an edge out of the pipe.
    from: Option<Participant>,
    /// The reader; null for an edge into the pipe.
    to: Option<Participant>,
}

/// A process at one side of a pipe.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Participant {
    pid: Pid,
    /// The descriptor by which it most likely reads or writes; null while it waits in open(2).
    fd: Option<Fd>,
    /// All that it has on this side, also those of threads with a table of their own.
    fds: Vec<Fd>,
    /// Whether it keeps a reader from end of file that it seems to have nothing to do with.
    leaked: bool,
}

/// A pipe in the pipelines.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Flow {
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
    /// Where there is no writer: `nobody`; `unsure`, since somebody who could not be seen may be there; or `hidden`, since there is one
    /// that no fd table shows.
    no_writer: Option<Absence>,
    /// Where there is no reader, the same.
    no_reader: Option<Absence>,
    /// Whether everybody holds both its ends, so that it has no direction. It has no edges then.
    shared: bool,
    /// The ends of those who use it as little as a shell its children's output: copies of the others, or of a shared pipe all ends.
    apart: Vec<Apart>,
}

/// An end beside the flow.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Apart"))]
pub(crate) struct Apart {
    pid: Pid,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    tid: Option<Tid>,
    fd: Fd,
    access: AccessMode,
    leaked: bool,
}

impl<'a> ReportView<'a> {
    pub(super) fn drawing_view(&'a self, dataflow: &'a Dataflow) -> Graph<'a, impl Serialize, impl Serialize> {
        Graph {
            schema_version: SCHEMA_VERSION,
            host: &self.graph.host,
            taken_at: self.graph.taken_at,
            scan: Scan::of(self.graph),
            nodes: self.graph.processes.values().map(|process| self.node(process, dataflow)).collect(),
            edges: Each(|| dataflow.flows.iter().flat_map(edges)),
            pipes: Each(|| dataflow.flows.iter().map(|flow| self.flow(flow))),
        }
    }

    fn node(&self, process: &'a Process, dataflow: &Dataflow) -> Node<'a> {
        Node {
            pid: process.pid,
            ppid: process.ppid,
            command: &process.command,
            uid: process.uid,
            user: process.uid.and_then(|uid| self.users.name(uid)),
            marks: dataflow.marks.get(&process.pid).into_iter().flatten().map(mark).collect(),
        }
    }

    fn flow(&self, flow: &Data) -> Flow {
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
            apart: flow.apart.iter().map(apart).collect(),
        }
    }
}

fn edges(flow: &Data) -> Vec<Edge> {
    let edge = |from: Option<&Part>, to: Option<&Part>| Edge {
        pipe: flow.pipe,
        from: from.map(|from| tip(from, Side::Write)),
        to: to.map(|to| tip(to, Side::Read)),
    };
    if flow.is_junction() || flow.empty_side().is_some() {
        let into = flow.writers.iter().map(|writer| edge(Some(writer), None));
        return into.chain(flow.readers.iter().map(|reader| edge(None, Some(reader)))).collect();
    }
    let pairs = flow.writers.iter().flat_map(|writer| flow.readers.iter().map(move |reader| (writer, reader)));
    pairs.map(|(writer, reader)| edge(Some(writer), Some(reader))).collect()
}

fn tip(tip: &Part, side: Side) -> Participant {
    Participant { pid: tip.pid, fd: usual_fd(tip, side), fds: tip.fds.clone(), leaked: tip.leaked }
}

fn mark(mark: &Marked) -> Mark {
    Mark { mark: mark.kind, severity: mark.severity, suspected: mark.suspected }
}

fn apart(apart: &InheritedCopy) -> Apart {
    Apart { pid: apart.end.pid, tid: apart.end.tid, fd: apart.end.fd, access: apart.end.access, leaked: apart.leaked }
}
