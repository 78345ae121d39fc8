//! A diagram in the language of Mermaid, which Markdown pages draw: <https://mermaid.js.org/syntax/flowchart.html>.

use std::io::{self, Write};

use super::super::text::push_fmt;
use super::diagram::{Diagram, Kind};
use crate::model::Severity;

const CLASSES: &str = "  classDef error fill:#ffebe9,stroke:#cf222e,color:#1f2328
  classDef warning fill:#fff8c5,stroke:#9a6700,color:#1f2328
  classDef apart stroke-dasharray:4
";

pub(super) fn write(diagram: &Diagram, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    for it in &diagram.nodes {
        let (open, close) = match it.kind {
            Kind::Process => ("[", "]"),
            Kind::Junction => ("([", "])"),
            Kind::Absent => ("((", "))"),
            Kind::InheritedCopy => ("[/", "/]"),
        };
        write!(out, "  {}{open}\"{}\"{close}", it.id, label(&it.text))?;
        out.write_all(match (it.severity, it.kind) {
            (Some(Severity::Error), _) => b":::error".as_slice(),
            (Some(Severity::Warning | Severity::Info), _) => b":::warning",
            (None, Kind::InheritedCopy) => b":::apart",
            (None, _) => b"",
        })?;
        writeln!(out)?;
    }
    for line in &diagram.lines {
        let arrow = if line.is_flow { "-->" } else { "-.-" };
        match line.text.as_slice() {
            [] => writeln!(out, "  {} {arrow} {}", line.from, line.to)?,
            text => writeln!(out, "  {} {arrow}|\"{}\"| {}", line.from, label(text), line.to)?,
        }
    }
    out.write_all(CLASSES.as_bytes())
}

/// A text in which nothing ends the label, nor is taken for an entity, for HTML, for Markdown or for a directive: all of ASCII that may
/// be is an entity code, `#34;`.
fn label(lines: &[String]) -> String {
    let mut label = String::new();
    for (index, line) in lines.iter().enumerate() {
        label.push_str(if index > 0 { "<br/>" } else { "" });
        for character in line.chars() {
            if character.is_ascii_alphanumeric() || !character.is_ascii() || " :/.,()[]".contains(character) {
                label.push(character);
            } else {
                push_fmt(&mut label, format_args!("#{};", u32::from(character)));
            }
        }
    }
    label
}
