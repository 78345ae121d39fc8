//! The account of the running kernel, of scenes whose truth the scene itself gives: all descriptors, all counts, all references.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde::Deserialize;

use super::*;
use crate::model::{AccessMode, Device, Fd};

/// What a scene prints.
#[derive(Deserialize)]
struct Truth {
    pipes: Vec<PipeTruth>,
    /// What the machine has not.
    lacks: Option<String>,
    pid: Option<u32>,
    /// Other files: number, kind and inode.
    listed: Option<Vec<(u32, String, u64)>>,
    left_out: Option<Vec<u32>>,
}

#[derive(Deserialize)]
struct PipeTruth {
    inode: u64,
    device: (u32, u32),
    readers: u32,
    writers: u32,
    files: u32,
    slots: u32,
    max_slots: u32,
    queued: Option<u64>,
    unlinked: bool,
    /// Whether the kernel has no pipe for it.
    #[serde(default)]
    none: bool,
    rows: Vec<Row>,
    /// By the names of files.
    references: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Row {
    pid: u32,
    tid: u32,
    fd: u32,
    access: Option<AccessMode>,
    cloexec: bool,
    file: String,
    table: String,
}

/// A process that runs a scene.
struct Scene {
    process: Child,
    truth: Truth,
    stdin: Option<ChildStdin>,
}

impl Scene {
    fn start(name: &str) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", include_str!("tests/scenes.py"), name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("read");
        let truth = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name}: {error}: {line:?}"));
        let stdin = process.stdin.take();
        Self { process, truth, stdin }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stdin.take();
        self.process.wait().expect("wait");
    }
}

/// Ends a test aloud. Under `CI=true` that is a fault.
fn skip(lack: &dyn std::fmt::Display) {
    let test = thread::current().name().unwrap_or_default().to_owned();
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "skipped: {test}: {lack}, and CI=true forbids skipping");
    writeln!(io::stderr(), "skipped: {test}: {lack}").expect("stderr");
}

/// Whether this process is in the initial PID namespace, by the number that it always has.
fn has_initial_pids() -> bool {
    fs::read_link("/proc/self/ns/pid").expect("link").as_os_str() == "pid:[4026531836]"
}

/// As the command loads it.
pub(super) fn open(tier: Tier) -> Option<Kernel> {
    load(tier, tier == Tier::Full)
}

fn load(tier: Tier, may_cast: bool) -> Option<Kernel> {
    match Kernel::open_tier(tier, may_cast, has_initial_pids()) {
        Ok(kernel) => Some(kernel),
        Err(error) => {
            skip(&error);
            None
        }
    }
}

fn compare(name: &str, tier: Tier) {
    let (Some(kernel), Some(without_cast)) = (load(tier, true), load(tier, false)) else { return };
    let scene = Scene::start(name);
    if let Some(lack) = &scene.truth.lacks {
        return skip(lack);
    }
    for (kernel, channels) in [(&kernel, false), (&kernel, true), (&without_cast, false), (&without_cast, true)] {
        // Another test, or another lspipe, may visit one of the files at the same moment, and holds it for that.
        let mut passes = (0..100).map(|_| kernel.ends(channels).expect("ends"));
        let is_alone = |pass: &Pass| !scene.truth.pipes.iter().any(|pipe| is_held_besides(pipe, pass));
        let pass = passes.find(is_alone).expect("a pass in which nobody else visits them");
        assert!(channels || pass.ends.iter().all(|end| end.kind == FileKind::Pipe), "only pipes were asked for");
        for (number, pipe) in scene.truth.pipes.iter().enumerate() {
            compare_pipe(&format!("{name} {tier:?} {number}"), pipe, &pass, tier);
        }
    }
}

/// Whether a file has more references than the scene knows of.
fn is_held_besides(truth: &PipeTruth, pass: &Pass) -> bool {
    truth.rows.iter().any(|row| {
        let is_it = |end: &&EndRecord| (end.pid.0, end.tid.0, end.fd.0) == (row.pid, row.tid, row.fd);
        let end = pass.ends.iter().find(is_it);
        end.map(|end| end.references) > truth.references.get(&row.file).copied()
    })
}

fn compare_pipe(name: &str, truth: &PipeTruth, pass: &Pass, tier: Tier) {
    let device = Device { major: truth.device.0, minor: truth.device.1 };
    let key = |end: &&EndRecord| (end.pid.0, end.tid.0, end.fd.0);
    let ends: Vec<&EndRecord> =
        pass.ends.iter().filter(|end| (end.inode, end.device) == (truth.inode, device)).collect();
    let mut keys: Vec<_> = ends.iter().map(key).collect();
    let mut rows: Vec<_> = truth.rows.iter().map(|row| (row.pid, row.tid, row.fd)).collect();
    keys.sort_unstable();
    rows.sort_unstable();
    assert_eq!(keys, rows, "{name}: descriptors");
    // Names and addresses stand for each other.
    let (mut files, mut tables) = (BTreeSet::new(), BTreeSet::new());
    for row in &truth.rows {
        let end = ends.iter().find(|end| key(end) == (row.pid, row.tid, row.fd)).expect("listed");
        let fd = Fd(row.fd);
        assert_eq!(end.kind, FileKind::Pipe, "{name} {fd}: kind");
        assert_eq!(end.access, row.access, "{name} {fd}: access");
        assert_eq!(end.flags.is_path(), row.access.is_none(), "{name} {fd}: O_PATH");
        assert_eq!(end.has_cloexec, tier == Tier::Full, "{name} {fd}: whether the flag is known");
        assert_eq!(end.flags.closes_on_exec(), row.cloexec && tier == Tier::Full, "{name} {fd}: close-on-exec");
        assert_eq!(Some(&end.references), truth.references.get(&row.file), "{name} {fd}: references");
        assert_eq!(end.unlinked, truth.unlinked, "{name} {fd}: unlinked");
        files.insert((row.file.clone(), end.file));
        tables.insert((row.table.clone(), end.table));
        let Some(pipe) = end.pipe else {
            assert!(truth.none, "{name} {fd}: no pipe");
            continue;
        };
        assert!(!truth.none, "{name} {fd}: a pipe");
        let counts = (pipe.readers, pipe.writers, pipe.files);
        assert_eq!(counts, (truth.readers, truth.writers, truth.files), "{name} {fd}: counts");
        assert_eq!((pipe.slots, pipe.max_slots), (truth.slots, truth.max_slots), "{name} {fd}: slots");
        let queued = truth.queued.filter(|_| tier == Tier::Full || truth.slots == 0);
        assert_eq!(pipe.queued, queued, "{name} {fd}: bytes");
    }
    for (what, pairs) in [("files", &files), ("tables", &tables)] {
        let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
        let addresses: BTreeSet<_> = pairs.iter().map(|(_, address)| address).collect();
        assert_eq!((names.len(), addresses.len()), (pairs.len(), pairs.len()), "{name}: {what}");
    }
    let pipes: BTreeSet<_> = ends.iter().map(|end| end.pipe.map(|pipe| pipe.address)).collect();
    assert_eq!(pipes.len(), 1, "{name}: one pipe");
}

/// Defines a test for each scene of scenes.py.
macro_rules! scenes {
    ($($name:ident: [$($tier:ident),+];)*) => {
        $(
            #[test]
            fn $name() {
                $(compare(stringify!($name), Tier::$tier);)+
            }
        )*
    };
}

scenes! {
    inherited: [Full, Core];
    named: [Full, Core];
    reopened: [Full];
    in_flight_kept: [Full, Core];
    in_flight_closed: [Full, Core];
    registered: [Full];
    opening: [Full];
    threads: [Full, Core];
    leader_exited: [Full];
    shared_table: [Full];
    polled: [Full];
    filled: [Full, Core];
}

#[test]
fn channels() {
    for tier in [Tier::Full, Tier::Core] {
        let Some(kernel) = open(tier) else { continue };
        let scene = Scene::start("channels");
        let ends = kernel.ends(true).expect("ends").ends;
        let pid = Pid(scene.truth.pid.expect("its PID"));
        let of = |fd: u32| ends.iter().find(move |end| (end.pid, end.fd) == (pid, Fd(fd)));
        for (fd, kind, inode) in scene.truth.listed.as_ref().expect("listed") {
            let end = of(*fd).unwrap_or_else(|| panic!("{tier:?}: no fd {fd}"));
            let expected = if kind == "socket" { FileKind::Socket } else { FileKind::CharacterDevice };
            assert_eq!((end.kind, end.inode), (expected, *inode), "{tier:?} {fd}");
            assert_eq!(end.access, Some(AccessMode::ReadWrite), "{tier:?} {fd}");
            assert_eq!((end.references, end.pipe.is_none()), (1, true), "{tier:?} {fd}");
        }
        let left_out = scene.truth.left_out.as_ref().expect("left out");
        assert!(left_out.iter().all(|fd| of(*fd).is_none()), "{tier:?}: /dev/null");
    }
}

/// In a PID namespace of its own, all PIDs are those of that namespace.
#[test]
fn inner_pid_namespace() {
    const INNER: &str = "LSPIPE_TEST_INNER";
    if env::var_os(INNER).is_some() {
        let kernel = Kernel::open(false).expect("open");
        assert_eq!(kernel.options.tier, Tier::Full);
        let core = Kernel::open_tier(Tier::Core, false, false).err();
        assert!(matches!(core, Some(Unavailable::PidNamespace)), "it cannot translate");
        let scene = Scene::start("threads");
        let ends = kernel.ends(false).expect("ends");
        for pipe in &scene.truth.pipes {
            compare_pipe("inner", pipe, &ends, Tier::Full);
        }
        // No other process is in there.
        let scene = [std::process::id(), scene.process.id()];
        let strangers: Vec<u32> = ends.ends.iter().map(|end| end.pid.0).filter(|pid| !scene.contains(pid)).collect();
        assert!(strangers.is_empty(), "{strangers:?} beside {scene:?}");
        return;
    }
    if open(Tier::Full).is_none() {
        return;
    }
    let own = env::current_exe().expect("path");
    let name = thread::current().name().expect("the harness names it").to_owned();
    let inner = Command::new("unshare")
        .args(["-p", "-f", "--mount-proc"])
        .arg(own)
        .args(["--exact", &name, "--nocapture", "--test-threads", "1"])
        .env(INNER, "1")
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&inner.stderr));
}

/// What the kernel says with these capabilities only.
fn with(capabilities: CapabilitySet) -> Result<Pass, Unavailable> {
    // They are those of a thread.
    let look = move || {
        let sets =
            CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: CapabilitySet::empty() };
        set_capabilities(None, sets).expect("fewer of them");
        let kernel = Kernel::open(has_initial_pids())?;
        Ok(kernel.ends(false).expect("ends"))
    };
    thread::spawn(look).join().expect("no panic")
}

#[test]
fn rights() {
    if open(Tier::Full).is_none() {
        return;
    }
    let scene = Scene::start("inherited");
    for too_few in [CapabilitySet::empty(), CapabilitySet::BPF, CapabilitySet::PERFMON, CapabilitySet::SYS_PTRACE] {
        let refused = with(too_few).err().map(|error| error.to_string());
        let expected = "bpf(BPF_PROG_LOAD): Operation not permitted (os error 1)";
        assert_eq!(refused.as_deref(), Some(expected), "{too_few:?}");
    }
    for enough in [CapabilitySet::BPF | CapabilitySet::PERFMON, CapabilitySet::SYS_ADMIN] {
        let pass = with(enough).unwrap_or_else(|error| panic!("{enough:?}: {error}"));
        compare_pipe("rights", &scene.truth.pipes[0], &pass, Tier::Full);
    }
}

/// A program that the verifier refuses is an error that says why.
#[test]
fn refused() {
    let Some(kernel) = open(Tier::Core) else { return };
    let mut program = assembly::Assembler::default();
    program.exit();
    let code = program.finish().expect("short");
    let refused = Iterator::load(c"lspipe_refused", kernel.layout.function(), &code, 8).map(|_| ());
    let text = refused.expect_err("it returns nothing").to_string();
    assert_eq!(text, "bpf(BPF_PROG_LOAD): Permission denied (os error 13): R0 !read_ok");
}

/// More records than one read gives, with tables that come and go meanwhile.
#[test]
fn many() {
    let Some(kernel) = open(Tier::Full) else { return };
    let pipes: Vec<_> = (0..400).map(|_| io::pipe().expect("pipe")).collect();
    let busy = thread::spawn(|| {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(300) {
            Command::new("true").status().expect("true");
        }
    });
    while !busy.is_finished() {
        let ends = kernel.ends(false).expect("ends").ends;
        let own: Vec<_> = ends.iter().filter(|end| end.pid.0 == std::process::id()).collect();
        let slots: BTreeSet<_> = own.iter().map(|end| (end.tid, end.fd)).collect();
        assert_eq!(slots.len(), own.len(), "each once");
        let bytes =
            own.iter().filter(|end| end.pipe.is_some_and(|pipe| (pipe.readers, pipe.writers) == (1, 1))).count();
        assert!(bytes >= 2 * pipes.len(), "{bytes} of {}", 2 * pipes.len());
    }
    busy.join().expect("no panic");
}
