//! Names, which are bytes that any process can choose, made safe to print on a terminal and in a file.
//!
//! A command and a path may hold escape sequences, newlines, characters that reverse the direction of text, and bytes that are not
//! UTF-8. Each is printed as an escape (`\x1b`, `\n`, `\u{202e}`, `\xff`) and a backslash as two, so that the original
//! can be recovered from what is printed. JSON has the exact bytes.
//!
//! In a sentence a name must not read as words of the sentence either, nor as a command: see [`quote_name`] and [`shell_word`].

use std::fmt::{self, Write as _};

use unicode_width::UnicodeWidthChar as _;

/// Where a name is printed, and so what is escaped besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EscapeContext {
    /// In a line of text, which may wrap at its blanks.
    Line,
    /// In a column of its own on a terminal: a blank is a [`BLANK`].
    Cell,
    /// In an end, `PID,COMMAND,FDmode`, in such a column.
    CellItem,
    /// In a column that ends at white space.
    Word,
    /// In an end, `PID,COMMAND,FDmode`.
    Item,
}

impl EscapeContext {
    const fn is_item(self) -> bool {
        matches!(self, Self::CellItem | Self::Item)
    }
}

/// What stands for a blank of a name in a cell, until its line is written: a layout does not wrap there. In a name it is escaped.
pub(crate) const BLANK: char = '\u{a0}';

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

/// A name in a sentence: as it is if it cannot be taken for anything else, and otherwise in double quotes, with escapes, as
/// `"tmux: server"`. A backtick is always an escape: what stands between backticks in a sentence is a command of ours.
pub(crate) fn quote_name(name: &[u8]) -> String {
    if !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._+:/-".contains(byte)) {
        return String::from_utf8_lossy(name).into_owned();
    }
    let mut text = String::from("\"");
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => text.push_str("\\\""),
                '`' => push_hex(&mut text, b'`'),
                _ => push_char(&mut text, character, EscapeContext::Line),
            }
        }
        for byte in chunk.invalid() {
            push_hex(&mut text, *byte);
        }
    }
    text.push('"');
    text
}

/// The target of a link in /proc/PID/fd in a sentence: a path, or what the kernel writes for a file without one, as `socket:[123]` and
/// `anon_inode:[eventpoll]`.
pub(crate) fn quote_target(target: &[u8]) -> String {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let parts = std::str::from_utf8(target).ok().and_then(|text| text.strip_suffix(']')?.split_once(":["));
    match parts {
        Some((kind, what)) if is_word(kind) && is_word(&what.replace('-', "_")) => format!("{kind}:[{what}]"),
        _ => quote_name(target),
    }
}

/// Maximum number of bytes of a word of a command line in a sentence.
const MAX_SHELL_WORD: usize = 200;

/// A path as one word of a command line in a sentence, which a shell reads as exactly that path. None if it would be too long to be copied,
/// or cannot be written.
///
/// Quotes where that suffices: dash(1) has no `$'…'`. That is for what a terminal must not see, and for a backtick, which would end the
/// command in the sentence. Its escapes are octal, since `\x` may take more than two digits (XCU 2.2.4 of POSIX.1-2024), and `!` is one of
/// them: bash expands history after `\'` in it.
pub(crate) fn shell_word(path: &[u8]) -> Option<String> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._+:/@%,=-".contains(byte);
    // zsh expands `=ls`, and `%1` is a job.
    let is_special = path.first().is_none_or(|first| b"=%".contains(first));
    let prefix = if path.starts_with(b"-") { "./" } else { "" };
    let text = std::str::from_utf8(path).ok();
    let word = match text {
        Some(text) if !is_special && path.iter().all(is_plain) => format!("{prefix}{text}"),
        Some(text) if text.chars().all(|character| character != '`' && is_shown(character)) => {
            format!("'{prefix}{}'", text.replace('\'', r"'\''"))
        }
        _ if path.contains(&0) => return None,
        _ => format!("$'{prefix}{}'", in_octal(path)),
    };
    (word.len() <= MAX_SHELL_WORD).then_some(word)
}

/// What stands between `$'` and `'`.
fn in_octal(name: &[u8]) -> String {
    let mut text = String::new();
    let push_bytes =
        |text: &mut String, bytes: &[u8]| bytes.iter().for_each(|byte| push_fmt(text, format_args!("\\{byte:03o}")));
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_shown(character) && !"\\'`!".contains(character) {
                text.push(character);
            } else {
                push_bytes(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        push_bytes(&mut text, chunk.invalid());
    }
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
        ' ' => match context {
            EscapeContext::Line => text.push(' '),
            EscapeContext::Cell | EscapeContext::CellItem => text.push(BLANK),
            EscapeContext::Word | EscapeContext::Item => text.push_str("\\x20"),
        },
        ',' if context.is_item() => text.push_str("\\x2c"),
        ';' if context.is_item() => text.push_str("\\x3b"),
        '\0'..='\x1f' | '\x7f' => push_hex(text, character as u8),
        _ if is_shown(character) => text.push(character),
        _ => push_fmt(text, format_args!("\\u{{{:x}}}", u32::from(character))),
    }
}

/// Whether a text needs no escape: a terminal shows each of its characters.
pub(crate) fn is_shown_as_is(text: &str) -> bool {
    text.chars().all(is_shown)
}

/// Whether a terminal shows it, and nothing else happens.
fn is_shown(character: char) -> bool {
    !(character.is_control()
        || is_unsafe_char(character)
        || character.width() == Some(0)
        || (character.is_whitespace() && character != ' '))
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

#[cfg(test)]
mod tests;
