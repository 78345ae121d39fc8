//! The shape of `graph --format json`: who is in the pipelines, and between whom data flow.

use serde::{Serialize, Serializer};

use super::super::Sheet;
use super::super::drawing::usual_fd;
use super::{Command, Host, SCHEMA_VERSION, Scan, command, exact};
use crate::graph::{Absence, Apart, Drawing, Flow, Mark, Tip};
use crate::model::{Pid, Process, Side};

/// The pipelines, as from `lspipe graph`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in super::super) struct Graph<'a> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    schema_version: u32,
    host: Host<'a>,
    taken_at: String,
    scan: Scan,
    /// The processes that hold an end of a pipe that is listed, or wait to open one, by PID.
    nodes: Vec<NodeView<'a>>,
    /// Between whom data flow, by pipe.
    #[cfg_attr(test, schemars(with = "Vec<Edge>"))]
    edges: Edges<'a>,
    /// What else there is to say of the pipes, by ID.
    #[cfg_attr(test, schemars(with = "Vec<FlowView>"))]
    pipes: Flows<'a>,
}

/// A process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Node"))]
struct NodeView<'a> {
    pid: u32,
    ppid: Option<u32>,
    #[serde(flatten)]
    command: Command<'a>,
    /// The effective user ID.
    uid: Option<u32>,
    user: Option<&'a str>,
    /// What is wrong with it, the worst first.
    marks: Vec<MarkView>,
}

/// Something that is wrong with a process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Mark"))]
struct MarkView {
    #[cfg_attr(test, schemars(extend("enum" = [
        "deadlock", "self-deadlock", "behind-deadlock", "blocked-writer", "stalled-reader", "no-end-of-file", "leaked-write-end",
        "blocked-open", "stopped"
    ])))]
    mark: &'static str,
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    severity: &'static str,
    /// Whether something that could not be seen keeps it from being proven.
    suspected: bool,
}

/// Data flow from a writer to a reader. Of a pipe with several of both, or with many on a side, each writer has an edge into the pipe, and
/// each reader one out of it: so that there are never more edges than ends. The same where nobody is on a side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Edge {
    /// The ID of the pipe.
    pipe: String,
    /// The writer; null for an edge out of the pipe.
    from: Option<TipView>,
    /// The reader; null for an edge into the pipe.
    to: Option<TipView>,
}

/// A process at one side of a pipe.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Tip"))]
struct TipView {
    pid: u32,
    /// The descriptor by which it most likely reads or writes; null while it waits in open(2).
    fd: Option<u32>,
    /// All that it has on this side, also those of threads with a table of their own.
    fds: Vec<u32>,
    /// Whether it keeps a reader from end of file that it seems to have nothing to do with.
    leaked: bool,
}

/// A pipe in the pipelines.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Flow"))]
struct FlowView<'a> {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    id: String,
    #[cfg_attr(test, schemars(extend("enum" = ["anonymous", "fifo"])))]
    kind: &'static str,
    /// The name a FIFO was opened by.
    path: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    /// How many processes write to it.
    writers: usize,
    /// How many read from it.
    readers: usize,
    /// Where there is no writer: `nobody`; `unsure`, since somebody who could not be seen may be there; or `hidden`, since there is one
    /// that no fd table shows.
    #[cfg_attr(test, schemars(extend("enum" = ["nobody", "unsure", "hidden", null])))]
    no_writer: Option<&'static str>,
    /// Where there is no reader, the same.
    #[cfg_attr(test, schemars(extend("enum" = ["nobody", "unsure", "hidden", null])))]
    no_reader: Option<&'static str>,
    /// Whether everybody holds both its ends, so that it has no direction. It has no edges then.
    shared: bool,
    /// The ends of those who use it as little as a shell its children's output: copies of the others, or of a shared pipe all ends.
    apart: Vec<ApartView>,
}

/// An end beside the flow.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Apart"))]
struct ApartView {
    pid: u32,
    tid: Option<u32>,
    fd: u32,
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    access: &'static str,
    leaked: bool,
}

/// The edges, made one by one while they are written.
struct Edges<'a>(&'a Drawing);

impl Serialize for Edges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.flows.iter().flat_map(edges))
    }
}

/// The pipes, likewise.
struct Flows<'a>(&'a Sheet<'a>, &'a Drawing);

impl Serialize for Flows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.flows.iter().map(|flow| self.0.flow_view(flow)))
    }
}

impl<'a> Sheet<'a> {
    pub(in super::super) fn graph_view(&'a self, drawing: &'a Drawing) -> Graph<'a> {
        Graph {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            nodes: self.graph.processes.values().map(|process| self.node_view(process, drawing)).collect(),
            edges: Edges(drawing),
            pipes: Flows(self, drawing),
        }
    }

    fn node_view(&self, process: &'a Process, drawing: &Drawing) -> NodeView<'a> {
        let marks = |pid: Pid| drawing.marks.get(&pid).into_iter().flatten();
        NodeView {
            pid: process.pid.0,
            ppid: process.ppid,
            command: command(&process.command),
            uid: process.uid.map(|uid| uid.0),
            user: process.uid.and_then(|uid| self.users.name(uid)),
            marks: marks(process.pid).map(mark_view).collect(),
        }
    }

    fn flow_view(&self, flow: &Flow) -> FlowView<'a> {
        let path = self.graph.pipe(flow.pipe).and_then(|pipe| pipe.path.as_deref());
        let absence = |side| flow.absence.filter(|_| flow.empty_side() == Some(side)).map(Absence::as_str);
        FlowView {
            id: flow.pipe.to_string(),
            kind: flow.pipe.kind().as_str(),
            path: path.map(String::from_utf8_lossy),
            path_bytes: path.and_then(exact),
            writers: flow.writers.len(),
            readers: flow.readers.len(),
            no_writer: absence(Side::Write),
            no_reader: absence(Side::Read),
            shared: flow.shared,
            apart: flow.apart.iter().map(apart_view).collect(),
        }
    }
}

fn edges(flow: &Flow) -> Vec<Edge> {
    let tip = |tip: &Tip, side: Side| TipView {
        pid: tip.pid.0,
        fd: usual_fd(tip, side).map(|fd| fd.0),
        fds: tip.fds.iter().map(|fd| fd.0).collect(),
        leaked: tip.leaked,
    };
    let edge = |from: Option<&Tip>, to: Option<&Tip>| Edge {
        pipe: flow.pipe.to_string(),
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

fn mark_view(mark: &Mark) -> MarkView {
    MarkView { mark: mark.trouble.as_str(), severity: mark.severity.as_str(), suspected: mark.suspected }
}

fn apart_view(apart: &Apart) -> ApartView {
    ApartView {
        pid: apart.end.pid.0,
        tid: apart.end.tid.map(|tid| tid.0),
        fd: apart.end.fd.0,
        access: apart.end.access.as_str(),
        leaked: apart.leaked,
    }
}
