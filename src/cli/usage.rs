//! A wrong command line as one line: what is wrong, and what would be right. clap says what; the nearest option is by [`habits`], since
//! the nearest spelling is often another thing. No I/O.

use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::habits::{self, Habit};
use super::words;
use crate::findings::Code;

/// Maximum number of edits between an option and what was typed for it.
const MOST_EDITS: usize = 2;

/// Why a command line asks for nothing to be run.
#[derive(Debug)]
pub enum Refusal {
    /// It asks for a help or the version, which is to be printed.
    Text(StyledStr),
    /// It is wrong: the message, one line.
    Usage(String),
}

/// Removes the option that this error is about, if it asks for nothing that lspipe does not do anyway.
pub(super) fn without_harmless(error: &clap::Error, words: &mut Vec<OsString>) -> bool {
    let option = match error.kind() {
        ErrorKind::UnknownArgument => text(error, ContextKind::InvalidArg),
        // A `+E` is a PIPE to clap.
        ErrorKind::ValueValidation => text(error, ContextKind::InvalidValue),
        _ => None,
    };
    option.is_some_and(|option| habits::of(option) == Some(Habit::Harmless) && words::remove(words, option))
}

/// The message. The command is that of the whole program, and built.
pub(super) fn message(error: &clap::Error, command: &Command, words: &[OsString]) -> String {
    let subcommand = words.get(1).and_then(|word| command.find_subcommand(word.to_str()?));
    let place = Place { command, subcommand };
    let argument = text(error, ContextKind::InvalidArg).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => place.unknown(argument, words),
        ErrorKind::TooManyValues if argument.starts_with('-') => format!("'{argument}' takes no value"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => place.wrong_value(error, argument),
        ErrorKind::MissingRequiredArgument => place.missing(&strings(error, ContextKind::InvalidArg), words),
        _ => in_one_line(error),
    }
}

/// Where on the command line.
struct Place<'a> {
    command: &'a Command,
    subcommand: Option<&'a Command>,
}

impl Place<'_> {
    /// The options that may be given here.
    fn arguments(&self) -> impl Iterator<Item = &Arg> {
        let here = self.subcommand.unwrap_or(self.command);
        here.get_arguments().chain(self.command.get_arguments().filter(|arg| arg.is_global_set()))
    }

    /// As it is typed: `lspipe why`.
    fn name(&self) -> String {
        self.subcommand.map_or_else(|| "lspipe".to_owned(), |command| format!("lspipe {}", command.get_name()))
    }

    fn unknown(&self, typed: &str, words: &[OsString]) -> String {
        if !typed.starts_with('-') {
            return format!("unexpected argument '{typed}'; try '{} --help'", self.name());
        }
        if let Some(message) = self.of_others(typed) {
            let way = if typed == "--format" { self.same_form(words) } else { String::new() };
            return message + &way;
        }
        match habits::of(typed) {
            Some(Habit::Means(option)) => format!("unexpected argument '{typed}': did you mean '{option}'?"),
            Some(Habit::Instead(what)) => format!("unexpected argument '{typed}': {what}"),
            Some(Habit::Harmless) | None => match self.nearest(typed) {
                Some(option) => format!("unexpected argument '{typed}': did you mean '--{option}'?"),
                None => format!("unexpected argument '{typed}'; try '{} --help'", self.name()),
            },
        }
    }

    /// The option for what `--format` was given with, where there is one.
    fn same_form(&self, words: &[OsString]) -> String {
        let mut after = words.iter().skip_while(|word| !word.to_string_lossy().starts_with("--format"));
        let first = after.next().and_then(|word| word.to_str()).unwrap_or_default();
        let value = first.strip_prefix("--format=").or_else(|| after.next()?.to_str()).unwrap_or_default();
        let same = self
            .arguments()
            .filter_map(Arg::get_long)
            .find(|long| *long == value && ["json", "ndjson", "csv"].contains(long));
        same.map_or_else(String::new, |long| format!("; use --{long}"))
    }

    /// That other commands have this option.
    fn of_others(&self, typed: &str) -> Option<String> {
        let is_it = |arg: &&Arg| match typed.strip_prefix("--") {
            Some(long) => words::is_long(arg, long),
            None => typed.chars().nth(1).is_some_and(|letter| typed.len() == 2 && words::is_short(arg, letter)),
        };
        let report = self.command.get_arguments().find(is_it).map(|arg| (arg, "the report".to_owned()));
        let named = |command: &Command| format!("`lspipe {}`", command.get_name());
        let others = self.command.get_subcommands().filter_map(|it| Some((it.get_arguments().find(is_it)?, named(it))));
        let owners: Vec<(&Arg, String)> = report.into_iter().chain(others).collect();
        let (arg, first) = owners.first()?;
        let others: Vec<&str> = owners.iter().skip(1).map(|(_, owner)| owner.as_str()).collect();
        let of = match others.split_last() {
            None => first.clone(),
            Some((last, [])) => format!("{first} and {last}"),
            Some((last, others)) => format!("{first}, {} and {last}", others.join(", ")),
        };
        let here = if self.subcommand.is_some() { format!("`{}`", self.name()) } else { "the report".to_owned() };
        Some(format!("'{arg}' is an option of {of}, not of {here}"))
    }

    /// The long option that is spelled nearly so. A letter instead of another is no typing error in a short name: `--gid` is not `--pid`.
    fn nearest(&self, typed: &str) -> Option<String> {
        let typed = typed.strip_prefix("--")?;
        let names = self.arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long);
        let edits = |name: &str| {
            let most = if name.len() <= 4 { 1 } else { MOST_EDITS };
            let is_other_word = name.len() == typed.len() && {
                let sorted = |word: &str| {
                    let mut letters: Vec<char> = word.chars().collect();
                    letters.sort_unstable();
                    letters
                };
                name.len() <= 5 && sorted(name) != sorted(typed)
            };
            Some(strsim::damerau_levenshtein(name, typed)).filter(|edits| *edits <= most && !is_other_word)
        };
        names.filter_map(|name| Some((edits(name)?, name))).min().map(|(_, name)| name.to_owned())
    }

    fn wrong_value(&self, error: &clap::Error, argument: &str) -> String {
        let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
        if argument.starts_with("[PIPE]") {
            return match (habits::of(value), error.source()) {
                (Some(Habit::Means(option)), _) => format!("unexpected argument '{value}': did you mean '{option}'?"),
                (Some(Habit::Instead(what)), _) => format!("unexpected argument '{value}': {what}"),
                (_, Some(cause)) => cause.to_string(),
                (_, None) => in_one_line(error),
            };
        }
        if value.is_empty() {
            let name = argument.trim_matches(['[', ']', '<', '>', '.']);
            return match error.source() {
                _ if !argument.starts_with('-') => format!("{name} is empty"),
                Some(cause) => format!("the value of '{argument}' is empty: {cause}"),
                None => format!("'{argument}' needs a value"),
            };
        }
        let wrong = format!("invalid value '{value}' for '{argument}'");
        let valid = strings(error, ContextKind::ValidValue);
        if valid.is_empty() {
            return error.source().map_or_else(|| in_one_line(error), |cause| format!("{wrong}: {cause}"));
        }
        let suggested = strings(error, ContextKind::SuggestedValue).first().copied();
        let suggested = suggested.or_else(|| text(error, ContextKind::SuggestedValue));
        if argument.starts_with("--kind") {
            return wrong_kind(&wrong, value, suggested, &valid);
        }
        if argument.contains("<CODE>") {
            if self.subcommand.is_some_and(|command| command.get_name() == "why") && value.parse::<Code>().is_ok() {
                return format!("{wrong}: only `lspipe audit` reports that");
            }
            let all = format!("ll codes: {} --explain", self.name());
            return match suggested {
                Some(suggested) => format!("{wrong}: did you mean '{suggested}'? A{all}"),
                None => format!("{wrong}: there is no such code; a{all}"),
            };
        }
        let way = match value {
            "svg" | "png" | "pdf" if argument.starts_with("--format") => {
                format!("; `lspipe graph --format dot | dot -T{value}` makes it")
            }
            _ => String::new(),
        };
        match suggested.filter(|_| way.is_empty()) {
            Some(suggested) => format!("{wrong}: did you mean '{suggested}'? It is one of {}", valid.join(", ")),
            None => format!("{wrong}: it is none of {}{way}", valid.join(", ")),
        }
    }

    /// What these need, or what is missing.
    fn missing(&self, missing: &[&str], words: &[OsString]) -> String {
        let is_given = |option: &&str| words.iter().any(|word| word == option);
        let dependent = match missing {
            ["--terse"] => ["--readers", "--writers"].into_iter().find(is_given),
            ["--pid <PID>"] => Some("--descendants"),
            ["<OLD>", "<NEW>"] => return "diff needs two saved reports: lspipe diff OLD NEW".to_owned(),
            ["<NEW>"] => return "diff needs a second report: lspipe diff OLD NEW".to_owned(),
            _ => None,
        };
        match dependent {
            Some(option) => format!("'{option}' needs '{}'", missing.join(" ")),
            None => format!("{} needs {}", self.name(), missing.join(", ")),
        }
    }
}

/// The `-k` of fuser(1) ends processes, and a PIPE follows it.
fn wrong_kind(wrong: &str, value: &str, suggested: Option<&str>, valid: &[&str]) -> String {
    if value.contains(['/', '.', ':']) || value == "i" || value.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!(
            "{wrong}: a KIND is {}; lspipe ends no process, `kill $(lspipe -t PIPE)` does",
            valid.join(", ")
        );
    }
    match habits::kind(value).or(suggested) {
        Some(kind) => format!("{wrong}: did you mean '{kind}'? It is one of {}", valid.join(", ")),
        None => format!("{wrong}: it is none of {}", valid.join(", ")),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn strings(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What clap says, without the usage and its tips.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let is_message =
        |line: &&str| !line.is_empty() && !line.starts_with("For more") && !line.starts_with("tip: to pass");
    // A list of arguments or values continues the line before it.
    let message = lines.filter(is_message).collect::<Vec<_>>().join("; ").replace(":; ", ": ").replace("; [", " [");
    message.strip_prefix("error: ").unwrap_or(&message).to_owned()
}
