//! `--explain` and `--list-columns`: what findings and columns there are, from their definitions.

use std::io::{self, Write};

use super::Style;
use super::columns::Column;
use super::wrapped::WrappedLine;
use crate::findings::{Code, ReportedBy, first_clause};

/// The columns that a code, its severities and the commands that report it take.
const CODE: usize = 18;
const SEVERITIES: usize = 22;
const COMMANDS: usize = 12;

/// The least room for what a code is about, beside the other columns; with less, it stands below them.
const LEAST_ABOUT: usize = 45;

/// The columns of the widest heading.
const HEADING: usize = 10;

/// What a point of a list in an explanation begins with.
const POINT: &str = "- ";

/// Writes the explanation of a finding, for `--explain`, or the list of codes with what each is about.
///
/// # Errors
///
/// Those of the writer.
pub fn explain(code: Option<Code>, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Some(code) = code else { return codes(style, out) };
    let text = code.about().explain;
    writeln!(out, "{code}\n")?;
    if style.width.is_none_or(|width| text.lines().all(|line| line.len() <= usize::from(width))) {
        return writeln!(out, "{text}");
    }
    for (place, paragraph) in text.split("\n\n").enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        for point in points(paragraph) {
            let rest = if point.starts_with(POINT) { "  " } else { "" };
            WrappedLine::new("", rest, point).write(style, out)?;
        }
    }
    Ok(())
}

/// A paragraph as one line, or each point of its list.
fn points(paragraph: &str) -> Vec<String> {
    let mut points: Vec<String> = Vec::new();
    for line in paragraph.lines() {
        match points.last_mut() {
            Some(point) if !line.starts_with(POINT) => {
                point.push(' ');
                point.push_str(line.trim());
            }
            _ => points.push(line.to_owned()),
        }
    }
    points
}

fn codes(style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let before = CODE + 1 + SEVERITIES + 1 + COMMANDS + 1;
    let is_below = style.width.is_some_and(|width| usize::from(width) < before + LEAST_ABOUT);
    if !is_below {
        writeln!(out, "{:<CODE$} {:<SEVERITIES$} {:<COMMANDS$} ABOUT", "CODE", "SEVERITY", "REPORTED BY")?;
    }
    for code in Code::ALL {
        let about = code.about();
        let severities: Vec<&str> = about.severities.iter().map(|severity| severity.as_str()).collect();
        let (severities, about_it) = (severities.join(", "), first_clause(about.explain));
        let by = match about.reported_by {
            ReportedBy::Why => "why, audit",
            ReportedBy::Audit => "audit",
        };
        if is_below {
            WrappedLine::new("", "    ", format!("{code} ({severities}; {by})")).write(style, out)?;
            WrappedLine::new("    ", "    ", about_it).write(style, out)?;
        } else {
            let first = format!("{:<CODE$} {severities:<SEVERITIES$} {by:<COMMANDS$} ", code.as_str());
            WrappedLine::new(first, " ".repeat(before), about_it).write(style, out)?;
        }
    }
    Ok(())
}

/// Writes the list of columns for `--list-columns`.
///
/// # Errors
///
/// Those of the writer.
pub fn list_columns(is_listed: fn(Column) -> bool, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    for column in Column::ALL.iter().filter(|column| is_listed(**column)) {
        let first = format!("{:<HEADING$} ", column.heading());
        WrappedLine::new(first, " ".repeat(HEADING + 1), column.help()).write(style, out)?;
    }
    Ok(())
}
