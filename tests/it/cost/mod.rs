//! What lspipe costs on machines of one shape: twice the machine takes twice the output, memory and CPU time, and not four times. Each shape
//! is one that anybody may make who may start processes.

mod shapes;

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use self::shapes::{FIRST, Shape};
use crate::support::need::program;
use crate::support::report::Report;
use crate::support::run::lspipe;
use crate::support::tree::ProcTree;

/// The smaller of two machines.
const SIZE: u32 = 120;

/// How many times as much twice the machine may take. A square takes four times.
const MOST: f64 = 2.6;

/// The same of processor time, which depends on what else the machine does.
const MOST_TIME: f64 = 3.2;

/// Less says nothing of how it grows: seconds, KiB and bytes.
const FEW: (f64, f64, f64) = (0.3, 60_000.0, 20_000.0);

/// What is asked about each machine: each walks through all that is concluded, and `-p` through what is left out.
const LIVE: [&[&str]; 3] = [&["why", "--json"], &["why", "-p", "100", "--json"], &["audit", "--ndjson"]];

/// What is asked of the saved report of it.
const SAVED: [&[&str]; 2] = [&["why", "-p", "100"], &["graph", "--format", "json"]];

/// What a run took.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Cost {
    status: i32,
    bytes: f64,
    user: f64,
    peak: f64,
}

fn cost(args: &[OsString]) -> Cost {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenes/cost.py");
    let python = program("python3").expect("python3");
    let output = Command::new(python)
        .args(["-BE", script, env!("CARGO_BIN_EXE_lspipe")])
        .args(args)
        .output()
        .expect("run python3");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Asks both machines, and compares. A machine may be busy: the best of some runs counts.
#[track_caller]
fn compare(question: &[&str], sources: &[[OsString; 2]; 2]) {
    let ask = |source: &[OsString; 2]| {
        let args: Vec<OsString> = question.iter().map(OsString::from).chain(source.iter().cloned()).collect();
        cost(&args)
    };
    let [mut one, mut two] = [ask(&sources[0]), ask(&sources[1])];
    assert_eq!(one.status, two.status, "{question:?}: {one:?} {two:?}");
    assert!(one.status < 2, "{question:?}: {one:?}");
    let is_more = |one: f64, two: f64, few: f64| two > few && two > MOST * one;
    let takes_longer = |one: f64, two: f64| two > FEW.0 && two > MOST_TIME * one;
    for _ in 0..8 {
        if !takes_longer(one.user, two.user) {
            break;
        }
        one.user = one.user.min(ask(&sources[0]).user);
        two.user = two.user.min(ask(&sources[1]).user);
    }
    let is_square =
        takes_longer(one.user, two.user) || is_more(one.peak, two.peak, FEW.1) || is_more(one.bytes, two.bytes, FEW.2);
    assert!(!is_square, "{question:?} {sources:?}: {one:?}, and of twice the machine {two:?}");
}

fn made(shape: Shape, size: u32) -> (TempDir, ProcTree) {
    let dir = TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    shape(&tree, size);
    (dir, tree)
}

fn of_tree(tree: &ProcTree) -> [OsString; 2] {
    ["--proc".into(), tree.root().into()]
}

/// What a question is answered, without the checks of [`Report`].
fn answer(question: &[&str], source: &[OsString; 2]) -> Vec<u8> {
    lspipe(question.iter().map(OsString::from).chain(source.iter().cloned())).run().stdout
}

fn saved(dir: &Path, name: &str, bytes: &[u8]) -> [OsString; 2] {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("save a report");
    ["--from".into(), path.into()]
}

/// Twice the machine, twice the cost: of what is observed, and of what is read from a file.
#[track_caller]
fn assert_linear(shape: Shape) {
    let [(one_dir, one), (two_dir, two)] = [made(shape, SIZE), made(shape, 2 * SIZE)];
    let trees = [of_tree(&one), of_tree(&two)];
    let files = [(&one_dir, &trees[0]), (&two_dir, &trees[1])]
        .map(|(dir, tree)| saved(dir.path(), "why.json", &answer(&["why", "--json"], tree)));
    for question in LIVE {
        compare(question, &trees);
    }
    for question in SAVED {
        compare(question, &files);
    }
    let args = |to: &[OsString; 2]| [to[1].clone(), to[1].clone()];
    compare(&["diff"], &[args(&files[0]), args(&files[1])]);
}

macro_rules! linear {
    ($($shape:ident),+ $(,)?) => {
        $(
            #[test]
            fn $shape() {
                assert_linear(shapes::$shape);
            }
        )+
    };
}

linear! { one_pipe, in_flight, ring, chain, grid, threads, leaks, filters, one_leak, line, stalled, children, loops }

/// Of very many that could end a wait, the first are listed, and the others are where the report has them once: what is asked of it is
/// answered as live.
#[test]
fn saved_report_has_all_wakers() {
    for shape in [shapes::one_pipe as Shape, shapes::children, shapes::one_leak] {
        let (dir, tree) = made(shape, 60);
        let live = of_tree(&tree);
        let text = answer(&["why", "--json"], &live);
        let report = Report::parse(&text);
        let waits = report.waits.as_ref().expect("waits");
        assert!(waits.iter().all(|wait| wait.wakers.len() <= 16), "a list for each thread");
        assert!(waits.iter().any(|wait| wait.wakers_omitted > 10), "{waits:#?}");
        let file = saved(dir.path(), "why.json", &text);
        for question in [
            &["why", "--json"][..],
            &["why", "-p", "100", "--json"],
            &["why", "-p", "159", "--json"],
            &["why", "-p", "50", "--json"],
            &["graph", "--format", "json"],
        ] {
            let (live, from_file) = (answer(question, &live), answer(question, &file));
            // Each look has a time of its own.
            let facts = |bytes: &[u8]| -> Value {
                let mut report: Value = serde_json::from_slice(bytes).unwrap_or_default();
                report.as_object_mut().map(|report| report.remove("taken_at"));
                report
            };
            assert_eq!(facts(&live), facts(&from_file), "{question:?}");
            if question.contains(&"why") && !live.is_empty() {
                // Once more, from a report that was narrowed.
                let narrowed = saved(dir.path(), "narrowed.json", &live);
                assert_eq!(answer(&["why", "--json"], &narrowed), live, "{question:?}");
            }
        }
    }
}

/// A report of an older version lists them all. One in which they are not those that it has was edited.
#[test]
fn saved_wakers_must_agree() {
    let (dir, tree) = made(shapes::one_pipe, 40);
    let text = answer(&["why", "--json"], &of_tree(&tree));
    let report: Value = serde_json::from_slice(&text).expect("JSON");
    let mut old = report.clone();
    let writers = old["pipes"][0]["writers"].as_array().expect("writers").clone();
    for wait in old["waits"].as_array_mut().expect("waits") {
        assert_eq!(wait["wakers_omitted"], 24, "{wait}");
        wait.as_object_mut().expect("an object").remove("wakers_omitted");
        let waker = |end: &Value| {
            let mut waker = end.clone();
            waker.as_object_mut().expect("an end").retain(|name, _| ["pid", "tid", "fd", "command"].contains(&&**name));
            waker
        };
        wait["wakers"] = writers.iter().map(waker).collect();
    }
    let old = saved(dir.path(), "old.json", old.to_string().as_bytes());
    assert_eq!(String::from_utf8_lossy(&answer(&["why", "--json"], &old)), String::from_utf8_lossy(&text));

    let mut edited = report;
    edited["waits"][3]["wakers_omitted"] = 25.into();
    let edited = saved(dir.path(), "edited.json", edited.to_string().as_bytes());
    let output = lspipe(["why".into()].into_iter().chain(edited)).run().expect(2);
    assert!(output.stderr.contains(&format!("process {}", FIRST + 3)), "{}", output.stderr);
}

/// Text is short however many are in it, and says how many it leaves out.
#[test]
fn text_of_many_is_short() {
    for (shape, rest) in [(shapes::ring as Shape, "and 1,180 others"), (shapes::one_leak, "and 592 more")] {
        let (_dir, tree) = made(shape, 1200);
        for question in [&["why"][..], &["why", "-p", "101"], &["audit"]] {
            let text = answer(question, &of_tree(&tree));
            assert!(text.len() < 10_000, "{question:?}: {} bytes", text.len());
        }
        let text = String::from_utf8(answer(&["why"], &of_tree(&tree))).expect("UTF-8");
        assert!(text.contains(rest), "{text}");
    }
}

/// What may hold an end of any pipe is listed once, and a finding names some and says how many more there are.
#[test]
fn suspects_are_listed_once() {
    let (_dir, tree) = made(shapes::in_flight, 50);
    let report: Value = serde_json::from_slice(&answer(&["why", "--json"], &of_tree(&tree))).expect("JSON");
    assert_eq!(report["hidden"].as_array().expect("hidden").len(), 50);
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 50);
    for finding in findings {
        assert_eq!(finding["code"], "hidden-end", "{finding}");
        assert_eq!((finding["doubts"].as_array().map(Vec::len), &finding["doubts_omitted"]), (Some(4), &46.into()));
        assert!(finding["message"].as_str().expect("text").contains("one of 50 sockets"), "{finding}");
    }
}
