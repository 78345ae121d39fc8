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
/// Marked with characters of no width, which no name can hold since they are escaped, and made colour or nothing only when
/// a line is written: so the layout never sees an escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRole {
    /// A heading.
    Heading,
    /// That there is nothing.
    Faint,
    /// That something is not known, or not as it should be.
    Warning,
    /// That something does not work.
    Error,
    /// That something is new.
    Good,
}

const INK_END: char = '\u{2064}';

impl TextRole {
    const ALL: [Self; 5] = [Self::Heading, Self::Faint, Self::Warning, Self::Error, Self::Good];

    const fn mark(self) -> char {
        match self {
            Self::Heading => '\u{2061}',
            Self::Faint => '\u{2062}',
            Self::Warning => '\u{2063}',
            Self::Error => '\u{206a}',
            Self::Good => '\u{206b}',
        }
    }

    const fn style(self) -> anstyle::Style {
        match self {
            Self::Heading => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
            Self::Warning => anstyle::AnsiColor::Yellow.on_default(),
            Self::Error => anstyle::AnsiColor::Red.on_default().bold(),
            Self::Good => anstyle::AnsiColor::Green.on_default(),
        }
    }

    /// Appends a text that is to look so.
    pub(super) fn push(self, text: &mut String, words: &str) {
        text.push(self.mark());
        text.push_str(words);
        text.push(INK_END);
    }
}

/// Turns the marks of a line into escape sequences, or removes them. What a wrapped cell leaves open ends with the line.
pub(super) fn paint(line: &str, color: bool) -> String {
    let mut painted = String::with_capacity(line.len());
    let mut open = false;
    for character in line.chars() {
        if let Some(ink) = TextRole::ALL.into_iter().find(|ink| ink.mark() == character) {
            if color {
                push_fmt(&mut painted, format_args!("{}", ink.style().render()));
            }
            open = true;
        } else if character == INK_END {
            if color && open {
                push_fmt(&mut painted, format_args!("{}", anstyle::Reset.render()));
            }
            open = false;
        } else {
            painted.push(character);
        }
    }
    if color && open {
        push_fmt(&mut painted, format_args!("{}", anstyle::Reset.render()));
    }
    painted
}

#[cfg(test)]
mod tests;
