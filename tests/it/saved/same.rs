//! What is reported of live processes is reported from the file that was saved of them, to the last field.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::{Value, json};

use super::Folder;
use crate::support::need::{Need, need};
use crate::support::report::Report;
use crate::support::run::{Output, lspipe};
use crate::support::scene::Scene;
use crate::support::user::{User, is_root};

/// Processes that hang in several ways.
fn hangs(user: User) -> [Scene; 5] {
    [
        Scene::start_with("why_leaks", user, &["daemon"]),
        Scene::start_with("why_fork", user, &["waits"]),
        Scene::start_with("why_popen", user, &["writes"]),
        Scene::start("why_stopped", user),
        Scene::start("audit_gone", user),
    ]
}

/// The machine and the file are asked a few times: others come and go between, and are a doubt for one of the two; but not each time.
#[track_caller]
fn assert_same(what: &str, ask: impl Fn() -> (Value, Value)) {
    let mut different = Vec::new();
    for _ in 0..6 {
        let (live, then) = ask();
        different.clear();
        compare(&live, &then, "", &mut different);
        if different.is_empty() {
            return;
        }
    }
    panic!("{what}:\n{}", different.join("\n"));
}

/// Where two values differ, and in what.
fn compare(live: &Value, then: &Value, place: &str, different: &mut Vec<String>) {
    match (live, then) {
        (Value::Object(of_live), Value::Object(of_then)) => {
            let names: BTreeSet<&String> = of_live.keys().chain(of_then.keys()).collect();
            for name in names {
                match (of_live.get(name), of_then.get(name)) {
                    (Some(live), Some(then)) => compare(live, then, &format!("{place}/{name}"), different),
                    (live, then) => different.push(format!("{place}/{name}: live {live:?}, from the file {then:?}")),
                }
            }
        }
        (Value::Array(of_live), Value::Array(of_then)) if of_live.len() == of_then.len() => {
            for (index, (live, then)) in of_live.iter().zip(of_then).enumerate() {
                compare(live, then, &format!("{place}/{index}"), different);
            }
        }
        _ if live == then => {}
        _ => different.push(format!("{place}: live {live}, from the file {then}")),
    }
}

/// How long something lasts grows between two looks, and others come and go.
fn without_ages(text: &str) -> String {
    let age = Regex::new(r"\b\d+(?:\.\d+)? (?:ms|s|min|h|d|days?)\b(?: \d+ (?:s|min|h)\b)?").expect("a pattern");
    let text = age.replace_all(text, "[AGE]");
    // So many could not be read.
    let count = Regex::new(r"\b\d+ ((?:other )?processes)").expect("a pattern");
    count.replace_all(&text, "[COUNT] $1").into_owned()
}

/// Takes away what two looks at one machine differ in: when they were, how long all lasts since, and how many others there were.
fn normal(value: &mut Value, known: &BTreeSet<u32>) {
    match value {
        Value::Object(fields) => {
            for name in ["taken_at", "idle_seconds", "age_seconds", "vanished", "activity"] {
                fields.remove(name);
            }
            if fields.contains_key("complete") {
                fields.remove("processes");
                // Its own.
                fields.remove("pid");
            }
            // Whoever came since may be gone at the next look, and is a doubt of one of them.
            if let Some(Value::Array(doubts)) = fields.get_mut("doubts") {
                doubts.retain(|doubt| doubt["pid"].is_null() || known.iter().any(|pid| doubt["pid"] == *pid));
            }
            // So many are a doubt besides.
            if let Some(omitted) = fields.get_mut("doubts_omitted") {
                assert!(omitted.as_u64().is_some_and(|omitted| omitted > 0), "{omitted}");
                *omitted = Value::from("[COUNT]");
            }
            fields.values_mut().for_each(|value| normal(value, known));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| normal(value, known)),
        Value::String(text) => *text = without_ages(text),
        _ => {}
    }
}

#[track_caller]
fn parsed(output: &Output, known: &BTreeSet<u32>) -> Value {
    let mut value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    normal(&mut value, known);
    value
}

/// A report without what its lists have of processes that no selection leaves out: those that did something, or could not be read.
fn about(mut report: Value, pids: &BTreeSet<u32>) -> Value {
    for name in ["threads", "unreadable"] {
        if let Some(Value::Array(items)) = report.get_mut(name) {
            items.retain(|item| pids.iter().any(|pid| item["pid"] == *pid));
        }
    }
    if let Some(Value::Object(scan)) = report.get_mut("scan") {
        scan.remove("unreadable");
    }
    report
}

/// Every process that there is.
fn alive() -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").expect("list /proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn pids_of(scenes: &[Scene]) -> BTreeSet<u32> {
    scenes.iter().flat_map(|scene| scene.truth.pids()).collect()
}

/// The findings about these processes, each as a whole object.
fn findings_about(report: &Value, pids: &BTreeSet<u32>) -> Vec<Value> {
    let is_ours = |finding: &&Value| {
        let tasks = finding["processes"].as_array().expect("processes").iter();
        tasks.filter_map(|task| task["pid"].as_u64()).any(|pid| pids.iter().any(|ours| u64::from(*ours) == pid))
    };
    report["findings"].as_array().expect("findings").iter().filter(is_ours).cloned().collect()
}

/// Every command in JSON, compared as values: the report, fd tables, drawings, and what hangs.
#[test]
fn every_command_answers_from_the_file_as_of_the_machine() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let scenes = hangs(user);
        let (ours, known) = (pids_of(&scenes), alive());
        // The scenes themselves wait for the test, which has other pipes at each look.
        let ours: BTreeSet<u32> =
            ours.into_iter().filter(|pid| scenes.iter().all(|scene| scene.pid() != *pid)).collect();
        let pids: Vec<String> = ours.iter().map(u32::to_string).collect();
        let folder = Folder::of(user);
        let all = pids.join(",");
        let cases: [(&[&str], &[&str]); 6] = [
            (&[], &["-p", &all]),
            (&["fds", &pids[0]], &["fds", &pids[0]]),
            (&["why"], &["-p", &all]),
            (&["why"], &["graph", "-p", &all]),
            (&["why"], &["why", "-p", &all]),
            (&["why"], &["why", "-p", &pids[1]]),
        ];
        for (saving, asking) in cases {
            for form in [&["-q", "--json"][..], &["-q"]] {
                let args = [asking, form].concat();
                if args.contains(&"why") && form.len() == 1 {
                    // Has a test of its own.
                    continue;
                }
                assert_same(&format!("{saving:?} {args:?}"), || {
                    let saved = folder.save_as(user, "report", [saving, &["-q"]].concat());
                    let (live, then) = (lspipe(&args).user(user).run(), saved.ask(&args));
                    assert!(matches!(live.code(), Some(0 | 1)), "{live:?}");
                    let told = |output: &Output| {
                        let answer = if form.len() == 1 {
                            Value::from(output.text())
                        } else {
                            about(parsed(output, &known), &ours)
                        };
                        json!({"status": output.code(), "stderr": output.stderr, "answer": answer})
                    };
                    (told(&live), told(&then))
                });
            }
        }
    }
}

/// Message, evidence, advice, details, severity, certainty, processes, pipes and doubts of each.
#[test]
fn findings_are_the_very_same() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let scenes = hangs(user);
        let (pids, known) = (pids_of(&scenes), alive());
        let folder = Folder::of(user);
        for command in ["why", "audit"] {
            // To read it back and to save it again loses nothing, whatever else runs on the machine.
            let saved = folder.save_as(user, "report", [command, "-q"]);
            let again = saved.ask(&[command, "-q", "--json"]);
            let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
            assert_eq!(value(&again.stdout), value(&saved.bytes()), "{command}");
            let report = Report::parse(&again.stdout);
            for finding in report.findings() {
                assert!(finding.details.as_ref().is_some_and(Value::is_object), "no details: {finding:#?}");
            }
            let rights = user == User::Me && is_root();
            assert!(report.scan.pid.is_some() && report.scan.privileged == rights, "{:?}", report.scan);

            assert_same(command, || {
                let saved = folder.save_as(user, "report", [command, "-q"]);
                let args = [command, "-q", "--json"];
                let (live, then) = (parsed(&lspipe(args).user(user).run(), &known), parsed(&saved.ask(&args), &known));
                let [live, then] = [&live, &then].map(|report| findings_about(report, &pids));
                assert!(live.len() >= 6, "{live:#?}");
                (live.into(), then.into())
            });
        }
    }
}

/// The text of `why`, too: but for whose PIDs they are, which is said where a command has some.
#[test]
fn text_is_the_very_same() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let scenes = hangs(user);
        let folder = Folder::of(user);
        // Of the scene itself, which waits for the test, a report has nothing.
        let whole = Report::parse(&folder.save_as(user, "report", ["why", "-q"]).bytes());
        let pids: BTreeSet<u32> = whole.threads.iter().flatten().map(|group| group.pid).collect();
        let mut pids: BTreeSet<u32> = pids.intersection(&pids_of(&scenes)).copied().collect();
        pids.retain(|pid| scenes.iter().all(|scene| scene.pid() != *pid));
        assert!(pids.len() >= 9, "{pids:?}");
        for pid in pids {
            let pid = pid.to_string();
            let args = ["why", "-q", "-p", &pid];
            assert_same(&format!("{args:?}"), || {
                let saved = folder.save_as(user, "report", ["why", "-q"]);
                let (live, then) = (lspipe(args).user(user).run(), saved.ask(&args));
                let texts = [live.text().to_owned(), saved.without_origin(then.text())];
                let [live_text, then_text] = texts.map(|text| without_ages(&text));
                // They are those of the namespace that is looked at from now, too.
                assert!(!then_text.contains("PID namespace"), "{then_text}");
                let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
                (json!([live.code(), lines(&live_text)]), json!([then.code(), lines(&then_text)]))
            });
        }
    }
}

/// A baseline that was made of the machine knows the same finding in a report of it, and the other way round.
#[test]
fn baseline_of_the_machine_knows_the_findings_of_a_file() {
    need!(Need::PYTHON, Need::Program("cat"));
    for &user in User::all() {
        let scenes = hangs(user);
        let pids = pids_of(&scenes);
        let folder = Folder::of(user);
        let only = "--only=deadlock,self-deadlock,leaked-write-end,stalled-reader,blocked-open";
        let saved = folder.save_as(user, "report", ["audit", "-q", only]);
        let [live, filed] = ["live.json", "filed.json"].map(|name| folder.0.path().join(name));
        let [live, filed] = [&live, &filed].map(|path| path.to_str().expect("UTF-8"));
        lspipe(["audit", "-q", only, "--write-baseline", live]).user(user).run().expect(0);
        saved.ask(&["audit", "-q", only, "--write-baseline", filed]).expect(0);
        for baseline in [live, filed] {
            let args = ["audit", "-q", "--json", only, "--baseline", baseline];
            for output in [lspipe(args).user(user).run(), saved.ask(&args)] {
                let left = findings_about(&parsed(&output, &pids), &pids);
                assert!(left.is_empty(), "not known by {baseline}: {left:#?}");
            }
        }
        // Without it, each of them is there.
        assert_eq!(findings_about(&parsed(&saved.ask(&["audit", "-q", "--json", only]), &pids), &pids).len(), 6);
    }
}
