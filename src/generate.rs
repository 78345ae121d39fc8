//! The man page, the completions and the schema, from the same definitions that the command runs by.

use std::io::{self, Write};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::audit;
use crate::cli::{Cli, Generate};
use crate::model::Code;
use crate::render::SCHEMA;
use crate::render::columns::Column;

/// The date of this version, in the foot of the man page.
const RELEASED: &str = "2026-11-25";

/// A line a form of the command: `clap_mangen` would list every option instead.
const SYNOPSIS: &str = r".SH SYNOPSIS
.B lspipe
.RI [ OPTIONS ]\ [ PIPE .\|.\|.]
.br
.B lspipe why
.RI [ OPTIONS ]\ [ PIPE .\|.\|.]
.br
.B lspipe audit
.RI [ OPTIONS ]
.br
.B lspipe graph
.RI [ OPTIONS ]\ [ PIPE .\|.\|.]
.br
.B lspipe fds
.RI [ OPTIONS ]\ PID .\|.\|.
";

/// What no option's text can tell: output, limits, examples. Follows the generated sections.
const SECTIONS: &str = include_str!("../man/sections.roff");

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

/// Writes what a finding means, for `--explain`.
///
/// # Errors
///
/// Those of the writer.
pub fn explain(code: Code, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{code}\n\n{}", audit::explain(code))
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
    let page = clap_mangen::Man::new(Cli::command())
        .date(RELEASED)
        .source(concat!("lspipe ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    text.write_all(SYNOPSIS.as_bytes())?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    writeln!(text, ".SH COLUMNS")?;
    for column in Column::ALL.iter().filter(|column| column.is_selectable()) {
        writeln!(text, ".TP\n.B {}\n{}", column.heading(), column.help())?;
    }
    // clap_mangen sets a blank line apart with two line breaks, of which mandoc(1) warns.
    out.write_all(String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.sp\n").as_bytes())?;
    out.write_all(SECTIONS.as_bytes())
}
