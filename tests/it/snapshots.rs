//! What a person reads of each code: one finding of each, from trees of which all is known, compared with `findings.txt`.
//!
//! `SNAPSHOTS=overwrite cargo test --test it snapshots` writes that file: read it before it is committed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use regex_lite::Regex;
use rustix::fs::{CWD, Mode, mkfifoat};
use snapbox::{Assert, Data};
use tempfile::TempDir;

use crate::fixtures::audit::{limit_fds, place};
use crate::fixtures::why;
use crate::support::need::{Need, need};
use crate::support::promises::CODES;
use crate::support::report::{Finding, Report};
use crate::support::run::{lspipe, public_dir};
use crate::support::tree::ProcTree;
use crate::support::user::User;

fn mkfifo(path: &Path, mode: u32) {
    mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).expect("mkfifo");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

/// A machine with a finding of each code but `hidden-end`, beside the hangs of [`why::stage`].
fn all_but_hidden(tree: &ProcTree, dir: &Path) {
    // One opens a FIFO to read it. The path is in its memory.
    mkfifo(&dir.join("lonely.fifo"), 0o600);
    tree.child(610, 60, 1000, "cat").session(610, 100, 60);
    tree.blocked(610, 'S', "257 0xffffff9c 0x10 0x80000 0x0", "wait_for_partner");
    let mut memory = vec![0; 16];
    memory.extend(dir.join("lonely.fifo").to_str().expect("UTF-8").as_bytes());
    memory.resize(8192, 0);
    fs::write(tree.root().join("610/mem"), memory).expect("write mem");

    // A shell that its terminal stopped, and what reads from it.
    tree.child(615, 60, 1000, "sh").session(615, 615, 60).fd(615, 1, "pipe:[3010]", "01");
    tree.blocked(615, 'T', "0 0x0 0x7f00 0x1000 0x0", "do_signal_stop");
    tree.child(616, 60, 1000, "tail").session(616, 615, 60).fd(616, 0, "pipe:[3010]", "00");
    tree.blocked(616, 'S', "0 0x0 0x7f00 0x1000 0x0", "anon_pipe_read");

    tree.child(620, 1, 34, "backup").fd(620, 1, "pipe:[3001]", "01");
    tree.child(621, 1, 34, "restore").fd(621, 0, "pipe:[3002]", "00");

    mkfifo(&dir.join("open.fifo"), 0o622);
    tree.child(630, 1, 0, "logger").fd(630, 3, dir.join("open.fifo"), "00");

    tree.child(640, 1, 0, "reader").fd(640, 0, "pipe:[3003]", "00");
    tree.child(641, 1, 1000, "writer").fd(641, 1, "pipe:[3003]", "01");

    let (one, two) = ("1".repeat(64), "2".repeat(64));
    for (pid, container, namespace, fd, access) in
        [(650, &one, 4_026_532_111, 3, "00"), (651, &two, 4_026_532_222, 4, "01")]
    {
        tree.process(pid, "worker").fd(pid, fd, "pipe:[3004]", access);
        place(tree, pid, Some(container), namespace);
    }

    for (pid, parent, group, session, name, fd, access) in
        [(690, 60, 690, 60, "seq", 1, "01"), (691, 60, 690, 60, "less", 0, "00"), (692, 1, 692, 692, "agent", 1, "01")]
    {
        tree.child(pid, parent, 1000, name).session(pid, group, session).fd(pid, fd, "pipe:[3006]", access);
    }

    tree.child(660, 1, 660, "many");
    limit_fds(tree, 660, "40");
    for fd in 0..39 {
        tree.fd(660, fd, "pipe:[3005]", "00");
    }
    tree.fd(660, 39, "pipe:[3005]", "01");

    tree.child(670, 1, 670, "queue");
    for (fd, name) in (3..).zip(["a.fifo", "b.fifo", "c.fifo"]) {
        mkfifo(&dir.join(name), 0o600);
        tree.fd(670, fd, dir.join(name), "02");
    }
    for (limit, pages) in [("soft", "33\n"), ("hard", "0\n")] {
        let path = tree.root().join(format!("sys/fs/pipe-user-pages-{limit}"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("create a folder");
        fs::write(path, pages).expect("write a limit");
    }
}

/// A reader whose only writer is on its way over a socket.
fn hidden(tree: &ProcTree) {
    tree.process(1, "init");
    tree.process(41, "cat").fd(41, 0, "pipe:[8201]", "00");
    tree.blocked(41, 'S', "0 0x0 0x7f00 0x1000 0x0", "anon_pipe_read");
    tree.process(42, "receiver").fd(42, 5, "socket:[8202]", "02");
    tree.blocked(42, 'S', "230 0x1 0x1 0x7ffc 0x0", "hrtimer_nanosleep");
    let info = tree.root().join("42/fdinfo/5");
    fs::write(info, "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t8202\nscm_fds: 1\n").expect("write fdinfo");
}

/// All that a person reads of a finding, without what is another each time: folders, inodes of FIFOs, ages.
fn told(finding: &Finding, dirs: &[&Path]) -> String {
    let mut text = format!("{} ({}, {})\n{}\n", finding.code, finding.severity, finding.certainty, finding.message);
    for line in &finding.evidence {
        writeln!(text, "  {}: {}", line.role, line.text).expect("a string");
    }
    writeln!(text, "{}", finding.advice).expect("a string");
    for dir in dirs {
        text = text.replace(dir.to_str().expect("UTF-8"), "[DIR]");
    }
    for (pattern, word) in [
        (r"/proc/\d+/fd/\d+", "[LINK]"),
        (r"fifo:\[\d+:\d+:\d+\]", "[FIFO]"),
        (r"\b\d+ (?:s|min|h|d|days?)\b(?: \d+ (?:s|min|h)\b)?", "[AGE]"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, word).into_owned();
    }
    text
}

#[test]
fn each_code_as_a_person_reads_it() {
    // Whose the FIFOs are is in the texts.
    need!(Need::Root);
    let dir = public_dir(User::Me);
    let (stage, tree) = why::stage();
    all_but_hidden(&tree, dir.path());
    let fifo = dir.path().join("removed.fifo");
    mkfifo(&fifo, 0o600);
    let held = fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("open");
    fs::remove_file(&fifo).expect("remove");
    tree.child(680, 1, 0, "server").fd(680, 3, format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd()), "00");

    let other = TempDir::new().expect("temporary directory");
    let in_flight = ProcTree::new(&other.path().join("proc"));
    hidden(&in_flight);

    let mut texts: BTreeMap<usize, String> = BTreeMap::new();
    for tree in [&tree, &in_flight] {
        let root = tree.root().to_str().expect("UTF-8");
        let output = lspipe(["audit", "-q", "-l", "--json", "--proc", root]).run();
        for finding in Report::parse(&output.stdout).findings() {
            let place = CODES.iter().position(|code| *code == finding.code).expect("a code");
            texts.entry(place).or_insert_with(|| told(finding, &[dir.path(), stage.path(), other.path()]));
        }
    }
    let missing: Vec<&str> =
        (0..CODES.len()).filter(|place| !texts.contains_key(place)).map(|place| CODES[place]).collect();
    assert!(missing.is_empty(), "no finding of {missing:?}");
    let all = texts.into_values().collect::<Vec<_>>().join("\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/findings.txt");
    Assert::new().action_env("SNAPSHOTS").eq(all, Data::read_from(&file, None).raw());
}
