//! lspipe against lsof and lsfd: they must name the same ends of all processes of the scenes, which hold still. Other processes need not.
//!
//! Known differences, each a choice of theirs, and nothing else is tolerated:
//!
//! - lsof and lsfd list descriptors that are open with `O_PATH`. Such a descriptor can neither read nor write, and keeps no
//!   pipe alive; lsof even shows it as `u`, read and write. lspipe does not list it.
//! - lsof lists a table once for each thread that shares it, lsfd, asked for threads, once for each thread that does not
//!   share it with the leader. lspipe lists each table once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::support::need::{Need, need, program};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::turn;
use crate::support::user::{User, is_root};

/// An end as all of them can identify it: descriptor, access mode, device and inode.
type Row = (u32, String, String, u64);

/// For each process, its tables: that of the process under none, others under their thread.
type Tables = BTreeMap<u32, BTreeMap<Option<u32>, BTreeSet<Row>>>;

#[test]
fn lsof_sees_the_same_ends() {
    need!(Need::PYTHON, Need::Program("lsof"));
    assert_same_as("lsof", by_lsof);
}

#[test]
fn lsfd_sees_the_same_ends() {
    need!(Need::PYTHON, Need::Program("lsfd"));
    assert_same_as("lsfd", by_lsfd);
}

fn assert_same_as(peer: &str, by_peer: fn() -> Tables) {
    let _turn = turn::take();
    let mut names = vec!["anonymous", "duplicates", "fifos", "hostile", "leader", "names", "threads"];
    if is_root() {
        names.extend(["mounts", "pidns"]);
    }
    let scenes: Vec<Scene> = names.iter().map(|name| Scene::start(name, User::Me)).collect();
    let (ours, theirs) = (by_lspipe(), by_peer());
    for (name, scene) in names.iter().zip(&scenes) {
        let pids = scene.truth.pids();
        assert!(pids.iter().any(|pid| ours.contains_key(pid)), "{name} has ends");
        let found: Vec<String> = pids.iter().flat_map(|pid| compare(peer, *pid, &ours, &theirs)).collect();
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

/// What lspipe and a peer say differently about a process.
fn compare(peer: &str, pid: u32, ours: &Tables, theirs: &Tables) -> Vec<String> {
    let nothing = BTreeMap::new();
    let empty = BTreeSet::new();
    let ours = ours.get(&pid).unwrap_or(&nothing);
    let theirs = theirs.get(&pid).unwrap_or(&nothing);
    let mut said = Vec::new();
    let mut difference = |tid: Option<u32>, ours: &BTreeSet<Row>, theirs: &BTreeSet<Row>| {
        said.extend((ours - theirs).iter().map(|row| format!("{pid} {tid:?}: lspipe alone has {row:?}")));
        said.extend((theirs - ours).iter().map(|row| format!("{pid} {tid:?}: {peer} alone has {row:?}")));
    };
    // Each table that lspipe lists, the peer lists just so.
    for tid in ours.keys().copied().chain([None]) {
        difference(tid, ours.get(&tid).unwrap_or(&empty), theirs.get(&tid).unwrap_or(&empty));
    }
    // And what the peer lists of a further thread is a table that lspipe has under another.
    for (tid, table) in theirs.iter().filter(|(tid, _)| !ours.contains_key(tid)) {
        if !ours.values().any(|known| known == table) {
            difference(*tid, &empty, table);
        }
    }
    said
}

fn by_lspipe() -> Tables {
    let mut tables = Tables::new();
    for pipe in &lspipe(["-l"]).report().pipes {
        for end in pipe.ends() {
            let device = pipe.device.clone().expect("a device");
            let row = (end.fd, end.access.clone(), device, pipe.inode);
            tables.entry(end.pid).or_default().entry(end.tid).or_default().insert(row);
        }
    }
    tables
}

fn output_of(name: &str, args: &[&str]) -> String {
    let output = Command::new(program(name).expect("checked by need"))
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("run the peer");
    String::from_utf8(output.stdout).expect("only numbers and words were asked for")
}

/// Reads `lsof -F`, a field a line: first of a process or task, then of each of its files.
fn by_lsof() -> Tables {
    /// `O_PATH` of asm-generic/fcntl.h, as `G` gives the flags.
    const O_PATH: u64 = 0o10_000_000;
    let text = output_of("lsof", &["-nPw", "+fg", "-F", "pKftaGDi"]);
    let mut tables = Tables::new();
    let (mut pid, mut tid) = (0, None);
    let mut file: BTreeMap<char, &str> = BTreeMap::new();
    // A last field to end the last file with.
    for line in text.lines().chain(["f"]) {
        let (field, value) = line.split_at(1);
        let field = field.chars().next().expect("a field");
        if matches!(field, 'p' | 'f') {
            let get = |field| file.get(&field).copied().unwrap_or_default();
            let flags = get('G').split(';').next().unwrap_or_default();
            let is_path_only = hex(flags).is_some_and(|flags| flags & O_PATH != 0);
            if let (Ok(fd), "FIFO", false) = (get('f').parse(), get('t'), is_path_only) {
                let access = if get('a') == "u" { "rw" } else { get('a') };
                let inode = get('i').parse().expect("an inode");
                let row = (fd, access.to_owned(), device(hex(get('D')).expect("a device")), inode);
                tables.entry(pid).or_default().entry(tid).or_default().insert(row);
            }
            file.clear();
        }
        match field {
            'p' => (pid, tid) = (value.parse().expect("a PID"), None),
            'K' => tid = Some(value.parse().expect("a TID")).filter(|tid| *tid != pid),
            _ => _ = file.insert(field, value),
        }
    }
    tables
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn device(number: u64) -> String {
    format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number))
}

fn by_lsfd() -> Tables {
    #[derive(Deserialize)]
    struct Output {
        lsfd: Vec<File>,
    }
    #[derive(Deserialize)]
    struct File {
        pid: u32,
        tid: u32,
        fd: u32,
        mode: String,
        inode: u64,
        #[serde(rename = "maj:min")]
        device: String,
    }
    let args = ["--threads", "--json", "-o", "PID,TID,FD,MODE,INODE,MAJ:MIN", "-Q", r#"TYPE == "FIFO""#];
    let output: Output = serde_json::from_str(&output_of("lsfd", &args)).expect("JSON");
    let mut tables = Tables::new();
    for file in output.lsfd {
        let access: String = file.mode.chars().filter(|c| matches!(c, 'r' | 'w')).collect();
        // `---` is O_PATH.
        if !access.is_empty() {
            let tid = Some(file.tid).filter(|tid| *tid != file.pid);
            let row = (file.fd, access, file.device, file.inode);
            tables.entry(file.pid).or_default().entry(tid).or_default().insert(row);
        }
    }
    tables
}
