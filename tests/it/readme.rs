//! The pages are true: each command in README.md and docs/ runs as it stands there, on processes that fit its examples.
//!
//! Commands that change a machine are in `NOT_RUN`, each with the reason. The `console` blocks are in `documents.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tempfile::TempDir;

use crate::documents::{Page, pages};
use crate::support::need::{Need, need};

const CI: &str = include_str!("../../.ci/run");

/// How commands begin that are not run here, and why not.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --release", "builds and runs the command: .ci/run builds it in the same way"),
    ("cargo test", "is this test program: .ci/run has the same line"),
    ("cargo bench", "measures for a quarter of an hour, and asserts nothing"),
    ("cargo install", "writes to the home directory"),
    ("make && sudo make install", "writes to the folders of the system; packages.rs runs it with DESTDIR"),
    ("rustup target add", "needs the network"),
    ("cargo fmt", "a step of .ci/run"),
    ("cargo clippy", "a step of .ci/run"),
    ("cargo doc", "a step of .ci/run"),
    ("RUSTDOCFLAGS=-Dwarnings cargo doc", "a step of .ci/run"),
    ("cargo run -q -- --generate man", "rewrites a committed file; generated.rs compares it"),
    ("SNAPSHOTS=overwrite cargo test", "rewrites committed files; the same tests compare them"),
    ("sudo install", "writes to the folders of the system"),
    ("sudo setcap", "changes an installed file; live/lent.rs does the same to a copy"),
    ("sudo systemctl", "changes the services of the system; audit/systemd.rs checks the units"),
    ("sudo tests/picture/make.py", "rewrites these pages; documents.rs runs it with --check"),
    ("journalctl", "needs the service"),
    ("examples/hangs/", "examples.rs runs each of them"),
];

/// The actors of the examples: grep reads a FIFO and writes to sort, cat reads from sleep, and two more sleeps hold a pipe without a writer and
/// one without a reader.
const SCENE: &str =
    "exec 3<>my.fifo; sleep 100 < <(:) & sleep 100 > >(:) & sleep 100 | cat >cat.out & grep x <&3 | sort >out";

/// What fills the place of names in the pages.
struct Scene {
    shell: Child,
    dir: TempDir,
    grep: u32,
}

impl Scene {
    fn start() -> Self {
        let dir = TempDir::new().expect("a folder");
        let made = Command::new("mkfifo").arg("my.fifo").current_dir(&dir).status();
        assert!(made.expect("run mkfifo").success());
        let mut command = Command::new("bash");
        command.args(["-c", SCENE]).current_dir(&dir).process_group(0).stdin(Stdio::null());
        let shell = command.spawn().expect("run bash");
        let grep = child_called("grep", shell.id());
        child_called("sort", shell.id());
        child_called("sleep", shell.id());
        child_called("cat", shell.id());
        Self { shell, dir, grep }
    }

    /// The command with the stand-ins of the pages replaced, run by a shell that has our lspipe.
    fn run(&self, command: &str) -> Output {
        let place = |path: &str| self.dir.path().join(path).to_str().expect("a plain path").to_owned();
        let mut command = format!("{command} ")
            .replace("252", &self.grep.to_string())
            .replace(" PID ", &format!(" {} ", self.grep))
            .replace(" PIPE ", &format!(" /proc/{}/fd/0 ", self.grep))
            .replace(" CODE ", " deadlock ")
            .replace("/run/my.fifo", &place("my.fifo"))
            .replace("/etc/lspipe", &place("etc"))
            .replace("/var/lib/prometheus/node-exporter", &place("."))
            // It need not take that long here.
            .replace("--confirm 30", "--confirm 0.1")
            .replace("www-data", &getuid().as_raw().to_string());
        for word in ["sudo ", "watch -n 5 "] {
            command = command.replace(word, "");
        }
        let bin = Path::new(env!("CARGO_BIN_EXE_lspipe")).parent().expect("a folder");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
        let shell = Command::new("bash")
            .args(["-o", "pipefail", "-c", &command])
            .env("PATH", path)
            .current_dir(&self.dir)
            .output();
        shell.expect("run bash")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.shell);
        kill_process_group(group, Signal::KILL).expect("kill the scene");
        self.shell.wait().expect("reap the shell");
    }
}

/// Waits for a child of that name and returns its PID.
fn child_called(name: &str, parent: u32) -> u32 {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let called =
            |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name);
        if let Some(pid) = children.split_whitespace().find(called) {
            return pid.parse().expect("a PID");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no {name} below {parent}");
}

#[test]
fn commands_of_the_pages_run_as_they_stand() {
    need!(Need::Program("bash"), Need::Program("jq"), Need::Program("dot"));
    let scene = Scene::start();
    // Which a page may read before the page that saves them.
    for (words, file) in
        [("lspipe why --json", "hang.json"), ("lspipe --json", "before.json"), ("lspipe --json", "after.json")]
    {
        scene.run(&format!("{words} > {file}"));
    }
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for page in pages() {
        let commands = page.commands();
        for command in commands.iter().filter(|command| not_run(command).is_none()) {
            if !seen.insert(command.clone()) {
                continue;
            }
            let bare = command.trim_start_matches("sudo ");
            let is_ours = bare == "lspipe" || bare.starts_with("lspipe ") || bare.starts_with("mkdir ");
            let fault = if is_ours { fault(&scene, command) } else { Some("neither run nor in NOT_RUN".to_owned()) };
            wrong.extend(fault.map(|fault| format!("{}: {command}: {fault}", page.name)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Why this command is not run, if it is not.
fn not_run(command: &str) -> Option<&'static str> {
    NOT_RUN.iter().find(|(beginning, _)| command.starts_with(beginning)).map(|(_, reason)| *reason)
}

/// What is wrong with a run of this command.
fn fault(scene: &Scene, command: &str) -> Option<String> {
    // One that repeats has no end of its own.
    let endless = command.split('|').next().is_some_and(|first| first.contains(" -r "));
    let output = scene.run(&if endless { format!("timeout 1 {command}") } else { command.to_owned() });
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let judges = ["why", "audit", "diff"].iter().any(|name| command.contains(&format!("lspipe {name}")));
    let expected: &[i32] = match () {
        () if endless => &[124],
        // Those that filter may find nothing. Other tests have hangs of their own, pipes come and go, and all may be of one user.
        () if judges || command.contains("| grep") || command.contains("-u ^") => &[0, 1],
        () => &[0],
    };
    let status = output.status.code().unwrap_or(-1);
    if !expected.contains(&status) {
        return Some(format!("status {status}, {errors}"));
    }
    let silent_words = [
        "| grep",
        "-u ^",
        ".findings[]",
        "select(.finding)",
        "select(.from",
        "select(.full)",
        ">",
        "mkdir",
        "-q",
        "--metrics-file",
        "--only",
    ];
    let may_be_silent = endless || silent_words.iter().any(|part| command.contains(part));
    (output.stdout.is_empty() && !may_be_silent).then(|| format!("no output, {errors}"))
}

#[test]
fn every_reason_not_to_run_a_command_is_of_a_command() {
    let commands: Vec<String> = pages().iter().flat_map(Page::commands).collect();
    for (beginning, _) in NOT_RUN {
        let is_used = commands.iter().any(|command| command.starts_with(beginning));
        assert!(is_used, "no page has a command that begins with `{beginning}`");
    }
    let ran = commands.iter().filter(|command| not_run(command).is_none()).count();
    assert!(ran >= 60, "only {ran} commands found in the pages");
}

#[test]
fn the_two_commands_are_there_and_ci_runs_the_tests_by_the_same() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.name == "README.md").expect("the README");
    let commands = readme.commands();
    assert!(commands.iter().any(|command| command == "cargo run --release"));
    let test = commands.iter().find(|command| command.starts_with("cargo test")).expect("a test command");
    assert!(CI.contains(test.as_str()), ".ci/run does not run `{test}`");
}
