//! Processes with very many threads, mappings, polled descriptors or arguments: all is told, and the cost does not grow with the product of any two.

use std::process::Command;

use super::why;
use crate::support::need::{Need, need, program};
use crate::support::report::{Report, Wait};
use crate::support::run::lspipe;
use crate::support::scene::Scene;
use crate::support::user::User;

/// A pipe that stands in all entries of an array is one wait of each thread.
#[test]
fn threads_that_poll_one_pipe_many_times() {
    need!(Need::PYTHON);
    let scene = Scene::start_with("why_wide", User::Me, &["poll", "10", "1000"]);
    let (pid, pipe) = (scene.truth.number("/pid"), scene.truth.id("pipe"));
    let report = why(User::Me, [""; 0]);
    let waits: Vec<&Wait> = report.waits().iter().filter(|wait| wait.pid == pid).collect();
    assert_eq!(waits.len(), 10, "{waits:#?}");
    assert!(waits.iter().all(|wait| wait.pipe.as_ref() == Some(&pipe) && wait.operation == "poll"), "{waits:#?}");
    let group = report.threads.as_ref().expect("of why").iter().find(|group| group.pid == pid).expect("listed");
    assert_eq!(group.tasks.iter().map(|task| task.causes.len()).sum::<usize>(), 11, "and the first waits for a thread");
}

/// Twice the threads and twice the mappings cost at most twice as much, not four times.
#[test]
fn threads_that_wait_for_a_futex_among_many_mappings() {
    need!(Need::PYTHON);
    let cost = |threads: &str, mappings: &str| {
        let scene = Scene::start_with("why_wide", User::Me, &["futex", threads, mappings]);
        let pid = scene.truth.number("/pid");
        let report = why(User::Me, ["-p", &pid.to_string()]);
        let group = report.threads.as_ref().expect("of why").iter().find(|group| group.pid == pid).expect("listed");
        assert!(
            group.tasks.iter().all(|task| task.causes.iter().all(|cause| cause.operation == "threads")),
            "{group:?}"
        );
        assert_eq!(group.tasks.iter().filter(|task| task.doing == "waits").count(), group.tasks.len(), "{group:?}");
        // The best of several: where anything on the machine seems wrong, there is a second look.
        let runs = (0..5).map(|_| processor_time(&["why", "-p", &pid.to_string()]));
        runs.fold(f64::INFINITY, f64::min)
    };
    let [some, more] = [cost("100", "10000"), cost("200", "20000")];
    assert!(more < 3.0 * some, "{some} s, then {more} s");
}

/// Of each command line the beginning is kept, and that is said.
#[test]
fn processes_of_a_long_command_line() {
    need!(Need::PYTHON);
    let scene = Scene::start_with("why_wide", User::Me, &["args", "20", "100000"]);
    let output = lspipe(["--json"]).run().expect(0);
    let report = Report::parse(&output.stdout);
    for pid in scene.truth.numbers("pids") {
        let process = report.processes.iter().find(|process| process.pid == pid).expect("it holds an end");
        assert!(process.cmdline_cut, "{pid}");
        let line = process.cmdline();
        let length: usize = line.iter().map(|word| word.len() + 1).sum();
        assert_eq!(length, 4 * 1024 + 1, "the last word is cut, and has no NUL");
        assert!(line.last().is_some_and(|word| word.iter().all(|byte| *byte == b'x')));
    }
}

/// The seconds that a processor spends on a run and all that it starts.
fn processor_time(args: &[&str]) -> f64 {
    let code = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n\
        used = resource.getrusage(resource.RUSAGE_CHILDREN)\n\
        print(used.ru_utime + used.ru_stime)";
    let python = program("python3").expect("python3");
    let output = Command::new(python).args(["-c", code, env!("CARGO_BIN_EXE_lspipe")]).args(args).output();
    String::from_utf8(output.expect("run python3").stdout).expect("UTF-8").trim().parse().expect("a number")
}
