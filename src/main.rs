//! The `lspipe` command: parse, run, exit status. Only this file prints to stderr and ends the process.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use lspipe::command::{self, Action, CHUNK, Cli, Side, Started, Stdout, Stopped, Style, compare, run};
use lspipe::{Color, Error, Exit, Request};

/// The exit status of a usage error and of a report that could not be made.
const FAILED: u8 = 2;

/// The width of a terminal that does not report one.
const DEFAULT_WIDTH: u16 = 80;

fn main() -> ExitCode {
    command::die_of_sigpipe();
    command::ignore_sigxfsz();
    if let Some(served) = command::serve_if_asked() {
        return if served { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    }
    let status = match Cli::from_command_line() {
        Ok(cli) => match cli.into_action() {
            Action::Report(request) if request.source.from.is_none() => guarded(&request),
            action => status(answer(action), &mut say),
        },
        Err(error) => usage(&error),
    };
    ExitCode::from(status)
}

/// Looks at this machine: in a child process, while this one only passes on what that prints.
fn guarded(request: &Request) -> u8 {
    let style = style(request.output.color);
    let channel = match command::start_guarded(std::env::args_os().skip(1)) {
        Ok(Side::Child(channel)) => channel,
        Ok(Side::Guard(guard)) => {
            return match guard.relay(&mut say) {
                Ok(status) => status,
                Err(Stopped::Write(error)) => fail(&Error::Write(error).to_string()),
                Err(stopped) => fail(&stopped.to_string()),
            };
        }
        Err(error) => return fail(&error.to_string()),
    };
    let mut notify = |line: &str| channel.say(line);
    let answer = {
        let mut out = BufWriter::with_capacity(CHUNK, channel.stdout());
        let started = Started { helper: command::own_helper(), pid: channel.guard() };
        run(request, &started, &style, &mut out, &mut notify)
    };
    let status = status(answer, &mut notify);
    channel.end(status);
    status
}

/// The exit status, after an error was printed.
fn status(answer: Result<Exit, Error>, notify: &mut dyn FnMut(&str)) -> u8 {
    match answer {
        Ok(exit) => exit.into(),
        Err(error) => {
            notify(&message(&error));
            FAILED
        }
    }
}

fn style(color: Color) -> Style {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let automatic = AutoStream::choice(&stdout) != ColorChoice::Never;
    Style {
        width: terminal.then(width),
        color: match color {
            Color::Auto => terminal && automatic,
            Color::Always => true,
            Color::Never => false,
        },
    }
}

/// Answers from files.
fn answer(action: Action) -> Result<Exit, Error> {
    let mut out = BufWriter::with_capacity(64 * 1024, Stdout);
    match action {
        Action::Report(request) => {
            let style = style(request.output.color);
            return run(&request, &Started::default(), &style, &mut out, &mut say);
        }
        Action::Compare(comparison, output) => {
            return compare(&comparison, &output, &style(output.color), &mut out, &mut say);
        }
        Action::Explain(code) => command::explain(code, &mut out)?,
        Action::ListColumns => command::list_columns(&mut out)?,
        Action::Generate(kind) => command::generate(kind, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Reported)
}

/// The error; for a word that is not a PIPE but resembles a command, with that command.
fn message(error: &Error) -> String {
    match error.missing_path().and_then(|path| Some((path, Cli::similar_command(path)?))) {
        Some((path, known)) => format!("no PIPE and no command {path:?}: did you mean `lspipe {known}`?"),
        None => error.to_string(),
    }
}

fn width() -> u16 {
    terminal_size::terminal_size_of(io::stdout()).map_or(DEFAULT_WIDTH, |(width, _)| width.0)
}

/// Prints help and version as they are, and an error as one line.
fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        let text = error.render();
        let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
        let text = if is_plain { text.to_string() } else { text.ansi().to_string() };
        return Stdout.write_all(text.as_bytes()).map_or_else(|error| fail(&Error::Write(error).to_string()), |()| 0);
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let is_message =
        |line: &&str| !line.is_empty() && !line.starts_with("For more") && !line.starts_with("tip: to pass");
    // A list of arguments or values continues the line before it.
    let message = lines.filter(is_message).collect::<Vec<_>>().join("; ").replace(":; ", ": ").replace("; [", " [");
    fail(message.strip_prefix("error: ").unwrap_or(&message))
}

fn fail(message: &str) -> u8 {
    say(message);
    FAILED
}

/// Prints one line on stderr. An error in that cannot be reported anywhere.
fn say(message: &str) {
    // In one call, so that no other output comes in between.
    let _ = io::stderr().write_all(format!("lspipe: {message}\n").as_bytes());
}
