//! Answers to shells, for any words. `tests/it/completions.rs` has them in real shells.

use std::os::unix::ffi::OsStringExt as _;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The answer for a line: its first line, and the words that it offers.
fn answered(line: &str) -> (String, Vec<String>) {
    let text = answer(line.split(' ').map(OsString::from).collect());
    let mut lines = text.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    (first, lines.map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect())
}

#[test]
fn the_first_line_says_what_a_shell_does_with_the_rest() {
    for (line, first) in [
        ("lspipe ", "files\t"),
        ("lspipe --fr", "words\t"),
        ("lspipe --from ", "files\t"),
        ("lspipe --from=dir/x", "files\t--from="),
        ("lspipe --proc=", "dirs\t--proc="),
        ("lspipe -o ", "list\t"),
        ("lspipe -oPID,", "list\t-oPID,"),
        ("lspipe audit --only=deadlock,self-deadlock,s", "list\t--only=deadlock,self-deadlock,"),
        ("lspipe audit --explain ", "files\t"),
        ("lspipe --color ", "words\t"),
        ("lspipe --width ", "words\t"),
    ] {
        assert_eq!(answered(line).0, first, "{line}");
    }
}

#[test]
fn options_are_offered_only_where_one_begins_and_may_be_given() {
    assert_eq!(answered("lspipe ").1, ["why", "graph", "diff", "audit", "fds", "help"]);
    let options = answered("lspipe -").1;
    assert!(options.contains(&"-J".to_owned()) && options.iter().all(|option| option.starts_with('-')), "{options:?}");
    assert_eq!(answered("lspipe --js").1, ["--json"]);
    assert_eq!(answered("lspipe --csv --js").1, [""; 0]);
    assert_eq!(answered("lspipe -c csv --js").1, ["--json"]);
    assert_eq!(answered("lspipe --from=x --rep").1, [""; 0]);
    assert_eq!(answered("lspipe diff --rep").1, [""; 0]);
    assert_eq!(answered("lspipe why --rep").1, ["--repeat"]);
}

#[test]
fn every_argument_with_values_has_its_values() {
    let command = command();
    for of in std::iter::once(&command).chain(command.get_subcommands()) {
        for arg in of.get_arguments().filter(|arg| arg.get_value_delimiter().is_some()) {
            assert!(arg.get::<ArgValueCompleter>().is_some(), "{} {arg} has no values", of.get_name());
        }
    }
}

#[test]
fn a_description_is_one_short_line_that_a_terminal_shows() {
    let help = |text: &str| description(Some(&text.to_owned().into()));
    assert_eq!(help("a\tb\nc"), "a\\tb");
    assert_eq!(help(&"ä".repeat(300)), format!("{}…", "ä".repeat(100)));
    assert_eq!(description(None), "");
}

proptest! {
    /// Whatever is typed, each line of the answer is a word and a description that a terminal shows.
    #[test]
    fn any_words_get_an_answer(
        words in vec(prop_oneof![
            vec(any::<u8>(), 0..12),
            "(--?)?[a-z]{0,8}(=[A-Z,^+]{0,6})?".prop_map(String::into_bytes),
            prop::sample::select(&["why", "graph", "audit", "fds", "diff", "help", "--", "-o", "-p", "--only", "-c"][..])
                .prop_map(|word| word.as_bytes().to_vec()),
        ], 0..6),
    ) {
        let words = [b"lspipe".to_vec()].into_iter().chain(words).map(OsString::from_vec).collect();
        let answer = answer(words);
        for line in answer.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            prop_assert_eq!(fields.len(), 2, "{:?}", line);
            prop_assert!(fields.iter().all(|field| is_shown_as_is(field)), "{:?}", line);
        }
        prop_assert!(answer.is_empty() || answer.ends_with('\n'));
    }
}
