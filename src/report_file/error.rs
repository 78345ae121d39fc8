//! Why a file cannot be used as a report.

use std::io;

use serde_json::Number;
use thiserror::Error;

use crate::escape::sanitize_sentence;
use crate::report::SCHEMA_VERSION;
use crate::sys::reason;

/// A file that cannot be used as a report.
#[derive(Debug, Error)]
#[error("{name}: {what}")]
pub struct SavedError {
    pub(super) name: String,
    pub(super) what: Invalid,
}

#[derive(Debug, Error)]
pub(crate) enum Invalid {
    #[error("{}", reason(.0))]
    Unreadable(io::Error),
    #[error("the file is empty; save a report with `lspipe --json > FILE`")]
    Empty,
    /// With the line and the column of its end.
    #[error("the report is truncated: it ends at line {0}, column {1}; save it again")]
    Truncated(usize, usize),
    #[error("not JSON: {}; save a report with `lspipe --json > FILE`", brief(.0))]
    NotJson(serde_json::Error),
    #[error("not an lspipe report: it has no schema_version; save one with `lspipe --json > FILE`")]
    NotOurs,
    #[error("output of --ndjson, not a complete report: save one with `lspipe --json > FILE`")]
    Lines,
    /// With the subcommand that printed it.
    #[error("the output of `lspipe {0}` is not a report: save one with `lspipe --json > FILE`")]
    Printed(&'static str),
    #[error(
        "the report has schema_version {0}, and this lspipe reads only version {SCHEMA_VERSION}: use the lspipe that wrote it"
    )]
    OtherVersion(Number),
    /// A field is missing or has another type.
    #[error("not a complete lspipe report: {}", brief(.0))]
    NotWhole(serde_path_to_error::Error<serde_json::Error>),
    #[error("not a single lspipe report: {}", brief(.0))]
    Trailing(serde_json::Error),
    #[error("inconsistent report, modified after lspipe wrote it: {}", brief(.0))]
    Contradictory(String),
}

impl Invalid {
    /// The head of a report could not be read.
    pub(super) fn of_head(error: serde_json::Error, bytes: &[u8]) -> Self {
        let lines = || bytes.split(|byte| *byte == b'\n');
        // Half a number, such as `1.`, is an error of its own.
        let is_at_end = error.line() == lines().count() && Some(error.column()) >= lines().next_back().map(<[u8]>::len);
        if error.is_eof() || (bytes.trim_ascii_start().starts_with(b"{") && is_at_end) {
            Self::Truncated(error.line(), error.column())
        } else if error.is_data() {
            Self::NotOurs
        } else {
            Self::NotJson(error)
        }
    }
}

/// Maximum number of characters of a reason that are printed from its start and from its end: it may quote the file.
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
