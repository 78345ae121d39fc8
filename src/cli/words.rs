//! The words of a command line before clap parses them: where the command stands, and which words are values. Makes what is usual
//! elsewhere into what clap accepts: options before a command, and lists separated by blanks. No I/O.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::{Arg, Command};

use super::value;

/// Moves the options that stand before the command behind it, and separates the values of lists by commas. The first word is the program.
pub(super) fn tidied(command: &Command, words: &[OsString]) -> Vec<OsString> {
    let mut words = words.iter();
    let program = words.next().cloned().unwrap_or_default();
    let (mut subcommand, mut others, mut has_positional) = (None, Vec::new(), false);
    while let Some(word) = words.next() {
        let options = Options { command, subcommand };
        match word.to_str() {
            Some("--") => {
                others.push(word.clone());
                others.extend(words.cloned());
                break;
            }
            Some(text) if text.len() > 1 && text.starts_with('-') => {
                let (tidy, takes_next) = options.tidied(text);
                others.push(tidy.into());
                if let Some(arg) = takes_next
                    && let Some(next) = words.clone().next()
                    && !(may_lack_value(arg) && next.as_bytes().starts_with(b"-"))
                {
                    words.next();
                    others.push(tidy_value(arg, next));
                }
            }
            Some(text) if subcommand.is_none() && !has_positional && command.find_subcommand(text).is_some() => {
                subcommand = command.find_subcommand(text);
            }
            _ => {
                has_positional = true;
                others.push(subcommand.map_or_else(|| word.clone(), |subcommand| tidy_positional(subcommand, word)));
            }
        }
    }
    let name = subcommand.map(|subcommand| subcommand.get_name().into());
    std::iter::once(program).chain(name).chain(others).collect()
}

/// The options that may be given: first those of the command, if it is known, then those that stand before it.
#[derive(Clone, Copy)]
struct Options<'a> {
    command: &'a Command,
    subcommand: Option<&'a Command>,
}

impl<'a> Options<'a> {
    fn find(self, is_wanted: impl Fn(&Arg) -> bool) -> Option<&'a Arg> {
        let of = |command: &'a Command| command.get_arguments().find(|arg| is_wanted(arg));
        match self.subcommand {
            Some(subcommand) => of(subcommand).or_else(|| of(self.command)),
            None => of(self.command).or_else(|| self.command.get_subcommands().find_map(of)),
        }
    }

    /// An option or a group of letters, and the option whose value is the next word.
    fn tidied(self, word: &str) -> (String, Option<&'a Arg>) {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let takes_value = self.find(|arg| is_long(arg, name)).filter(|arg| arg.get_action().takes_values());
            return match (takes_value, value) {
                (Some(arg), Some(value)) => (format!("--{name}={}", tidy_list(arg, value)), None),
                (arg, None) => (word.to_owned(), arg),
                (None, Some(_)) => (word.to_owned(), None),
            };
        }
        for (place, letter) in word.char_indices().skip(1) {
            let takes_value = self.find(|arg| is_short(arg, letter)).filter(|arg| arg.get_action().takes_values());
            if let Some(arg) = takes_value {
                let (letters, value) = word.split_at(place + letter.len_utf8());
                let is_attached = !value.is_empty();
                return (format!("{letters}{}", tidy_list(arg, value)), (!is_attached).then_some(arg));
            }
        }
        (word.to_owned(), None)
    }
}

pub(super) fn is_long(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|names| names.contains(&name))
}

pub(super) fn is_short(arg: &Arg, letter: char) -> bool {
    arg.get_short() == Some(letter) || arg.get_all_short_aliases().is_some_and(|letters| letters.contains(&letter))
}

fn may_lack_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.min_values() == 0)
}

fn tidy_value(arg: &Arg, value: &OsStr) -> OsString {
    value.to_str().map_or_else(|| value.to_owned(), |text| tidy_list(arg, text).into())
}

fn tidy_list(arg: &Arg, value: &str) -> String {
    if arg.get_value_delimiter().is_some() { value::by_commas(value) } else { value.to_owned() }
}

/// A list of numbers; the blank in the name of a command is a part of it.
fn tidy_positional(command: &Command, word: &OsStr) -> OsString {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = word.to_str().map(value::by_commas).filter(|list| list.split(',').all(is_number));
    let takes_list = command.get_positionals().any(|arg| arg.get_value_delimiter().is_some());
    numbers.filter(|_| takes_list).map_or_else(|| word.to_owned(), Into::into)
}

/// Removes an option from the words: the word, or its letter from a group. Returns whether it was there.
pub(super) fn remove(words: &mut Vec<OsString>, option: &str) -> bool {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let is_it = |word: &OsString| {
        word.to_str().is_some_and(|text| text == option || text.split_once('=').is_some_and(|(name, _)| name == option))
    };
    if let Some(place) = words.iter().take(end).skip(1).position(is_it) {
        words.remove(place + 1);
        return true;
    }
    let Some(letter) = option.strip_prefix('-').filter(|letters| letters.chars().count() == 1) else { return false };
    let groups = words.iter_mut().take(end).skip(1).filter(|word| {
        let bytes = word.as_bytes();
        bytes.starts_with(b"-") && !bytes.starts_with(b"--")
    });
    for group in groups {
        if let Some((before, after)) = group.to_str().and_then(|text| text.split_once(letter)) {
            *group = format!("{before}{after}").into();
            return true;
        }
    }
    false
}
