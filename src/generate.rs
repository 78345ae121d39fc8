//! The man page, the completions and the schema, from the same definitions that the command runs by.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::{Cli, Generate};
use crate::render::SCHEMA;
use crate::render::columns::Column;

/// What no option's text can tell: output, limits, examples. Follows the generated sections.
const MAN_SECTIONS: &str = include_str!("man_sections.roff");

/// Writes one of them.
///
/// # Errors
///
/// Those of the writer.
pub fn generate(what: Generate, out: &mut dyn Write) -> io::Result<()> {
    match what {
        Generate::Man => man(out),
        Generate::CompleteBash => complete(Shell::Bash, out),
        Generate::CompleteZsh => complete(Shell::Zsh, out),
        Generate::CompleteFish => complete(Shell::Fish, out),
        Generate::Schema => out.write_all(SCHEMA.as_bytes()),
    }
}

/// Writes the list of columns for `--list-columns`.
///
/// # Errors
///
/// Those of the writer.
pub fn list_columns(out: &mut dyn Write) -> io::Result<()> {
    for column in Column::ALL.iter().filter(|column| column.is_selectable()) {
        writeln!(out, "{:<10} {}", column.heading(), column.help())?;
    }
    Ok(())
}

fn complete(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // clap_complete panics where a write fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "lspipe", &mut script);
    out.write_all(&script)
}

fn man(out: &mut dyn Write) -> io::Result<()> {
    let page =
        clap_mangen::Man::new(Cli::command()).source(concat!("lspipe ", env!("CARGO_PKG_VERSION")));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    page.render_subcommands_section(out)?;
    writeln!(out, ".SH COLUMNS")?;
    for column in Column::ALL.iter().filter(|column| column.is_selectable()) {
        writeln!(out, ".TP\n.B {}\n{}", column.heading(), column.help())?;
    }
    out.write_all(MAN_SECTIONS.as_bytes())
}
