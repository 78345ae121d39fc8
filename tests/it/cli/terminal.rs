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

/// The cells of a fitted table. Where they begin the heading tells; a line without a second cell goes on with the row
/// before: that one is short in every table, so that it is never wrapped.
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
            Some(before) if row[1].trim().is_empty() => {
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

/// No line is wider than the terminal, and every cell is all there.
#[test]
fn fits_the_terminal_and_is_whole() {
    need!(SCRIPT);
    for scene in scenes() {
        let proc = scene.join("proc");
        for (form, widths) in [(&[][..], &[60, 80, 132][..]), (&["-e"], &[80, 132]), (&["-e", "-n"], &[60])] {
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

/// An end is for reading and copying: where it fits into its column, it is not broken in two.
#[test]
fn ends_are_wrapped_between_one_another() {
    need!(SCRIPT);
    let stage = Stage::new();
    for pid in 1000..1040 {
        stage.tree.process(pid, "worker").fd(pid, 4, "pipe:[700]", "00");
    }
    let lines = on_terminal(80, &[("NO_COLOR", "1")], &options(&["pipe:[700]"], stage.tree.root()));
    let text = lines.join("\n");
    for pid in 1000..1040 {
        assert!(text.contains(&format!("{pid},worker,4r")), "{text}");
    }
}
