//! The shape of `graph --format json`: who is in the pipelines, and between whom data flow.

use std::borrow::Cow;

use serde::Serialize;

use super::{Command, Host, Scan, Word};

/// The pipelines, as from `lspipe graph`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Graph"))]
pub(crate) struct Graph<'a, Edges = Vec<Edge>, Pipes = Vec<Flow<'a>>> {
    #[cfg_attr(test, schemars(extend("const" = 1)))]
    pub(crate) schema_version: u32,
    pub(crate) host: Host<'a>,
    pub(crate) taken_at: String,
    pub(crate) scan: Scan<'a>,
    /// The processes that hold an end of a pipe that is listed, or wait to open one, by PID.
    pub(crate) nodes: Vec<Node<'a>>,
    /// Between whom data flow, by pipe.
    pub(crate) edges: Edges,
    /// What else there is to say of the pipes, by ID.
    pub(crate) pipes: Pipes,
}

/// A process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Node<'a> {
    pub(crate) pid: u32,
    pub(crate) ppid: Option<u32>,
    #[serde(flatten)]
    pub(crate) command: Command<'a>,
    /// The effective user ID.
    pub(crate) uid: Option<u32>,
    pub(crate) user: Option<Cow<'a, str>>,
    /// What is wrong with it, the worst first.
    pub(crate) marks: Vec<Mark>,
}

/// Something that is wrong with a process.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Mark {
    #[cfg_attr(test, schemars(extend("enum" = [
        "deadlock", "self-deadlock", "behind-deadlock", "blocked-writer", "stalled-reader", "no-end-of-file", "leaked-write-end",
        "blocked-open", "stopped"
    ])))]
    pub(crate) mark: Word,
    #[cfg_attr(test, schemars(extend("enum" = ["error", "warning", "info"])))]
    pub(crate) severity: Word,
    /// Whether something that could not be seen keeps it from being proven.
    pub(crate) suspected: bool,
}

/// Data flow from a writer to a reader. Of a pipe with several of both, or with many on a side, each writer has an edge into the pipe, and
/// each reader one out of it: so that there are never more edges than ends. The same where nobody is on a side.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Edge {
    /// The ID of the pipe.
    pub(crate) pipe: String,
    /// The writer; null for an edge out of the pipe.
    pub(crate) from: Option<Participant>,
    /// The reader; null for an edge into the pipe.
    pub(crate) to: Option<Participant>,
}

/// A process at one side of a pipe.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Participant {
    pub(crate) pid: u32,
    /// The descriptor by which it most likely reads or writes; null while it waits in open(2).
    pub(crate) fd: Option<u32>,
    /// All that it has on this side, also those of threads with a table of their own.
    pub(crate) fds: Vec<u32>,
    /// Whether it keeps a reader from end of file that it seems to have nothing to do with.
    pub(crate) leaked: bool,
}

/// A pipe in the pipelines.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Flow<'a> {
    /// `pipe:[INODE]` or `fifo:[MAJ:MIN:INODE]`.
    pub(crate) id: String,
    #[cfg_attr(test, schemars(extend("enum" = ["anonymous", "fifo"])))]
    pub(crate) kind: Word,
    /// The name a FIFO was opened by.
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    /// How many processes write to it.
    pub(crate) writers: usize,
    /// How many read from it.
    pub(crate) readers: usize,
    /// Where there is no writer: `nobody`; `unsure`, since somebody who could not be seen may be there; or `hidden`, since there is one
    /// that no fd table shows.
    #[cfg_attr(test, schemars(extend("enum" = ["nobody", "unsure", "hidden", null])))]
    pub(crate) no_writer: Option<Word>,
    /// Where there is no reader, the same.
    #[cfg_attr(test, schemars(extend("enum" = ["nobody", "unsure", "hidden", null])))]
    pub(crate) no_reader: Option<Word>,
    /// Whether it has no direction, since several processes hold both ends and no process uses one only. It has no edges then.
    pub(crate) shared: bool,
    /// The ends of those who use it as little as a shell its children's output: copies of the others, or of a shared pipe all ends.
    pub(crate) apart: Vec<InheritedCopy>,
}

/// An end beside the flow.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct InheritedCopy {
    pub(crate) pid: u32,
    /// The thread, where the descriptor is in a table that it does not share with its process.
    pub(crate) tid: Option<u32>,
    pub(crate) fd: u32,
    #[cfg_attr(test, schemars(extend("enum" = ["r", "w", "rw"])))]
    pub(crate) access: Word,
    pub(crate) leaked: bool,
}
