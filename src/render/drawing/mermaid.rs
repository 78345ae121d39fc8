//! A diagram in the language of Mermaid, which Markdown pages draw: <https://mermaid.js.org/syntax/flowchart.html>.

use std::io::{self, Write};

use super::diagram::{Diagram, Kind, Line};
use crate::model::Severity;

const CLASSES: &str = "  classDef error fill:#ffebe9,stroke:#cf222e,color:#1f2328
  classDef warning fill:#fff8c5,stroke:#9a6700,color:#1f2328
  classDef apart stroke-dasharray:4
";

pub(super) fn write(diagram: &Diagram, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    for node in &diagram.nodes {
        let (open, close) = match node.kind {
            Kind::Process => ("[", "]"),
            Kind::Junction => ("([", "])"),
            Kind::Absent => ("((", "))"),
            Kind::InheritedCopy => ("[/", "/]"),
        };
        let class = match (node.severity, node.kind) {
            (Some(Severity::Error), _) => ":::error",
            (Some(Severity::Warning | Severity::Info), _) => ":::warning",
            (None, Kind::InheritedCopy) => ":::apart",
            (None, _) => "",
        };
        writeln!(out, "  {}{open}\"{}\"{close}{class}", node.id, label(&node.text))?;
    }
    for Line { from, to, text, is_flow } in &diagram.lines {
        let arrow = if *is_flow { "-->" } else { "-.-" };
        let label = if text.is_empty() { String::new() } else { format!("|\"{}\"|", label(text)) };
        writeln!(out, "  {from} {arrow}{label} {to}")?;
    }
    out.write_all(CLASSES.as_bytes())
}

/// A text in which nothing ends the label, or is an entity, HTML, Markdown or a directive: of ASCII, every character that could be part of
/// one is an entity code, `#34;`.
fn label(lines: &[String]) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || !character.is_ascii() || " :/.,()[]".contains(character);
    let escape = |character| {
        if is_plain(character) { String::from(character) } else { format!("#{};", u32::from(character)) }
    };
    lines.iter().map(|line| line.chars().map(escape).collect::<String>()).collect::<Vec<_>>().join("<br/>")
}
