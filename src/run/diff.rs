//! The steps of `diff`: read two saved reports, compare, write.

use std::io::Write;

use super::Exit;
use crate::cli::{Comparison, OutputOptions};
use crate::diff::diff;
use crate::error::Error;
use crate::notes;
use crate::render::{Style, render_difference};
use crate::report_file::{self, ReportFile, Saved};
use crate::users::Users;

/// Compares two saved reports, and passes notes to `notify`, each a line without its end.
///
/// # Errors
///
/// If a report cannot be read, or the answer not be written.
pub fn compare(
    comparison: &Comparison,
    output: &OutputOptions,
    style: &Style,
    out: &mut dyn Write,
    notify: &mut dyn FnMut(&str),
) -> Result<Exit, Error> {
    let (mut old, mut new) = (report_file::read(&comparison.old)?, report_file::read(&comparison.new)?);
    if output.numeric_uid {
        (old.users, new.users) = (Users::default(), Users::default());
    }
    let difference = diff(&old.graph, &new.graph);
    render_difference(&difference, &old, &new, output.json, !output.noheadings, style, out)?;
    out.flush()?;
    if !output.quiet {
        if !difference.same_boot {
            notify(&notes::other_boot(&comparison.old.name(), &comparison.new.name()));
        }
        if difference.same_boot && new.graph.taken_at < old.graph.taken_at {
            notify(&notes::is_earlier(&comparison.old.name(), &comparison.new.name()));
        }
        for note in notes_of(&comparison.old, &old).iter().chain(&notes_of(&comparison.new, &new)) {
            notify(note);
        }
    }
    let is_complete = [&old, &new].iter().all(|saved| saved.graph.coverage.is_complete());
    Ok(match () {
        () if output.require_complete && !is_complete => Exit::Incomplete,
        () if difference.pipes.is_empty() => Exit::Reported,
        () => Exit::Found,
    })
}

/// What could not be seen in a report, and so may seem to have come or gone.
fn notes_of(file: &ReportFile, saved: &Saved) -> Vec<String> {
    let name = file.name();
    let part = saved.graph.selected.then(|| notes::is_part(&name));
    part.into_iter().chain(notes::coverage(&saved.graph, Some(&name))).collect()
}
