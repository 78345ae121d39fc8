//! Writes the JSON forms, and holds their schema.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::text::is_unsafe_char;
use super::{ReportView, Style};
use crate::judge::side::Unread;

/// The JSON Schema of `--json`; the definition `Line` in it is that of a line of `--ndjson`, `AuditLine` that of a line of `why` or an audit, `Graph` that
/// of `graph --format json`, and `Difference` that of `diff --json`.
pub(crate) const SCHEMA: &str = include_str!("../../schema/lspipe.schema.json");

/// One object: indented on a terminal, elsewhere on one line, since indenting doubles it.
pub(super) fn write_object(object: &impl Serialize, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    if style.is_terminal() {
        object.serialize(&mut Serializer::with_formatter(&mut *out, Safe(PrettyFormatter::new())))?;
        return out.write_all(b"\n");
    }
    write_line(object, out)
}

fn write_line(line: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    line.serialize(&mut Serializer::with_formatter(&mut *out, Safe(CompactFormatter)))?;
    out.write_all(b"\n")
}

impl ReportView<'_> {
    /// One object per pipe, or per finding of `why` or an audit and one for the whole, each on a line.
    pub(super) fn write_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(summary) = self.summary_line() else {
            let unread = Unread::new(self.graph);
            return self.graph.pipes.iter().try_for_each(|pipe| write_line(&self.line(pipe, &unread), out));
        };
        let findings = self.judgment.map_or(&[][..], |judgment| &judgment.diagnosis.findings);
        findings.iter().try_for_each(|finding| write_line(&self.finding_line(finding), out))?;
        write_line(&summary, out)
    }
}

/// JSON with escapes for characters that a terminal interprets or does not show, wherever it is written: it may be shown on a terminal later,
/// as by `journalctl -o cat`. `serde_json` writes all above U+001F as they are. They can occur in strings only.
struct Safe<F>(F);

/// Leaves these parts to the formatter within.
macro_rules! leave {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            fn $method<W: ?Sized + Write>(&mut self, out: &mut W, $($argument: $type),*) -> io::Result<()> {
                self.0.$method(out, $($argument),*)
            }
        )*
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    leave! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // Nearly every name is plain.
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return out.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        let unsafe_chars = fragment.char_indices().filter(|(_, character)| is_unsafe_char(*character));
        for (at, character) in unsafe_chars {
            out.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            plain = at + character.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;

    use super::*;
    use crate::render::difference_json::Difference;
    use crate::render::drawing::Graph;
    use crate::report::{AuditLine, Line, Report};

    #[test]
    fn no_terminal_interprets_json() {
        let every: String = ('\0'..=char::MAX).collect();
        let tangled = [every.as_str(), "a\u{9b}31m\u{7f}\u{202e}\u{e0041}ü", "\u{202e}", ""];
        for width in [None, Some(80)] {
            let mut text = Vec::new();
            write_object(&tangled, &Style { width, rows: width, ..Style::default() }, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            let raw = text.chars().find(|c| is_unsafe_char(*c) || (c.is_control() && *c != '\n'));
            assert_eq!(raw, None);
            assert!(text.contains(r#""a\u009b31m\u007f\u202e\udb40\udc41ü""#));
            assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), tangled);
        }
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
