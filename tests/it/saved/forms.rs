//! Every question, of a tree and of the report that was saved of it: the answers are the same.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{Folder, Saved, scan};
use crate::cli::Stage;
use crate::fixtures::{scenes, why};
use crate::support::report::Report;
use crate::support::run::{Output, lspipe};
use crate::support::text::assert_notes;

type Args = Vec<String>;

fn words(text: &str) -> Args {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Every form of the report.
fn forms() -> Vec<Args> {
    let columns = lspipe(["--list-columns"]).run().expect(0);
    let names = columns.text().lines().map(|line| line.split(' ').next().expect("a name"));
    // The kernel was not asked, and a list does not look at threads: a saved one does not have what is only seen so.
    let names: Vec<&str> = names.filter(|name| !["QUEUED", "CAPACITY", "FULL", "POLLED"].contains(name)).collect();
    let mut forms: Vec<Args> =
        ["", "-n", "-e", "-t", "-t --readers", "-t --writers", "--ndjson", "-J", "-e --color=always"]
            .into_iter()
            .map(words)
            .collect();
    forms.push(words(&format!("-o {}", names.join(","))));
    forms
}

/// Every way to select something of this report, and some that select nothing.
fn selections(report: &Value) -> Vec<Args> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut all = BTreeSet::new();
    for process in list(&report["processes"]) {
        all.insert(vec!["-p".to_owned(), process["pid"].to_string()]);
        all.extend(process["uid"].as_u64().map(|uid| vec!["-u".to_owned(), uid.to_string()]));
        let name = text(&process["command"]).filter(|name| !name.is_empty() && !name.contains([',', '/', '\u{fffd}']));
        all.extend(name.map(|name| vec!["-c".to_owned(), name]));
    }
    for pipe in list(&report["pipes"]) {
        all.extend(text(&pipe["id"]).map(|id| vec![id]));
        all.insert(vec![pipe["inode"].to_string()]);
        all.extend(text(&pipe["path"]).filter(|path| !path.contains('\u{fffd}')).map(|path| vec![path]));
        for end in list(&pipe["readers"]).into_iter().chain(list(&pipe["writers"])) {
            let (pid, fd) = (&end["pid"], &end["fd"]);
            all.insert(vec![match &end["tid"] {
                Value::Null => format!("/proc/{pid}/fd/{fd}"),
                tid => format!("/proc/{pid}/task/{tid}/fd/{fd}"),
            }]);
        }
    }
    let more = [
        "-k fifo",
        "-k anonymous",
        "--no-reader",
        "--no-writer",
        "-k anonymous --no-reader",
        "-p 4194304",
        "-c nobody-there",
        "-c /[a-m]/",
        "-u 4294967294",
        "1",
    ];
    all.into_iter().chain(more.map(words)).collect()
}

/// What a run said: its status, and its output without the time at which the tree was looked at.
fn said(output: &Output) -> (Option<i32>, String) {
    let lines = output.text().lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(mut json)) if json.contains_key("taken_at") => {
            json["taken_at"].take();
            Value::Object(json).to_string()
        }
        _ => line.to_owned(),
    });
    (output.code(), lines.collect::<Vec<_>>().join("\n"))
}

/// How the file answers otherwise than the tree.
fn compare(saved: &Saved, root: &Path, args: &[String]) -> Option<String> {
    let args: Vec<&str> = args.iter().map(String::as_str).chain(["-l", "-q"]).collect();
    let (from_file, from_tree) = (saved.ask(&args), scan(root, &args));
    assert!(matches!(from_tree.code(), Some(0 | 1)), "{args:?}: {}", from_tree.stderr);
    assert_eq!((from_file.stderr.as_str(), from_tree.stderr.as_str()), ("", ""), "{args:?}");
    let (found, expected) = (said(&from_file), said(&from_tree));
    (found != expected).then(|| format!("{args:?} of {}:\n{found:?}\nis not\n{expected:?}\n", root.display()))
}

/// The trees of `fixtures/`, one with FIFOs, and one of hangs; the folders are theirs.
fn trees() -> (Vec<PathBuf>, Stage, TempDir) {
    let stage = Stage::new();
    let (dir, hangs) = why::stage();
    let mut trees: Vec<PathBuf> = scenes().into_iter().map(|scene| scene.join("proc")).collect();
    trees.extend([stage.proc().into(), hangs.root().to_owned()]);
    (trees, stage, dir)
}

#[test]
fn report_in_every_form() {
    let (trees, _stage, _dir) = trees();
    let folder = Folder::new();
    let mut wrong = String::new();
    for root in trees {
        let proc = root.to_str().expect("UTF-8");
        let saved = folder.save("report", ["-q", "-l", "--proc", proc]);
        for form in forms() {
            wrong.extend(compare(&saved, &root, &form));
        }
        let selections = selections(&saved.json());
        assert!(selections.len() > 10, "{selections:?}");
        for selection in selections {
            wrong.extend(compare(&saved, &root, &selection));
            wrong.extend(compare(&saved, &root, &[selection, words("-J")].concat()));
        }
        // What is read back is what was saved, to the byte, and it is a report.
        let again = saved.ask(&["-J", "-l", "-q"]).expect(0);
        assert_eq!(again.text(), String::from_utf8(saved.bytes()).expect("UTF-8"));
        Report::parse(&again.stdout);
        assert_eq!(saved.ask_through_stdin(&["-J", "-l", "-q"]).expect(0).stdout, again.stdout);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn why_in_every_form() {
    let (trees, _stage, _dir) = trees();
    let folder = Folder::new();
    let mut wrong = String::new();
    for root in trees {
        let proc = root.to_str().expect("UTF-8");
        let saved = folder.save("why", ["why", "-q", "-l", "--proc", proc]);
        let json = saved.json();
        let mut questions: Vec<Args> = vec![words("why"), words("why -J"), words(""), words("-e")];
        for group in json["threads"].as_array().expect("threads") {
            // Among them are processes without any pipe.
            questions.push(words(&format!("why -p {}", group["pid"])));
            questions.push(words(&format!("why -J -p {}", group["pid"])));
        }
        for pipe in json["pipes"].as_array().expect("pipes") {
            questions.push(words(&format!("why {}", pipe["id"].as_str().expect("an id"))));
            questions.push(words(&format!("why {}", pipe["inode"])));
        }
        questions.extend(["why -u 1000", "why -u 0", "why -c cat", "why --no-writer", "why -k anonymous"].map(words));
        for question in questions {
            let args: Vec<&str> = question.iter().map(String::as_str).chain(["-l", "-q"]).collect();
            let (from_file, from_tree) = (saved.ask(&args), scan(&root, &args));
            // A selection that matches nothing is an error of `why`, with other words where there is a file.
            assert_eq!(
                from_file.stderr.is_empty(),
                from_tree.stderr.is_empty(),
                "{args:?}: {}{}",
                from_file.stderr,
                from_tree.stderr
            );
            let (mut found, expected) = (said(&from_file), said(&from_tree));
            if args[0] == "why" && !args.contains(&"-J") {
                found.1 = saved.without_origin(&found.1).trim_end().to_owned();
            }
            if found != expected {
                writeln!(wrong, "{args:?} of {proc}:\n{}\nis not\n{}", found.1, expected.1).expect("a string");
            }
        }
        let again = saved.ask(&["why", "-J", "-l", "-q"]);
        assert_eq!(again.text(), String::from_utf8(saved.bytes()).expect("UTF-8"));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn fd_tables_in_every_form() {
    let (trees, _stage, _dir) = trees();
    let folder = Folder::new();
    let mut wrong = String::new();
    let mut tables = 0;
    for root in trees {
        let proc = root.to_str().expect("UTF-8");
        let processes = folder.save("report", ["-q", "-l", "--proc", proc]).json();
        let pids: Vec<String> =
            processes["processes"].as_array().expect("processes").iter().map(|it| it["pid"].to_string()).collect();
        let all = folder.save("all", ["fds", &pids.join(","), "-q", "-l", "--proc", proc]);
        for pid in &pids {
            let one = folder.save("one", ["fds", pid, "-q", "-l", "--proc", proc]);
            for form in ["", "-n", "-J"] {
                let args = words(&format!("fds {pid} {form}"));
                wrong.extend(compare(&one, &root, &args));
                if form != "-J" {
                    wrong.extend(compare(&all, &root, &args));
                }
                tables += 1;
            }
        }
        wrong.extend(compare(&all, &root, &words(&format!("fds {}", pids.join(",")))));
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(tables > 30, "{tables}");
}

/// What says how long something lasts says when that was.
#[test]
fn says_of_what_machine_and_of_when() {
    let (dir, tree) = why::stage();
    let folder = Folder::new();
    let saved = folder.save("report", ["audit", "--proc", tree.root().to_str().expect("UTF-8")]);
    drop(dir);
    let at: jiff::Timestamp = saved.json()["taken_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let (name, at) = (format!("{}: ", saved.path()), format!("{at:.0}"));
    for args in [&["why"][..], &["audit"], &["graph"]] {
        assert_notes(&saved.ask(args).stderr, &[&[&name, "fixture", &at]]);
        assert_eq!(saved.ask(&[args, &["-q"]].concat()).stderr, "");
    }
    // A table has no time.
    assert_eq!(saved.ask(&[]).stderr, "");
}

/// Only what a process holds a pipe of is in a report; what else is asked is said not to be there.
#[test]
fn what_was_not_saved_is_not_made_up() {
    let stage = Stage::new();
    let folder = Folder::new();
    let saved = folder.save("report", ["-q", "-l", "--proc", stage.proc()]);
    let file = saved.path();
    let check = |args: &[&str], code: i32, facts: &[&str]| {
        let output = saved.ask(args).expect(code);
        assert_eq!(output.text(), "", "{args:?}");
        assert_notes(&output.stderr, &[facts]);
    };
    check(&["why"], 2, &[file, "lspipe why --json"]);
    check(&["fds", "251"], 2, &[file, "lspipe fds PID --json"]);
    check(&["-p", "60"], 1, &[file, "60"]);
    check(&["-u", "daemon"], 2, &[file, "\"daemon\"", "number"]);
    check(&["/tmp/other"], 2, &[file, "/tmp/other"]);
    check(&["/proc/251/fd/9"], 2, &[file, "/proc/251/fd/9"]);
    check(&["pipe:[1]"], 1, &["pipe:[1]"]);

    // The names of users are those of the machine that was looked at.
    saved.edit(|json| {
        for process in json["processes"].as_array_mut().expect("processes") {
            process["user"] = if process["uid"] == 34 { "ann".into() } else { Value::Null };
        }
    });
    let output = saved.ask(&["-q", "-n", "-o", "PID,USER", "-u", "ann", "pipe:[9007]"]).expect(0);
    assert_eq!(output.text(), "310  ann\n");
    assert_eq!(saved.ask(&["-l", "-n", "-o", "PID,USER", "pipe:[9007]"]).expect(0).text(), "310  34\n");

    // A table that was not saved is no empty one.
    let saved = folder.save("fds", ["fds", "251", "-q", "-l", "--proc", stage.proc()]);
    let file = saved.path();
    let output = saved.ask(&["fds", "252"]).expect(2);
    assert_notes(&output.stderr, &[&[file, "lspipe fds PID --json"]]);
    let output = saved.ask(&["fds", "251,252"]).expect(0);
    assert_notes(&output.stderr, &[&[file, "252", "lspipe fds 252 --json"]]);
    assert_eq!(output.stdout, saved.ask(&["fds", "251"]).expect(0).stdout);
    // And it has the pipes of that process only.
    let output = saved.ask(&[]).expect(0);
    assert_notes(&output.stderr, &[&[file, "selection"]]);

    // What is missing in a part is not missing in the whole: no code is judged, and no count is 0.
    let part = folder.save("part", ["-q", "-l", "-p", "251", "--proc", stage.proc()]);
    let json: Value = serde_json::from_slice(&part.ask(&["audit", "-J", "-q"]).expect(0).stdout).expect("JSON");
    assert_eq!(json["audit"]["codes"], Value::Array(Vec::new()));
    let metrics = part.ask(&["audit", "--metrics", "-q"]).expect(0);
    assert!(!metrics.text().contains("lspipe_findings{"), "{}", metrics.text());
    assert!(part.ask(&["audit", "-q"]).expect(0).text().contains("selection"));

    // Parents without a pipe are not in it, so that their descendants are not found through them.
    let saved = folder.save("report", ["-q", "-l", "--proc", stage.proc()]);
    let output = saved.ask(&["-t", "-p", "310", "--descendants"]).expect(0);
    assert_eq!(output.text(), "252\n310\n311\n312\n");
    assert_notes(&output.stderr, &[&[saved.path(), "descendants"]]);
}

/// What the kernel was asked when the report was saved can be shown, and nothing is asked now.
#[test]
fn what_the_kernel_said_is_shown_by_its_columns() {
    let folder = Folder::new();
    let stage = Stage::new();
    let saved = folder.save("report", ["-q", "-l", "--proc", stage.proc()]);
    saved.edit(|json| {
        for pipe in json["pipes"].as_array_mut().expect("pipes").iter_mut().filter(|pipe| pipe["inode"] == 9007) {
            pipe["queued"] = 16.into();
            pipe["capacity"] = 65536.into();
            pipe["hidden_readers"] = true.into();
            pipe["hidden_by"] = serde_json::json!([{"how": "autofs", "pid": null, "fd": null, "command": null}]);
        }
    });
    let output = saved.ask(&["-n", "-o", "PIPE,READERS,QUEUED,CAPACITY", "-k", "anonymous"]).expect(0);
    let rows: Vec<Vec<&str>> = output.text().lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["pipe:[9007]", "hidden", "16", "65536"]);
    assert_eq!(rows[1], ["pipe:[9008]", "311,python3.11-conf,0r", "?", "?"]);
    let again: Value = serde_json::from_slice(&saved.ask(&["-J"]).expect(0).stdout).expect("JSON");
    assert_eq!(again, saved.json());
}
