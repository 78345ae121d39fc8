//! Shell completions: the output of `clap_complete`, corrected for lists, PIDs and positionals. Reads nothing of this machine.

use std::io::{self, Write};

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command, CommandFactory as _, Id, ValueHint};
use clap_complete::Shell;

use crate::cli::{Cli, conflict};
use crate::render::columns::Column;

/// Marks PIDs, for which clap has no hint. No option takes a host name.
const PIDS: ValueHint = ValueHint::Hostname;

/// The value name that marks a list separated by commas, for zsh.
const LIST: &str = "LIST";

pub(super) fn complete(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut command = marked(Cli::command(), shell);
    if shell == Shell::Zsh {
        command = without_positionals(&command);
    }
    // clap_complete panics where a write fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "lspipe", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Zsh => for_zsh(&script),
        Shell::Fish => for_fish(&script, &command),
        _ => script.into_owned(),
    };
    out.write_all(script.as_bytes())
}

/// Adds to the command what its completions need and parsing does not.
fn marked(command: Command, shell: Shell) -> Command {
    let known: Vec<Id> = command.get_arguments().map(Arg::get_id).cloned().collect();
    let argument = |arg: Arg| {
        let excluded = |other: &&str| !arg.is_global_set() && known.iter().any(|id| id == other);
        let excluded: Vec<_> = conflict::of(arg.get_id().as_str()).filter(excluded).collect();
        let arg = arg.conflicts_with_all(excluded);
        let arg = match arg.get_id().as_str() {
            "output" => arg.value_delimiter(',').value_parser(columns(shell)),
            "pids" if shell != Shell::Bash => arg.value_hint(PIDS),
            _ => arg,
        };
        if shell == Shell::Zsh && arg.get_value_delimiter().is_some() { arg.value_name(LIST) } else { arg }
    };
    command.mut_args(argument).mut_subcommands(|subcommand| marked(subcommand, shell))
}

fn columns(shell: Shell) -> PossibleValuesParser {
    let columns = Column::ALL.iter().filter(|column| column.is_selectable());
    PossibleValuesParser::new(columns.map(|column| {
        let value = PossibleValue::new(column.heading());
        // In a list separated by commas, zsh cannot show it.
        if shell == Shell::Fish { value.help(column.help()) } else { value }
    }))
}

/// Moves the positionals into a subcommand that matches every other name: zsh would take a subcommand for the first of them.
fn without_positionals(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|arg| !arg.is_global_set()).cloned();
    // Without bin_name, the `*` would be part of function names.
    let pipes = Command::new("*").bin_name("lspipe pipes").args(arguments);
    Command::new("lspipe")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(command.get_arguments().filter(|arg| !arg.is_positional()))
        .subcommands(command.get_subcommands())
        .subcommand(pipes)
}

/// Completes files besides subcommands, PIDs, and lists separated by commas.
fn for_zsh(script: &str) -> String {
    let script = script
        .replace("'*:' \\\n", "")
        .replace("\":: :_lspipe_commands\"", "\":: :{_lspipe_commands; _files}\"")
        .replace(":_hosts'", ":_sequence _pids'")
        .replace(":LIST:_users'", ":LIST:_sequence _users'");
    let lines = script.split_inclusive('\n').map(|line| match line.split_once(":LIST:(") {
        Some((before, values)) => format!("{before}:LIST:_sequence compadd - {}", values.replacen(")'", "'", 1)),
        None => line.to_owned(),
    });
    lines.collect()
}

/// Completes PIDs, and values that are separate words from their option.
fn for_fish(script: &str, command: &Command) -> String {
    let pids = "(__fish_complete_pids)";
    // argparse fails while an option lacks its value; without this nothing would be completed.
    let again = "    or argparse -s (__fish_lspipe_global_optspecs) -- $cmd[1..-2] 2>/dev/null\n    or return\n";
    let mut script = script.replace("    or return\n", again).replace("(__fish_print_hostnames)", pids);
    // clap_complete does not describe positionals, so that fish would complete files for each.
    script.extend(command.get_subcommands().filter_map(|subcommand| {
        let values = match subcommand.get_positionals().next().map(Arg::get_value_hint) {
            Some(ValueHint::FilePath) => return None,
            Some(PIDS) => format!(" -a \"{pids}\""),
            _ => String::new(),
        };
        let name = subcommand.get_name();
        Some(format!("complete -c lspipe -n \"__fish_lspipe_using_subcommand {name}\" -f{values}\n"))
    }));
    script
}
