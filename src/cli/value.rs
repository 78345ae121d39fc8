//! Parsers for the values of options. The error for a wrong value says what is accepted.

use std::time::Duration;

use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use regex_lite::Regex;

use crate::model::{CostLimits, Pid};
use crate::render::columns::Column;
use crate::report_file::ReportFile;
use crate::select::CommandPattern;

/// The Jaro-Winkler similarity from which on a known column is suggested for an unknown one.
const SIMILAR: f64 = 0.8;

/// The value of one `--output`.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Whether they are added to the default ones.
    pub(super) append: bool,
    pub(super) columns: Vec<Column>,
}

pub(super) fn pid(text: &str) -> Result<Pid, String> {
    let pid = text.parse().ok().map(Pid).filter(|pid| (Pid(1)..=Pid::MAX).contains(pid));
    pid.ok_or_else(|| format!("a PID is a number from 1 to {}", Pid::MAX))
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
    let of_word = move |word: String| all.iter().copied().find(|known| as_str(*known) == word).ok_or("no such value");
    PossibleValuesParser::new(all.iter().map(|known| as_str(*known))).try_map(of_word)
}

pub(super) fn report_file() -> impl TypedValueParser<Value = ReportFile> {
    PathBufValueParser::new().map(ReportFile)
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
        Some(column) => Err(format!("unknown column {name:?}; did you mean {}?", column.heading())),
        None => Err(format!("unknown column {name:?}; see --list-columns")),
    }
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
