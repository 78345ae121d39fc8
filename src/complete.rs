//! Answers a shell that asks, while a command line is typed, what may stand at the cursor. The scripts of `--generate` ask by running
//! `LSPIPE_COMPLETE=1 lspipe -- WORD...`, where the last word is the one up to the cursor.
//!
//! The first line of the answer is `KIND`, a tab and `PREFIX`. KIND is `list` (values of a list, which a comma may follow), `files` or
//! `dirs` (which the shell completes itself, since it knows how to quote them), or `words`. PREFIX is the part of the typed word that
//! stays: `--only=deadlock,`. Each other line is a word that replaces the typed one, a tab and a description. No line has a character that
//! a terminal does not show.

mod values;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};

use crate::cli::{Cli, conflict};
use crate::escape::{is_shown_as_is, sanitize_sentence};
use crate::privilege::without_capabilities;

/// The environment variable by which a shell asks.
const VARIABLE: &str = "LSPIPE_COMPLETE";

/// Maximum number of characters of a description.
const MAX_DESCRIPTION: usize = 100;

/// Answers if a shell asks. Returns None if none does, so that the command line means what it says.
///
/// # Errors
///
/// Those of the writer.
pub fn complete_if_asked(out: &mut dyn Write) -> Option<io::Result<()>> {
    env::var_os(VARIABLE).filter(|value| value == "1")?;
    let mut arguments = env::args_os().skip(1);
    arguments.next().filter(|first| first == "--")?;
    let words: Vec<OsString> = arguments.collect();
    Some(without_capabilities(|| out.write_all(answer(words).as_bytes())))
}

/// What the completion of a value is about, beside its values: the tag of a candidate without text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Words,
    List,
    Files,
    Dirs,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::List => "list",
            Self::Files => "files",
            Self::Dirs => "dirs",
        }
    }

    /// A candidate without text, to which the engine adds what stands before the value.
    fn marker(self) -> CompletionCandidate {
        CompletionCandidate::new("").tag(Some(self.as_str().into()))
    }

    fn of(candidate: &CompletionCandidate) -> Option<Self> {
        let tag = candidate.get_tag()?.to_string();
        [Self::List, Self::Files, Self::Dirs].into_iter().find(|kind| kind.as_str() == tag)
    }
}

/// The answer for these words, the last of which is to be completed.
fn answer(words: Vec<OsString>) -> String {
    let Some(typed) = words.last().map(|word| word.to_string_lossy().into_owned()) else { return String::new() };
    let last = words.len() - 1;
    let mut command = command();
    let given: Vec<String> = words[..last].iter().filter_map(|word| id(word, &command)).collect();
    // Without a directory the engine reads none: paths are left to the shell. What it cannot parse gets no candidates; a message would stand
    // in the line that is being typed.
    let candidates = complete(&mut command, words, last, None).unwrap_or_default();
    let (kind, prefix) = candidates
        .iter()
        .filter_map(|candidate| marked(candidate, &typed))
        .max_by_key(|(_, prefix)| prefix.len())
        .unwrap_or((Kind::Words, String::new()));
    let mut text = String::new();
    if !is_shown_as_is(&prefix) {
        return text;
    }
    text.extend([kind.as_str(), "\t", &prefix, "\n"]);
    let listed: Vec<&str> = prefix.rsplit('=').next().unwrap_or_default().split(',').collect();
    for candidate in candidates.iter().filter(|candidate| Kind::of(candidate).is_none()) {
        let value = candidate.get_value().to_string_lossy();
        // An option is offered only to those who begin one, and no value of a list twice.
        let is_unwanted_option = value.starts_with('-') && !typed.starts_with('-');
        let is_again = kind == Kind::List && value.strip_prefix(&prefix).is_some_and(|item| listed.contains(&item));
        if is_unwanted_option || is_refused(candidate, &given) || is_again || !is_shown_as_is(&value) {
            continue;
        }
        text.extend([&value, "\t", &description(candidate.get_help()), "\n"]);
    }
    text
}

/// The ID in the table of conflicts of an option with its long name, or of a command.
fn id(word: &OsStr, command: &Command) -> Option<String> {
    let word = word.to_str()?;
    let name = match word.strip_prefix("--") {
        Some(option) => option.split('=').next()?,
        None => command.find_subcommand(word)?.get_name(),
    };
    Some(name.replace('-', "_"))
}

/// Whether it is an option that one that is given excludes.
fn is_refused(candidate: &CompletionCandidate, given: &[String]) -> bool {
    let id = candidate.get_id().and_then(|id| id.strip_prefix("arg::"));
    id.is_some_and(|id| conflict::of(id).any(|other| given.iter().any(|given| given == other)))
}

/// What a marker says, if it is about the typed word: in `--from=`, an option is completed by its value, and in `--fr` no value is.
fn marked(candidate: &CompletionCandidate, typed: &str) -> Option<(Kind, String)> {
    let kind = Kind::of(candidate)?;
    let prefix = candidate.get_value().to_string_lossy().into_owned();
    (typed.starts_with(&prefix) && typed.starts_with('-') == prefix.starts_with('-')).then_some((kind, prefix))
}

/// The first line of a help, without what a terminal does not show.
fn description(help: Option<&StyledStr>) -> String {
    let help = help.map(ToString::to_string).unwrap_or_default();
    // Names in it are escaped already.
    let text = sanitize_sentence(help.lines().next().unwrap_or_default());
    match text.char_indices().nth(MAX_DESCRIPTION) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The command line, with what completes the values of each argument.
fn command() -> Command {
    with_values(Cli::command())
}

fn with_values(command: Command) -> Command {
    let of_fds = command.get_name() == "fds";
    let argument = |arg: Arg| match completer(&arg, of_fds) {
        Some((Kind::List, values)) => arg.value_delimiter(',').add(completing(values, Some(Kind::List))),
        Some((Kind::Words, values)) => arg.add(completing(values, None)),
        Some((kind, values)) => arg.add(completing(values, Some(kind))),
        None => arg,
    };
    command.mut_args(argument).mut_subcommands(with_values)
}

fn completing(values: Values, marker: Option<Kind>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let values = values(&typed.to_string_lossy()).into_iter();
        values.chain(marker.map(Kind::marker)).collect::<Vec<_>>()
    })
}

/// The values that a word may become.
type Values = Box<dyn Fn(&str) -> Vec<CompletionCandidate> + Send + Sync>;

/// What completes the values of an argument, if the engine does not by itself.
fn completer(arg: &Arg, of_fds: bool) -> Option<(Kind, Values)> {
    let list = |values: fn(&str) -> Vec<CompletionCandidate>| Some((Kind::List, Box::new(values) as Values));
    match arg.get_id().as_str() {
        "pids" => return list(values::chosen_pids),
        "processes" => return list(values::processes),
        "users" => return list(values::chosen_users),
        "commands" => return list(values::chosen_commands),
        "output" if of_fds => return list(values::fds_columns),
        "output" => return list(values::columns),
        "fail_on" => return list(values::severities_and_codes),
        "topic" => return Some((Kind::Words, Box::new(values::topics))),
        _ => {}
    }
    let nothing = || Box::new(|_: &str| Vec::new());
    match arg.get_value_hint() {
        ValueHint::FilePath => return Some((Kind::Files, nothing())),
        ValueHint::DirPath => return Some((Kind::Dirs, nothing())),
        _ => {}
    }
    // The engine does not ignore case, and has no description of a finding.
    let words: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let kind = if arg.get_value_delimiter().is_some() { Kind::List } else { Kind::Words };
    (arg.is_ignore_case_set() && !words.is_empty())
        .then(|| (kind, Box::new(move |typed: &str| values::words(&words, typed)) as Values))
}

#[cfg(test)]
mod tests;
