//! Comma-separated values of any columns, as in RFC 4180. Names have their escapes as in tables, so that no field holds a control character;
//! a side without an end is `-`, what is not known `?`, and a field with nothing is empty.

use std::io::{self, Write};

use super::columns::{FirstEnds, Row};
use super::{Style, TableFormat};
use crate::report::ReportView;

/// The end of a record.
const END: &str = "\r\n";

impl<'a> ReportView<'a> {
    /// Writes a record for each row, after one with the headings.
    pub(super) fn csv(
        &self,
        table: &TableFormat,
        rows: impl Iterator<Item = Row<'a>>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if table.headings {
            let headings: Vec<&str> = table.columns.iter().map(|column| column.heading()).collect();
            write!(out, "{}{END}", headings.join(","))?;
        }
        let first_ends = FirstEnds::new(&Style::default());
        let (mut record, mut field) = (String::new(), String::new());
        for row in rows {
            record.clear();
            for (index, column) in table.columns.iter().enumerate() {
                field.clear();
                self.field(*column, &row, &first_ends, &mut field);
                if index > 0 {
                    record.push(',');
                }
                push_quoted(&mut record, &field);
            }
            record.push_str(END);
            out.write_all(record.as_bytes())?;
        }
        Ok(())
    }
}

/// Quotes a field that holds what separates fields, and one that begins or ends with a blank, which some readers drop.
fn push_quoted(record: &mut String, field: &str) {
    if field.contains([',', '"', '\r', '\n']) || field.starts_with(' ') || field.ends_with(' ') {
        record.push('"');
        record.push_str(&field.replace('"', "\"\""));
        record.push('"');
    } else {
        record.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use super::push_quoted;

    #[test]
    fn what_separates_fields_is_quoted() {
        let quoted = |field: &str| {
            let mut record = String::new();
            push_quoted(&mut record, field);
            record
        };
        for (field, expected) in
            [("", ""), ("a b", "a b"), ("a,b", "\"a,b\""), ("a\"b", "\"a\"\"b\""), (" a", "\" a\""), ("\\n", "\\n")]
        {
            assert_eq!(quoted(field), expected);
        }
    }
}
