//! A copy of lspipe with file capabilities does nothing for its caller but look: it opens no path, holds no pipe end, and answers no claim,
//! that its caller or another process could not open, hold or make by itself.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::need::{Need, need, program};
use crate::support::report::Report;
use crate::support::run::{LIMIT, Output, lspipe, public_dir};
use crate::support::scene::Scene;
use crate::support::tree::ProcTree;
use crate::support::user::{NOBODY, User};

/// A copy as docs/limits.md has it installed.
struct Copy {
    dir: TempDir,
}

impl Copy {
    fn new() -> Self {
        let dir = public_dir(User::Me);
        let copy = Self { dir };
        let run = |command: &mut Command| assert!(command.status().expect("run").success(), "{command:?}");
        run(Command::new("cp").arg(env!("CARGO_BIN_EXE_lspipe")).arg(copy.path()));
        run(Command::new("setcap").arg("cap_sys_ptrace,cap_dac_read_search+ep").arg(copy.path()));
        copy
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("lspipe")
    }

    /// A folder that its user may not search.
    fn closed(&self) -> PathBuf {
        let closed = self.dir.path().join("closed");
        fs::create_dir(&closed).expect("make");
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("chmod");
        closed
    }

    /// Runs it as a user without privileges. Through a shell: setpriv(1) keeps the capabilities of root until it executes a program.
    fn run(&self, args: &[&str]) -> Output {
        lspipe(args).program(&self.path()).through_shell().user(User::Nobody).run()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const SETCAP: Need = Need::Program("setcap");

/// It does look, at what belongs to root.
#[test]
fn a_copy_sees_the_processes_of_root() {
    need!(Need::Root, Need::PYTHON, SETCAP);
    let (copy, scene) = (Copy::new(), Scene::start("queued", User::Me));
    let pid = scene.pid().to_string();
    let report = Report::parse(&copy.run(&["--json", "--probe", "-p", &pid]).expect(0).stdout);
    let pipe = report.pipe(&scene.truth.id("partly")).expect("listed");
    assert_eq!(pipe.queued, Some(1000), "and its helper has the rights, too");
}

/// Whatever is there, and whether anything is: the answer is that of the kernel to the user.
#[test]
fn no_path_of_the_caller_is_opened_with_the_capabilities() {
    need!(Need::Root, SETCAP);
    let copy = Copy::new();
    let closed = copy.closed();
    let tree = ProcTree::new(&closed.join("tree"));
    tree.process(7, "secret-command").fd(7, 0, "pipe:[5]", "00");
    fs::write(closed.join("file"), "{}").expect("write");
    mkfifoat(CWD, closed.join("fifo"), Mode::from_raw_mode(0o666)).expect("mkfifo");
    symlink("/proc", closed.join("proc")).expect("link");
    let link = copy.dir.path().join("link");
    symlink(closed.join("tree"), &link).expect("link");
    for name in ["tree", "file", "fifo", "proc", "nothing"] {
        let path = closed.join(name);
        let path = text(&path);
        let saved = ["--from", path];
        let ways: [&[&str]; 8] = [
            &["--proc", path],
            &["why", "--proc", path],
            &["fds", "7", "--proc", path],
            &[path],
            &saved,
            &["diff", path, "/dev/null"],
            &["audit", "--baseline", path],
            &["audit", "--write-baseline", path],
        ];
        for args in ways {
            let output = copy.run(args).expect(2);
            assert!(output.stderr.contains("Permission denied"), "{args:?}: {}", output.stderr);
            assert!(!output.text().contains("secret-command"));
        }
        let metrics = copy.run(&["audit", "-q", "--metrics-file", path]);
        assert!(metrics.stderr.contains("Permission denied"), "{}", metrics.stderr);
    }
    let output = copy.run(&["--proc", text(&link)]).expect(2);
    assert!(output.stderr.contains("Permission denied"), "{}", output.stderr);
    // The right one by another name is what the rights are for.
    let usual = copy.dir.path().join("usual");
    symlink("/proc", &usual).expect("link");
    let report = Report::parse(&copy.run(&["--json", "--proc", text(&usual)]).expect(0).stdout);
    assert!(!report.unreadable.iter().any(|gap| gap.pid == std::process::id()), "{:?}", report.unreadable);
}

/// Each program is started by a user without privileges, and tells what became of a helper that it started.
fn helper(copy: &Copy, how: &str, target: &[String]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenes/helper.py");
    let mut command = Command::new(program("python3").expect("checked by need"));
    User::Nobody.apply(&mut command);
    let output = command.args(["-BE", script, how]).arg(copy.path()).args(target).stdin(Stdio::null()).output();
    let output = output.expect("run python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The helper takes a duplicate of any pipe end for whoever may ask it, and so must not be asked by just anyone.
#[test]
fn a_helper_serves_no_program_of_the_user() {
    need!(Need::Root, Need::PYTHON, SETCAP);
    let (copy, scene) = (Copy::new(), Scene::start("queued", User::Me));
    let id = scene.truth.id("partly");
    let report = lspipe(["--json", "-p", &scene.pid().to_string()]).run().expect(0);
    let report = Report::parse(&report.stdout);
    let end = &report.pipe(&id).expect("listed").writers[0];
    let inode = id.trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
    let device = fs::metadata(format!("/proc/{}/fd/{}", end.pid, end.fd)).expect("stat");
    let device = std::os::unix::fs::MetadataExt::dev(&device);
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let target = [end.pid.to_string(), end.fd.to_string(), major.to_string(), minor.to_string(), inode];
    // Started by a program of the user; as before, in /proc, and with the proc root as standard output. By a program that becomes lspipe
    // while another keeps the socket, with a request in it. With a socket that a third process made.
    for how in ["started", "became", "queued", "foreign"] {
        let told = helper(&copy, how, &target);
        assert_eq!(told["served"], false, "{how}: {told}");
        assert_eq!(told["ended"], true, "{how}: {told}");
    }
    // The same program does serve those that have its rights.
    let own = lspipe(["--probe", "-p", &scene.pid().to_string()]).report();
    assert_eq!(own.pipe(&id).expect("listed").queued, Some(1000));
}

/// A helper that is stopped while it has a duplicate does not keep it: here one that has the rights of its user only, so that the test
/// can be its parent.
#[test]
fn a_helper_holds_nothing_for_long() {
    need!(Need::PYTHON);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenes/helper.py");
    for how in ["deaf", "stopped", "orphan", "idle"] {
        let mut child = Command::new(program("python3").expect("checked by need"))
            .args(["-BE", script, how, env!("CARGO_BIN_EXE_lspipe")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run python3");
        let end = std::time::Instant::now() + LIMIT;
        while child.try_wait().expect("wait").is_none() {
            if std::time::Instant::now() > end {
                let _ = child.kill();
                panic!("{how}: it holds the pipe, or does not end");
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let output = child.wait_with_output().expect("output");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(told["ended"], true, "{how}: {told}");
    }
}

/// A thread waits in open(2) of a FIFO, and another writes the path of another FIFO where the first had its own.
#[test]
fn a_path_that_a_process_claims_is_looked_up_with_its_rights() {
    need!(Need::Root, Need::PYTHON, SETCAP);
    let copy = Copy::new();
    let closed = copy.closed();
    for (place, fifo) in [(&closed, "secret.fifo"), (&copy.dir.path().to_path_buf(), "private.fifo")] {
        let fifo = place.join(fifo);
        mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
        let id = {
            let stat = rustix::fs::stat(&fifo).expect("stat");
            let (major, minor) = (rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
            format!("fifo:[{major}:{minor}:{}]", stat.st_ino)
        };
        let scene = Scene::start_with("claims", User::Nobody, &[text(&fifo)]);
        let pid = scene.truth.number("/pid");
        let outputs = [copy.run(&["why", "--json"]), lspipe(["why", "--json"]).run()];
        for output in outputs {
            let report = Report::parse(&output.stdout);
            let finding = report.findings().iter().find(|it| it.pids().contains(&pid)).expect("a finding");
            assert_eq!((finding.code.as_str(), finding.certainty.as_str()), ("blocked-open", "inferred"));
            assert!(finding.pipes.is_empty(), "{finding:?}");
            assert!(!output.text().contains(&id), "{id}");
        }
        // Of what it may open, its word is taken; and of a process that may open that one, too.
        drop(scene);
        let scene = Scene::start_with("claims", User::Me, &[text(&fifo)]);
        let report = Report::parse(&lspipe(["why", "--json"]).run().stdout);
        let pid = scene.truth.number("/pid");
        let finding = report.findings().iter().find(|it| it.pids().contains(&pid)).expect("a finding");
        assert_eq!((finding.pipes.as_slice(), finding.certainty.as_str()), (&[id][..], "inferred"));
    }
}

/// A tree that somebody else packed: its links lead where root may look and whoever gets the report may not.
#[test]
fn links_of_a_tree_lead_nowhere() {
    need!(Need::Root);
    let dir = public_dir(User::Me);
    let secret = dir.path().join("secret");
    fs::create_dir(&secret).expect("make");
    fs::create_dir(secret.join("fd")).expect("make");
    for name in ["comm", "stat", "status", "cmdline", "cgroup", "0", "hostname", "wchan", "syscall"] {
        fs::write(secret.join(name), "pos:\t0\nflags:\t00\nName:\tsecret-words\nsecret-words").expect("write");
    }
    symlink("pipe:[4711]", secret.join("fd/0")).expect("link");
    let fifo = secret.join("fifo");
    mkfifoat(CWD, &fifo, Mode::from_raw_mode(0o600)).expect("mkfifo");
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&fifo).expect("stat")).to_string();
    let links = [
        ("7/comm", "comm"),
        ("7/stat", "stat"),
        ("7/status", "status"),
        ("7/cmdline", "cmdline"),
        ("7/cgroup", "cgroup"),
        ("7/fd", "fd"),
        ("7/fdinfo", ""),
        ("7/fdinfo/0", "0"),
        ("7/task", ""),
        ("7/wchan", "wchan"),
        ("7/syscall", "syscall"),
        ("7", ""),
        ("sys/kernel", ""),
        ("sys/kernel/hostname", "hostname"),
    ];
    for (name, target) in links {
        let tree = ProcTree::new(&dir.path().join(format!("tree-{}", name.replace('/', "-"))));
        tree.process(7, "reader").fd(7, 0, "pipe:[5]", "00").process(8, "writer").fd(8, 1, "pipe:[5]", "01");
        let link = tree.root().join(name);
        let _ = if link.is_dir() { fs::remove_dir_all(&link) } else { fs::remove_file(&link) };
        symlink(secret.join(target), &link).expect("link");
        for args in [&["--json"][..], &["why", "--json"], &["audit", "--json"], &["fds", "7", "--json"]] {
            let output = lspipe(args.iter().copied().chain(["--proc", text(tree.root())])).run();
            let all = [output.text(), output.stderr.as_str()].concat();
            assert!(!all.contains("secret-words") && !all.contains("4711"), "{name}: {all}");
        }
    }
    // What a descriptor is, on this machine: only a link that nobody else made says that.
    let tree = ProcTree::new(&dir.path().join("tree"));
    tree.process(7, "reader").fd(7, 0, &fifo, "00");
    let seen = || lspipe(["--json", "--proc", text(tree.root())]).run().expect(0).text().contains(&inode);
    assert!(seen(), "our own");
    let link = tree.root().join("7/fd/0");
    std::os::unix::fs::lchown(&link, Some(NOBODY), Some(NOBODY)).expect("chown");
    assert!(!seen(), "not ours");
    chown(tree.root(), Some(NOBODY), None).expect("chown");
}

/// In a jail, `..` leads no further up than to its root.
#[test]
fn a_path_in_a_jail_is_told_as_it_is_for_us() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("why_places", User::Me);
    let jail = fs::canonicalize(scene.dir().join("stage/jail")).expect("a jail");
    let report = Report::parse(&lspipe(["why", "--json"]).run().stdout);
    for (name, path) in [
        ("above", "data/above"),
        ("absolute", "data/absolute"),
        ("relative", "data/relative"),
        ("linked", "data/linked"),
    ] {
        let pid = scene.truth.number(&format!("/{name}"));
        let wait = report.waits().iter().find(|wait| wait.pid == pid).expect("a wait");
        assert_eq!(wait.path.as_deref(), Some(text(&jail.join(path))), "{name}");
    }
}

/// What a sandbox forbids is said by its name, and what can be done without is.
#[test]
fn a_helper_in_a_sandbox() {
    need!(Need::PYTHON);
    let scene = Scene::start("queued", User::Me);
    let pid = scene.pid().to_string();
    let run = |call| lspipe(["--json", "--probe", "-p", &pid]).without(call).run().expect(0);
    for call in [libc::SYS_close_range, libc::SYS_setsid, libc::SYS_timer_create, libc::SYS_prctl] {
        let output = run(call);
        let report = Report::parse(&output.stdout);
        assert_eq!(report.pipe(&scene.truth.id("partly")).expect("listed").queued, Some(1000), "{}", output.stderr);
    }
    for call in [libc::SYS_pidfd_getfd, libc::SYS_pidfd_open] {
        let output = run(call);
        let note = output.stderr.lines().find(|line| line.contains("--probe")).expect("a note");
        assert!(note.contains("pidfd_getfd(2)") && note.contains("seccomp"), "{note}");
        assert!(!output.stderr.contains("could not be probed"), "{}", output.stderr);
    }
}
