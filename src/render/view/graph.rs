//! From a drawing to the shapes of `graph --format json`.

use std::borrow::Cow;

use serde::Serialize;

use super::super::ReportView;
use super::super::drawing::usual_fd;
use super::Each;
use crate::judge::dataflow::{Absence, Dataflow, Flow, InheritedCopy, Mark, Participant};
use crate::model::{AccessMode, PipeKind, Process, Severity, Side};
use crate::shape::{self, Command, Edge, Graph, SCHEMA_VERSION, exact};

impl<'a> ReportView<'a> {
    pub(in super::super) fn drawing_view(
        &'a self,
        dataflow: &'a Dataflow,
    ) -> Graph<'a, impl Serialize, impl Serialize> {
        Graph {
            schema_version: SCHEMA_VERSION,
            host: self.host(),
            taken_at: self.taken_at(),
            scan: self.scan(),
            nodes: self.graph.processes.values().map(|process| self.node(process, dataflow)).collect(),
            edges: Each(|| dataflow.flows.iter().flat_map(edges)),
            pipes: Each(|| dataflow.flows.iter().map(|flow| self.flow(flow))),
        }
    }

    fn node(&self, process: &'a Process, dataflow: &Dataflow) -> shape::Node<'a> {
        shape::Node {
            pid: process.pid.0,
            ppid: process.ppid,
            command: Command::of(&process.command),
            uid: process.uid.map(|uid| uid.0),
            user: process.uid.and_then(|uid| self.users.name(uid)).map(Cow::Borrowed),
            marks: dataflow.marks.get(&process.pid).into_iter().flatten().map(mark).collect(),
        }
    }

    fn flow(&self, flow: &Flow) -> shape::Flow<'a> {
        let path = self.graph.pipe(flow.pipe).and_then(|pipe| pipe.path.as_deref());
        let absence = |side| flow.absence.filter(|_| flow.empty_side() == Some(side));
        shape::Flow {
            id: flow.pipe.to_string(),
            kind: PipeKind::as_str(flow.pipe.kind()).into(),
            path: path.map(String::from_utf8_lossy),
            path_bytes: path.and_then(exact),
            writers: flow.writers.len(),
            readers: flow.readers.len(),
            no_writer: absence(Side::Write).map(|absence| Absence::as_str(absence).into()),
            no_reader: absence(Side::Read).map(|absence| Absence::as_str(absence).into()),
            shared: flow.shared,
            apart: flow.apart.iter().map(apart).collect(),
        }
    }
}

fn edges(flow: &Flow) -> Vec<Edge> {
    let edge = |from: Option<&Participant>, to: Option<&Participant>| Edge {
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

fn tip(tip: &Participant, side: Side) -> shape::Participant {
    shape::Participant {
        pid: tip.pid.0,
        fd: usual_fd(tip, side).map(|fd| fd.0),
        fds: tip.fds.iter().map(|fd| fd.0).collect(),
        leaked: tip.leaked,
    }
}

fn mark(mark: &Mark) -> shape::Mark {
    shape::Mark {
        mark: mark.kind.as_str().into(),
        severity: Severity::as_str(mark.severity).into(),
        suspected: mark.suspected,
    }
}

fn apart(apart: &InheritedCopy) -> shape::InheritedCopy {
    shape::InheritedCopy {
        pid: apart.end.pid.0,
        tid: apart.end.tid.map(|tid| tid.0),
        fd: apart.end.fd.0,
        access: AccessMode::as_str(apart.end.access).into(),
        leaked: apart.leaked,
    }
}
