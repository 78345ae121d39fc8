//! What is written on a terminal: colour unless it is unwanted, lines that fit, and all of it there.

use std::path::Path;

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
/// one is never wrapped.
fn cells(lines: &[String]) -> Vec<Vec<String>> {
    let heading = lines.first().expect("a heading");
    let starts: Vec<usize> = heading
        .char_indices()
        .filter(|(at, c)| *c != ' ' && (*at == 0 || heading[..*at].ends_with(' ')))
        .map(|(at, _)| at)
        .collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines {
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
        assert!(is_empty || ["KIND", "USER", "FLAGS"].contains(&&*whole[0][index]), "{shown:?} of {:?}", whole[0]);
    }
    let of =
        |row: &Vec<String>| row.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(cell, _)| cell.clone()).collect();
    whole.iter().map(of).collect()
}

/// No line is wider than the terminal, and every cell of a column that is there is all there. Columns that were asked for are there.
#[test]
fn fits_the_terminal_and_is_whole() {
    need!(SCRIPT);
    for scene in scenes() {
        let proc = scene.join("proc");
        let asked_for = &["-o", "PIPE,KIND,READERS,WRITERS,NAME"];
        for (form, widths) in
            [(&[][..], &[60, 80, 132][..]), (asked_for, &[80, 100]), (&["-e"], &[80, 132]), (&["-e", "-n"], &[60])]
        {
            let args = options(form, &proc);
            let piped = lspipe(&args).run().expect(0);
            let expected: Vec<Vec<String>> =
                piped.text().lines().map(|row| row.split_ascii_whitespace().map(squeeze).collect()).collect();
            for &width in widths {
                let lines: Vec<String> =
                    on_terminal(width, &[], &args).iter().map(|line| without_colour(line)).collect();
                for line in &lines {
                    assert!(line.width() <= width, "{form:?} at {width}: {line:?}\n{}", lines.join("\n"));
                }
                if form.contains(&"-n") {
                    continue;
                }
                let found: Vec<Vec<String>> =
                    cells(&lines).iter().map(|row| row.iter().map(|cell| squeeze(cell)).collect()).collect();
                if form == asked_for {
                    assert_eq!(found[0], expected[0], "at {width} of {}", scene.display());
                }
                let expected = only(&found[0], &expected);
                assert_eq!(found, expected, "{form:?} at {width} of {}\n{}", scene.display(), lines.join("\n"));
            }
        }
    }
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
        let args = options(&[form, &[pipe]].concat(), stage.tree.root());
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
    // No way is left: rather a wider line.
    assert!(whole(30, &asked_for, &["PIPE", "KIND", "READERS", "WRITERS"]) > Some(30));
}

/// An end that there is no room for is broken at its commas, and all of it is there.
#[test]
fn an_end_is_broken_at_its_commas_only() {
    need!(SCRIPT);
    let stage = Stage::new();
    stage.tree.process(4_000_001, "reader").fd(4_000_001, 10, "pipe:[53458801]", "00");
    stage.tree.process(4_000_002, "writer").fd(4_000_002, 11, "pipe:[53458801]", "01");
    let lines = on_terminal(44, &[("NO_COLOR", "1")], &options(&["pipe:[53458801]"], stage.tree.root()));
    let expected = [
        "PIPE             READERS     WRITERS",
        "pipe:[53458801]  4000001,    4000002,",
        "                 reader,10r  writer,11w",
    ];
    assert_eq!(lines, expected);
}
