//! Writes the JSON forms, and holds their schema.

use std::io::{self, Write};

use super::Sheet;

/// The JSON Schema of `--json`; the definition `Line` in it is that of a line of `--ndjson`.
pub const SCHEMA: &str = include_str!("../../schema/lspipe.schema.json");

/// One object: indented for a person, on one line for a machine, since indenting doubles it.
pub(super) fn write_report(sheet: &Sheet<'_>, indent: bool, out: &mut dyn Write) -> io::Result<()> {
    let report = sheet.report();
    if indent {
        serde_json::to_writer_pretty(&mut *out, &report)?;
    } else {
        serde_json::to_writer(&mut *out, &report)?;
    }
    out.write_all(b"\n")
}

/// An object for each pipe, one a line.
pub(super) fn write_lines(sheet: &Sheet<'_>, out: &mut dyn Write) -> io::Result<()> {
    for pipe in &sheet.graph.pipes {
        serde_json::to_writer(&mut *out, &sheet.line(pipe))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use schemars::generate::SchemaSettings;

    use super::super::view::{Line, Report};

    /// `SNAPSHOTS=overwrite cargo test` writes the file anew after a change of the shapes.
    #[test]
    fn committed_schema_is_that_of_the_shapes() {
        let mut generator = SchemaSettings::default().for_serialize().into_generator();
        generator.subschema_for::<Line<'_>>();
        let schema = generator.into_root_schema_for::<Report<'_>>();
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        snapbox::assert_data_eq!(text, snapbox::file!["../../schema/lspipe.schema.json"].raw());
    }
}
