//! `--generate`: the man page and the schema are made from the definitions that the command line is
//! parsed by. The completions are scripts that ask the command itself: see `src/complete.rs`.

use std::io::{self, Write};

use clap::{Arg, Command, CommandFactory as _};

use crate::cli::{Cli, Generate};
use crate::render::SCHEMA;
use crate::render::columns::Column;

/// The date of this version, in the foot of the man page.
const RELEASED: &str = "2026-11-25";

/// One line for each subcommand; `clap_mangen` would list every option instead.
const SYNOPSIS: &str = include_str!("../man/synopsis.roff");

/// The sections after the generated ones: findings, output, limits, examples.
const SECTIONS: &str = include_str!("../man/sections.roff");

/// The completions, which have what differs between the shells.
const BASH: &str = include_str!("generate/lspipe.bash");
const ZSH: &str = include_str!("generate/_lspipe.zsh");
const FISH: &str = include_str!("generate/lspipe.fish");

/// Writes what `--generate` asks for.
///
/// # Errors
///
/// Those of the writer.
pub fn generate(what: Generate, out: &mut dyn Write) -> io::Result<()> {
    match what {
        Generate::Man => man(out),
        Generate::CompleteBash => out.write_all(BASH.as_bytes()),
        Generate::CompleteZsh => out.write_all(ZSH.as_bytes()),
        Generate::CompleteFish => out.write_all(FISH.as_bytes()),
        Generate::Schema => out.write_all(SCHEMA.as_bytes()),
    }
}

fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command();
    // Adds the global options to the subcommands.
    command.build();
    let page = clap_mangen::Man::new(command.clone())
        .date(RELEASED)
        .source(concat!("lspipe ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    text.write_all(SYNOPSIS.as_bytes())?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    options_of_subcommands(&command, &mut text)?;
    writeln!(text, ".SH COLUMNS")?;
    let (of_all, of_tables): (Vec<Column>, Vec<Column>) = Column::ALL.iter().partition(|column| column.is_selectable());
    for (intro, columns) in [(None, of_all), (Some(".PP\nColumns of\n.B fds\nonly:"), of_tables)] {
        intro.map_or(Ok(()), |intro| writeln!(text, "{intro}"))?;
        for column in columns {
            writeln!(text, ".TP\n.B {}\n{}", column.heading(), roff(column.help()))?;
        }
    }
    // clap_mangen writes a blank line as two line breaks, of which mandoc(1) warns.
    out.write_all(String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.sp\n").as_bytes())?;
    out.write_all(SECTIONS.as_bytes())
}

/// The options of each subcommand that the report lacks, or that mean something else there.
fn options_of_subcommands(command: &Command, text: &mut Vec<u8>) -> io::Result<()> {
    let global = names(command.get_arguments().filter(|arg| arg.is_global_set()));
    writeln!(text, ".SH OPTIONS OF SUBCOMMANDS\nAll subcommands also accept {global}.")?;
    writeln!(text, "\\fBlspipe diff\\fR rejects \\fB\\-\\-repeat\\fR, \\fB\\-\\-proc\\fR and \\fB\\-\\-from\\fR.")?;
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        let is_shared = |arg: &Arg| {
            let help = |arg: &Arg| arg.get_long_help().or(arg.get_help()).cloned();
            command.get_arguments().any(|other| other.get_id() == arg.get_id() && help(other) == help(arg))
        };
        writeln!(text, ".SS lspipe {name}")?;
        let shared = subcommand.get_arguments().filter(|arg| arg.get_id() != "help" && !arg.is_global_set());
        let shared = names(shared.filter(|arg| is_shared(arg)));
        if !shared.is_empty() {
            writeln!(text, "With the same meaning as above: {shared}.")?;
        }
        let own = subcommand.clone().mut_args(|arg| {
            let is_shared = is_shared(&arg);
            arg.hide(is_shared).help_heading(None::<&str>)
        });
        let mut section = Vec::new();
        clap_mangen::Man::new(own).render_options_section(&mut section)?;
        // Without the heading.
        let section = String::from_utf8_lossy(&section);
        text.write_all(section.split_once(".SH OPTIONS\n").map_or("", |(_, options)| options).as_bytes())?;
    }
    Ok(())
}

/// The names of options in bold, and of positionals in italics, separated by commas.
fn names<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let positional = |arg: &Arg| arg.get_value_names().map(|names| format!("\\fI{}\\fR", names.join(" ")));
    let name = |arg: &'a Arg| match arg.get_long() {
        Some(long) => Some(roff(&format!("\\fB--{long}\\fR"))),
        None => positional(arg),
    };
    arguments.filter_map(name).collect::<Vec<_>>().join(", ")
}

/// Escapes hyphens, which roff would print as typographic ones.
fn roff(text: &str) -> String {
    text.replace('-', "\\-")
}
