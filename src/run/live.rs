//! A report that is repeated on a terminal: drawn again in the same place, with a mark at each line that is new. Knows lines, not what is
//! in them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use super::Style;
use crate::render::wrap;
use crate::sys::local_time;

/// What stands before a line: that it is new, or not.
const MARKS: [&str; 2] = ["* ", "  "];

/// Maximum number of notes that are shown below.
const MOST_NOTES: usize = 3;

/// To the upper left corner, without wrapping lines.
const BEGIN: &str = "\x1b[?7l\x1b[H";
/// Clears a line, before its text: after a text as wide as the terminal, the cursor is still on the last character.
const CLEAR: &str = "\x1b[2K";
/// Ends a line.
const LINE: &str = "\r\n";
/// Clears what is below, and wraps lines as before.
const END: &str = "\x1b[J\x1b[?7h";

/// The size of the terminal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Screen {
    pub(super) rows: u16,
    /// Without it, the head and the notes are not wrapped.
    pub(super) columns: Option<u16>,
}

/// What was drawn last.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The lines, and how often each was there; none before the first time.
    before: Option<HashMap<String, usize>>,
}

impl Live {
    /// How the report looks beside the marks.
    pub(super) fn style(style: &Style) -> Style {
        let marks = u16::try_from(MARKS[0].len()).unwrap_or_default();
        Style { width: style.width.map(|width| width.saturating_sub(marks).max(1)), ..*style }
    }

    /// Draws a report in the place of the last one, as much as fits on the screen.
    pub(super) fn draw(
        &mut self,
        report: &str,
        notes: &[String],
        pause: Duration,
        screen: Screen,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let (hours, minutes, seconds) = local_time();
        let begin = if self.before.is_none() { "\x1b[2J" } else { "" };
        let head = format!("lspipe  {hours:02}:{minutes:02}:{seconds:02}  every {} s", pause.as_secs_f64());
        let wrapped = |text: &str| match screen.columns {
            Some(columns) => wrap(text, usize::from(columns)),
            None => vec![text.to_owned()],
        };
        let head = wrapped(&format!("{head}  (* new or changed)"));
        write!(out, "{begin}{BEGIN}")?;
        for line in head.iter().map(String::as_str).chain([""]) {
            write!(out, "{CLEAR}{line}{LINE}")?;
        }
        let mut old = self.before.take();
        let mut now: HashMap<String, usize> = HashMap::new();
        let lines: Vec<(bool, &str)> = report
            .lines()
            .map(|line| {
                *now.entry(line.to_owned()).or_default() += 1;
                let is_old = old.as_mut().is_none_or(|old| match old.get_mut(line) {
                    Some(count) if *count > 0 => {
                        *count -= 1;
                        true
                    }
                    _ => false,
                });
                (!is_old && !line.is_empty(), line)
            })
            .collect();
        self.before = Some(now);
        let notes: Vec<String> =
            notes.iter().take(MOST_NOTES).flat_map(|note| wrapped(&format!("lspipe: {note}"))).collect();
        // The head with an empty line, and the line that the cursor is in.
        let room = usize::from(screen.rows).saturating_sub(head.len() + 2 + notes.len()).max(1);
        let is_cut = lines.len() > room;
        let shown = if is_cut { room.saturating_sub(1) } else { lines.len() };
        for (is_new, line) in lines.iter().take(shown) {
            write!(out, "{CLEAR}{}{line}{LINE}", MARKS[usize::from(!is_new)])?;
        }
        if is_cut {
            let more = lines.iter().skip(shown);
            let new = more.clone().filter(|(is_new, _)| *is_new).count();
            write!(out, "{CLEAR}  … {} more lines, {new} of them new{LINE}", more.count())?;
        }
        for line in notes {
            write!(out, "{CLEAR}{line}{LINE}")?;
        }
        write!(out, "{END}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines on the screen, each of which is cleared before its text and not after it.
    fn on_screen(live: &mut Live, report: &str, notes: &[&str], screen: Screen) -> Vec<String> {
        let mut out = Vec::new();
        let notes: Vec<String> = notes.iter().map(|&note| note.to_owned()).collect();
        live.draw(report, &notes, Duration::from_millis(500), screen, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let body = text.strip_suffix(END).unwrap().split_once(BEGIN).unwrap().1;
        let lines: Vec<&str> = body.strip_suffix(LINE).unwrap().split(LINE).collect();
        let lines: Vec<String> = lines.into_iter().map(|line| line.strip_prefix(CLEAR).unwrap().to_owned()).collect();
        assert!(lines.iter().all(|line| !line.contains('\x1b')), "{lines:?}");
        lines
    }

    fn drawn(live: &mut Live, report: &str, notes: &[&str], rows: u16) -> Vec<String> {
        let mut lines = on_screen(live, report, notes, Screen { rows, columns: Some(80) }).into_iter();
        let head = lines.next().unwrap();
        assert!(head.ends_with("  every 0.5 s  (* new or changed)"), "{head}");
        lines.skip(1).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn what_is_new_is_marked() {
        let mut live = Live::default();
        assert_eq!(drawn(&mut live, "a\nb\nb\n", &[], 24), ["  a", "  b", "  b"]);
        assert_eq!(drawn(&mut live, "c\na\nb\nb\nb\n", &[], 24), ["* c", "  a", "  b", "  b", "* b"]);
        assert_eq!(drawn(&mut live, "a\n", &["x"], 24), ["  a", "lspipe: x"]);
        assert_eq!(drawn(&mut live, "a\nb\n", &[], 24), ["  a", "* b"]);
    }

    #[test]
    fn no_more_is_drawn_than_fits() {
        let mut live = Live::default();
        drawn(&mut live, "1\n2\n", &[], 24);
        let lines = drawn(&mut live, "1\n2\n3\n4\n5\n6\n", &["x"], 8);
        assert_eq!(lines, ["  1", "  2", "* 3", "  … 3 more lines, 3 of them new", "lspipe: x"]);
        assert_eq!(drawn(&mut live, "1\n2\n3\n", &[], 6), ["  1", "  2", "  3"]);
    }

    #[test]
    fn a_line_may_be_as_wide_as_the_terminal() {
        let mut live = Live::default();
        let screen = Screen { rows: 24, columns: Some(20) };
        let lines = on_screen(&mut live, &"x".repeat(18), &["no process 7 in /proc"], screen);
        let (head, rest) = lines.split_at(lines.iter().position(String::is_empty).unwrap());
        assert!(head.len() > 1 && head.join(" ").ends_with("(* new or changed)"), "{head:?}");
        assert_eq!(rest, ["", &format!("  {}", "x".repeat(18)), "lspipe: no process 7", "in /proc"]);
        assert!(lines.iter().all(|line| line.len() <= 20), "{lines:?}");
    }

    #[test]
    fn wrapped_notes_leave_less_room() {
        let mut live = Live::default();
        let screen = Screen { rows: 9, columns: Some(20) };
        let lines = on_screen(&mut live, "1\n2\n3\n4\n5\n", &["no process 7 in /proc"], screen);
        // The last line of the terminal is that of the cursor.
        assert_eq!(lines.len(), 8, "{lines:?}");
        assert!(lines.contains(&"  … 4 more lines, 0 of them new".to_owned()), "{lines:?}");
    }
}
