//! Parsers for the values of options. The error for a wrong value says what is accepted.

use std::time::Duration;

use clap::builder::{OsStringValueParser, PathBufValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use regex_lite::Regex;

use super::audit::FailOn;
use super::command::FdsProcess;
use super::habits;
use super::selection::PipeName;
use crate::findings::Code;
use crate::model::{CostLimits, Pid, Severity};
use crate::render::columns::Column;
use crate::report_file::ReportFile;
use crate::select::{Choice, CommandPattern};

/// The Jaro-Winkler similarity from which on a known column is suggested for an unknown one.
const SIMILAR: f64 = 0.8;

/// How the IDs of pipes begin.
const KINDS: [&str; 5] = ["pipe:[", "fifo:[", "unix:[", "pty:[", "socket:["];

/// What the text calls a finding of severity info.
const NOTICE: &str = "notice";

/// What a PIPE may be.
pub(super) const FORMS: &str = "a PIPE is pipe:[INODE], fifo:[MAJ:MIN:INODE], unix:[INODE], an inode number, the path of a FIFO, socket or terminal, or /proc/PID/fd/N";

/// The value of one `--output`.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Whether they are added to the default ones.
    pub(super) append: bool,
    pub(super) columns: Vec<Column>,
}

pub(super) fn pid(text: &str) -> Result<Pid, String> {
    let pid = text.parse().ok().map(Pid).filter(|pid| (Pid(1)..=Pid::MAX).contains(pid));
    pid.ok_or_else(|| {
        let is_name = !text.is_empty() && !text.contains(|character: char| character.is_ascii_digit());
        let hint = if is_name { format!("; by name: --command {text}") } else { String::new() };
        format!("a PID is a number from 1 to {}{hint}", Pid::MAX)
    })
}

/// A PID, or with `^` one to exclude.
pub(super) fn chosen_pid(text: &str) -> Result<Choice<Pid>, String> {
    match text.strip_prefix('^') {
        Some(pid_text) => pid(pid_text).map(Choice::Except),
        None => pid(text).map(Choice::Only),
    }
}

/// A user, or with `^` one to exclude. It is looked up later.
#[expect(clippy::unnecessary_wraps, reason = "clap takes a function that may fail")]
pub(super) fn chosen_user(text: &str) -> Result<Choice<String>, String> {
    Ok(match text.strip_prefix('^') {
        Some(user) => Choice::Except(user.to_owned()),
        None => Choice::Only(text.to_owned()),
    })
}

/// Commands, or with `^` before each those to exclude.
pub(super) fn chosen_command(text: &str) -> Result<Choice<CommandPattern>, String> {
    let excluded = text.strip_prefix('^');
    // A comma or a `^` in a /REGEX/ is part of it.
    if excluded.unwrap_or(text).starts_with('/') {
        return match excluded {
            Some(pattern) => command(pattern).map(Choice::Except),
            None => command(text).map(Choice::Only),
        };
    }
    let names: Vec<&str> = text.split(',').collect();
    let without: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix('^')).collect();
    match without.len() {
        0 => command(text).map(Choice::Only),
        count if count == names.len() => command(&without.join(",")).map(Choice::Except),
        _ => Err("a list names commands or excludes them: use a separate --command for those with ^".to_owned()),
    }
}

/// `PID`, `/proc/PID`, or what `--command` takes.
pub(super) fn fds_process(text: &str) -> Result<FdsProcess, String> {
    if let Some(pid) = process_dir(text) {
        return Ok(FdsProcess::Pid(pid));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if text.is_empty() || digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return pid(text).map(FdsProcess::Pid);
    }
    command(text).map(FdsProcess::Command)
}

/// The process of `/proc/PID` or `/proc/PID/fd`.
fn process_dir(path: &str) -> Option<Pid> {
    let rest = path.strip_prefix("/proc/")?.trim_end_matches('/');
    pid(rest.strip_suffix("/fd").unwrap_or(rest)).ok()
}

/// A PIPE. What has the form of an ID and is none is no path either: one has a `./` before it.
pub(super) fn pipe() -> impl TypedValueParser<Value = PipeName> {
    OsStringValueParser::new().try_map(|name| {
        let text = name.to_string_lossy();
        if text.is_empty() {
            return Err("PIPE is empty".to_owned());
        }
        if text.starts_with('+') && habits::of(&text).is_some() {
            return Err("an option of lsof(8)".to_owned());
        }
        if let Some(pid) = process_dir(&text) {
            return Err(format!(
                "{text} is a process, not a pipe: -p {pid} selects its pipes, and lspipe fds {pid} lists its descriptors"
            ));
        }
        match PipeName::from(name.as_os_str()) {
            PipeName::Path(_) if KINDS.iter().any(|kind| text.starts_with(kind)) => {
                Err(format!("{text:?} is not a PIPE: {FORMS}"))
            }
            name => Ok(name),
        }
    })
}

/// `NAME,NAME` or `/REGEX/`; a comma in the latter does not separate.
pub(super) fn command(text: &str) -> Result<CommandPattern, String> {
    if let Some(pattern) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let regex = Regex::new(pattern).map_err(|error| format!("invalid regular expression: {error}"))?;
        return Ok(CommandPattern::Regex(regex));
    }
    let names: Vec<&str> = text.split(',').collect();
    match names.as_slice() {
        names if names.contains(&"") => Err("expected a name, several names separated by commas, or a /REGEX/"),
        [name] if name.starts_with('/') => Err("a command name has no path, and a /REGEX/ ends with a slash"),
        names if names.iter().any(|name| name.len() > 1 && name.starts_with('/') && name.ends_with('/')) => {
            Err("a /REGEX/ cannot be combined with names: use a separate --command")
        }
        names => Ok(CommandPattern::Names(names.iter().map(|name| name.as_bytes().to_vec()).collect())),
    }
    .map_err(str::to_owned)
}

/// One word of a closed set.
pub(super) fn word<T>(all: &'static [T], as_str: fn(T) -> &'static str) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync,
{
    let of_word = move |word: String| {
        all.iter().copied().find(|known| as_str(*known).eq_ignore_ascii_case(&word)).ok_or("no such value")
    };
    PossibleValuesParser::new(all.iter().map(|known| as_str(*known))).try_map(of_word)
}

/// A severity; `notice` is what the text calls an info.
pub(super) fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.iter().map(|severity| possible_severity(*severity)))
        .try_map(|word: String| severity_of(&word).ok_or("no such value"))
}

fn possible_severity(severity: Severity) -> PossibleValue {
    let value = PossibleValue::new(severity.as_str());
    if severity == Severity::Info { value.alias(NOTICE) } else { value }
}

fn severity_of(word: &str) -> Option<Severity> {
    Severity::ALL.iter().copied().find(|severity| possible_severity(*severity).matches(word, true))
}

pub(super) fn report_file() -> impl TypedValueParser<Value = ReportFile> {
    PathBufValueParser::new().map(ReportFile)
}

/// Those of a report.
pub(super) fn columns(text: &str) -> Result<Columns, String> {
    columns_of(text, Column::is_selectable)
}

/// Those of `fds`.
pub(super) fn fds_columns(text: &str) -> Result<Columns, String> {
    columns_of(text, |_| true)
}

fn columns_of(text: &str, is_known: fn(Column) -> bool) -> Result<Columns, String> {
    let (append, names) = text.strip_prefix('+').map_or((false, text), |names| (true, names));
    let columns = by_commas(names).split(',').map(|name| column(name, is_known)).collect::<Result<_, _>>()?;
    Ok(Columns { append, columns })
}

/// A list separated by blanks, commas or both, with commas.
pub(super) fn by_commas(list: &str) -> String {
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(",");
    list.split(',').map(words).collect::<Vec<_>>().join(",")
}

/// A number of at least 1.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "expected a number of at least 1".to_owned())
}

fn column(name: &str, is_known: fn(Column) -> bool) -> Result<Column, String> {
    // PID,+USER means the same as two options.
    let wanted = name.trim().trim_start_matches('+').to_uppercase();
    let known = || Column::ALL.iter().copied().filter(|column| is_known(*column));
    if let Some(column) = known().find(|column| column.heading() == wanted) {
        return Ok(column);
    }
    let similarity = |column: &Column| strsim::jaro_winkler(column.heading(), &wanted);
    let nearest = known().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|column| similarity(column) >= SIMILAR) {
        Some(column) => Err(format!("unknown column {name:?}; did you mean {}?", column.heading())),
        None => Err(format!("unknown column {name:?}; see --list-columns")),
    }
}

/// A severity or a code.
pub(super) fn fail_on(text: &str) -> Result<FailOn, String> {
    let is_word = |word: &str| word.eq_ignore_ascii_case(text);
    let severity = severity_of(text);
    let code = || Code::ALL.iter().copied().find(|code| is_word(code.as_str()));
    severity.map(FailOn::Severity).or_else(|| code().map(FailOn::Code)).ok_or_else(|| {
        let similarity = |code: &&Code| strsim::jaro_winkler(code.as_str(), text);
        let nearest = Code::ALL.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        match nearest.filter(|code| similarity(code) >= SIMILAR) {
            Some(code) => format!("did you mean '{code}'? All codes: lspipe audit --explain"),
            None => "expected error, warning, info, or a code; all codes: lspipe audit --explain".to_owned(),
        }
    })
}

/// `30s`, `500ms` or `30` for a time, `256M` for a size, or both, separated by a comma.
pub(super) fn budget(text: &str) -> Result<CostLimits, String> {
    let mut limits = CostLimits::default();
    let mut given = [false; 2];
    for part in text.split(',') {
        let [is_time, is_size] = &mut given;
        let is_again = if let Some(time) = time(part) {
            limits.time = time;
            std::mem::replace(is_time, true)
        } else if let Some(size) = size(part) {
            limits.bytes = size;
            std::mem::replace(is_size, true)
        } else {
            true
        };
        if is_again {
            return Err(
                "expected a time such as 30s or 500ms, a size such as 256M, or one of each: 30s,256M".to_owned()
            );
        }
    }
    Ok(limits)
}

fn time(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis);
    }
    seconds(text.strip_suffix('s').unwrap_or(text)).ok()
}

/// A number of bytes with a unit, without which it is a time.
fn size(text: &str) -> Option<u64> {
    let (number, shift) = [('K', 10), ('M', 20), ('G', 30)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix("iB").unwrap_or(text).strip_suffix(unit)?, shift)))?;
    number.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(1 << shift)
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let positive = duration.filter(|duration| !duration.is_zero());
    positive.ok_or_else(|| "expected a number of seconds greater than 0, such as 2 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_an_info() {
        use clap::Parser as _;

        use crate::cli::{Action, Cli, Question};
        for word in ["info", "notice", "Notice"] {
            let cli = Cli::try_parse_from(["lspipe", "audit", "--severity", word]).unwrap();
            let Action::Report(request) = cli.into_action() else { panic!("{word}") };
            let Question::Audit(asked) = &request.question else { panic!("{word}") };
            assert_eq!(asked.findings.severity, Some(Severity::Info));
            assert!(matches!(fail_on(word), Ok(FailOn::Severity(Severity::Info))), "{word}");
        }
        assert_eq!(severity_of("note"), None);
    }

    #[test]
    fn a_budget_is_a_time_or_a_size_or_both() {
        let default = CostLimits::default();
        let time = |millis| CostLimits { time: Duration::from_millis(millis), ..default };
        let both = CostLimits { time: Duration::from_secs(2), bytes: 3 << 20 };
        let known = [("30", time(30_000)), ("30s", time(30_000)), ("0.5s", time(500)), ("70ms", time(70))];
        for (text, limits) in known.into_iter().chain([("2s,3M", both), ("3MiB,2", both), ("120s,256M", default)]) {
            assert_eq!(budget(text), Ok(limits), "{text}");
        }
        assert_eq!(budget("2G").map(|limits| limits.bytes), Ok(2 << 30));
        assert_eq!(budget("64K").map(|limits| limits.bytes), Ok(64 << 10));
    }
}
