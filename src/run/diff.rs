//! The steps of `diff`: read two saved reports, compare, write.

use std::io::Write;

use super::{Error, Exit};
use crate::cli::{Comparison, OutputOptions};
use crate::diff::diff;
use crate::model::Users;
use crate::note::Note;
use crate::render::{Both, Style};
use crate::report::ReportView;
use crate::report_file::{self, Saved};

/// Writes the differences of two saved reports, and passes notes to `notify`, each a line without its end.
///
/// # Errors
///
/// If a report cannot be read, or the answer cannot be written.
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
    let both =
        Both { old: ReportView::of_pipes(&old.graph, &old.users), new: ReportView::of_pipes(&new.graph, &new.users) };
    both.render(&difference, output.json, !output.noheadings, style, out)?;
    out.flush()?;
    if !output.quiet {
        let (old_name, new_name) = (comparison.old.name(), comparison.new.name());
        let mut notes = Vec::new();
        let is_earlier = new.graph.taken_at < old.graph.taken_at;
        let (old_file, new_file) = (old_name.clone(), new_name.clone());
        if !difference.same_boot {
            notes.push(Note::OtherBoot { old: old_file, new: new_file });
        } else if is_earlier {
            notes.push(Note::IsEarlier { old: old_file, new: new_file });
        }
        notes.extend(gaps(old_name, &old));
        notes.extend(gaps(new_name, &new));
        for note in notes {
            notify(&note.to_string());
        }
    }
    let is_complete = [&old, &new].iter().all(|saved| saved.graph.coverage.is_complete());
    Ok(if output.require_complete && !is_complete {
        Exit::Incomplete
    } else if difference.pipes.is_empty() {
        Exit::Reported
    } else {
        Exit::Found
    })
}

/// What could not be seen in a report, and so may seem to have come or gone.
fn gaps(file: String, saved: &Saved) -> Vec<Note> {
    let mut notes = Note::coverage(&saved.graph, Some(&file));
    if saved.graph.selected {
        notes.insert(0, Note::IsPart { file });
    }
    notes
}
