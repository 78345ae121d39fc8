//! The forms of output, and what becomes of output that cannot be written.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::need::{Need, need};
use crate::support::report::{End, Line, Report};
use crate::support::run::{LIMIT, lspipe};
use crate::support::scene::Scene;
use crate::support::user::User;

/// Every form of the report, of one process: a whole machine may have a hundred thousand ends.
fn every_form(pid: &str) -> [Vec<&str>; 6] {
    let selected = |form| [&["-q", "-p", pid][..], form].concat();
    [selected(&[]), selected(&["-e"]), selected(&["--json"]), selected(&["--ndjson"]), selected(&["-t"]), vec!["-H"]]
}

/// Stands for the PID of the test, which every user may look at.
const OWN: &str = "OWN";

fn with_own_pid(args: &[&str]) -> Vec<String> {
    let own = std::process::id().to_string();
    args.iter().map(|arg| if *arg == OWN { own.clone() } else { (*arg).to_owned() }).collect()
}

/// Every command. A process that does not exist is not much to look at.
const EVERY_COMMAND: [&[&str]; 15] = [
    &[],
    &["-t"],
    &["--json"],
    &["--ndjson"],
    &["-H"],
    &["why"],
    &["audit"],
    &["audit", "--explain", "deadlock"],
    &["graph"],
    &["fds", OWN],
    &["--help"],
    &["why", "--help"],
    &["--version"],
    &["--generate", "man"],
    &["--generate", "schema"],
];

/// As `ls >&-` does. What is closed or only open for reading takes nothing; what is open for reading and writing, as Python's
/// `subprocess.DEVNULL`, takes all.
#[test]
fn a_closed_stdout_is_an_error() {
    need!(Need::Program("bash"));
    for args in EVERY_COMMAND.iter().map(|args| with_own_pid(args)) {
        for (stdout, is_closed) in
            [(">&-", true), ("1</dev/null", true), (">/dev/null", false), ("1<>/dev/null", false)]
        {
            let output = std::process::Command::new("bash")
                .args(["-c", &format!("exec \"$@\" {stdout}"), "bash", env!("CARGO_BIN_EXE_lspipe")])
                .args(&args)
                .output()
                .expect("start bash");
            let stderr = String::from_utf8(output.stderr).expect("UTF-8");
            if is_closed {
                assert_eq!(output.status.code(), Some(2), "{args:?} {stdout}: {stderr}");
                assert!(stderr.contains("cannot write the report: Bad file descriptor"), "{args:?} {stdout}: {stderr}");
            } else {
                assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?} {stdout}: {stderr}");
            }
        }
    }
}

#[test]
fn every_command_needs_room() {
    for args in EVERY_COMMAND.iter().map(|args| with_own_pid(args)) {
        let full = File::options().write(true).open("/dev/full").expect("open /dev/full");
        let output = lspipe(&args).stdout(Stdio::from(full)).run().expect(2);
        assert!(
            output.stderr.contains("cannot write the report: No space left on device"),
            "{args:?}: {}",
            output.stderr
        );
    }
}

/// As `cat` does: the reader has left, and that is nothing to speak of.
#[test]
fn closed_pipe_is_quiet() {
    need!(Need::PYTHON);
    let scene = Scene::start("choice", User::Me);
    for form in every_form(&scene.truth.number("/pids/alpha").to_string()) {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        drop(reader);
        let output = lspipe(&form).stdout(Stdio::from(writer)).run();
        assert_eq!(output.stderr, "", "{form:?}");
        let sigpipe = rustix::process::Signal::PIPE.as_raw();
        let (code, signal) = (output.status.code(), output.status.signal());
        assert!(code == Some(0) || signal == Some(sigpipe), "{form:?}: {:?}", output.status);
    }
}

#[test]
fn full_disk_is_an_error() {
    need!(Need::PYTHON);
    let scene = Scene::start("choice", User::Me);
    for form in every_form(&scene.truth.number("/pids/alpha").to_string()) {
        let full = File::options().write(true).open("/dev/full").expect("open /dev/full");
        let output = lspipe(&form).stdout(Stdio::from(full)).run().expect(2);
        assert!(output.stderr.starts_with("lspipe: "), "{form:?}: {}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{form:?}: {}", output.stderr);
        assert!(output.stderr.contains("No space left on device"), "{form:?}: {}", output.stderr);
    }
}

#[test]
fn terse_is_pids_alone() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("choice", user);
        let pid = |name: &str| scene.truth.number(&format!("/pids/{name}"));
        let (ab, fifo) = (scene.truth.id("ab"), scene.truth.id("fifo"));
        let assert_pids = |args: &[&str], pids: &[u32]| {
            let output = lspipe(args).user(user).run().expect(0);
            let expected: BTreeSet<String> = pids.iter().map(u32::to_string).collect();
            let found: Vec<&str> = output.text().lines().collect();
            assert_eq!(found.iter().map(|&pid| pid.to_owned()).collect::<BTreeSet<_>>(), expected, "{args:?}");
            assert_eq!(found.len(), expected.len(), "each once: {found:?}");
        };
        assert_pids(&["-t", &ab], &[pid("alpha"), pid("beta")]);
        assert_pids(&["-t", "--readers", &ab], &[pid("beta")]);
        assert_pids(&["--terse", "--writers", &ab], &[pid("alpha")]);
        assert_pids(&["-t", "--readers", &fifo], &[pid("gamma")]);
        // The other end is no less an end of a selected pipe.
        let beta = pid("beta").to_string();
        assert_pids(&["-t", "-p", &beta], &[pid("alpha"), pid("beta"), pid("gamma")]);
        assert_pids(&["-t", "--readers", "-p", &beta], &[pid("beta"), pid("gamma")]);
    }
}

#[test]
fn ndjson_is_a_pipe_a_line_each_complete_in_itself() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("choice", user);
        let root = scene.pid().to_string();
        let args = ["-p", &root, "--descendants"];
        let whole = lspipe(args).user(user).report();
        scene.truth.assert_whole(&whole);

        let output = lspipe([&args[..], &["--ndjson"]].concat()).user(user).run().expect(0);
        assert!(output.text().ends_with('\n'));
        let lines: Vec<Line> = output.text().lines().map(|line| serde_json::from_str(line).expect("a line")).collect();
        assert!(lines.iter().all(|line| line.schema_version == 1 && line.host == whole.host));
        assert!(lines.windows(2).all(|pair| pair[0].taken_at == pair[1].taken_at && pair[0].scan == pair[1].scan));
        assert!(lines[0].taken_at >= whole.taken_at);
        let pipes: Vec<_> = lines.into_iter().map(|line| line.pipe).collect();
        pipes.iter().for_each(crate::support::report::Pipe::check);
        assert_eq!(pipes, whole.pipes, "the same pipes in the same order");
    }
}

#[test]
fn repeat_goes_on_until_it_is_stopped() {
    need!(Need::PYTHON);
    let scene = Scene::start("choice", User::Me);
    let (ab, pid) = (scene.truth.id("ab"), scene.truth.number("/pids/beta").to_string());

    let mut running = lspipe(["-q", "-r", "0.2", &ab]).spawn();
    let mut lines = running.lines();
    let started = Instant::now();
    let is_row = |line: &String| line.contains(&ab) && line.contains(&pid);
    let is_stamp = |word: &str| word.parse::<jiff::Timestamp>().is_ok();
    for _ in 0..3 {
        // Whatever else a report has, its time and the row of the pipe are within its first lines.
        let mut report = Vec::new();
        while report.len() < 10 && !report.last().is_some_and(is_row) {
            report.push(lines.next().expect("it goes on"));
        }
        assert!(report.iter().any(is_row), "{report:?}");
        assert!(report.iter().any(|line| line.split_whitespace().any(is_stamp)), "{report:?}");
    }
    assert!(started.elapsed() >= Duration::from_millis(350), "it waits between two reports");
    // The reader leaves, and it ends by itself and quietly at one of the next reports.
    drop(lines);
    running.wait(LIMIT);

    let mut running = lspipe(["-q", "-r", "0.2", "--ndjson", &ab]).spawn();
    let lines: Vec<Line> =
        running.lines().take(3).map(|line| serde_json::from_str(&line).expect("nothing but JSON")).collect();
    assert!(lines.windows(2).all(|pair| pair[0].taken_at < pair[1].taken_at), "each has its own time");
    assert!(lines.iter().all(|line| line.pipe.id == ab));
}

/// It is a process like any other: it lists its own ends, those that it was given, and none that it made to do its work.
#[test]
fn lspipe_sees_itself() {
    let output = lspipe(["--json"]).run().expect(0);
    let report = Report::parse(&output.stdout);
    let mut own = Vec::new();
    for pipe in &report.pipes {
        for end in pipe.ends().filter(|end| end.pid == output.pid) {
            assert_eq!((end.command.as_str(), end.tid), ("lspipe", None));
            // Whoever started the tests may have left descriptors open, to us and so to lspipe.
            let is_ours = |ours: &End| (ours.pid, ours.fd, &ours.access) == (std::process::id(), end.fd, &end.access);
            if !pipe.ends().any(is_ours) {
                assert!(pipe.readers.iter().any(|end| end.pid == std::process::id()), "{pipe:?}");
                own.push((end.fd, end.access.as_str()));
            }
        }
    }
    own.sort_unstable();
    assert_eq!(own, [(1, "w"), (2, "w")]);
}
