//! Output on a terminal: what is longer than the screen goes through a pager, as git does it. Anything else is written as it comes.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use unicode_width::UnicodeWidthChar as _;

use crate::sys::{self, Stdout};

/// Output of more bytes is not held back, and so not paged.
const MOST: usize = 16 * 1024 * 1024;

/// The pager if none is named.
const PAGER: &str = "less";

/// The options of less if LESS is not set: quit if it fits, show colors, leave the text on the screen.
const LESS: &str = "FRX";

/// The status of a shell that did not find the command.
const NOT_FOUND: i32 = 127;

/// The standard output. Nothing may be lost before [`Pager::finish`].
#[derive(Debug)]
pub struct Pager {
    /// The lines and columns of the terminal; none where nothing is paged.
    screen: Option<(u16, u16)>,
    held: Vec<u8>,
}

impl Pager {
    /// What is longer than a screen of so many lines and columns is paged; nothing without one.
    #[must_use]
    pub const fn new(screen: Option<(u16, u16)>) -> Self {
        Self { screen, held: Vec::new() }
    }

    /// Writes what was held back, and waits for the pager if there is one.
    ///
    /// # Errors
    ///
    /// Those of standard output. That a pager ended early is none.
    pub fn finish(self) -> io::Result<()> {
        let is_longer = self.screen.is_some_and(|(rows, columns)| lines_on(&self.held, columns) >= usize::from(rows));
        let paged = if is_longer { start() } else { None };
        match paged.is_some_and(|pager| show(pager, &self.held)) {
            true => Ok(()),
            false => Stdout.write_all(&self.held),
        }
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.screen.is_none() {
            return Stdout.write(bytes);
        }
        self.held.extend_from_slice(bytes);
        if self.held.len() > MOST {
            self.screen = None;
            Stdout.write_all(&std::mem::take(&mut self.held))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The pager that the user wants; none for no pager, and if it cannot be started.
fn start() -> Option<Child> {
    let named = ["LSPIPE_PAGER", "PAGER"].into_iter().find_map(std::env::var_os);
    let mut command = match named {
        Some(words) if words.is_empty() || words == "cat" => return None,
        // As for git: it may have options.
        Some(words) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(words);
            shell
        }
        None => Command::new(PAGER),
    };
    for (variable, value) in [("LESS", LESS), ("LV", "-c")] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    command.stdin(Stdio::piped()).spawn().ok()
}

/// Returns whether the pager had a chance to show it.
fn show(mut pager: Child, text: &[u8]) -> bool {
    // Ctrl-C is for the pager, and it may end before it has read all.
    sys::ignore_interrupts();
    if let Some(mut stdin) = pager.stdin.take() {
        // An error is that it ended.
        let _ = stdin.write_all(text);
    }
    pager.wait().is_ok_and(|status| status.code() != Some(NOT_FOUND))
}

/// How many lines of a terminal with so many columns a text takes.
fn lines_on(text: &[u8], columns: u16) -> usize {
    let columns = usize::from(columns).max(1);
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| width(&String::from_utf8_lossy(line)).div_ceil(columns).max(1)).sum()
}

/// The columns that a line takes, without its colors.
fn width(line: &str) -> usize {
    let (mut width, mut in_sequence) = (0, false);
    for character in line.chars() {
        match character {
            '\x1b' => in_sequence = true,
            'm' if in_sequence => in_sequence = false,
            _ if in_sequence => {}
            _ => width += character.width().unwrap_or(0),
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_the_terminal_wraps_them() {
        assert_eq!(lines_on(b"", 80), 0);
        assert_eq!(lines_on(b"a\n\nb\n", 80), 3);
        assert_eq!(lines_on(&[b'x'; 81], 80), 2);
        assert_eq!(lines_on(b"\x1b[1m0123456789\x1b[0m\n", 10), 1);
        assert_eq!(lines_on("五五五五五\n".as_bytes(), 10), 1);
        assert_eq!(lines_on("五五五五五x\n".as_bytes(), 10), 2);
    }
}
