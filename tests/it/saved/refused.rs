//! Files that are no report, and options that do not go with one: status 2, nothing on stdout, and one line that says what to do.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use super::{Folder, Saved, scan};
use crate::cli::Stage;
use crate::fixtures::why;
use crate::support::need::{Need, need};
use crate::support::run::{Output, lspipe};
use crate::support::text::assert_notes;
use crate::support::user::User;

/// How a report is saved.
const SAVE: &str = "lspipe --json";

/// Asserts that it ended with status 2, and said nothing but one line with these facts.
#[track_caller]
fn assert_refused(output: &Output, facts: &[&str]) {
    assert_eq!((output.code(), output.text()), (Some(2), ""), "{}", output.stderr);
    assert_notes(&output.stderr, &[facts]);
}

/// Whoever reads a saved report refuses this one, by its name and with these facts.
#[track_caller]
fn assert_no_report(saved: &Saved, reason: &[&str]) {
    let stage = Stage::new();
    let folder = Folder::new();
    let good = folder.save("good", ["-q", "--proc", stage.proc()]);
    let name = format!("lspipe: {}: ", saved.path());
    let first = saved.ask(&[]);
    assert_refused(&first, &[&[name.as_str()], reason].concat());
    // In the same words, whatever is asked.
    for args in [&["why"][..], &["fds", "1"], &["-J", "-p", "1"], &["audit"]] {
        assert_refused(&saved.ask(args), &[first.stderr.trim_end()]);
    }
    for pair in [[saved.path(), good.path()], [good.path(), saved.path()]] {
        assert_refused(&lspipe(["diff"].into_iter().chain(pair)).run(), &[first.stderr.trim_end()]);
    }
    if saved.0.is_file() {
        let output = saved.ask_through_stdin(&[]);
        assert_refused(&output, &[&["standard input"], reason].concat());
        assert!(!output.stderr.contains(saved.path()), "{}", output.stderr);
    }
}

#[test]
fn files_of_something_else() {
    let folder = Folder::new();
    let empty = &["empty", SAVE][..];
    let not_ours = &["schema_version", SAVE][..];
    for (content, reason) in [
        ("", empty),
        (" \n\n", empty),
        ("PIPE  KIND\n", &["JSON", "line 1 column 1", SAVE]),
        ("{'a': 1}", &["JSON", "line 1 column 2", SAVE]),
        ("\u{feff}{}", &["JSON", "line 1 column 1", SAVE]),
        ("5\n", not_ours),
        ("null\n", not_ours),
        ("{}\n", not_ours),
        ("[]\n", not_ours),
        ("[1, null, null]\n", not_ours),
        ("[{\"schema_version\": 1}]\n", not_ours),
        ("{\"schema_version\": \"1\"}\n", not_ours),
        ("{\"nodes\": [], \"edges\": []}\n", not_ours),
        ("{\"schema_version\": 1}\n", &["`host`", "line 1 column 21"]),
        ("{\"schema_version\": 1, \"schema_version\": 1}\n", not_ours),
        ("{\"schema_version\": 2, \"pipes\": {}}\n", &["schema_version 2", "1"]),
        ("{\"schema_version\": 1.5}\n", &["schema_version 1.5", "1"]),
        ("{\"schema_version\": -1}\n", &["schema_version -1", "1"]),
        ("{\"schema_version\": 1, \"host\"", &["line 1", "column 28"]),
    ] {
        assert_no_report(&folder.put("file", content), reason);
    }
}

#[test]
fn our_own_outputs_that_are_no_report() {
    let folder = Folder::new();
    let (_dir, tree) = why::stage();
    let lines = &["--ndjson", "--json"];
    for args in [&["--ndjson"][..], &["audit", "--ndjson"]] {
        let output = scan(tree.root(), args);
        assert!(output.text().lines().count() > 2);
        assert_no_report(&folder.put("file", &output.stdout), lines);
        // The last line of an audit has no finding, and is the only one where nothing is wrong.
        for line in [output.text().lines().next(), output.text().lines().next_back()] {
            assert_no_report(&folder.put("file", line.expect("a line")), lines);
        }
    }
    let saved = folder.save("report", ["-q", "--proc", tree.root().to_str().expect("UTF-8")]);
    let differs = lspipe(["diff", "-J", saved.path(), saved.path()]).run().expect(0);
    let drawn = scan(tree.root(), &["graph", "-J"]);
    for (command, output) in [("diff", differs), ("graph", drawn)] {
        assert_no_report(&folder.put("file", &output.stdout), &[&format!("`lspipe {command}`"), SAVE]);
    }
    // Two reports, one behind the other.
    let twice = [saved.bytes(), saved.bytes()].concat();
    assert_no_report(&folder.put("file", twice), &["line 2 column 1"]);
}

/// Every byte of a small one that is missing at the end.
#[test]
fn reports_cut_anywhere() {
    let folder = Folder::new();
    let stage = Stage::new();
    let whole = folder.save("report", ["-q", "-l", "--proc", stage.proc(), "pipe:[9007]"]).bytes();
    let length = whole.len() - 1;
    assert!(length > 500 && whole.ends_with(b"}\n"));
    // A process for each length would take minutes; the library is tested for each.
    let step = (0..length).step_by(29).chain([1, length - 1]);
    for cut in step {
        let saved = folder.put("cut", &whole[..cut]);
        let output = saved.ask(&[]);
        let reason = if cut == 0 { "empty".to_owned() } else { format!("column {cut}") };
        assert_refused(&output, &[saved.path(), &reason]);
    }
    assert_eq!(folder.put("cut", &whole[..length]).ask(&["-q"]).code(), Some(0), "the end of its line may be missing");
}

#[test]
fn files_that_are_no_plain_files() {
    let folder = Folder::new();
    let dir = folder.0.path();
    assert_no_report(&Saved(dir.to_owned()), &["Is a directory"]);
    assert_no_report(&Saved(dir.join("none")), &["No such file or directory"]);
    assert_no_report(&Saved("/dev/null".into()), &["empty", SAVE]);
    let strange = Saved(dir.join("esc\u{1b}[31m\nline"));
    let name = format!("\"{}/esc\\x1b[31m\\nline\"", dir.display());
    assert_refused(&strange.ask(&[]), &[&name, "No such file or directory"]);

    // Names of what stands for a file.
    let stage = Stage::new();
    let good = folder.save("good", ["-q", "-l", "--proc", stage.proc()]);
    let fifo = dir.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("run mkfifo").success());
    for (bytes, code) in [(good.bytes(), 0), (Vec::new(), 2), (b"{\"schema_version\"".to_vec(), 2)] {
        let to = fifo.clone();
        let writer = thread::spawn(move || File::options().write(true).open(to).expect("open").write_all(&bytes));
        let output = Saved(fifo.clone()).ask(&["-J", "-q"]);
        writer.join().expect("the writer").expect("write");
        assert_eq!(output.code(), Some(code), "{}", output.stderr);
        assert_eq!(output.stdout, if code == 0 { good.bytes() } else { Vec::new() });
    }
}

#[test]
fn a_hundred_megabytes_of_zeros() {
    let folder = Folder::new();
    let path = folder.0.path().join("zeros");
    File::create(&path).and_then(|file| file.set_len(100_000_000)).expect("a sparse file");
    let saved = Saved(path);
    assert_refused(&saved.ask(&[]), &[saved.path(), "JSON", "line 1 column 1", SAVE]);
}

/// Deeper and longer than any report.
#[test]
fn deep_and_long_values() {
    let folder = Folder::new();
    let stage = Stage::new();
    let good = String::from_utf8(folder.save("good", ["-q", "-l", "--proc", stage.proc()]).bytes()).expect("UTF-8");
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let saved = folder.put("deep", &deep);
    let output = saved.ask(&[]).expect(2);
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    // In a field that is not known it is passed over, wherever that is.
    for place in ["{\"schema_version\":1,", "\"host\":{", "{\"pid\":251,"] {
        let saved = folder.put("deep", good.replacen(place, &format!("{place}\"news\":{deep},"), 1));
        let output = saved.ask(&["-J", "-l", "-q"]);
        match output.code() {
            Some(0) => assert_eq!(output.text(), good),
            _ => assert_refused(&output, &[saved.path()]),
        }
    }
    let long = "x".repeat(1_000_000);
    let output = folder.put("long", good.replacen("\"r\"", &format!("\"{long}\""), 1)).ask(&[]).expect(2);
    assert_notes(&output.stderr, &[&["`r`, `w`, `rw`", "line 1 column"]]);
    assert!(output.stderr.len() < 500, "{}", output.stderr);
}

#[test]
fn options_that_do_not_go_with_a_file() {
    let folder = Folder::new();
    let stage = Stage::new();
    let saved = folder.save("good", ["-q", "--proc", stage.proc()]);
    let (file, proc) = (saved.path(), stage.proc());
    let cannot = |one: &str, other: &str| [format!("'{one}'"), format!("'{other}'")];
    let (from, root, repeat) = ("--from <FILE>", "--proc <DIR>", "--repeat <SECONDS>");
    let cases: Vec<(Vec<&str>, [String; 2])> = vec![
        (vec!["--from", file, "--proc", proc], cannot(from, root)),
        (vec!["--from", file, "why", "--proc", proc], cannot(from, root)),
        (vec!["why", "--from", file, "--proc", proc], cannot(from, root)),
        (vec!["--proc", proc, "fds", "251", "--from", file], cannot(from, root)),
        (vec!["--from", file, "--repeat", "1"], cannot(from, repeat)),
        (vec!["--repeat", "1", "why", "--from", file], cannot(from, repeat)),
        (vec!["why", "-r", "1", "--from", file], cannot(from, repeat)),
        (vec!["--from", file, "--probe"], cannot(from, "--probe")),
        (vec!["--from", file, "why", "--probe"], cannot(from, "--probe")),
        (vec!["why", "--probe", "--from", file], cannot(from, "--probe")),
        (vec!["--from", file, "diff", file, file], cannot(from, "diff")),
        (vec!["diff", file, file, "--from", file], cannot(from, "diff")),
        (vec!["diff", file, file, "--proc", proc], cannot(root, "diff")),
        (vec!["--proc", proc, "diff", file, file], cannot(root, "diff")),
        (vec!["diff", "-r", "2", file, file], cannot(repeat, "diff")),
        (vec!["diff", "-", "-"], ["only one of OLD and NEW", "standard input"].map(str::to_owned)),
        (vec!["diff", file], ["second report", "OLD NEW"].map(str::to_owned)),
        (vec!["diff", file, file, file], [format!("'{file}'"), String::new()]),
        (vec!["--from"], ["--from <FILE>", ""].map(str::to_owned)),
    ];
    for (args, [one, other]) in cases {
        assert_refused(&lspipe(&args).run(), &[&one, &other]);
    }
    // These do.
    for args in [&["--from", file, "why", "-h"][..], &["--from", file, "-t"], &["-q", "--from", file, "-o", "QUEUED"]] {
        assert_eq!(lspipe(args).run().code(), Some(0), "{args:?}");
    }
}

/// Who may read everything, since the program file has the rights to look at processes, may not read the files of others with them.
#[test]
fn rights_to_look_at_processes_open_no_files() {
    need!(Need::Root, Need::Program("setpriv"));
    let stage = Stage::new();
    let folder = Folder::of(User::Nobody);
    let secret = folder.put("secret", "\"secret\"");
    let status = Command::new("chmod").args(["600", secret.path()]).status().expect("run chmod");
    assert!(status.success());
    let good = folder.save("good", ["-q", "--proc", stage.proc()]);
    let caps = [
        "--reuid=65534",
        "--clear-groups",
        "--inh-caps=+dac_read_search,+sys_ptrace",
        "--ambient-caps=+dac_read_search,+sys_ptrace",
    ];
    for args in [
        vec!["--from", secret.path()],
        vec!["diff", secret.path(), good.path()],
        vec!["diff", good.path(), secret.path()],
    ] {
        let output = lspipe(&args).setpriv(&caps).run();
        assert_refused(&output, &[secret.path(), "Permission denied"]);
    }
}

#[test]
fn standard_input_that_is_closed_or_a_terminal_of_nobody() {
    // Nothing comes from it.
    assert_refused(&lspipe(["--from", "-"]).run(), &["standard input", "empty", SAVE]);
    let output = lspipe(["--from", "-"]).stdin(Stdio::from(File::open("/").expect("open a folder"))).run();
    assert_refused(&output, &["standard input", "Is a directory"]);
}
