//! Text on a terminal: its width, and its colors.

use unicode_width::UnicodeWidthChar as _;

pub(super) use crate::escape::{BLANK, EscapeContext, is_unsafe_char, push_fmt, push_name};

use super::Style;

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
    /// The command of an end.
    Command,
    /// Open for reading.
    Read,
    /// Open for writing.
    Write,
    /// A pipe that takes no more.
    Full,
}

/// The mark of each role and its style, in the order of [`TextRole`]. Of the colors, these can be read on a light and on a dark background;
/// yellow and blue cannot.
const ROLES: [(char, anstyle::Style); 9] = [
    ('\u{2061}', anstyle::Style::new().bold()),
    ('\u{2062}', anstyle::Style::new().dimmed()),
    ('\u{2063}', anstyle::AnsiColor::Magenta.on_default().bold()),
    ('\u{206a}', anstyle::AnsiColor::Red.on_default().bold()),
    ('\u{206b}', anstyle::AnsiColor::Green.on_default()),
    ('\u{206c}', anstyle::AnsiColor::Cyan.on_default()),
    ('\u{206d}', anstyle::AnsiColor::Green.on_default()),
    ('\u{206e}', anstyle::AnsiColor::Magenta.on_default()),
    ('\u{206f}', anstyle::AnsiColor::Red.on_default()),
];

const ROLE_END: char = '\u{2064}';

/// What drawings consist of, and what stands for it where the locale has only ASCII.
const IN_ASCII: [(char, char); 21] = [
    ('─', '-'),
    ('│', '|'),
    ('├', '|'),
    ('└', '`'),
    ('╭', ','),
    ('╰', '`'),
    ('▶', '>'),
    ('↻', '@'),
    ('↺', '@'),
    ('×', 'x'),
    ('…', '.'),
    ('→', '>'),
    ('█', '#'),
    ('▉', '='),
    ('▊', '='),
    ('▋', '='),
    ('▌', '='),
    ('▍', '-'),
    ('▎', '-'),
    ('▏', '-'),
    ('·', '.'),
];

impl TextRole {
    pub(super) fn push(self, text: &mut String, words: &str) {
        text.push(ROLES[self as usize].0);
        text.push_str(words);
        text.push(ROLE_END);
    }
}

/// A line as it is written: its marks become escape sequences or nothing, and what stands for something else becomes that. A role that is
/// open at the end of the line ends there.
pub(super) fn paint(line: &str, style: &Style) -> String {
    let mut painted = String::with_capacity(line.len());
    let mut is_open = false;
    for character in line.chars().chain([ROLE_END]) {
        if let Some((_, of_role)) = ROLES.iter().find(|(mark, _)| *mark == character) {
            is_open = style.color;
            if style.color {
                push_fmt(&mut painted, format_args!("{}", of_role.render()));
            }
        } else if character == BLANK {
            painted.push(' ');
        } else if character != ROLE_END {
            let in_ascii = IN_ASCII.iter().find(|(drawn, _)| style.ascii && *drawn == character);
            painted.push(in_ascii.map_or(character, |(_, ascii)| *ascii));
        } else if std::mem::take(&mut is_open) {
            push_fmt(&mut painted, format_args!("{}", anstyle::Reset.render()));
        }
    }
    painted
}

/// Ends each role with its line, and begins it again in the next one: beside a line there may be another cell.
pub(super) fn close_roles(lines: &mut [String]) {
    let mut open = None;
    for line in lines {
        if let Some(mark) = open {
            line.insert(0, mark);
        }
        for character in line.chars() {
            if character == ROLE_END {
                open = None;
            } else if ROLES.iter().any(|(mark, _)| *mark == character) {
                open = Some(character);
            }
        }
        line.extend(open.map(|_| ROLE_END));
    }
}

#[cfg(test)]
mod tests;
