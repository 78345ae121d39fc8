//! The hanging programs in examples/hangs: `lspipe why` says of each what its first lines say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::need::{Need, need};
use crate::support::run::lspipe;

/// Adopts what the example leaves behind, in the session of the example and of the shell that started it.
const SUBREAPER: &str = "
import ctypes, os, signal, subprocess, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
if os.fork() == 0:
    subprocess.run(sys.argv[1:], preexec_fn=os.setpgrp)
signal.pause()
";

/// A running example, with all that it starts, as a session.
struct Example(Child);

impl Example {
    fn start(path: &Path, below_subreaper: bool) -> Self {
        let mut command = Command::new("setsid");
        if below_subreaper {
            command.args(["python3", "-c", SUBREAPER]);
        }
        let null = Stdio::null;
        Self(command.arg(path).stdin(null()).stdout(null()).stderr(null()).spawn().expect("run an example"))
    }

    /// Whether a process is of its session, by `/proc/PID/stat`: the fourth field after the name.
    fn has(&self, pid: i64) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let session = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(3));
        session == Some(&self.0.id().to_string())
    }

    /// The warnings and errors about its processes.
    fn findings(&self) -> Vec<String> {
        let output = lspipe(["why", "--json", "--quiet"]).run();
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let is_ours = |finding: &&Value| {
            let mut pids = finding["processes"].as_array().into_iter().flatten().filter_map(|it| it["pid"].as_i64());
            finding["severity"] != "info" && pids.any(|pid| self.has(pid))
        };
        let findings = report["findings"].as_array().expect("findings").iter().filter(is_ours);
        findings.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let names =
            fs::read_dir("/proc").expect("list /proc").filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        for pid in names.filter_map(|name| name.parse().ok()).filter(|pid| self.has(i64::from(*pid))) {
            // It may have exited since.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
        self.0.wait().expect("reap the example");
    }
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hangs");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("examples").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn why_gives_the_answer_that_each_example_names() {
    need!(Need::PYTHON, Need::Program("node"), Need::Program("bash"));
    let running: Vec<(PathBuf, String, Example)> = examples()
        .into_iter()
        .flat_map(|path| {
            let text = fs::read_to_string(&path).expect("read an example");
            let answer = text.lines().find_map(|line| line.split_once("Answer: ")).expect("an answer").1.to_owned();
            [false, true].map(|below| (path.clone(), answer.clone(), Example::start(&path, below)))
        })
        .collect();
    assert_eq!(running.len(), 2 * 6);
    // Some are warnings only once nothing has run for ten seconds.
    let end = Instant::now() + Duration::from_secs(180);
    for (path, answer, example) in &running {
        let mut found = example.findings();
        while found != [answer.as_str()] {
            assert!(Instant::now() < end, "{} as {}: {found:?}", path.display(), example.0.id());
            thread::sleep(Duration::from_secs(1));
            found = example.findings();
        }
    }
}
