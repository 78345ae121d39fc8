//! Names in sentences and in commands, read back by a reader of the documentation and by real shells.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use proptest::prelude::*;

use super::*;

/// Names made to be taken for something else.
const HOSTILE: [&[u8]; 33] = [
    b"/run/my.fifo",
    b"/srv/q/log;touch pwned;#$(id)",
    b"tmux: server",
    b"init (PID 1),",
    b"`kill 1`",
    b"a`b c",
    b"it's",
    b"'; touch pwned; '",
    b"'''",
    b"\"$(touch pwned)\"",
    b"back\\slash\\n",
    b"trailing\\",
    b"two\nrows\n",
    b"\ttab\r",
    b"\x1b[31mred\x07",
    b"\xff\xfe",
    b"a\xffb'c`d!e\\f",
    b"-rf",
    b"--help me",
    b"-\n",
    b"~root/x",
    b"~",
    b"=ls",
    b"%1",
    b"!!",
    b"a\\'!b\n!ls",
    b"*?[a-z]{x,y}",
    b"$HOME ${IFS} $'x' #c & | < > ( )",
    b" lead and trail ",
    "\u{202e}gpj.exe".as_bytes(),
    "a\u{9b}31m\u{a0}\u{200b}".as_bytes(),
    "größe 五 🦀".as_bytes(),
    "\u{1b}1\u{7f}0123abc".as_bytes(),
];

/// Undoes the escapes, as a reader of the documentation would.
fn unquote(text: &str) -> Vec<u8> {
    let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return text.as_bytes().to_vec();
    };
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            assert_ne!(character, '"', "{text} ends early");
            bytes.extend(character.to_string().bytes());
            continue;
        }
        match rest.next().unwrap() {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'x' => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            'u' => {
                let digits: String = rest.by_ref().skip(1).take_while(|character| *character != '}').collect();
                let character = char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap();
                bytes.extend(character.to_string().bytes());
            }
            other => bytes.push(u8::try_from(other).unwrap()),
        }
    }
    bytes
}

/// What each of these shells passes to a command, or none if it is not installed.
fn words_by(shell: &str, words: &str) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let options: &[&str] = match shell {
        "bash" => &["--norc", "--noprofile", "-c"],
        "zsh" => &["-f", "-c"],
        _ => &["-c"],
    };
    let output = Command::new(shell)
        .args(options)
        .arg(format!("printf '%s\\0' {words}"))
        .current_dir(folder.path())
        .output()
        .ok()?;
    assert!(output.status.success(), "{shell}: {words}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{shell}: {words} ran something");
    Some(output.stdout)
}

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|character| character == '`' || !is_shown(character))
}

#[test]
fn a_name_in_a_sentence_is_no_part_of_it() {
    for (name, expected) in [
        ("cat", "cat"),
        ("kworker/0:1", "kworker/0:1"),
        ("tmux: server", "\"tmux: server\""),
        ("init (PID 1),", "\"init (PID 1),\""),
        ("`kill 1`", "\"\\x60kill 1\\x60\""),
        ("say \"x\"\\n\n", "\"say \\\"x\\\"\\\\n\\n\""),
        ("pipe:[1]", "\"pipe:[1]\""),
        ("\u{202e}", "\"\\u{202e}\""),
        ("", "\"\""),
    ] {
        assert_eq!(quote_name(name.as_bytes()), expected);
    }
    for name in HOSTILE {
        let text = quote_name(name);
        assert!(is_harmless(&text), "{text}");
        assert_eq!(unquote(&text), name, "{text}");
        // As a sentence of a saved report.
        assert_eq!(sanitize_sentence(&text), text);
    }
}

#[test]
fn what_the_kernel_calls_a_file_is_plain() {
    for plain in ["socket:[123]", "anon_inode:[eventpoll]", "anon_inode:[io_uring]", "/dev/pts/0", "net:[4026531840]"] {
        assert_eq!(quote_target(plain.as_bytes()), plain);
    }
    for other in ["socket:[1], fd 3)", "/tmp/a b", "x:[`id`]", "a b:[1]", "/x:[1]", "x:[]", "[1]"] {
        assert_eq!(quote_target(other.as_bytes()), quote_name(other.as_bytes()));
        assert!(quote_target(other.as_bytes()).starts_with('"'));
    }
}

#[test]
fn a_shell_reads_the_very_path() {
    let words: Vec<String> = HOSTILE.iter().map(|name| shell_word(name).unwrap()).collect();
    assert!(words.iter().all(|word| is_harmless(word)), "{words:?}");
    for (name, expected) in [
        ("/run/my.fifo", "/run/my.fifo"),
        ("/srv/q/log;touch pwned;#$(id)", "'/srv/q/log;touch pwned;#$(id)'"),
        ("it's", r"'it'\''s'"),
        ("-rf", "./-rf"),
        ("--help me", "'./--help me'"),
        ("a`b\n", r"$'a\140b\012'"),
        ("", "''"),
    ] {
        assert_eq!(shell_word(name.as_bytes()).unwrap(), expected);
    }
    assert_eq!(shell_word(&[b'x'; 201]), None);
    assert_eq!(shell_word(b"a\0b"), None);
    let meant = |name: &&[u8]| [if name.starts_with(b"-") { b"./" } else { &b""[..] }, *name, b"\0"].concat();
    for shell in ["bash", "zsh", "ksh", "mksh"] {
        let all: Vec<u8> = HOSTILE.iter().flat_map(meant).collect();
        if let Some(found) = words_by(shell, &words.join(" ")) {
            assert_eq!(OsStr::from_bytes(&found), OsStr::from_bytes(&all), "{shell}");
        }
    }
    // dash(1) has no `$'…'`.
    let plain = HOSTILE.iter().zip(&words).filter(|(_, word)| !word.starts_with('$'));
    let (names, words): (Vec<&&[u8]>, Vec<&String>) = plain.unzip();
    assert!(names.len() > 20);
    let all: Vec<u8> = names.into_iter().flat_map(meant).collect();
    for shell in ["sh", "dash", "busybox sh"] {
        let words = words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ");
        if let Some(found) = words_by(shell, &words) {
            assert_eq!(OsStr::from_bytes(&found), OsStr::from_bytes(&all), "{shell}");
        }
    }
}

proptest! {
    #[test]
    fn any_name_in_a_sentence_can_be_told(name in proptest::collection::vec(any::<u8>(), 0..40)) {
        let text = quote_name(&name);
        prop_assert!(is_harmless(&text), "{:?}", text);
        prop_assert_eq!(unquote(&text), name);
    }

    /// Random bytes are seldom text, so these are characters.
    #[test]
    fn any_text_in_a_sentence_can_be_told(name in any::<String>()) {
        let text = quote_name(name.as_bytes());
        prop_assert!(is_harmless(&text), "{:?}", text);
        prop_assert_eq!(unquote(&text), name.as_bytes());
    }
}

/// A thousand names in one shell.
#[test]
fn a_shell_reads_any_path() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 40).to_le_bytes()[0]
    };
    let alphabet = b"a0'\"`\\!$(){}[]*?~#&|;<> \n\t\x1b\xff\xc3\xa4-=%^,/";
    let mut name = || -> Vec<u8> {
        let length = byte() % 12;
        let pick = |byte: u8| alphabet[usize::from(byte) % alphabet.len()];
        (0..length).map(|_| if byte() % 4 == 0 { byte().max(1) } else { pick(byte()) }).collect()
    };
    let names: Vec<Vec<u8>> = (0..1000).map(|_| name()).collect();
    let words: Vec<String> = names.iter().map(|name| shell_word(name).unwrap()).collect();
    assert!(words.iter().all(|word| is_harmless(word)));
    let meant = |name: &Vec<u8>| [if name.starts_with(b"-") { b"./" } else { &b""[..] }, name, b"\0"].concat();
    let all: Vec<u8> = names.iter().flat_map(meant).collect();
    for shell in ["bash", "zsh"] {
        if let Some(found) = words_by(shell, &words.join(" ")) {
            assert!(found == all, "{shell}");
        }
    }
}
