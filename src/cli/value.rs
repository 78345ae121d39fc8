//! The values of options: from text to types, and for each wrong one what would be right.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use regex_lite::Regex;

use crate::findings::Code;
use crate::model::{Pid, PipeKind, Severity};
use crate::render::columns::Column;
use crate::select::CommandPattern;

/// How similar an unknown column must be to a known one to be suggested.
const SIMILAR: f64 = 0.8;

/// The value of one `--command`.
#[derive(Debug, Clone)]
pub(super) struct Commands(pub(super) Vec<CommandPattern>);

/// The value of one `--output`.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) append: bool,
    pub(super) columns: Vec<Column>,
}

pub(super) fn pid(text: &str) -> Result<Pid, String> {
    let pid = text.parse().ok().map(Pid).filter(|pid| (Pid(1)..=Pid::MAX).contains(pid));
    pid.ok_or_else(|| format!("a PID is a number from 1 to {}", Pid::MAX))
}

/// `NAME,NAME` or `/REGEX/`, in which a comma has its own meaning.
pub(super) fn commands(text: &str) -> Result<Commands, String> {
    if let Some(pattern) = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let regex = Regex::new(pattern).map_err(|error| format!("invalid regular expression: {error}"))?;
        return Ok(Commands(vec![CommandPattern::Regex(regex)]));
    }
    let names = || text.split(',');
    if names().any(str::is_empty) {
        return Err("give a name, several with commas between them, or a /REGEX/".to_owned());
    }
    if let [name] = names().collect::<Vec<_>>().as_slice()
        && name.starts_with('/')
    {
        return Err("a command has no path, and a /REGEX/ ends with a slash".to_owned());
    }
    if names().any(|name| name.len() > 1 && name.starts_with('/') && name.ends_with('/')) {
        return Err("a /REGEX/ stands alone: give it a --command of its own".to_owned());
    }
    Ok(Commands(names().map(|name| CommandPattern::Name(name.into())).collect()))
}

pub(super) fn kinds() -> impl TypedValueParser<Value = PipeKind> {
    let kinds = [PipeKind::Anonymous, PipeKind::Fifo];
    PossibleValuesParser::new(kinds.map(PipeKind::as_str)).map(move |name| {
        // The parser lets no other name through.
        kinds.into_iter().find(|kind| kind.as_str() == name).unwrap_or(PipeKind::Anonymous)
    })
}

pub(super) fn codes() -> impl TypedValueParser<Value = Code> {
    PossibleValuesParser::new(Code::ALL.iter().map(|code| code.as_str()))
        .try_map(|name| name.parse().map_err(|()| "no such code"))
}

pub(super) fn severities() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.iter().map(|severity| severity.as_str()))
        .try_map(|name| name.parse().map_err(|()| "no such severity"))
}

pub(super) fn columns(text: &str) -> Result<Columns, String> {
    let (append, names) = text.strip_prefix('+').map_or((false, text), |names| (true, names));
    let columns = names.split(',').map(column).collect::<Result<_, _>>()?;
    Ok(Columns { append, columns })
}

fn column(name: &str) -> Result<Column, String> {
    // PID,+USER means the same as two options.
    let wanted = name.trim().trim_start_matches('+').to_uppercase();
    let known = || Column::ALL.iter().copied().filter(|column| column.is_selectable());
    if let Some(column) = known().find(|column| column.heading() == wanted) {
        return Ok(column);
    }
    let similarity = |column: &Column| strsim::jaro_winkler(column.heading(), &wanted);
    let nearest = known().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    match nearest.filter(|column| similarity(column) >= SIMILAR) {
        Some(column) => Err(format!("there is no column {name:?}; did you mean {}?", column.heading())),
        None => Err(format!("there is no column {name:?}; --list-columns shows them")),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number of seconds above 0, such as 2 or 0.5".to_owned();
    let duration = Duration::try_from_secs_f64(text.parse().map_err(|_| wrong())?).map_err(|_| wrong())?;
    if duration.is_zero() { Err(wrong()) } else { Ok(duration) }
}
