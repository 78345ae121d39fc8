//! Lines that are fitted to the terminal by wrapping them between words.

use std::io::{self, Write};

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::Style;
use super::text::{paint, width};

/// A line that is to be wrapped.
pub(super) struct WrappedLine {
    /// The indentation of its first line.
    first: String,
    /// The indentation of the lines that it wraps to.
    rest: String,
    pub(super) text: String,
}

impl WrappedLine {
    pub(super) fn new(first: impl Into<String>, rest: impl Into<String>, text: impl Into<String>) -> Self {
        Self { first: first.into(), rest: rest.into(), text: text.into() }
    }

    pub(super) fn width(&self) -> usize {
        width(&self.first) + width(&self.text)
    }

    /// On a terminal wrapped at blanks, so that a command stays in one piece; elsewhere on one line.
    pub(super) fn write(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(width) = style.width else {
            return writeln!(out, "{}", paint(&format!("{}{}", self.first, self.text), style));
        };
        let options = Options::new(usize::from(width).max(20))
            .initial_indent(&self.first)
            .subsequent_indent(&self.rest)
            .word_separator(WordSeparator::Custom(words))
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(false);
        for line in textwrap::wrap(&self.text, options) {
            writeln!(out, "{}", paint(line.trim_end(), style))?;
        }
        Ok(())
    }
}

/// What stands behind its number: `3 min`.
const UNITS: [&str; 5] = ["s", "min", "h", "day", "days"];

/// What stands before its number: `fd 3`.
const NUMBERED: [&str; 2] = ["fd", "PID"];

/// The words of a line. What stands between backticks is one word: a command that is copied from two lines is another command. So is a number
/// with what it counts or names.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    // One too many is of a saved report that was edited.
    let is_paired = line.matches('`').count().is_multiple_of(2);
    let (mut in_command, mut is_gap) = (false, false);
    let mut starts = vec![0];
    for (at, byte) in line.bytes().enumerate() {
        if byte != b' ' && is_gap && !in_command && !is_number_at(line, at) {
            starts.push(at);
        }
        is_gap = byte == b' ';
        in_command ^= is_paired && byte == b'`';
    }
    starts.push(line.len());
    Box::new(starts.windows(2).map(|pair| Word::from(&line[pair[0]..pair[1]])).collect::<Vec<_>>().into_iter())
}

/// Whether the blank before this place is within a number and its unit, or its name.
fn is_number_at(line: &str, at: usize) -> bool {
    let Some((before, after)) = line.split_at_checked(at) else { return false };
    let is_mark = |character: char| "(),.;:".contains(character);
    let before = before.trim_end().rsplit(' ').next().unwrap_or_default();
    let after = after.split(' ').next().unwrap_or_default();
    let ends_in_digit = before.ends_with(|character: char| character.is_ascii_digit());
    let begins_with_digit = after.starts_with(|character: char| character.is_ascii_digit());
    (ends_in_digit && UNITS.contains(&after.trim_end_matches(is_mark)))
        || (begins_with_digit && NUMBERED.contains(&before.trim_start_matches(is_mark)))
}

#[cfg(test)]
mod tests;
