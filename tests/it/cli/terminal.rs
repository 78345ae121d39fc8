//! What is written on a terminal, and where a width is known: colour unless it is unwanted, lines that fit, and all of it there.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Stage;
use crate::fixtures::scenes;
use crate::support::need::{Need, need};
use crate::support::run::lspipe;
use crate::support::terminal::{self, without_colour};

/// Gives a command a terminal.
const SCRIPT: Need = Need::Program("script");

/// Runs lspipe on a terminal that is so wide, and returns what it wrote there, in lines.
#[track_caller]
fn on_terminal(columns: usize, variables: &[(&str, &str)], args: &[&str]) -> Vec<String> {
    let (code, lines) = terminal::run(columns, variables, args);
    assert_eq!(code, Some(0), "{}", lines.join("\n"));
    lines
}

fn options<'a>(form: &[&'a str], proc: &'a Path) -> Vec<&'a str> {
    [form, &["-l", "-q", "--proc", proc.to_str().expect("UTF-8")]].concat()
}

#[test]
fn colour_unless_it_is_unwanted() {
    need!(SCRIPT);
    let stage = Stage::new();
    let run = |variables: &[(&str, &str)], more: &[&str]| {
        let lines = on_terminal(200, variables, &options(more, stage.tree.root()));
        let text = lines.join("\n");
        assert!(text.contains("pipe:[18913]"), "{text}");
        text
    };
    let plain = run(&[], &["--color=never"]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    for (variables, option) in [
        (&[][..], "--color=auto"),
        (&[("NO_COLOR", "")], "--color=auto"),
        (&[("NO_COLOR", "1")], "--color=always"),
        (&[("TERM", "dumb")], "--color=always"),
    ] {
        let text = run(variables, &[option]);
        assert!(text.contains("\x1b["), "{variables:?} {option}: {text:?}");
        assert_eq!(without_colour(&text), plain);
    }
    for variables in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert_eq!(run(&[variables], &[]), plain, "{variables:?}");
    }
}

/// The cells of a fitted table. Where they begin is taken from the heading; a line without a first cell goes on with the row before: that
/// one is never wrapped. A path that there is no room for has a line of its own.
fn cells(lines: &[String]) -> Vec<Vec<String>> {
    let heading = lines.first().expect("a heading");
    let starts: Vec<usize> = heading
        .char_indices()
        .filter(|(at, c)| *c != ' ' && (*at == 0 || heading[..*at].ends_with(' ')))
        .map(|(at, _)| at)
        .collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines {
        if let (Some(path), Some(before)) = (line.strip_prefix("    /"), rows.last_mut()) {
            *before.last_mut().expect("a cell") = format!("/{path}");
            continue;
        }
        let mut row = vec![String::new(); starts.len()];
        let mut column = 0;
        for character in line.chars() {
            let cell = starts.iter().rposition(|start| *start <= column).expect("the first begins at 0");
            row[cell].push(character);
            column += character.width().unwrap_or(0);
        }
        match rows.last_mut() {
            Some(before) if row[0].trim().is_empty() => {
                for (cell, more) in before.iter_mut().zip(&row) {
                    cell.push_str(more);
                }
            }
            _ => rows.push(row),
        }
    }
    rows
}

/// The cells of rows that are blocks, below these headings; none for what a block leaves out.
fn cells_of_blocks(lines: &[String], headings: &[String]) -> Vec<Vec<String>> {
    let mut rows = vec![headings.to_vec()];
    for block in lines.split(String::is_empty) {
        let mut row = vec![String::new(); headings.len()];
        let mut cell = 0;
        for segment in block.iter().flat_map(|line| line.split("  ")).map(str::trim).filter(|it| !it.is_empty()) {
            let (first, rest) = segment.split_once(' ').unwrap_or((segment, ""));
            match headings.iter().position(|heading| heading == first) {
                Some(place) => {
                    cell = place;
                    row[cell].push_str(rest);
                }
                None => row[cell].push_str(segment),
            }
        }
        rows.push(row.into_iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }).collect());
    }
    rows
}

/// Without what differs where a cell is wrapped: the blanks, and what stands between two ends.
fn squeeze(cell: &str) -> String {
    cell.replace([' ', ';'], "").replace("\\x20", "")
}

/// Of a table that was written off a terminal, the columns with these headings. What is not among them must be empty, or be what a
/// narrow terminal does without.
fn only(shown: &[String], whole: &[Vec<String>]) -> Vec<Vec<String>> {
    let kept: Vec<bool> = whole[0].iter().map(|heading| shown.contains(heading)).collect();
    for (index, _) in kept.iter().enumerate().filter(|(_, kept)| !**kept) {
        let is_empty = whole[1..].iter().all(|row| row[index] == "-");
        assert!(
            is_empty || ["KIND", "USER", "SHARED", "FLAGS"].contains(&&*whole[0][index]),
            "{shown:?} of {:?}",
            whole[0]
        );
    }
    let of =
        |row: &Vec<String>| row.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(cell, _)| cell.clone()).collect();
    whole.iter().map(of).collect()
}

/// No line is wider than the terminal but for a path, which is in one piece; and every cell of a column that is there is all there.
/// Columns that were asked for are there.
#[test]
fn fits_the_terminal_and_is_whole() {
    need!(SCRIPT);
    let (mut tables, mut blocks) = (0, 0);
    for scene in scenes() {
        let proc = scene.join("proc");
        let asked_for = &["-o", "PIPE,KIND,READERS,WRITERS,NAME"];
        for (form, widths) in
            [(&[][..], &[60, 80, 132][..]), (asked_for, &[80, 100]), (&["-e"], &[80, 132]), (&["-e", "-n"], &[60])]
        {
            let args = options(&[form, &["--full", "--no-pager"]].concat(), &proc);
            let piped = lspipe(&args).run().expect(0);
            let expected: Vec<Vec<String>> =
                piped.text().lines().map(|row| row.split_ascii_whitespace().map(squeeze).collect()).collect();
            for &width in widths {
                let lines: Vec<String> =
                    on_terminal(width, &[], &args).iter().map(|line| without_colour(line)).collect();
                for line in &lines {
                    assert!(
                        line.width() <= width || line.contains('/'),
                        "{form:?} at {width}: {line:?}\n{}",
                        lines.join("\n")
                    );
                }
                if form.contains(&"-n") {
                    continue;
                }
                let is_table = lines[0].ends_with("NAME") || lines[0].ends_with("WRITERS") || lines[0].contains("FD  ");
                let cells = if is_table { cells(&lines) } else { cells_of_blocks(&lines, &expected[0]) };
                *(if is_table { &mut tables } else { &mut blocks }) += 1;
                let found: Vec<Vec<String>> =
                    cells.iter().map(|row| row.iter().map(|cell| squeeze(cell)).collect()).collect();
                if form == asked_for {
                    assert_eq!(found[0], expected[0], "at {width} of {}", scene.display());
                }
                let expected = only(&found[0], &expected);
                assert_eq!(found, expected, "{form:?} at {width} of {}\n{}", scene.display(), lines.join("\n"));
            }
        }
    }
    assert!(tables > 0 && blocks > 0, "{tables} tables, {blocks} with blocks");
}

/// What is coloured ends with its line: else the colour runs through the columns of the next.
#[test]
fn colour_ends_with_the_line() {
    need!(SCRIPT);
    let stage = Stage::new();
    for (width, form) in [(200, &[][..]), (60, &[]), (60, &["-e"]), (40, &["fds", "311"])] {
        for line in on_terminal(width, &[], &options(form, stage.tree.root())) {
            let last = line.rsplit("\x1b[").next().filter(|_| line.contains("\x1b["));
            assert!(
                last.is_none_or(|last| last.starts_with("0m") || last.starts_with('m')),
                "{form:?} at {width}: {line:?}"
            );
        }
    }
}

/// What is for copying is not broken in two: an ID, an end, a heading. Columns without information are left out for that.
#[test]
fn what_is_short_stays_whole() {
    need!(SCRIPT);
    let stage = Stage::new();
    for pid in 4_000_000..4_000_040 {
        stage.tree.process(pid, "worker").fd(pid, 4, "pipe:[53458801]", "00");
    }
    stage.tree.process(4_000_041, "a-long-command").fd(4_000_041, 10, "pipe:[53458801]", "01");
    let pipe = "pipe:[53458801]";
    let whole = |width: usize, form: &[&str], headings: &[&str]| {
        let args = options(&[form, &["--full", "--no-pager", pipe]].concat(), stage.tree.root());
        let lines = on_terminal(width, &[("NO_COLOR", "1")], &args);
        let text = lines.join("\n");
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), headings, "{form:?} at {width}: {text}");
        let words: Vec<&str> = text.split_whitespace().collect();
        for pid in 4_000_000..4_000_040 {
            assert!(words.contains(&&*format!("{pid},worker,4r")), "{form:?} at {width}: {text}");
        }
        for word in ["4000041,a-long-command,10w", pipe] {
            assert!(words.contains(&word), "{form:?} at {width}: {text}");
        }
        lines.iter().map(|line| line.width()).max()
    };
    assert!(whole(79, &[], &["PIPE", "KIND", "READERS", "WRITERS", "NAME"]) <= Some(79));
    assert!(whole(78, &[], &["PIPE", "KIND", "READERS", "WRITERS"]) <= Some(78));
    assert!(whole(65, &[], &["PIPE", "READERS", "WRITERS"]) <= Some(65));
    let asked_for = ["-o", "PIPE,KIND,READERS,WRITERS"];
    assert!(whole(80, &asked_for, &["PIPE", "KIND", "READERS", "WRITERS"]) <= Some(80));
}

/// Where the lines have no room for a table, a row is a block; an end that there is still no room for is broken at its commas.
#[test]
fn a_narrow_table_is_blocks() {
    need!(SCRIPT);
    let stage = Stage::new();
    stage.tree.process(4_000_001, "nginx: worker").fd(4_000_001, 10, "pipe:[53458801]", "00");
    stage.tree.process(4_000_002, "writer").fd(4_000_002, 11, "pipe:[53458801]", "01");
    let at = |width| on_terminal(width, &[("NO_COLOR", "1")], &options(&["pipe:[53458801]"], stage.tree.root()));
    let expected = [
        "PIPE pipe:[53458801]  KIND anonymous",
        "  READERS  4000001,nginx: worker,10r",
        "  WRITERS  4000002,writer,11w",
    ];
    assert_eq!(at(44), expected);
    let expected = [
        "PIPE pipe:[53458801]",
        "  KIND anonymous",
        "  READERS  4000001,",
        "           nginx: worker,10r",
        "  WRITERS  4000002,writer,11w",
    ];
    assert_eq!(at(30), expected);
    let expected = [
        "PIPE             READERS                    WRITERS",
        "pipe:[53458801]  4000001,nginx: worker,10r  4000002,writer,11w",
    ];
    assert_eq!(at(63), expected);
}

/// The lists of what there is wrap, and lose no word.
#[test]
fn lists_of_columns_and_findings_fit() {
    need!(SCRIPT);
    let codes = lspipe(["audit", "--explain"]).run().expect(0);
    let codes: Vec<&str> = codes.text().lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.len() > 10, "{codes:?}");
    let explained = codes.iter().map(|code| vec!["audit", "--explain", code]);
    for args in [vec!["-H"], vec!["fds", "-H"]].into_iter().chain(explained) {
        let whole = lspipe(&args).run().expect(0);
        for width in [40, 60, 80, 120] {
            let lines = on_terminal(width, &[], &args);
            // A command stays in one piece, to be copied.
            assert!(lines.iter().all(|line| line.width() <= width || line.starts_with('`')), "{}", lines.join("\n"));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&lines.join("\n")), words(whole.text()), "{args:?}");
        }
    }
    // The points of a list stay apart, and where there is no room for it beside the code, what a finding is about stands below.
    let lines = on_terminal(40, &[], &["why", "--explain", "leaked-write-end"]);
    let wide = lspipe(["why", "--explain", "leaked-write-end"]).run().expect(0);
    let points = |text: &str| text.lines().filter(|line| line.starts_with("- ")).count();
    assert_eq!(points(&lines.join("\n")), points(wide.text()), "{}", lines.join("\n"));
    assert!(points(wide.text()) > 3);
    let lines = on_terminal(60, &[], &["audit", "--explain"]);
    assert!(lines.iter().all(|line| line.width() <= 60), "{}", lines.join("\n"));
    assert_eq!(lines[0], "deadlock (error, warning; why, audit)");
    assert!(lines[1].starts_with("    Threads of several processes"), "{}", lines[1]);
}

/// A name is shown as people know it wherever a line is not split into fields, and is one field elsewhere.
#[test]
fn names_keep_their_blanks_on_a_terminal() {
    need!(SCRIPT);
    let stage = Stage::new();
    stage.tree.process(400, "tmux: server").fd(400, 5, "pipe:[700]", "00");
    stage.tree.process(401, "a\x1b]0;x").fd(401, 6, "pipe:[700]", "01");
    let on = |args: &[&str]| on_terminal(120, &[("NO_COLOR", "1")], &options(args, stage.tree.root())).join("\n");
    let shown = on(&["pipe:[700]"]);
    assert!(shown.contains("400,tmux: server,5r") && shown.contains(r"401,a\x1b]0\x3bx,6w"), "{shown}");
    let shown = on(&["-e", "pipe:[700]"]);
    assert!(shown.lines().any(|line| line.contains("tmux: server  5")), "{shown}");
    let piped = stage.text(&["pipe:[700]"]);
    assert!(piped.contains(r"400,tmux:\x20server,5r"), "{piped}");
    for text in [on(&["graph", "pipe:[700]"]), stage.text(&["graph", "pipe:[700]"])] {
        assert!(text.contains("\"tmux: server\" (400)"), "{text}");
    }
}

/// Off a terminal a row is a line, unless a width is known: by an option, by what watch(1) exports, or for colour.
#[test]
fn a_width_fits_the_table_off_a_terminal() {
    let stage = Stage::new();
    for pid in 1000..1020 {
        stage.tree.process(pid, "worker").fd(pid, 4, "pipe:[700]", "00");
    }
    let plain = stage.text(&["pipe:[700]"]);
    assert_eq!(plain.lines().count(), 2);
    assert!(plain.contains("1000,worker,4r;1001,worker,4r"), "{plain}");
    let fitted = stage.text(&["--width", "50", "pipe:[700]"]);
    assert!(fitted.contains("worker ×20"), "{fitted}");
    let full = stage.text(&["--width", "50", "--full", "pipe:[700]"]);
    assert!(full.contains("1000,worker,4r  ") && full.lines().all(|line| line.width() <= 50), "{full}");
    let by_variable = |columns: &str, args: &[&str]| {
        let args = [args, &["--proc", stage.proc(), "pipe:[700]"]].concat();
        let output = Command::new(env!("CARGO_BIN_EXE_lspipe"))
            .args(args)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("COLUMNS", columns)
            .output()
            .expect("run lspipe");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    assert_eq!(by_variable("50", &[]), fitted);
    assert_eq!(by_variable("0", &[]), plain);
    assert_eq!(by_variable("50", &["--width=200"]), stage.text(&["--width=200", "pipe:[700]"]));
    let json = by_variable("50", &["--json"]);
    assert_eq!(json.lines().count(), 1, "{json}");
    let coloured = stage.text(&["--color=always", "pipe:[700]"]);
    assert_eq!(without_colour(&coloured), stage.text(&["--width=80", "pipe:[700]"]));
    stage.run(&["--width=0"]).expect(2);
}

#[test]
fn the_c_locale_has_ascii_alone() {
    let stage = Stage::new();
    stage.tree.process(400, "cat").fd(400, 5, "pipe:[700]", "00");
    stage.tree.process(401, "dog").fd(401, 5, "pipe:[700]", "01");
    for (locale, is_ascii) in
        [("C", true), ("POSIX", true), ("en_US.ISO-8859-1", true), ("C.UTF-8", false), ("", false)]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_lspipe"))
            .args(["graph", "--proc", stage.proc(), "pipe:[700]"])
            .env_clear()
            .env("LC_ALL", locale)
            .output()
            .expect("run lspipe");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(text.contains("`> cat (400)"), is_ascii, "{locale}: {text}");
        assert_eq!(text.contains("└▶ cat (400)"), !is_ascii, "{locale}: {text}");
    }
}

/// The pager gets all of what is longer than the screen, and nothing else.
#[test]
fn what_is_longer_than_the_screen_is_paged() {
    need!(SCRIPT);
    let stage = Stage::new();
    let page = stage.folder().join("page");
    let pager = format!("cat >{}; echo paged", page.display());
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let _ = std::fs::remove_file(&page);
        let lines = on_terminal(100, variables, &options(args, stage.tree.root()));
        (lines, std::fs::read_to_string(&page).ok())
    };
    let (short, paged) = run(&[("LSPIPE_PAGER", &pager)], &[]);
    assert_eq!(paged, None);
    for inode in 700..740 {
        stage.tree.process(inode, "long").fd(inode, 5, format!("pipe:[{inode}]"), "00");
    }
    let (whole, paged) = run(&[("LSPIPE_PAGER", &pager)], &["--no-pager"]);
    assert!(paged.is_none() && whole.len() == short.len() + 40, "{whole:?}");
    for variables in [&[("LSPIPE_PAGER", &*pager), ("PAGER", "false")][..], &[("PAGER", &pager)]] {
        let (lines, paged) = run(variables, &[]);
        assert_eq!(lines, ["paged"], "{variables:?}");
        assert_eq!(paged.expect("a page").lines().collect::<Vec<_>>(), whole, "{variables:?}");
    }
    for none in ["", "cat", "/no/such/pager 2>/dev/null"] {
        assert_eq!(run(&[("PAGER", none)], &[]).0, whole, "{none:?}");
    }
    // Not all of it need be read.
    assert_eq!(run(&[("PAGER", "head -n 1")], &[]).0, whole[..1]);
}

/// A report that is repeated stands in one place, and what is new in it is marked.
#[test]
fn a_repeated_report_is_drawn_in_place() {
    need!(SCRIPT);
    let stage = Stage::new();
    let command =
        format!("stty cols 100 rows 24 && timeout 3 \"$LSPIPE\" -l -q -r 0.5 --color=never --proc {}", stage.proc());
    let mut child = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm")
        .env("LSPIPE", env!("CARGO_BIN_EXE_lspipe"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run script");
    std::thread::sleep(Duration::from_millis(1200));
    stage.tree.process(400, "newcomer").fd(400, 5, "pipe:[700]", "00");
    let mut text = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
    child.wait().expect("it ends");
    let screens: Vec<&str> = text.split("\x1b[H").skip(1).collect();
    assert!(screens.len() >= 3, "{text:?}");
    // On a line as wide as the terminal, what is cleared after its text is its last character.
    assert!(!text.contains("\x1b[K"), "{text:?}");
    let screens: Vec<String> = screens.into_iter().map(|screen| screen.replace("\x1b[2K", "")).collect();
    let marked = |screen: &str| screen.lines().filter(|line| line.starts_with("* ")).count();
    assert!(!screens[0].contains("newcomer") && marked(&screens[0]) == 0, "{:?}", screens[0]);
    let first = screens.iter().find(|screen| screen.contains("newcomer")).expect("it is seen");
    assert!(first.lines().any(|line| line.starts_with("* pipe:[700]")), "{first:?}");
    let last = screens.last().expect("several");
    assert!(last.contains("  pipe:[700]") && marked(last) == 0, "{last:?}");
    assert!(screens.iter().all(|screen| screen.contains("every 0.5 s")), "{text:?}");
}

/// Who waits on a terminal is told what for, in a line that is gone when the answer comes; in a file there is nothing of that.
#[test]
fn a_pause_is_announced_on_a_terminal() {
    need!(SCRIPT);
    let stage = Stage::new();
    let args = options(&["audit", "--confirm", "0.3"], stage.tree.root());
    let args: Vec<&str> = args.into_iter().filter(|arg| *arg != "-q").collect();
    let (_, lines) = terminal::run(100, &[("NO_COLOR", "1")], &args);
    let text = lines.join("\n");
    let (before, after) = text.split_once("lspipe looks again in 0.3 s\r\x1b[K").expect(&text);
    assert!(before.is_empty() && !after.contains("looks again"), "{text:?}");
    // What would wrap could not be cleared.
    let (_, lines) = terminal::run(24, &[("NO_COLOR", "1")], &args);
    assert!(lines.join("\n").starts_with("lspipe looks again in 0\r\x1b[K"), "{lines:?}");
    let output = stage.run(&["audit", "--confirm", "0.3"]);
    assert!(!output.stderr.contains("looks again") && !output.text().contains("looks again"), "{output:?}");
}
