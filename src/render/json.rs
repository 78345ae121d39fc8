//! Writes the JSON forms, and holds their schema.

use std::io::{self, Write};

use serde::Serialize;

use super::Sheet;
use super::text::{misleads, push_fmt};
use crate::graph::Drawing;

/// The JSON Schema of `--json`; the definition `Line` in it is that of a line of `--ndjson`, `Graph` that of
/// `graph --format json`.
pub const SCHEMA: &str = include_str!("../../schema/lspipe.schema.json");

/// One object.
pub(super) fn write_report(sheet: &Sheet<'_>, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    write_object(&sheet.report(), terminal, out)
}

/// An object for each pipe, one a line.
pub(super) fn write_lines(sheet: &Sheet<'_>, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    for pipe in &sheet.graph.pipes {
        if terminal {
            writeln!(out, "{}", safe(&serde_json::to_string(&sheet.line(pipe))?))?;
        } else {
            serde_json::to_writer(&mut *out, &sheet.line(pipe))?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// The pipelines as one object.
pub(super) fn write_drawing(
    sheet: &Sheet<'_>,
    drawing: &Drawing,
    terminal: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_object(&sheet.graph_view(drawing), terminal, out)
}

/// Indented for a person, on one line for a machine, since indenting doubles it.
fn write_object(object: &impl Serialize, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    if terminal {
        writeln!(out, "{}", safe(&serde_json::to_string_pretty(object)?))
    } else {
        serde_json::to_writer(&mut *out, object)?;
        out.write_all(b"\n")
    }
}

/// The same JSON, with characters that a terminal would obey or not show as escapes: `serde_json` writes all above U+001F as they
/// are. They can stand in strings only.
fn safe(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if misleads(character) {
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

    use super::super::view::{Graph, Line, Report};

    #[test]
    fn on_a_terminal_json_obeys_nobody() {
        let json = "[\"a\u{9b}31m\u{7f}\u{202e}\u{e0041}ü\"]";
        let safe = super::safe(json);
        assert_eq!(safe, r#"["a\u009b31m\u007f\u202e\udb40\udc41ü"]"#);
        let read = |text| serde_json::from_str::<Vec<String>>(text).unwrap();
        assert_eq!(read(&safe), read(json));
    }

    /// `SNAPSHOTS=overwrite cargo test` writes the file anew after a change of the shapes.
    #[test]
    fn committed_schema_is_that_of_the_shapes() {
        let mut generator = SchemaSettings::default().for_serialize().into_generator();
        generator.subschema_for::<Line<'_>>();
        generator.subschema_for::<Graph<'_>>();
        let schema = generator.into_root_schema_for::<Report<'_>>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        snapbox::assert_data_eq!(text, snapbox::file!["../../schema/lspipe.schema.json"].raw());
    }
}
