//! The `lspipe` command: parse, run, exit status. Alone in printing to stderr and in ending the process.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use lspipe::cli::{Action, Cli, Color};
use lspipe::error::Error;
use lspipe::render::Style;
use lspipe::{Exit, compare, generate, run};

/// The exit status of a usage error and of a report that could not be made.
const FAILED: u8 = 2;

/// The width of a terminal that does not tell it.
const USUAL_WIDTH: u16 = 80;

fn main() -> ExitCode {
    lspipe::die_of_sigpipe();
    if let Some(served) = lspipe::observe::probe::serve_if_asked() {
        return if served { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    }
    let status = match Cli::from_command_line() {
        Ok(cli) => match answer(cli) {
            Ok(exit) => exit.into(),
            Err(error) => {
                say(&message(&error));
                FAILED
            }
        },
        Err(error) => usage(&error),
    };
    ExitCode::from(status)
}

fn answer(cli: Cli) -> Result<Exit, Error> {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let automatic = AutoStream::choice(&stdout) != ColorChoice::Never;
    let mut out = BufWriter::with_capacity(64 * 1024, stdout.lock());
    let style = |color| Style {
        width: terminal.then(width),
        color: match color {
            Color::Auto => terminal && automatic,
            Color::Always => true,
            Color::Never => false,
        },
    };
    match cli.into_action() {
        Action::Report(request) => return run(&request, &style(request.output.color), &mut out, &mut say),
        Action::Compare(comparison, output) => {
            return compare(&comparison, &output, &style(output.color), &mut out, &mut say);
        }
        Action::Explain(code) => generate::explain(code, &mut out)?,
        Action::ListColumns => generate::list_columns(&mut out)?,
        Action::Generate(kind) => generate::generate(kind, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Reported)
}

/// What went wrong; and for a word that is no PIPE, what it was perhaps meant to be.
fn message(error: &Error) -> String {
    match error {
        Error::LookUp { path, source } if source.kind() == io::ErrorKind::NotFound => Cli::similar_command(path)
            .map_or_else(
                || error.to_string(),
                |known| format!("no PIPE and no command {path:?}: did you mean `lspipe {known}`?"),
            ),
        _ => error.to_string(),
    }
}

fn width() -> u16 {
    terminal_size::terminal_size_of(io::stdout()).map_or(USUAL_WIDTH, |(width, _)| width.0)
}

/// Prints help and version as they are, and an error as one line.
fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => 0,
            Err(error) => {
                say(&Error::Write(error).to_string());
                FAILED
            }
        };
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let message = lines
        .filter(|line| !line.is_empty() && !["For more", "tip: to pass"].iter().any(|start| line.starts_with(start)))
        .fold(String::new(), join_lines);
    say(message.strip_prefix("error: ").unwrap_or(&message));
    FAILED
}

fn join_lines(before: String, line: &str) -> String {
    match () {
        () if before.is_empty() => line.to_owned(),
        () if before.ends_with(':') || line.starts_with('[') => before + " " + line,
        () => before + "; " + line,
    }
}

/// Says one line on stderr. Where that cannot be written to, there is nobody to tell.
fn say(message: &str) {
    // In one call, so that no other output comes in between.
    let _ = io::stderr().write_all(format!("lspipe: {message}\n").as_bytes());
}
