//! Writes the JSON forms, and holds their schema.

use std::io::{self, Write};

use serde::Serialize;

use super::text::{is_unsafe_char, push_fmt};
use super::{ReportView, Style};
use crate::judge::side::Unread;

/// The JSON Schema of `--json`; the definition `Line` in it is that of a line of `--ndjson`, `AuditLine` that of an audit's, `Graph` that
/// of `graph --format json`, and `Difference` that of `diff --json`.
pub(crate) const SCHEMA: &str = include_str!("../../schema/lspipe.schema.json");

/// One object: indented on a terminal, elsewhere on one line, since indenting doubles it.
pub(super) fn write_object(object: &impl Serialize, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if style.is_terminal() {
        return writeln!(out, "{}", safe(&serde_json::to_string_pretty(object)?));
    }
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

fn write_line(line: &impl Serialize, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if style.is_terminal() {
        return writeln!(out, "{}", safe(&serde_json::to_string(line)?));
    }
    write_object(line, style, out)
}

impl ReportView<'_> {
    /// One object per pipe, or per finding of an audit and one for the audit, each on a line.
    pub(super) fn write_lines(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(summary) = self.summary_line() else {
            let unread = Unread::new(self.graph);
            return self.graph.pipes.iter().try_for_each(|pipe| write_line(&self.line(pipe, &unread), style, out));
        };
        let findings = self.judgment.map_or(&[][..], |judgment| &judgment.diagnosis.findings);
        findings.iter().try_for_each(|finding| write_line(&self.finding_line(finding), style, out))?;
        write_line(&summary, style, out)
    }
}

/// The same JSON with escapes for characters that a terminal interprets or does not show: `serde_json` writes all above U+001F as they
/// are. They can occur in strings only.
fn safe(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe_char(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push_fmt(&mut text, format_args!("\\u{unit:04x}"));
            }
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;

    use crate::render::difference_json::Difference;
    use crate::render::drawing::Graph;
    use crate::report::{AuditLine, Line, Report};

    #[test]
    fn json_on_a_terminal_is_escaped() {
        let json = "[\"a\u{9b}31m\u{7f}\u{202e}\u{e0041}ü\"]";
        let safe = super::safe(json);
        assert_eq!(safe, r#"["a\u009b31m\u007f\u202e\udb40\udc41ü"]"#);
        let read = |text| serde_json::from_str::<Vec<String>>(text).unwrap();
        assert_eq!(read(&safe), read(json));
    }

    /// `SNAPSHOTS=overwrite cargo test` rewrites the file after a change of these types.
    #[test]
    fn committed_schema_is_that_of_the_types() {
        let mut generator = SchemaSettings::default().for_serialize().into_generator();
        generator.subschema_for::<Line<'_>>();
        generator.subschema_for::<AuditLine<'_>>();
        generator.subschema_for::<Graph<'_>>();
        generator.subschema_for::<Difference<'_>>();
        let schema = generator.into_root_schema_for::<Report>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        snapbox::assert_data_eq!(text, snapbox::file!["../../schema/lspipe.schema.json"].raw());
    }
}
