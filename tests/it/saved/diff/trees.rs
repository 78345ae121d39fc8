//! Trees that are changed between two reports: the whole answer is known.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::super::{Folder, Saved};
use super::{assert_same, diff, difference};
use crate::support::need::{Need, need};
use crate::support::report::{Count, Difference};
use crate::support::run::lspipe;
use crate::support::terminal::{self, without_colour};
use crate::support::text::{assert_notes, numbers};
use crate::support::tree::ProcTree;

/// A tree in which every kind of change happens between two reports.
fn changed_tree() -> (TempDir, Folder, Saved, Saved) {
    let dir = TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    let proc = tree.root().to_str().expect("UTF-8").to_owned();
    let folder = Folder::new();
    // 101 goes, with 20; 102 gains a writer; 103 loses one; 104 gets another flag; 105 another program; 106 stays.
    tree.process(20, "goes").fd(20, 0, "pipe:[101]", "00").fd(20, 1, "pipe:[101]", "02000001");
    tree.process(21, "reader").fd(21, 0, "pipe:[102]", "00").fd(21, 3, "pipe:[103]", "00").fd(
        21,
        4,
        "pipe:[104]",
        "00",
    );
    tree.process(22, "writer").fd(22, 1, "pipe:[102]", "01").fd(22, 3, "pipe:[103]", "01").fd(
        22,
        4,
        "pipe:[104]",
        "01",
    );
    tree.process(23, "sh").fd(23, 1, "pipe:[105]", "01").fd(23, 2, "pipe:[105]", "01");
    tree.process(24, "cat").fd(24, 0, "pipe:[105]", "00").fd(24, 5, "pipe:[106]", "00").fd(24, 6, "pipe:[106]", "01");
    let old = folder.save("old", ["-l", "--proc", &proc]);

    let remove = |path: &str| fs::remove_file(tree.root().join(path)).expect("remove a descriptor");
    fs::remove_dir_all(tree.root().join("20")).expect("end a process");
    remove("22/fd/3");
    for (path, text) in [("22/fdinfo/4", "pos:\t0\nflags:\t04001\nmnt_id:\t15\n"), ("23/comm", "grep x\n")] {
        fs::write(tree.root().join(path), text).expect("write into the tree");
    }
    let stat = fs::read_to_string(tree.root().join("23/stat")).expect("read");
    fs::write(tree.root().join("23/stat"), stat.replace("(sh)", "(grep x)")).expect("write");
    tree.child(30, 1, 7, "new").fd(30, 9, "pipe:[102]", "01").fd(30, 0, "pipe:[107]", "00");
    tree.fd(24, 7, "pipe:[107]", "01");
    let new = folder.save("new", ["-l", "--proc", &proc]);
    (dir, folder, old, new)
}

const TABLE: &str = "\
+-~  PIPE        READERS       WRITERS                                                          NAME
-    pipe:[101]  -20,goes,0r   -20,goes,1w                                                      -
~    pipe:[102]  =21,reader,0r  +30,new,9w;=22,writer,1w                                         -
~    pipe:[103]  =21,reader,3r  -22,writer,3w                                                    -
~    pipe:[104]  =21,reader,4r  ~22,writer,4w(+O_NONBLOCK)                                       -
~    pipe:[105]  =24,cat,0r    ~23,grep\\x20x,1w(was:sh);~23,grep\\x20x,2w(was:sh)                -
+    pipe:[107]  +30,new,0r    +24,cat,7w                                                       -
";

/// Without how wide the columns are, and without the last word.
fn squeeze(table: &str) -> Vec<Vec<&str>> {
    let rows = table.split("\n\n").next().unwrap_or_default();
    rows.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// The numbers of the last word: of pipes and of ends, how many came, went and changed, each of them with how many are uncertain if some
/// are.
#[track_caller]
fn summary(table: &str) -> Vec<u64> {
    let (_, last) = table.split_once("\n\n").expect("a last word");
    assert_eq!(last.lines().count(), 1, "{last}");
    numbers(&[last])
}

#[test]
fn whole_table_and_summary() {
    let (_dir, folder, old, new) = changed_tree();
    let output = diff(&[], &old, &new).expect(1);
    assert_eq!(squeeze(output.text()), squeeze(TABLE));
    assert_eq!(summary(output.text()), [1, 1, 4, 3, 3, 3]);
    assert_eq!(output.stderr, "");
    // The columns stand below each other.
    let starts: Vec<usize> =
        output.text().lines().take(7).filter_map(|line| line.find("pipe:[").or(line.find("PIPE"))).collect();
    assert_eq!(starts, [5; 7]);
    let bare = diff(&["-n"], &old, &new).expect(1);
    assert_eq!(squeeze(bare.text()), squeeze(output.text())[1..]);
    // Either may come from the standard input.
    for args in [["diff", "-", new.path()], ["diff", old.path(), "-"]] {
        let other = if args[1] == "-" { &old } else { &new };
        let file = fs::File::open(other.path()).expect("open");
        assert_eq!(lspipe(args).stdin(file.into()).run().expect(1).text(), output.text());
    }
    {
        let text = diff(&["--color=always"], &old, &new).expect(1);
        assert!(text.text().contains('\x1b'));
        assert_eq!(without_colour(text.text()), diff(&["--width", "80"], &old, &new).expect(1).text());
    }
    drop(folder);
}

#[test]
fn whole_json() {
    let (_dir, _folder, old, new) = changed_tree();
    let told = difference(&old, &new);
    let briefs: Vec<(String, String, Vec<String>)> = told
        .pipes
        .iter()
        .map(|pipe| (pipe.change.clone(), pipe.id.clone(), pipe.ends.iter().map(|end| end.brief()).collect()))
        .collect();
    let row = |change: &str, id: &str, ends: &[&str]| {
        (change.to_owned(), id.to_owned(), ends.iter().map(|&end| end.to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        briefs,
        [
            row("went", "pipe:[101]", &["-20,goes,0r", "-20,goes,1w"]),
            row("changed", "pipe:[102]", &["+30,new,9w"]),
            row("changed", "pipe:[103]", &["-22,writer,3w"]),
            row("changed", "pipe:[104]", &["~22,writer,4w"]),
            row("changed", "pipe:[105]", &["~23,grep x,1w", "~23,grep x,2w"]),
            row("came", "pipe:[107]", &["+24,cat,7w", "+30,new,0r"]),
        ]
    );
    assert_eq!(told.summary.pipes, Count { came: 1, went: 1, changed: 4, uncertain: 0 });
    assert_eq!(told.summary.ends, Count { came: 3, went: 3, changed: 3, uncertain: 0 });
    assert!(told.same_boot && told.pipes.iter().all(|pipe| pipe.certain && pipe.path.is_none()));
    let end = &told.pipes[0].ends[1];
    assert_eq!((end.uid, end.flags.clone(), end.was.is_none()), (Some(0), Some(vec!["O_CLOEXEC".to_owned()]), true));
    // 100 ticks of a hundredth after the boot.
    assert_eq!(end.started_at.map(|time| time.seconds()), Some(1_700_000_001.0));
    let flags = &told.pipes[3].ends[0];
    let was = flags.was.as_ref().expect("what it was");
    assert_eq!((&flags.flags, &was.flags), (&Some(vec!["O_NONBLOCK".to_owned()]), &Some(vec![])));
    assert_eq!(told.pipes[4].ends[0].was.as_ref().map(|was| was.command.as_str()), Some("sh"));
    let origin = |saved: &Saved| -> Value { saved.json() };
    for (told, saved) in [(&told.old, origin(&old)), (&told.new, origin(&new))] {
        assert_eq!(told.host.boot_id.as_deref(), saved["host"]["boot_id"].as_str());
        assert_eq!(
            told.scan.processes,
            usize::try_from(saved["scan"]["processes"].as_u64().expect("a number")).expect("a number")
        );
    }
    // Names of users are those of the reports.
    new.edit(|json| {
        let processes = json["processes"].as_array_mut().expect("processes");
        processes.iter_mut().filter(|process| process["uid"] == 7).for_each(|process| process["user"] = "ann".into());
    });
    let user = |args: &[&str]| Difference::parse(&diff(args, &old, &new).stdout).pipes[1].ends[0].user.clone();
    assert_eq!((user(&["-J"]).as_deref(), user(&["-J", "-l"])), (Some("ann"), None));
}

#[test]
fn nothing_differs() {
    let (_dir, _folder, old, _) = changed_tree();
    let output = diff(&[], &old, &old).expect(0);
    assert_same(&output);
    assert_eq!(output.stderr, "");
    assert_eq!(diff(&["-n"], &old, &old).expect(0).text(), output.text());
    assert_eq!(difference(&old, &old).pipes, []);
}

/// Who could not be read in one of the reports may still have what is not there, and that is no change for certain.
#[test]
fn what_could_not_be_read_is_not_certain() {
    let dir = TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    let proc = tree.root().to_str().expect("UTF-8").to_owned();
    let folder = Folder::new();
    tree.process(20, "opaque").fd(20, 0, "pipe:[101]", "00").fd(20, 1, "pipe:[102]", "01");
    tree.process(21, "plain").fd(21, 0, "pipe:[102]", "00").fd(21, 1, "pipe:[101]", "01").fd(21, 2, "pipe:[103]", "01");
    let old = folder.save("old", ["-q", "-l", "--proc", &proc]);
    let part = folder.save("part", ["-q", "-l", "--proc", &proc, "pipe:[102]"]);
    fs::remove_dir_all(tree.root().join("20/fd")).expect("close a table");
    for fd in [1, 2] {
        fs::remove_file(tree.root().join(format!("21/fd/{fd}"))).expect("close");
    }
    let new = folder.save("new", ["-q", "-l", "--proc", &proc]);

    let rows = "\
+-~  PIPE        READERS        WRITERS        NAME
-?   pipe:[101]  -?20,opaque,0r  -21,plain,1w  -
~?   pipe:[102]  =21,plain,0r   -?20,opaque,1w -
-    pipe:[103]  -              -21,plain,2w   -
";
    let output = diff(&[], &old, &new).expect(1);
    assert_eq!(squeeze(output.text()), squeeze(rows));
    assert_eq!(summary(output.text()), [0, 2, 1, 2, 0, 4, 0, 2]);
    assert_notes(&output.stderr, &[&["1", "20", "opaque", new.path()]]);
    assert_eq!(diff(&["-q"], &old, &new).expect(1).stderr, "");
    assert_eq!(diff(&["--require-complete"], &old, &new).code(), Some(2));
    assert_eq!(diff(&["-q", "--require-complete"], &new, &new).code(), Some(2));
    assert_eq!(diff(&["-q", "--require-complete"], &old, &old).code(), Some(0));

    // Backwards, and seen from the side on which no process is known.
    let back = "\
+-~  PIPE        READERS        WRITERS        NAME
+?   pipe:[101]  +?20,opaque,0r  +21,plain,1w  -
~?   pipe:[102]  =21,plain,0r   +?20,opaque,1w -
+    pipe:[103]  -              +21,plain,2w   -
";
    let output = diff(&["-q"], &new, &old).expect(1);
    assert_eq!(squeeze(output.text()), squeeze(back));
    assert_eq!(summary(output.text()), [2, 0, 1, 2, 4, 0, 0, 2]);
    let told = difference(&old, &new);
    assert_eq!(told.pipes.iter().map(|pipe| pipe.certain).collect::<Vec<_>>(), [false, false, true]);

    // A report of a part does not show what became of the rest.
    let output = diff(&[], &old, &part).expect(1);
    assert_notes(&output.stderr, &[&[part.path(), "selection"]]);
    let told = difference(&old, &part);
    let pipes: Vec<_> = told.pipes.iter().map(|pipe| (pipe.id.as_str(), pipe.change.as_str(), pipe.certain)).collect();
    assert_eq!(pipes, [("pipe:[101]", "went", false), ("pipe:[103]", "went", false)]);
    assert!(told.pipes.iter().flat_map(|pipe| &pipe.ends).all(|end| !end.certain));
    assert_eq!(summary(output.text()), [0, 2, 0, 2, 0, 3, 0, 3]);
}

#[test]
fn reports_in_the_wrong_order() {
    let (_dir, _folder, old, new) = changed_tree();
    for (saved, time) in [(&old, "2026-01-01T00:00:00.000Z"), (&new, "2026-01-01T00:00:01.000Z")] {
        saved.edit(|json| json["taken_at"] = time.into());
    }
    assert_eq!(diff(&[], &old, &new).expect(1).stderr, "");
    let output = diff(&[], &new, &old).expect(1);
    assert_notes(&output.stderr, &[&[old.path(), new.path()]]);
}

/// Many ends that stayed are counted, and those that did not are all listed.
#[test]
fn many_ends() {
    let dir = TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    let proc = tree.root().to_str().expect("UTF-8").to_owned();
    let folder = Folder::new();
    for pid in 1000..1300 {
        tree.process(pid, "worker").fd(pid, 4, "pipe:[700]", "00");
    }
    let old = folder.save("old", ["-l", "--proc", &proc]);
    for pid in 1000..1050 {
        fs::remove_dir_all(tree.root().join(pid.to_string())).expect("end a process");
    }
    let new = folder.save("new", ["-l", "--proc", &proc]);
    let output = diff(&["-n"], &old, &new).expect(1);
    let row = output.text().lines().next().expect("a row");
    let readers: Vec<&str> = row.split_whitespace().nth(2).expect("readers").split(';').collect();
    let gone = (1000..1050).map(|pid| format!("-{pid},worker,4r"));
    let stay = (1050..1054).map(|pid| format!("={pid},worker,4r"));
    assert_eq!(readers, gone.chain(stay).chain(["=+246".to_owned()]).collect::<Vec<_>>());
}

#[test]
fn on_a_terminal_it_fits_and_nothing_is_raw() {
    need!(Need::Program("script"));
    let dir = TempDir::new().expect("temporary directory");
    let tree = ProcTree::new(&dir.path().join("proc"));
    let proc = tree.root().to_str().expect("UTF-8").to_owned();
    let folder = Folder::new();
    tree.process(20, "plain").fd(20, 0, "pipe:[101]", "00");
    let old = folder.save("old", ["-l", "--proc", &proc]);
    for pid in 100..112 {
        tree.process(pid, "esc\u{1b}[31m,a b").fd(pid, 1, "pipe:[101]", "01");
    }
    let new = folder.save("new", ["-l", "--proc", &proc]);
    for width in [44, 60, 100] {
        let (code, lines) = terminal::run(width, &[], &["diff", old.path(), new.path()]);
        let text = lines.join("\n");
        assert_eq!(code, Some(1), "{text}");
        let plain = without_colour(&text);
        assert!(!plain.contains('\x1b') && text.contains("\x1b["), "{text:?}");
        // Less than the first has no room for the ID and a command.
        assert!(plain.lines().all(|line| line.chars().count() <= width), "{plain}");
        // Where there is room for it, an end is in one piece.
        for pid in (100..112).filter(|_| width == 100) {
            assert!(plain.contains(&format!(r"+{pid},esc\x1b[31m\x2ca b,1w")), "{plain}");
        }
    }
}
