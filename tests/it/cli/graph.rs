//! `lspipe graph`: its selections, its forms, and how it looks on a terminal.

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::Stage;
use crate::fixtures::scenes;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::terminal::{self, without_colour};
use crate::support::text::assert_notes;
use crate::support::tree::ProcTree;

/// The IDs of the pipes that are drawn; of a FIFO, `fifo`.
#[track_caller]
fn pipes(stage: &Stage, args: &[&str]) -> Vec<String> {
    let text = stage.text(&[&["graph", "--format", "json"], args].concat());
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let id = |pipe: &Value| pipe["id"].as_str().expect("an ID").to_owned();
    let ids = json["pipes"].as_array().expect("pipes").iter().map(id);
    ids.map(|id| if id.starts_with("fifo") { "fifo".to_owned() } else { id }).collect()
}

#[test]
fn everything() {
    let stage = Stage::new();
    let fifo = stage.fifo();
    let expected = format!(
        "\
ls (251)
└▶ grep (252)                        pipe:[18913]
   └▶ python3.11-conf (311)          pipe:[20000] 3→7
      └▶ cat (312)                   {fifo} 6→0
no writer
└▶ python3.11-conf (311), see above  pipe:[9008]

backup (310)
└▶ no reader  pipe:[9007]
"
    );
    assert_eq!(stage.text(&["graph"]), expected);
    assert_eq!(stage.text(&["graph", "--format", "tree"]), expected);
}

#[test]
fn selection_follows_the_data() {
    let stage = Stage::new();
    let (own, others) = (["pipe:[9007]"], ["pipe:[9008]", "pipe:[18913]", "pipe:[20000]", "fifo"]);
    let all = [&own[..], &others].concat();
    let down = ["pipe:[18913]", "pipe:[20000]", "fifo"];
    for (args, expected) in [
        (&["-p", "251"][..], &down[..]),
        (&["-c", "ls"], &down),
        (&["pipe:[18913]"], &down),
        (&["18913"], &down),
        (&["-p", "252"], &down),
        (&["-p", "311"], &others),
        (&["-p", "312"], &others),
        (&[stage.fifo()], &others),
        (&["-k", "fifo"], &others),
        (&["-p", "310"], &own),
        (&["-p", "310", "--descendants"], &all),
        (&["-u", "34"], &all),
        (&["--no-writer"], &["pipe:[9008]", "fifo"]),
        (&["--no-reader"], &own),
        // Both at once: the pipe, and from there on the way of the process.
        (&["-p", "252", "pipe:[20000]"], &["pipe:[20000]", "fifo"]),
        (&["-p", "311", "pipe:[20000]"], &["pipe:[18913]", "pipe:[20000]"]),
    ] {
        assert_eq!(pipes(&stage, args), expected, "{args:?}");
    }
}

#[test]
fn nothing_to_draw() {
    let stage = Stage::new();
    for (args, words) in [
        (&["-p", "60"][..], &["60"][..]),
        (&["-p", "4000"], &["4000"]),
        (&["-c", "no-such"], &[]),
        (&["pipe:[1]"], &["pipe:[1]"]),
    ] {
        let output = stage.run(&[&["graph"], args].concat()).expect(1);
        assert_eq!(output.text(), "", "{args:?}");
        assert_notes(&output.stderr, &[words]);
        let quiet = stage.run(&[&["graph", "-q"], args].concat()).expect(1);
        assert_eq!(quiet.stderr, "");
        // What machines read is whole all the same.
        let output = stage.run(&[&["graph", "--format", "json"], args].concat()).expect(1);
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&json["nodes"], &json["edges"]), (&Value::Array(Vec::new()), &Value::Array(Vec::new())));
        let output = stage.run(&[&["graph", "--format", "dot"], args].concat()).expect(1);
        assert!(output.text().starts_with("digraph lspipe {") && output.text().ends_with("}\n"));
    }
    let wrong = [
        (&["--format", "pdf"][..], &["pdf", "tree, dot, mermaid, json"][..]),
        (&["--json", "--format", "dot"], &["--json", "--format"]),
        (&["--probe"], &["--probe"]),
    ];
    for (args, words) in wrong {
        let output = stage.run(&[&["graph"], args].concat()).expect(2);
        assert_eq!(output.text(), "");
        assert_notes(&output.stderr, &[words]);
    }
}

/// A report that was saved is drawn as the machine was; what was not judged is not marked.
#[test]
fn saved_report_is_drawn_alike() {
    const UNMARKED: &str = "\
python3 (100)
└▶ cat (101)                  pipe:[2001] 4→0
   └▶ ↺ python3 (100), above  pipe:[2002] 1→5

sh (201)
└▶ ↺ itself  pipe:[2003] 4→3

mydaemon (301)
└▶ tee (300)  pipe:[2004]

yes (400)
└▶ less (401) [stopped]  pipe:[2005]

sleep (500)
└▶ cat (501)  pipe:[2006]
";
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let (_dir, tree) = crate::fixtures::why::stage();
    let drawn = |args: &[&str]| lspipe([&["graph"], args].concat()).run().expect(0).text().to_owned();
    let root = tree.root().to_str().expect("UTF-8");
    let live = drawn(&["--proc", root]);
    assert_ne!(live, UNMARKED);
    for (args, code, expected) in [(&["why", "--json"][..], 1, live.clone()), (&["--json"], 0, UNMARKED.to_owned())] {
        let file = dir.path().join("report.json");
        let report = lspipe([args, &["--proc", root]].concat()).run().expect(code);
        std::fs::write(&file, report.stdout).expect("write");
        let file = file.to_str().expect("UTF-8");
        assert_eq!(drawn(&["--from", file]), expected, "{args:?}");
        assert_eq!(drawn(&["--from", file, "-p", "500"]), "sleep (500)\n└▶ cat (501)  pipe:[2006]\n");
    }
}

/// A shell has the output of its grandchild; the child between them has no pipe, and is known by a saved report of `why` all the same.
#[test]
fn saved_report_knows_ancestors_without_a_pipe() {
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    tree.process(50, "shell").fd(50, 1, "pipe:[9]", "01");
    tree.child(60, 50, 0, "wrap");
    tree.child(70, 60, 0, "prog").fd(70, 1, "pipe:[9]", "01");
    tree.child(80, 50, 0, "cat").fd(80, 0, "pipe:[9]", "00");
    for pid in [50, 60, 70, 80] {
        tree.session(pid, 50, 50);
    }
    let root = tree.root().to_str().expect("UTF-8");
    let file = dir.path().join("report.json");
    let report = lspipe(["why", "--json", "--proc", root]).run().expect(0);
    std::fs::write(&file, &report.stdout).expect("write");
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    // Of process 1, which is not in the tree, nothing is known.
    assert_eq!(report["ancestors"], serde_json::json!([{"pid": 60, "ppid": 50}]));
    let drawn = "prog (70)\n└▶ cat (80)  pipe:[9]\nalso on pipe:[9]: 50,shell,1w\n";
    for source in [["--proc", root], ["--from", file.to_str().expect("UTF-8")]] {
        assert_eq!(lspipe(["graph", "-q", source[0], source[1]]).run().expect(0).text(), drawn, "{source:?}");
    }
}

#[test]
fn json_has_two_names() {
    let stage = Stage::new();
    let read = |args: &[&str]| {
        let mut json: Value = serde_json::from_str(&stage.text(args)).expect("JSON");
        assert!(json["taken_at"].take().is_string());
        json
    };
    let json = read(&["graph", "--format", "json"]);
    assert_eq!(read(&["graph", "-J"]), json);
    assert_eq!(read(&["-J", "graph"]), json);
    let kinds: Vec<&String> = json.as_object().expect("an object").keys().collect();
    assert_eq!(kinds, ["edges", "host", "nodes", "pipes", "scan", "schema_version", "taken_at"]);
}

const SCRIPT: Need = Need::Program("script");

fn squeezed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace() && !"│├└▶".contains(*character)).collect()
}

/// Where it fits, a terminal shows what a pipe gets; where it does not, lines are wrapped and nothing is lost.
#[test]
fn fits_the_terminal_and_is_whole() {
    need!(SCRIPT);
    for scene in scenes() {
        let proc = scene.join("proc");
        let args = ["graph", "-q", "--proc", proc.to_str().expect("UTF-8")];
        let piped = lspipe(args).run().expect(0).text().to_owned();
        for columns in [200, 80, 40, 30] {
            let (code, lines) = terminal::run(columns, &[], &args);
            assert_eq!(code, Some(0));
            let coloured = lines.join("\n") + "\n";
            let plain = without_colour(&coloured);
            assert!(!plain.chars().any(|c| c != '\n' && c.is_control()), "{plain:?}");
            assert_eq!(squeezed(&plain), squeezed(&piped), "at {columns}");
            assert!(columns < 200 || plain == piped, "{plain}\n{piped}");
            for line in plain.lines() {
                let is_word = line.trim_matches(|c| " │├└▶".contains(c)).split(' ').count() == 1;
                assert!(line.width() <= columns || is_word, "{} > {columns}: {line}", line.width());
            }
            // What is coloured ends with its line.
            for line in lines.iter().filter(|line| line.contains('\x1b')) {
                let last = line.rsplit("\x1b[").next().expect("an escape");
                assert!(last.starts_with("0m") || last.starts_with('m'), "{line:?}");
            }
        }
    }
}
