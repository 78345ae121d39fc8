//! What `lspipe why` writes for people, and how it ends.

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};
use unicode_width::UnicodeWidthStr;

use super::{assert_claims, claim, why};
use crate::support::need::{Need, need, program};
use crate::support::report::Report;
use crate::support::run::{LIMIT, Output, lspipe};
use crate::support::scene::Scene;
use crate::support::terminal;
use crate::support::text::{assert_notes, blocks, has_fact, has_number};
use crate::support::user::User;

/// Whether a process is named there.
fn names(text: &str, pid: u32) -> bool {
    has_number(text, pid.into())
}

/// Asserts that nothing in it makes a terminal do anything.
#[track_caller]
fn assert_harmless(text: &str) {
    let harm: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(harm.is_empty(), "{harm:?} in {text:?}");
}

/// The chain of waits is printed to its end: to the process that does not wait for a pipe.
#[test]
fn whole_chain_of_a_process() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_chain", user);
        let [first, middle, last, apart, sleeper] =
            ["first", "middle", "last", "apart", "sleeper"].map(|name| scene.truth.number(&format!("/{name}")));
        for (from, named) in
            [(first, &[first, middle, last][..]), (middle, &[middle, last]), (apart, &[apart, sleeper])]
        {
            let output = lspipe(["why", "-q", "-p", &from.to_string()]).user(user).run().expect(0);
            for pid in named {
                assert!(names(output.text(), *pid), "no {pid} in {}", output.text());
            }
            for pid in [first, middle, last, apart, sleeper].iter().filter(|pid| !named.contains(pid)) {
                // `middle` is on a pipe that `first` reads.
                assert!((*pid, from) == (first, middle) || !names(output.text(), *pid), "{pid} in {}", output.text());
            }
            assert_harmless(output.text());
            assert_eq!(output.text().contains("[31mred"), named.contains(&middle), "{}", output.text());
            assert_eq!(output.stderr, "");
        }
        let waits = |args: &[&str]| why(user, args).waits().iter().map(|wait| wait.pid).collect::<BTreeSet<_>>();
        assert_eq!(waits(&["-p", &first.to_string()]), BTreeSet::from([first, middle]));
        assert_eq!(waits(&["-p", &apart.to_string()]), BTreeSet::from([apart]));
        // A pipe keeps the processes that wait for it, and those that they wait for.
        assert_eq!(waits(&[&scene.truth.id("one")]), BTreeSet::from([first, middle]));
        assert_eq!(waits(&[&scene.truth.id("other")]), BTreeSet::from([apart]));
        assert_eq!(waits(&[&scene.truth.id("spare")]), BTreeSet::new(), "nobody waits for that one");
    }
}

/// Each thread that waits has a line, and the others are counted below it, wherever in the chain their process is.
#[test]
fn threads_of_a_process() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start_with("why_threads", user, &["sleep"]);
        let [pid, reader] = ["/pid", "/reader"].map(|name| scene.truth.number(name));
        let id = scene.truth.id("pipe");
        let text = lspipe(["why", "-q", "-p", &pid.to_string()]).user(user).run();
        let lines: Vec<&str> = text.text().lines().take_while(|line| !line.is_empty()).collect();
        let [waits, waker, rest] = lines[..] else { panic!("three lines: {}", text.text()) };
        assert!(names(waits, pid) && names(waits, reader) && waits.contains(&id), "{waits}");
        assert!(waker.starts_with("└─ ") && names(waker, pid) && waker.contains(&id), "{waker}");
        assert!(names(rest, pid) && !rest.contains(&id), "{rest}");
    }
}

/// Who else could wake the same reader is no matter of the one that was asked about.
#[test]
fn those_at_the_other_ends_of_a_hub() {
    need!(Need::PYTHON);
    for &user in User::all() {
        let scene = Scene::start("why_hub", user);
        let [reader, free, stuck] = ["reader", "free", "stuck"].map(|name| scene.truth.number(&format!("/{name}")));
        let found = [claim("self-deadlock", [stuck], [&scene.truth.id("own")])];
        for (pid, claims, waits) in
            [(free, &[][..], &[reader][..]), (reader, &found, &[reader, stuck]), (stuck, &found, &[reader, stuck])]
        {
            let report = why(user, ["-p", &pid.to_string()]);
            assert_claims(&scene, &report, claims);
            assert_eq!(report.findings().len(), claims.len(), "{:#?}", report.findings());
            let told: BTreeSet<u32> = report.waits().iter().map(|wait| wait.pid).collect();
            assert_eq!(told, waits.iter().copied().collect(), "asked about {pid}");
        }
    }
}

/// A pipe on the command line leaves out the findings about others.
#[test]
fn findings_about_one_pipe() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let (one, other) =
            (Scene::start_with("why_popen", user, &["writes"]), Scene::start_with("why_fork", user, &["gone"]));
        let (here, there) = (one.truth.id("there"), other.truth.id("pipe"));
        for (id, code, args) in [(&here, "deadlock", [&here]), (&there, "self-deadlock", [&there])] {
            let report = why(user, args);
            let codes: Vec<&str> = report.findings().iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(codes, [code]);
            assert!(report.findings()[0].pipes.contains(id), "{:#?}", report.findings());
            assert_eq!(report.pipes.iter().filter(|pipe| pipe.id == *id).count(), 1);
            let text = lspipe(["why", id.as_str()]).user(user).run().expect(1);
            let codes: Vec<&str> = blocks(text.text()).0.iter().map(|block| block.code).collect();
            assert_eq!(codes, [code], "{}", text.text());
            assert_eq!(text.text().contains(&here), *id == here, "{}", text.text());
            assert_eq!(text.text().contains(&there), *id == there, "{}", text.text());
        }
    }
}

#[test]
fn process_that_is_not_there() {
    let mut child = Command::new(program("true").expect("true")).spawn().expect("run true");
    let pid = child.id().to_string();
    child.wait().expect("wait");
    let output = lspipe(["why", "-p", &pid]).run().expect(1);
    assert!(output.stdout.is_empty(), "{}", output.text());
    assert_notes(&output.stderr, &[&[&pid]]);
    // For a program, it is a report without anything in it.
    let output = lspipe(["why", "--json", "-p", &pid]).run().expect(1);
    assert!(output.stderr.lines().any(|line| has_fact(line, &pid)), "{}", output.stderr);
    let report = Report::parse(&output.stdout);
    assert!(report.pipes.is_empty() && report.findings().is_empty() && report.waits().is_empty(), "{}", output.text());
}

/// Everything printed fits, but for single words that are wider than the terminal.
#[test]
fn fits_a_narrow_terminal() {
    const COLUMNS: usize = 60;
    need!(Need::PYTHON, Need::Program("script"), Need::Program("cat"), Need::Program("yes"));
    let scenes = [
        Scene::start("why_chain", User::Me),
        Scene::start_with("why_popen", User::Me, &["writes"]),
        Scene::start_with("why_fork", User::Me, &["waits"]),
        Scene::start_with("why_ring", User::Me, &["plain"]),
        Scene::start_with("why_leaks", User::Me, &["daemon"]),
        Scene::start("why_opens", User::Me),
        Scene::start("why_stopped", User::Me),
    ];
    for scene in scenes {
        let pids: Vec<String> = scene.truth.pids().iter().map(u32::to_string).collect();
        let pids = pids.join(",");
        let args = ["why", "-q", "--color=never", "-p", &pids];
        let piped = lspipe(args).run();
        let (code, lines) = terminal::run(COLUMNS, &[], &args);
        // What was blocked for less than ten seconds may be a warning now.
        assert!(code >= piped.code(), "{code:?} after {:?}", piped.code());
        for line in &lines {
            let mut words = line.split_whitespace();
            let is_word = words.clone().any(|word| word.width() >= COLUMNS - 10) && words.by_ref().count() <= 2;
            assert!(line.width() <= COLUMNS || is_word, "{} wide: {line:?}\n{}", line.width(), lines.join("\n"));
        }
        for pid in scene.truth.pids().iter().filter(|pid| names(piped.text(), **pid)) {
            assert!(names(&lines.join("\n"), *pid), "{pid} is lost in {}", lines.join("\n"));
        }
        assert_harmless(&lines.join("\n"));
    }
}

/// The reader of its output has had enough: that is no error.
#[test]
fn output_that_is_closed_early() {
    need!(Need::PYTHON, Need::Program("head"));
    let _scene = Scene::start_with("why_ring", User::Me, &["plain"]);
    let mut head =
        Command::new("head").args(["-n", "1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run head");
    let input = head.stdin.take().expect("captured");
    let output = lspipe(["why", "-q"]).stdout(input.into()).run();
    let first = head.wait_with_output().expect("wait for head");
    assert_eq!(first.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_quiet(&output);

    // And with no process there from the beginning.
    let (reader, writer) = std::io::pipe().expect("pipe");
    drop(reader);
    for args in [&["why", "-q"][..], &["why", "-q", "--json"]] {
        let output = lspipe(args).stdout(writer.try_clone().expect("dup").into()).run();
        assert_quiet(&output);
    }
}

/// As `cat` does.
#[track_caller]
fn assert_quiet(output: &Output) {
    assert_eq!(output.stderr, "");
    let is_killed = output.status.signal() == Some(Signal::PIPE.as_raw());
    assert!(is_killed || matches!(output.code(), Some(0 | 1)), "{:?}", output.status);
}

/// Of many children that hold an end and do the same, one is drawn, and how many more there are.
#[test]
fn many_that_do_the_same_are_one_line() {
    need!(Need::Program("sleep"));
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 300 & done; wait";
    let mut shell = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("run sh");
    let mut reader =
        Command::new("cat").stdin(shell.stdout.take().expect("a pipe")).stdout(Stdio::null()).spawn().expect("run cat");
    let pid = reader.id().to_string();
    let begun = Instant::now();
    let text = loop {
        let output = lspipe(["why", "-q", "-p", &pid]).run();
        let text = output.text().to_owned();
        if text.contains("sleep ×") || begun.elapsed() > LIMIT {
            break text;
        }
    };
    let table = lspipe(["-q", "-p", &pid, "--width", "100"]).run().expect(0);
    let whole = lspipe(["-q", "-p", &pid, "--width", "100", "--full"]).run().expect(0);
    let group = Pid::from_raw(shell.id().try_into().expect("a PID")).expect("a PID");
    kill_process_group(group, Signal::KILL).expect("kill the shell");
    for child in [&mut shell, &mut reader] {
        child.wait().expect("it ends");
    }
    assert!(text.contains("sleep ×11 more, which do the same"), "{text}");
    assert_eq!(text.matches("sleep (PID ").count(), 1, "{text}");
    assert!(table.text().contains("sleep ×12"), "{}", table.text());
    assert_eq!(whole.text().matches(",sleep,1w").count(), 12, "{}", whole.text());
}
