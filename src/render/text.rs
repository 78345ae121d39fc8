//! Text on a terminal: its width, and its colors.

use unicode_width::UnicodeWidthChar as _;

pub(super) use crate::escape::{EscapeContext, is_unsafe_char, push_fmt, push_name};

/// The columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// How a piece of text is to look.
///
/// It is marked with characters of no width, which no name can hold since they are escaped. They become escape sequences or nothing only
/// when a line is written, so that the layout never sees an escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRole {
    Heading,
    /// Nothing is there, or nothing changed.
    Faint,
    /// Not known, or not as it should be.
    Warning,
    Error,
    /// New.
    Good,
}

/// The mark of each role and its style, in the order of [`TextRole`].
const ROLES: [(char, anstyle::Style); 5] = [
    ('\u{2061}', anstyle::Style::new().bold()),
    ('\u{2062}', anstyle::Style::new().dimmed()),
    ('\u{2063}', anstyle::AnsiColor::Yellow.on_default()),
    ('\u{206a}', anstyle::AnsiColor::Red.on_default().bold()),
    ('\u{206b}', anstyle::AnsiColor::Green.on_default()),
];

const ROLE_END: char = '\u{2064}';

impl TextRole {
    pub(super) fn push(self, text: &mut String, words: &str) {
        text.push(ROLES[self as usize].0);
        text.push_str(words);
        text.push(ROLE_END);
    }
}

/// Turns the marks of a line into escape sequences, or removes them. A role that is open at the end of the line ends there.
pub(super) fn paint(line: &str, color: bool) -> String {
    let mut painted = String::with_capacity(line.len());
    let mut is_open = false;
    for character in line.chars().chain([ROLE_END]) {
        if let Some((_, style)) = ROLES.iter().find(|(mark, _)| *mark == character) {
            is_open = color;
            if color {
                push_fmt(&mut painted, format_args!("{}", style.render()));
            }
        } else if character != ROLE_END {
            painted.push(character);
        } else if std::mem::take(&mut is_open) {
            push_fmt(&mut painted, format_args!("{}", anstyle::Reset.render()));
        }
    }
    painted
}

#[cfg(test)]
mod tests;
