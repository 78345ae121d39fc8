//! Names of every kind, and that each can be told from what is shown.

use proptest::prelude::*;

use super::*;

fn shown(name: &[u8], context: EscapeContext) -> String {
    let mut text = String::new();
    push_name(&mut text, name, context);
    text
}

/// Undoes the escapes, as a reader of the documentation would.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character != '\\' {
            bytes.extend(character.to_string().bytes());
            continue;
        }
        let kind = rest.chars().next().unwrap();
        rest = &rest[1..];
        match kind {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'x' => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            'u' => {
                let (digits, after) = rest[1..].split_once('}').unwrap();
                let character = char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
                bytes.extend(character.to_string().bytes());
                rest = after;
            }
            other => bytes.push(u8::try_from(other).unwrap()),
        }
    }
    bytes
}

#[test]
fn names_that_would_mislead_are_escaped() {
    let cases: [(&[u8], &str); 9] = [
        (b"\x1b[2Jclear the screen", "\\x1b[2Jclear the screen"),
        (b"two\nrows", "two\\nrows"),
        (b"back\\slash", "back\\\\slash"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u{202e}gpj.exe".as_bytes(), "\\u{202e}gpj.exe"),
        ("zero\u{200b}width".as_bytes(), "zero\\u{200b}width"),
        ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
        ("fünf 五 🦀".as_bytes(), "fünf 五 🦀"),
        ("no\u{a0}break".as_bytes(), "no\\u{a0}break"),
    ];
    for (name, expected) in cases {
        assert_eq!(shown(name, EscapeContext::Line), expected);
    }
    assert_eq!(shown(b"tmux: server", EscapeContext::Word), "tmux:\\x20server");
    assert_eq!(shown(b"a, b;c", EscapeContext::Item), "a\\x2c\\x20b\\x3bc");
    assert_eq!(shown(b"a, b;c", EscapeContext::CellItem), "a\\x2c\u{a0}b\\x3bc");
    assert_eq!(paint(&shown(b"nginx: worker, 2", EscapeContext::Cell), &Style::default()), "nginx: worker, 2");
}

#[test]
fn drawings_have_a_form_in_ascii_of_the_same_width() {
    let style = Style { ascii: true, ..Style::default() };
    for line in ["  ╭▶ a", "  ╰─ a ×64", "├▶ b ↺", "│  └─ █████▌ …"] {
        let painted = paint(line, &style);
        assert!(painted.is_ascii(), "{painted}");
        assert_eq!(width(&painted), width(line));
    }
    assert_eq!(paint("└─ größe", &style), "`- größe");
}

#[test]
fn marks_become_colour_or_nothing() {
    let mut text = String::new();
    TextRole::Warning.push(&mut text, "?");
    assert_eq!(width(&text), 1);
    let style = Style { color: true, ..Style::default() };
    assert_eq!(paint(&text, &style), "\u{1b}[1m\u{1b}[35m?\u{1b}[0m");
    assert_eq!(paint(&text, &Style::default()), "?");
}

proptest! {
    #[test]
    fn any_name_is_safe_and_can_be_told(name in proptest::collection::vec(any::<u8>(), 0..40)) {
        for context in [EscapeContext::Line, EscapeContext::Word, EscapeContext::Item] {
            let text = shown(&name, context);
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
            prop_assert!(context == EscapeContext::Line || !text.contains(char::is_whitespace), "{:?}", text);
            prop_assert!(context != EscapeContext::Item || !text.contains([',', ';']), "{:?}", text);
            prop_assert_eq!(unescape(&text), name.clone());
        }
    }

    /// Random bytes are seldom text, so these are characters.
    #[test]
    fn any_text_is_safe_and_can_be_told(name in any::<String>()) {
        let text = shown(name.as_bytes(), EscapeContext::Item);
        prop_assert!(!text.contains(|c: char| c.is_control() || c.is_whitespace() || is_unsafe_char(c)), "{:?}", text);
        prop_assert_eq!(unescape(&text), name.as_bytes());
    }
}
