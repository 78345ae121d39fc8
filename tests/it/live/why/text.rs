//! What `lspipe why` writes for people, and how it ends.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use unicode_width::UnicodeWidthStr;

use super::{assert_claims, claim, why};
use crate::support::need::{Need, need, program};
use crate::support::run::{Output, lspipe};
use crate::support::scene::Scene;
use crate::support::terminal;
use crate::support::text::{assert_notes, blocks, has_number};
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
    for args in [&["why", "-p", &pid][..], &["why", "--json", "-p", &pid]] {
        let output = lspipe(args).run().expect(2);
        assert!(output.stdout.is_empty(), "{}", output.text());
        assert_notes(&output.stderr, &[&[&pid]]);
    }
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
        assert_eq!(code, piped.code());
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
    let is_killed = output.status.signal() == Some(rustix::process::Signal::PIPE.as_raw());
    assert!(is_killed || matches!(output.code(), Some(0 | 1)), "{:?}", output.status);
}
