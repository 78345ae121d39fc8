//! The README is true: each command in it runs as it stands there, on processes that fit its examples.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tempfile::TempDir;

use crate::support::need::{Need, need};

const README: &str = include_str!("../../README.md");
const CI: &str = include_str!("../../.ci/run");

/// The actors of the README's examples: grep reads a FIFO and writes to sort, and a sleep reads a pipe without a writer.
const SCENE: &str = "exec 3<>my.fifo; sleep 100 < <(:) & grep x <&3 | sort >out";

/// What fills the place of names in the README.
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
        Self { shell, dir, grep }
    }

    /// The command with the README's stand-ins replaced, run by a shell that has our lspipe.
    fn run(&self, command: &str) -> Output {
        let fifo = self.dir.path().join("my.fifo");
        let command = command
            .replace("252", &self.grep.to_string())
            .replace("/run/my.fifo", fifo.to_str().expect("a plain path"))
            // It need not take that long here.
            .replace("--confirm 30", "--confirm 0.1")
            .replace("www-data", &getuid().as_raw().to_string());
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

/// The lines of the README's shell blocks, and the commands of its table.
fn commands() -> Vec<String> {
    let blocks = README.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let in_blocks = blocks.flat_map(str::lines).map(str::to_owned);
    let table = README.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    let in_table = table.flat_map(|row| row.split('`').skip(1).step_by(2)).map(|command| command.replace("\\|", "|"));
    in_blocks.chain(in_table).filter(|line| !line.is_empty()).collect()
}

#[test]
fn commands_of_the_readme_run_as_they_stand() {
    need!(Need::Program("bash"), Need::Program("jq"), Need::Program("dot"));
    let scene = Scene::start();
    let mut ran = 0;
    for command in commands().iter().filter(|command| command.starts_with("lspipe ")) {
        // One that repeats has no end of its own.
        let endless = command.starts_with("lspipe -r ");
        let output = scene.run(&if endless { format!("timeout 1 {command}") } else { command.clone() });
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected: &[i32] = match () {
            () if endless => &[124],
            // grep may find nothing.
            () if command.contains("| grep") => &[0, 1],
            // Other tests have hangs of their own.
            () if command.starts_with("lspipe why") || command.starts_with("lspipe audit") => &[0, 1],
            // Others come and go.
            () if command.starts_with("lspipe diff") => &[0, 1],
            () => &[0],
        };
        let status = output.status.code().unwrap_or(-1);
        assert!(expected.contains(&status), "{command}: status {status}, {errors}");
        assert!(
            // grep may find nothing, and there may be no finding.
            endless
                || ["| grep", ".findings[]", "select(.finding)", ">"].iter().any(|part| command.contains(part))
                || !output.stdout.is_empty(),
            "{command}: no output"
        );
        ran += 1;
    }
    assert!(ran >= 15, "only {ran} commands found in the README");
}

#[test]
fn the_two_commands_are_there_and_ci_runs_the_tests_by_the_same() {
    let commands = commands();
    assert!(commands.iter().any(|command| command == "cargo run --release"));
    let test = commands.iter().find(|command| command.starts_with("cargo test")).expect("a test command");
    assert!(CI.contains(test.as_str()), ".ci/run does not run `{test}`");
}
