//! What is written off a terminal: which columns, in which form, and that awk can rely on it.

use super::Stage;
use crate::fixtures::scenes;

use crate::support::run::lspipe;
use crate::support::table::Table;
use crate::support::terminal::without_colour;
use crate::support::text::assert_notes;

/// The columns that `--list-columns` prints, each with what it shows.
fn columns() -> Vec<String> {
    let output = lspipe(["-H"]).run().expect(0);
    assert_eq!(output.stdout, lspipe(["--list-columns"]).run().expect(0).stdout);
    let column = |line: &str| {
        let (name, help) = line.split_once(' ').expect("a name and a help");
        assert!(!help.trim().is_empty(), "{line}");
        name.to_owned()
    };
    output.text().lines().map(column).collect()
}

fn header(text: &str) -> Vec<String> {
    Table::parse(text).header().to_vec()
}

/// These arguments, with what such a column needs.
fn asked<'a>(args: &[&'a str], column: &str) -> Vec<&'a str> {
    let probe: &[&str] = if ["QUEUED", "CAPACITY", "FULL"].contains(&column) { &["-q", "--probe"] } else { &[] };
    [args, probe].concat()
}

const PIPES: &str = "PIPE KIND READERS WRITERS NAME";
const ENDS: &str = "PID TID USER COMMAND FD MODE FLAGS PIPE KIND PEERS SHARED NAME";

#[test]
fn columns_are_what_was_asked_for() {
    let stage = Stage::new();
    let cases: [(&[&str], &str); 12] = [
        (&[], PIPES),
        (&["-e"], ENDS),
        (&["-o", "PIPE"], "PIPE"),
        (&["-o", "writers,readers"], "WRITERS READERS"),
        (&["-o", "Name,INODE,dev"], "NAME INODE DEV"),
        (&["-o", "PIPE", "-o", "KIND"], "PIPE KIND"),
        (&["-o", "PIPE", "-o", "+KIND"], "PIPE KIND"),
        (&["-o", "+INODE,DELETED"], "PIPE KIND READERS WRITERS NAME INODE DELETED"),
        (&["-e", "-o", "+PPID"], "PID TID USER COMMAND FD MODE FLAGS PIPE KIND PEERS SHARED NAME PPID"),
        (&["-e", "-o", "PIPE"], "PIPE"),
        (&["-o", "PIPE,PID"], "PIPE PID"),
        (&["-o", "+ppid"], "PID TID USER COMMAND FD MODE FLAGS PIPE KIND PEERS SHARED NAME PPID"),
    ];
    for (args, expected) in cases {
        assert_eq!(header(&stage.text(args)).join(" "), expected, "{args:?}");
    }
    for column in columns() {
        assert_eq!(header(&stage.text(&asked(&["-o", &column.to_lowercase()], &column))), [column]);
    }
}

/// What `--probe` adds stands before the name; in a tree, where there is no kernel to ask, nothing of it is known, and that is said.
#[test]
fn probe_adds_its_columns() {
    let stage = Stage::new();
    let cases: [(&[&str], &str); 4] = [
        (&["--probe"], "PIPE KIND READERS WRITERS QUEUED CAPACITY NAME"),
        (&["-e", "--probe"], "PID TID USER COMMAND FD MODE FLAGS PIPE KIND PEERS SHARED QUEUED CAPACITY NAME"),
        (&["--probe", "-o", "PIPE,KIND"], "PIPE KIND"),
        (&["--probe", "-o", "queued,PIPE"], "QUEUED PIPE"),
    ];
    for (args, expected) in cases {
        let output = stage.run(args).expect(0);
        assert_eq!(header(output.text()).join(" "), expected, "{args:?}");
        assert_notes(&output.stderr, &[&["--probe"]]);
    }
    let output = stage.run(&["-q", "--probe"]).expect(0);
    let table = Table::parse(output.text());
    assert_eq!((table.cell("pipe:[9007]", "QUEUED"), table.cell("pipe:[9007]", "CAPACITY")), ("?", "?"));
    assert_eq!(table.cell("pipe:[9007]", "READERS"), "-");
}

/// A column of a pipe leaves a row for each pipe; one of an end makes a row for each end.
#[test]
fn column_of_an_end_makes_a_row_for_each_end() {
    let stage = Stage::new();
    let of_pipes =
        ["PIPE", "KIND", "READERS", "WRITERS", "NAME", "INODE", "DEV", "DELETED", "QUEUED", "CAPACITY", "FULL"];
    for column in columns() {
        let text = stage.text(&asked(&["-n", "-o", &column], &column));
        let expected = if of_pipes.contains(&column.as_str()) { 5 } else { 8 };
        assert_eq!(text.lines().count(), expected, "{column}: {text}");
    }
    let text = stage.text(&["-n", "-o", "PIPE,PID,FD,MODE,PPID,UID,FLAGS", "pipe:[20000]"]);
    let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(
        rows,
        [
            ["pipe:[20000]", "252", "3", "w", "60", "1000", "O_CLOEXEC,O_NONBLOCK"],
            ["pipe:[20000]", "311", "7", "r", "310", "34", "-"]
        ]
    );
}

#[test]
fn rows_without_headings() {
    let stage = Stage::new();
    for form in [&[][..], &["-e"], &["fds", "311"], &["-o", "PIPE,UNIT"]] {
        let words = |text: &str| {
            text.lines().map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let with = words(&stage.text(&[form, &["-l"]].concat()));
        for option in ["-n", "--noheadings"] {
            assert_eq!(words(&stage.text(&[form, &["-l", option]].concat())), with[1..], "{form:?}");
        }
    }
}

#[test]
fn terse_is_pids_one_a_line() {
    let stage = Stage::new();
    for (args, expected) in [
        (&["-t"][..], &["251", "252", "310", "311", "312"][..]),
        (&["-t", "--readers"], &["252", "311", "312"]),
        (&["-t", "--writers"], &["251", "252", "310", "311"]),
        (&["-t", "--readers", "--writers"], &["251", "252", "310", "311", "312"]),
        (&["--terse", "--readers", "pipe:[18913]"], &["252"]),
        (&["-t", "--writers", "-k", "fifo"], &["311"]),
        (&["-t", "-p", "251"], &["251", "252"]),
    ] {
        assert_eq!(stage.text(args).lines().collect::<Vec<_>>(), expected, "{args:?}");
    }
    // A pipe that is there, and has no process on that side.
    assert_eq!(stage.text(&["-t", "--readers", "pipe:[9007]"]), "");
}

#[test]
fn users_by_name_and_by_number() {
    let stage = Stage::new();
    let user = |args: &[&str]| {
        stage.text(&[args, &["-n", "-o", "USER", "-p", "312", "-c", "cat"]].concat()).lines().last().map(str::to_owned)
    };
    assert_eq!(user(&[]).as_deref(), Some("root"));
    assert_eq!(user(&["-l"]).as_deref(), Some("0"));
    assert_eq!(user(&["--numeric-uid"]).as_deref(), Some("0"));
    for (args, expected) in [(&["--json"][..], "\"user\":\"root\""), (&["--json", "-l"], "\"user\":null")] {
        let json = stage.text(&[args, &["-p", "312"]].concat());
        assert!(json.replace(": ", ":").contains(expected), "{json}");
    }
}

/// Off a terminal every row is one line, and has as many fields as the heading, whatever the names are.
#[test]
fn every_row_has_the_fields_of_the_heading() {
    let every = columns().join(",");
    for scene in scenes() {
        let proc = scene.join("proc");
        for form in [&[][..], &["-e"], &["--probe", "-o", &every]] {
            let args = [form, &["-q", "--proc", proc.to_str().expect("UTF-8")]].concat();
            let output = lspipe(args).run().expect(0);
            let text = output.text();
            let fields: Vec<usize> = text.lines().map(|row| row.split_ascii_whitespace().count()).collect();
            assert!(
                fields.iter().all(|count| *count == fields[0]),
                "{form:?} on {}: {fields:?}\n{text}",
                scene.display()
            );
            assert!(text.ends_with('\n') && !text.contains(|c: char| c != '\n' && c.is_control()), "{text:?}");
        }
    }
}

/// A pipe with many ends: the table and JSON name them all, SHARED says how many it leaves out.
#[test]
fn many_ends() {
    let stage = Stage::new();
    for pid in 1000..1300 {
        stage.tree.process(pid, "worker").fd(pid, 4, "pipe:[700]", "00");
    }
    let text = stage.text(&["pipe:[700]"]);
    let table = Table::parse(&text);
    let readers: Vec<String> = (1000..1300).map(|pid| format!("{pid},worker,4r")).collect();
    assert_eq!(table.cell("pipe:[700]", "READERS").split(';').collect::<Vec<_>>(), readers);
    let text = stage.text(&["-n", "-o", "PID,SHARED", "pipe:[700]"]);
    assert_eq!(text.lines().count(), 300);
    for line in text.lines() {
        let (pid, ends) = line.split_once(' ').expect("two cells");
        let ends: Vec<&str> = ends.trim().split(';').collect();
        assert!(ends.iter().all(|end| !end.starts_with(&format!("{pid},"))), "its own end is no other: {line}");
        assert_eq!((ends.len(), ends[32]), (33, "+267"), "{line}");
    }
    let text = stage.text(&["-n", "-o", "PEERS", "pipe:[700]"]);
    assert!(text.lines().count() == 300 && text.lines().all(|line| line == "-"), "{text}");
}

#[test]
fn colour_off_a_terminal_only_where_it_is_forced() {
    let stage = Stage::new();
    for form in [&[][..], &["-e"], &["fds", "311"]] {
        let plain = stage.text(form);
        for color in [&["--color", "auto"][..], &["--color=never"]] {
            assert_eq!(stage.text(&[form, color].concat()), plain, "{form:?}");
        }
        let colored = stage.text(&[form, &["--color", "always", "--width=200"]].concat());
        assert!(colored.contains("\x1b["), "{colored:?}");
        let fitted = stage.text(&[form, &["--width=200"]].concat());
        assert_eq!(without_colour(&colored), fitted, "colour adds nothing but colour");
        assert!(!plain.contains('\x1b'));
    }
    for form in [&["--json"][..], &["--ndjson"], &["-t"], &["-H"]] {
        assert!(!stage.text(&[form, &["--color=always"]].concat()).contains('\x1b'), "{form:?} is for machines");
    }
}

/// Nothing that could be read is missing, so that it may be required.
#[test]
fn require_complete() {
    let stage = Stage::new();
    assert_eq!(stage.text(&["--require-complete"]), stage.text(&[]));
    std::fs::remove_dir_all(stage.tree.root().join("60/fd")).expect("remove");
    let output = stage.run(&[]).expect(0);
    assert_notes(&output.stderr, &[&["1 process", "PID 60, bash", "?"]]);
    assert_eq!(stage.run(&["-q"]).expect(0).stderr, "");
    let required = stage.run(&["--require-complete"]).expect(2);
    assert_eq!(
        (required.text(), &required.stderr),
        (output.text(), &output.stderr),
        "the report is written all the same"
    );
    // What is not seen may be the other end; what is not there for sure is still a dash.
    let table = Table::parse(output.text());
    assert_eq!(table.row("pipe:[9007]")[2..4], ["?", "310,backup,1w"]);
    assert_eq!(table.row("pipe:[9008]")[2..4], ["311,python3.11-conf,0r", "?"]);
    stage.run(&["-p", "60", "--require-complete"]).expect(2);
}
