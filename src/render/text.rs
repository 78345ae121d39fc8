//! Names for people: bytes that others chose, made safe and readable on a terminal and in a file.
//!
//! A command and a path may hold escape sequences, newlines, characters that reverse the direction of text, and bytes that are no
//! text at all. Each is written as an escape (`\x1b`, `\n`, `\u{202e}`, `\xff`) and a backslash as two, so that the original
//! can be told from what is shown. Machines get the exact bytes in JSON.

use std::fmt::{self, Write as _};

use unicode_width::UnicodeWidthChar as _;

/// Where a name is to stand, and so what else would mislead in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a column of its own on a terminal.
    Line,
    /// In a column that ends at white space.
    Word,
    /// In an end, `PID,COMMAND,FDmode`, one of several.
    Item,
}

/// Appends what `format_args!` makes.
pub(super) fn push_fmt(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

/// Appends a name.
pub(super) fn push_name(text: &mut String, name: &[u8], place: Place) {
    // Nearly every name is plain.
    if name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.:[]()".contains(byte))
        && let Ok(plain) = std::str::from_utf8(name)
    {
        return text.push_str(plain);
    }
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_char(text, character, place);
        }
        for byte in chunk.invalid() {
            push_hex(text, *byte);
        }
    }
}

/// A name of a process or file, safe to show in a line of text.
pub(crate) fn escape_name(name: &[u8]) -> String {
    let mut text = String::new();
    push_name(&mut text, name, Place::Line);
    text
}

/// A sentence of a saved report, safe to show: it is as one of ours, in which names are readable already, unless somebody changed it.
pub(crate) fn sanitize_sentence(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    for character in sentence.chars() {
        if character == '\\' {
            text.push(character);
        } else {
            push_char(&mut text, character, Place::Line);
        }
    }
    text
}

fn push_char(text: &mut String, character: char, place: Place) {
    match character {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        ' ' if place != Place::Line => text.push_str("\\x20"),
        ',' if place == Place::Item => text.push_str("\\x2c"),
        ';' if place == Place::Item => text.push_str("\\x3b"),
        '\0'..='\x1f' | '\x7f' => push_hex(text, character as u8),
        _ if is_unsafe_char(character)
            || character.width() == Some(0)
            || (character.is_whitespace() && character != ' ') =>
        {
            push_fmt(text, format_args!("\\u{{{:x}}}", u32::from(character)));
        }
        _ => text.push(character),
    }
}

fn push_hex(text: &mut String, byte: u8) {
    push_fmt(text, format_args!("\\x{byte:02x}"));
}

/// Characters that are not seen, or change how others are seen: C1 controls, direction marks (UAX #9), fillers, variation
/// selectors and tags.
pub(super) fn is_unsafe_char(character: char) -> bool {
    matches!(character,
        '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

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
