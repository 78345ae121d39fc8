//! The `lspipe` command: parse, run, exit status. Only this file prints to stderr and ends the process.

use std::cell::Cell;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use lspipe::command::{
    self, Action, CHUNK, Cli, Listeners, Pager, Refusal, Said, Side, Started, Stdout, Stopped, Style, compare, run,
};
use lspipe::{Color, Error, Exit, OutputOptions, Question, Request};

/// The exit status of a usage error and of a report that could not be made.
const FAILED: u8 = 2;

/// The size of a terminal that does not report one: its lines and columns.
const DEFAULT_SIZE: (u16, u16) = (24, 80);

/// How long a person waits on a terminal before it is said what for.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    command::die_of_sigpipe();
    command::ignore_sigxfsz();
    if let Some(served) = command::serve_if_asked() {
        return if served { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
    }
    if let Some(answered) = command::complete_if_asked(&mut Stdout) {
        return ExitCode::from(if answered.is_ok() { 0 } else { FAILED });
    }
    let status = match Cli::from_command_line() {
        Ok(cli) => match cli.into_action() {
            Action::Report(request) if request.source.from.is_none() => guarded(&request),
            Action::Report(request) => status(answer_saved(&request), Some(&request), &mut say),
            action => status(answer(action), None, &mut say),
        },
        Err(refusal) => usage(&refusal),
    };
    ExitCode::from(status)
}

/// Looks at this machine: in a child process, while this one only passes on what that prints.
fn guarded(request: &Request) -> u8 {
    let style = style(&request.output);
    let channel = match command::start_guarded(std::env::args_os().skip(1)) {
        Ok(Side::Child(channel)) => channel,
        Ok(Side::Guard(guard)) => {
            let mut pager = pager(request, &style);
            let waits = Waits::new(request);
            // A pager has the screen until its end.
            let mut notes = Vec::new();
            let is_paged = is_paged(request, &style);
            let mut hear = |said: Said<'_>| match said {
                Said::Line(line) if is_paged => notes.push(line.to_owned()),
                said => waits.hear(said),
            };
            let relayed = guard.relay(&mut pager, &mut hear);
            waits.end();
            let finished = pager.finish();
            for note in &notes {
                say(note);
            }
            return match (relayed, finished) {
                (Err(Stopped::Write(error)), _) | (Ok(_), Err(error)) => fail(&Error::Write(error).to_string()),
                (Err(stopped), _) => fail(&stopped.to_string()),
                (Ok(status), Ok(())) => status,
            };
        }
        Err(error) => return fail(&error.to_string()),
    };
    let mut notify = |line: &str| channel.say(line);
    let answer = {
        let mut out = BufWriter::with_capacity(CHUNK, channel.stdout());
        let started = Started { helper: command::own_helper(), pid: channel.guard() };
        let mut listeners = Listeners { note: &mut notify, progress: &mut |doing| channel.progress(doing) };
        run(request, &started, &style, &mut out, &mut listeners)
    };
    let status = status(answer, Some(request), &mut notify);
    channel.end(status);
    status
}

/// The line on stderr that says what a person on a terminal waits for. It is cleared when the answer comes.
struct Waits<'a> {
    request: &'a Request,
    is_wanted: bool,
    is_shown: Cell<bool>,
}

impl<'a> Waits<'a> {
    fn new(request: &'a Request) -> Self {
        let is_wanted = io::stderr().is_terminal() && !request.output.quiet;
        Self { request, is_wanted, is_shown: Cell::new(false) }
    }

    fn hear(&self, said: Said<'_>) {
        match said {
            Said::Line(line) => {
                self.end();
                say(line);
            }
            Said::Output => self.end(),
            Said::Progress(doing) => self.show(doing),
            Said::Silence(time) if time >= PATIENCE && !self.is_shown.get() => self.show(match self.request.question {
                Question::Pipes(_) => "is reading the fd tables of all processes",
                Question::Tables(_) => "is reading the fd tables of all processes, to name the peers",
                Question::Why(_) | Question::Graph(_) | Question::Audit(_) => {
                    "is looking at the fd tables and threads of all processes, twice"
                }
            }),
            Said::Silence(_) => {}
        }
    }

    fn show(&self, doing: &str) {
        if self.is_wanted {
            self.end();
            // Of a line that wraps, only the last part could be cleared.
            let room =
                terminal_size::terminal_size_of(io::stderr()).map_or(usize::MAX, |(columns, _)| columns.0.into());
            let line: String = format!("lspipe {doing}").chars().take(room.saturating_sub(1)).collect();
            let _ = io::stderr().write_all(line.as_bytes());
            self.is_shown.set(true);
        }
    }

    fn end(&self) {
        if self.is_shown.take() {
            // To the beginning of the line, which is cleared.
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

/// Whether what is longer than the screen is paged.
fn is_paged(request: &Request, style: &Style) -> bool {
    style.rows.is_some() && request.source.repeat.is_none() && !request.output.no_pager
}

fn pager(request: &Request, style: &Style) -> Pager {
    Pager::new(style.rows.filter(|_| is_paged(request, style)).zip(terminal_columns()))
}

/// The exit status, after an error was printed.
fn status(answer: Result<Exit, Error>, request: Option<&Request>, notify: &mut dyn FnMut(&str)) -> u8 {
    match answer {
        Ok(exit) => exit.into(),
        Err(error) if error.is_nothing_matched() => {
            if request.is_none_or(|request| !request.output.quiet) {
                notify(&error.to_string());
            }
            Exit::NothingMatched.into()
        }
        Err(error) => {
            let word = |request: &Request| Cli::no_such_word(&request.question, error.missing_path()?);
            notify(&request.and_then(word).unwrap_or_else(|| error.to_string()));
            FAILED
        }
    }
}

fn style(output: &OutputOptions) -> Style {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let automatic = AutoStream::choice(&stdout) != ColorChoice::Never;
    let (rows, columns) = size();
    let exported = || std::env::var("COLUMNS").ok()?.parse().ok().filter(|columns: &u16| *columns > 0);
    Style {
        width: output
            .width
            .or_else(|| terminal.then_some(columns))
            .or_else(exported)
            .or_else(|| (output.color == Color::Always).then_some(columns)),
        rows: terminal.then_some(rows),
        color: match output.color {
            Color::Auto => terminal && automatic,
            Color::Always => true,
            Color::Never => false,
        },
        ascii: is_ascii(),
        full: output.full,
    }
}

/// Whether the locale is one that has only ASCII, such as C. Nothing is known without any.
fn is_ascii() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}

/// Answers from a saved report.
fn answer_saved(request: &Request) -> Result<Exit, Error> {
    let style = style(&request.output);
    paged(pager(request, &style), |out, note| {
        let mut listeners = Listeners { note, progress: &mut |_| () };
        run(request, &Started::default(), &style, out, &mut listeners)
    })
}

/// Answers without looking at anything but files.
fn answer(action: Action) -> Result<Exit, Error> {
    let mut out = BufWriter::with_capacity(CHUNK, Stdout);
    match action {
        Action::Report(request) => return answer_saved(&request),
        Action::Compare(comparison, output) => {
            let style = style(&output);
            let screen = style.rows.filter(|_| !output.no_pager).zip(terminal_columns());
            return paged(Pager::new(screen), |out, note| compare(&comparison, &output, &style, out, note));
        }
        Action::Explain(code, output) => command::explain(code, &style(&output), &mut out)?,
        Action::ListColumns(is_listed, output) => command::list_columns(is_listed, &style(&output), &mut out)?,
        Action::Generate(kind) => command::generate(kind, &mut out)?,
    }
    out.flush()?;
    Ok(Exit::Reported)
}

/// Answers through a pager, which has the screen until its end: only then notes are printed.
fn paged(
    pager: Pager,
    answer: impl FnOnce(&mut BufWriter<Pager>, &mut dyn FnMut(&str)) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    let mut notes = Vec::new();
    let mut out = BufWriter::with_capacity(CHUNK, pager);
    let answered = answer(&mut out, &mut |line: &str| notes.push(line.to_owned()));
    out.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    for note in &notes {
        say(note);
    }
    answered
}

/// The lines and columns of the terminal, of stderr if stdout is none.
fn size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stdout()).or_else(|| terminal_size::terminal_size_of(io::stderr()));
    size.map_or(DEFAULT_SIZE, |(columns, rows)| (rows.0, columns.0))
}

fn terminal_columns() -> Option<u16> {
    Some(size().1)
}

/// Prints help and version as they are, and an error as one line.
fn usage(refusal: &Refusal) -> u8 {
    match refusal {
        Refusal::Text(text) => {
            let is_plain = AutoStream::choice(&io::stdout()) == ColorChoice::Never;
            let text = if is_plain { text.to_string() } else { text.ansi().to_string() };
            Stdout.write_all(text.as_bytes()).map_or_else(|error| fail(&Error::Write(error).to_string()), |()| 0)
        }
        Refusal::Usage(message) => fail(message),
    }
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
