//! Which options exclude each other: one table, for the command line and for completions. clap's own `conflicts_with` does not see an
//! option that all commands share and that stands before the command.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Each id excludes those beside it. An id is that of an option, or the name of a command that refuses the option.
const CONFLICTS: [(&str, &[&str]); 9] = [
    ("json", &["ndjson", "csv", "endpoints", "output", "terse", "metrics"]),
    ("ndjson", &["csv", "endpoints", "output", "terse", "metrics"]),
    ("csv", &["terse", "repeat"]),
    ("terse", &["endpoints", "output", "probe"]),
    ("from", &["proc", "backend", "repeat", "probe", "confirm", "budget", "diff"]),
    ("repeat", &["metrics", "write_baseline", "diff"]),
    ("proc", &["diff"]),
    ("budget", &["diff"]),
    ("backend", &["diff"]),
];

/// The ids that exclude this one.
pub(crate) fn of(id: &str) -> impl Iterator<Item = &'static str> {
    let pairs = CONFLICTS.iter().flat_map(|(one, others)| others.iter().map(|other| (*one, *other)));
    let other = move |(one, other)| {
        if one == id { Some(other) } else { (other == id).then_some(one) }
    };
    pairs.filter_map(other)
}

/// The first two that exclude each other and are given, as they are written in a help.
pub(super) fn given_together(command: &Command, matches: &ArgMatches) -> Option<(String, String)> {
    let given = |id: &str| match matches.subcommand() {
        Some((name, _)) if name == id => Some(id.to_owned()),
        Some((name, of_command)) => is_given(command, matches, id)
            .or_else(|| command.find_subcommand(name).and_then(|command| is_given(command, of_command, id))),
        None => is_given(command, matches, id),
    };
    CONFLICTS.iter().find_map(|(one, others)| given(one).zip(others.iter().find_map(|other| given(other))))
}

/// How the option is written, if it is given.
fn is_given(command: &Command, matches: &ArgMatches, id: &str) -> Option<String> {
    let arg = command.get_arguments().find(|arg| arg.get_id() == id)?;
    (matches.value_source(id) == Some(ValueSource::CommandLine)).then(|| arg.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::CONFLICTS;
    use crate::cli::Cli;

    #[test]
    fn every_id_is_that_of_an_option_or_command() {
        let command = Cli::command();
        let commands = || std::iter::once(&command).chain(command.get_subcommands());
        for id in CONFLICTS.iter().flat_map(|(one, others)| others.iter().chain([one])) {
            let is_known =
                |of: &clap::Command| of.get_name() == *id || of.get_arguments().any(|arg| arg.get_id() == *id);
            assert!(commands().any(is_known), "{id}");
        }
    }
}
