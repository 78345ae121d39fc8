//! Other people's processes, seen without root: what cannot be read is counted, said, and never taken for absent.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::PLAIN;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::table::Table;
use crate::support::tree::ProcTree;
use crate::support::user::{NOBODY, User};

/// Options of setpriv(1).
const AS_NOBODY: &[&str] = &["--reuid=65534", "--regid=65534", "--clear-groups"];

#[test]
fn other_side_of_the_fence() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("users", User::Me);
    let (nobody, root) = (scene.truth.number("/nobody"), scene.truth.number("/root"));

    let all = lspipe(PLAIN).report();
    scene.truth.assert_whole(&all);
    assert!(
        !all.unreadable.iter().any(|gap| [nobody, root].contains(&gap.pid)),
        "root reads them: {:?}",
        all.unreadable
    );

    let report = lspipe(PLAIN).user(User::Nobody).report();
    let gap = report.unreadable.iter().find(|gap| gap.pid == root).expect("root's process is named as unreadable");
    assert_eq!((gap.what.as_str(), gap.error.as_str(), gap.uid), ("fd_table", "EACCES", Some(0)));
    assert!(!report.unreadable.iter().any(|gap| gap.pid == nobody));
    assert!(!report.scan.complete);

    let id = |name| scene.truth.id(name);
    let output = lspipe(PLAIN).user(User::Nobody).run().expect(0);
    let table = Table::parse(output.text());
    // Root's ends may be there: they cannot be seen.
    assert_eq!(table.cell(&id("to_root"), "READERS"), "?");
    assert_eq!(table.cell(&id("to_nobody"), "WRITERS"), "?");
    assert_ne!(table.cell(&id("to_root"), "WRITERS"), "?");
    assert_ne!(table.cell(&id("to_nobody"), "READERS"), "?");
    assert!(!table.rows().iter().any(|row| row.contains(&id("own"))), "nobody sees no end of this one");
    scene.truth.seen_in(&[nobody]).assert_whole(&report);
}

/// That nothing is wrong with a process that could not be read is no answer.
#[test]
fn nothing_is_said_of_a_selected_process_that_could_not_be_read() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start("users", User::Me);
    let (nobody, root) = (scene.truth.number("/nobody"), scene.truth.number("/root"));
    let note = format!("lspipe: the fd table of process {root} could not be read (EACCES): run as root (sudo)\n");
    let run = |command: &str, pids: String| lspipe([command, "-p", &pids]).user(User::Nobody).run();
    for command in ["audit", "why", "fds"] {
        let output = run(command, root.to_string()).expect(2);
        assert_eq!((output.text(), &output.stderr), ("", &note), "{command}");
    }
    // The ends of the other one are an answer.
    let output = run("audit", format!("{root},{nobody}"));
    assert!(output.code() == Some(0) && output.stderr.contains(&note), "{output:?}");
}

#[test]
fn incompleteness_is_said_once_and_may_be_an_error() {
    need!(Need::Root, Need::PYTHON);
    let _scene = Scene::start("users", User::Me);
    let run = |args: &[&str], code| lspipe(args).user(User::Nobody).run().expect(code);

    let plain = run(&[], 0);
    let count = lspipe(PLAIN).user(User::Nobody).report().scan.unreadable;
    assert!(count > 0);
    assert!(plain.stderr.contains("; run as root"), "{}", plain.stderr);
    assert!(plain.stderr.starts_with("lspipe: "), "{}", plain.stderr);
    let number = plain.stderr.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty());
    // Processes come and go between the two runs, so that the number need not be the same.
    assert!(number.is_some_and(|number| number.parse::<usize>().is_ok_and(|number| number > 0)), "{}", plain.stderr);

    assert_eq!(run(&["-q"], 0).stderr, "");
    assert_eq!(run(&["-q", "--json"], 0).stderr, "");
    let strict = run(&["--require-complete"], 2);
    assert!(!strict.stdout.is_empty(), "the report is written all the same");
    assert!(strict.stderr.starts_with("lspipe: "), "{}", strict.stderr);
}

/// The users of processes are given by number where there is no name, and by number alone where names are not wanted.
#[test]
fn user_names_and_numbers() {
    need!(Need::Root, Need::PYTHON);
    let scene = Scene::start_with("choice", User::Me, &["3999999999"]);
    let gamma = scene.truth.number("/pids/gamma");
    let report = lspipe(PLAIN).report();
    scene.truth.assert_whole(&report);
    let process = |pid| report.processes.iter().find(|process| process.pid == pid).expect("listed");
    assert_eq!((process(gamma).uid, process(gamma).user.as_deref()), (Some(3_999_999_999), None));
    let alpha = process(scene.truth.number("/pids/alpha"));
    assert_eq!((alpha.uid, alpha.user.as_deref()), (Some(0), Some("root")));

    let numeric = lspipe(["-l"]).report();
    assert!(numeric.processes.iter().all(|process| process.user.is_none()), "-l looks no name up");
    scene.truth.assert_whole(&numeric);
    assert_eq!(User::Nobody.uid(), NOBODY);
}

/// Where `fdinfo` can be read but not the links, anonymous pipes are still identified, since `fdinfo` has their inode.
#[test]
fn with_the_capability_to_trace_alone() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    const ONE: &[&str] = &["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"];
    let fifos = Scene::start("fifos", User::Me);
    let pipes = Scene::start("anonymous", User::Me);
    let report = lspipe(PLAIN).setpriv(&[AS_NOBODY, ONE].concat()).report();
    pipes.truth.assert_whole(&report);
    // The device of a FIFO is known from its link only.
    assert!(report.pipes_of(&fifos.truth.pids()).is_empty());
    for pid in [fifos.pid(), pipes.pid()] {
        let gap = report.unreadable.iter().find(|gap| gap.pid == pid).expect("its links are unreadable");
        assert_eq!(gap.error, "EACCES", "{gap:?}");
    }
    assert!(!report.scan.complete);
}

const TWO: &[&str] = &["--inh-caps=+sys_ptrace,+dac_read_search", "--ambient-caps=+sys_ptrace,+dac_read_search"];

#[test]
fn with_the_two_capabilities() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    for name in ["anonymous", "fifos", "leader", "users"] {
        let scene = Scene::start(name, User::Me);
        let report = lspipe(PLAIN).setpriv(&[AS_NOBODY, TWO].concat()).report();
        scene.truth.assert_whole(&report);
        let pids = scene.truth.pids();
        assert!(!report.unreadable.iter().any(|gap| pids.contains(&gap.pid)), "{:?}", report.unreadable);
    }
}

/// The capabilities are for looking at processes: neither a tree of links nor a path makes lspipe read, or report, a file that its
/// user may not.
#[test]
fn capabilities_open_no_files() {
    need!(Need::Root, Need::Program("setpriv"));
    let dir = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().expect("a folder");
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).expect("make");
    let secret = closed.join("secret");
    std::fs::write(&secret, "the secret words").expect("write");
    std::fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("chmod");
    let tree = ProcTree::new(&dir.path().join("tree"));
    tree.process(7, "reader").fd(7, 0, "pipe:[5]", "00");
    for name in ["7/cmdline", "sys/kernel/hostname"] {
        let link = tree.root().join(name);
        std::fs::create_dir_all(link.parent().expect("a parent")).expect("make");
        let _ = std::fs::remove_file(&link);
        symlink(&secret, &link).expect("link");
    }
    let options = [AS_NOBODY, TWO].concat();
    let run = |args: &[&str]| lspipe(args).setpriv(&options).run();
    let output = run(&["--json", "--proc", tree.root().to_str().expect("UTF-8")]).expect(0);
    assert!(output.text().contains("pipe:[5]") && !output.text().contains("secret words"), "{}", output.text());
    for name in ["secret", "nothing"] {
        let output = run(&[closed.join(name).to_str().expect("UTF-8")]).expect(2);
        assert!(output.stderr.contains("Permission denied"), "{}", output.stderr);
    }
}

/// Root that has lost its power over others sees the numbers of their descriptors, and not what they lead to.
#[test]
fn root_without_the_capability_to_trace() {
    need!(Need::Root, Need::PYTHON, Need::Program("setpriv"));
    let scene = Scene::start("anonymous", User::Me);
    let report = lspipe(PLAIN).setpriv(&["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]).report();
    assert!(report.pipes_of(&scene.truth.pids()).is_empty(), "no link can be read");
    for pid in scene.truth.pids() {
        let gap = report.unreadable.iter().find(|gap| gap.pid == pid).expect("named");
        let count = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("list fd").count() as u64;
        assert_eq!((gap.what.as_str(), gap.error.as_str(), gap.fds), ("fd_links", "EACCES", Some(count)));
        assert_eq!((gap.command.as_str(), gap.command_bytes.as_deref()), ("python3", None));
    }
}

/// Where processes of other users are not even listed, the report says that there may be some.
#[test]
fn hidden_processes() {
    need!(Need::Root, Need::PYTHON, Need::Program("nsenter"), Need::Program("setpriv"));
    let scene = Scene::start("users", User::Me);
    let (nobody, proc) = (scene.truth.number("/nobody"), scene.truth.text("/proc"));
    let run = |args: &[&str]| lspipe(args).mounts_of(scene.pid()).setpriv(AS_NOBODY);
    let report = run(&["--proc", proc]).report();
    assert_eq!(report.scan.outside.as_deref(), Some("hidepid"));
    assert!(!report.scan.complete);
    assert_eq!(report.scan.proc, proc);
    scene.truth.seen_in(&[nobody]).assert_whole(&report);
    let table = run(&["-q", "--proc", proc]).run().expect(0);
    assert_eq!(Table::parse(table.text()).cell(&scene.truth.id("to_root"), "READERS"), "?");
    run(&["-q", "--proc", proc, "--require-complete"]).run().expect(2);
    // With hidepid=1 they are listed, but nothing of them can be read: that is not for a PID namespace.
    let listing = scene.truth.text("/proc1");
    let listed = run(&["--proc", listing]);
    let listed = listed.run().expect(0);
    if lspipe(PLAIN).report().scan.outside.is_none() {
        assert!(listed.stderr.contains("hidepid") && !listed.stderr.contains("namespace"), "{}", listed.stderr);
    }
    // Root is exempt, and sees as much as elsewhere.
    let report = lspipe(["--proc", proc]).mounts_of(scene.pid()).report();
    assert_eq!(report.scan.outside, lspipe(PLAIN).report().scan.outside);
    scene.truth.assert_whole(&report);
}
