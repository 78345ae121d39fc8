//! What a scene said that it made, and whether a report says the same: the whole of it, and nothing beside it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::report::{End, Pipe, Report, exact};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Truth {
    processes: Vec<TrueProcess>,
    ends: Vec<TrueEnd>,
    pipes: BTreeMap<String, TruePipe>,
    /// What the scene reports beside its pipes.
    pub(crate) more: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrueProcess {
    pid: u32,
    ppid: Option<u32>,
    pgid: Option<u32>,
    sid: Option<u32>,
    uid: u32,
    /// In base64, as every name that a scene prints.
    command: String,
    cmdline: Vec<String>,
    ns_pid: Option<u32>,
    /// A time at which it was running, in seconds since 1970.
    alive_at: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrueEnd {
    pid: u32,
    tid: Option<u32>,
    fd: u32,
    access: String,
    flags: BTreeSet<String>,
    pipe: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct TruePipe {
    kind: String,
    inode: u64,
    device: String,
    /// The names by which it was opened.
    names: Vec<String>,
    deleted: bool,
}

impl TruePipe {
    fn id(&self) -> String {
        match self.kind.as_str() {
            "fifo" => format!("fifo:[{}:{}]", self.device, self.inode),
            _ => format!("pipe:[{}]", self.inode),
        }
    }
}

/// A pipe in a form that compares and prints well. The path is left to a check of its own: one of several may be right.
#[derive(Debug, PartialEq, Eq)]
struct Facts {
    name: String,
    id: String,
    kind: String,
    inode: u64,
    device: Option<String>,
    deleted: bool,
    readers: BTreeSet<EndFacts>,
    writers: BTreeSet<EndFacts>,
    openers: usize,
}

/// Pid, tid, fd, access and flags.
type EndFacts = (u32, Option<u32>, u32, String, Option<BTreeSet<String>>);

impl Truth {
    pub(crate) fn pids(&self) -> BTreeSet<u32> {
        self.processes.iter().map(|process| process.pid).collect()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pipes.keys().map(String::as_str)
    }

    /// The id of a pipe that the scene named.
    #[track_caller]
    pub(crate) fn id(&self, name: &str) -> String {
        self.pipes[name].id()
    }

    #[track_caller]
    pub(crate) fn inode(&self, name: &str) -> u64 {
        self.pipes[name].inode
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.pipes.values().map(TruePipe::id).collect()
    }

    /// (pid, tid, fd, access) of every end of a pipe.
    pub(crate) fn ends_of(&self, name: &str) -> Vec<(u32, Option<u32>, u32, &str)> {
        let ends = self.ends.iter().filter(|end| end.pipe == name);
        ends.map(|end| (end.pid, end.tid, end.fd, end.access.as_str())).collect()
    }

    /// A number that the scene printed beside its pipes, by its JSON pointer: `/pids/alpha`.
    #[track_caller]
    pub(crate) fn number(&self, pointer: &str) -> u32 {
        let value = self.more.pointer(pointer).and_then(Value::as_u64);
        u32::try_from(value.unwrap_or_else(|| panic!("no number {pointer} in {}", self.more))).expect("small number")
    }

    /// The numbers that the scene printed in a list, by its name.
    #[track_caller]
    pub(crate) fn numbers(&self, list: &str) -> Vec<u32> {
        let told = self.more[list].as_array().unwrap_or_else(|| panic!("no list {list} in {}", self.more));
        told.iter().map(|it| it.as_u64().and_then(|it| u32::try_from(it).ok()).expect("small number")).collect()
    }

    #[track_caller]
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.more.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {}", self.more))
    }

    /// What is left of the truth for a user that may look into these processes only.
    pub(crate) fn seen_in(&self, pids: &[u32]) -> Self {
        let mut told = self.clone();
        told.ends.retain(|end| pids.contains(&end.pid));
        let ends = &told.ends;
        told.pipes.retain(|name, _| ends.iter().any(|end| end.pipe == *name));
        told
    }

    /// The truth with a table listed under another of the threads that share it.
    pub(crate) fn with_tid(&self, from: u32, to: u32) -> Self {
        let mut told = self.clone();
        told.ends.iter_mut().filter(|end| end.tid == Some(from)).for_each(|end| end.tid = Some(to));
        told
    }

    fn expected(&self, name: &str) -> Facts {
        let pipe = &self.pipes[name];
        let side = |access: &str| {
            let ends = self.ends.iter().filter(|end| end.pipe == name && end.access.contains(access)).cloned();
            ends.map(|end| (end.pid, end.tid, end.fd, end.access, Some(end.flags))).collect()
        };
        Facts {
            name: name.to_owned(),
            id: pipe.id(),
            kind: pipe.kind.clone(),
            inode: pipe.inode,
            device: Some(pipe.device.clone()),
            deleted: pipe.deleted,
            readers: side("r"),
            writers: side("w"),
            openers: 0,
        }
    }

    fn reported(name: &str, pipe: &Pipe) -> Facts {
        let side = |ends: &[End]| {
            let flags = |end: &End| end.flags.as_ref().map(|flags| flags.iter().cloned().collect());
            ends.iter().map(|end| (end.pid, end.tid, end.fd, end.access.clone(), flags(end))).collect()
        };
        Facts {
            name: name.to_owned(),
            id: pipe.id.clone(),
            kind: pipe.kind.clone(),
            inode: pipe.inode,
            device: pipe.device.clone(),
            deleted: pipe.deleted,
            readers: side(&pipe.readers),
            writers: side(&pipe.writers),
            openers: pipe.openers.len(),
        }
    }

    /// Asserts that the report has the whole truth of the scene: each pipe with every end, its name and what it is, no
    /// other pipe with an end in one of the scene's processes, and the facts of those processes.
    #[track_caller]
    pub(crate) fn assert_whole(&self, report: &Report) {
        assert!(!self.pipes.is_empty(), "a scene without pipes proves nothing");
        self.assert_pipes(report);
        let known = self.ids();
        let mut listed = report.pipes_of(&self.pids());
        // The socket by which the test speaks to the scene is not part of it.
        listed.retain(|id| !id.starts_with("unix:") || known.iter().any(|it| it == id));
        assert_eq!(listed, known.iter().map(String::as_str).collect(), "the pipes of the scene's processes");
        self.assert_processes(report);
    }

    /// Asserts that the report has every pipe of the scene, whole and right.
    #[track_caller]
    pub(crate) fn assert_pipes(&self, report: &Report) {
        self.pipes.keys().for_each(|name| self.assert_pipe(name, report));
    }

    /// Asserts that the report has this pipe, whole and right.
    #[track_caller]
    pub(crate) fn assert_pipe(&self, name: &str, report: &Report) {
        let expected = self.expected(name);
        let Some(pipe) = report.pipe(&expected.id) else {
            panic!("not in the report: {expected:#?}");
        };
        assert_eq!(Self::reported(name, pipe), expected);
        let names: Vec<Vec<u8>> = self.pipes[name].names.iter().map(|name| decode(name)).collect();
        match pipe.path() {
            Some(path) => assert!(names.contains(&path), "path of {name}: {:?}, none of {names:?}", pipe.path),
            None => assert!(names.is_empty(), "{name} has no path, not one of {names:?}"),
        }
    }

    #[track_caller]
    fn assert_processes(&self, report: &Report) {
        let holders: BTreeSet<u32> = self.ends.iter().map(|end| end.pid).collect();
        for known in self.processes.iter().filter(|process| holders.contains(&process.pid)) {
            let found = report.processes.iter().find(|process| process.pid == known.pid).expect("a holder is listed");
            assert_eq!(exact(&found.command, found.command_bytes.as_deref()), decode(&known.command), "{found:?}");
            let cmdline: Vec<Vec<u8>> = known.cmdline.iter().map(|word| decode(word)).collect();
            assert_eq!(found.cmdline(), cmdline, "{found:?}");
            assert_eq!(found.uid, Some(known.uid), "{found:?}");
            // Scenes live for seconds, and the kernel counts a process's start in hundredths of one.
            let age = known.alive_at - found.started_at.expect("a start time").seconds();
            assert!((-1.0..120.0).contains(&age), "started {age} s before it said so: {found:?}");
            let state = found.state.as_deref().unwrap_or_default();
            assert!(["R", "S", "D", "T", "Z"].contains(&state), "{found:?}");
            assert_eq!(found.ns_pid, known.ns_pid, "{found:?}");
            for (found, known) in [(found.ppid, known.ppid), (found.pgid, known.pgid), (found.sid, known.sid)] {
                assert!(known.is_none() || found == known, "{found:?} is not {known:?}");
            }
        }
    }
}

fn decode(name: &str) -> Vec<u8> {
    STANDARD.decode(name).expect("scenes tell names in base64")
}
