//! Why a file cannot be taken for a report.

use std::io;

use serde_json::Number;
use thiserror::Error;

use crate::escape::sanitize_sentence;
use crate::report::SCHEMA_VERSION;
use crate::sys::reason;

/// A file that is no report.
#[derive(Debug, Error)]
#[error("{name}: {what}")]
pub struct SavedError {
    /// The file.
    pub name: String,
    /// What is wrong with it.
    pub what: Invalid,
}

/// What is wrong with a file that should be a report.
#[derive(Debug, Error)]
pub enum Invalid {
    /// It cannot be read.
    #[error("{}", reason(.0))]
    Unreadable(io::Error),
    /// There is nothing in it.
    #[error("this is empty: save a report with `lspipe --json > FILE`")]
    Empty,
    /// It ends in the middle.
    #[error("this report is cut short: it ends at line {0}, column {1}; save it anew")]
    CutShort(usize, usize),
    /// It is something else.
    #[error("this is no JSON: {}; a report is saved with `lspipe --json > FILE`", brief(.0))]
    NotJson(serde_json::Error),
    /// It is JSON of somebody else.
    #[error("this is no report of lspipe, since it has no schema_version; one is saved with `lspipe --json > FILE`")]
    NotOurs,
    /// It is one of our other outputs.
    #[error("these are lines of --ndjson, which lack what they have in common: save the report with --json")]
    Lines,
    /// It is what this command printed.
    #[error("this is what `lspipe {0}` printed, and no report: one is saved with `lspipe --json > FILE`")]
    Printed(&'static str),
    /// It is a report of another schema.
    #[error("this has schema_version {0}, and this lspipe reads {SCHEMA_VERSION} only: use the lspipe that wrote it")]
    OtherVersion(Number),
    /// Something is missing or of another type.
    #[error("this is no whole report of lspipe: {}", brief(.0))]
    NotWhole(serde_path_to_error::Error<serde_json::Error>),
    /// Something follows after its end.
    #[error("this is no whole report of lspipe: {}", brief(.0))]
    Trailing(serde_json::Error),
    /// Something has a value that has no sense.
    #[error("this was not written by lspipe, or was changed: {}", brief(.0))]
    Senseless(String),
}

impl Invalid {
    /// What it means that not even the head of a report could be read.
    pub(super) fn of_head(error: serde_json::Error, bytes: &[u8]) -> Self {
        let lines = || bytes.split(|byte| *byte == b'\n');
        // Half a number, such as `1.`, is an error of its own.
        let is_at_end = error.line() == lines().count() && Some(error.column()) >= lines().next_back().map(<[u8]>::len);
        if error.is_eof() || (bytes.trim_ascii_start().starts_with(b"{") && is_at_end) {
            Self::CutShort(error.line(), error.column())
        } else if error.is_data() {
            Self::NotOurs
        } else {
            Self::NotJson(error)
        }
    }
}

/// So many characters of a reason are told from its start, and so many from its end: it may cite what is in the file.
const CITED: (usize, usize) = (160, 40);

/// A reason, without its middle if it is long.
fn brief(reason: &impl ToString) -> String {
    let text = sanitize_sentence(&reason.to_string());
    let count = text.chars().count();
    if count <= CITED.0 + CITED.1 {
        return text;
    }
    let start = text.chars().take(CITED.0);
    start.chain(['…']).chain(text.chars().skip(count - CITED.1)).collect()
}
