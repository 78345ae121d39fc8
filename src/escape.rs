//! Names, which are bytes that any process can choose, made safe to print on a terminal and in a file.
//!
//! A command and a path may hold escape sequences, newlines, characters that reverse the direction of text, and bytes that are not
//! UTF-8. Each is printed as an escape (`\x1b`, `\n`, `\u{202e}`, `\xff`) and a backslash as two, so that the original
//! can be recovered from what is printed. JSON has the exact bytes.

use std::fmt::{self, Write as _};

use unicode_width::UnicodeWidthChar as _;

/// Where a name is printed, and so what is escaped besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EscapeContext {
    /// In a column of its own on a terminal.
    Line,
    /// In a column that ends at white space.
    Word,
    /// In an end, `PID,COMMAND,FDmode`.
    Item,
}

/// Appends what `format_args!` makes.
pub(crate) fn push_fmt(text: &mut String, arguments: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

/// Appends a name.
pub(crate) fn push_name(text: &mut String, name: &[u8], context: EscapeContext) {
    // Nearly every name is plain.
    if name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.:[]()".contains(byte))
        && let Ok(plain) = std::str::from_utf8(name)
    {
        return text.push_str(plain);
    }
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_char(text, character, context);
        }
        for byte in chunk.invalid() {
            push_hex(text, *byte);
        }
    }
}

/// A name of a process or file, safe to print in a line of text.
pub(crate) fn escape_name(name: &[u8]) -> String {
    let mut text = String::new();
    push_name(&mut text, name, EscapeContext::Line);
    text
}

/// A sentence of a report file, safe to print. Names in it are already escaped unless the file was edited, so a backslash is kept.
pub(crate) fn sanitize_sentence(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    for character in sentence.chars() {
        if character == '\\' {
            text.push(character);
        } else {
            push_char(&mut text, character, EscapeContext::Line);
        }
    }
    text
}

fn push_char(text: &mut String, character: char, context: EscapeContext) {
    match character {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        ' ' if context != EscapeContext::Line => text.push_str("\\x20"),
        ',' if context == EscapeContext::Item => text.push_str("\\x2c"),
        ';' if context == EscapeContext::Item => text.push_str("\\x3b"),
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

/// Characters that are invisible, or change how others look: C1 controls, direction marks (UAX #9), fillers, variation
/// selectors and tags.
pub(crate) fn is_unsafe_char(character: char) -> bool {
    matches!(character,
        '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}
