//! A diagram in the language of Graphviz, see dot(1) and <https://graphviz.org/doc/info/lang.html>.

use std::io::{self, Write};

use super::diagram::{Diagram, Kind};
use crate::model::Severity;

const HEAD: &str = r##"digraph lspipe {
  rankdir=LR;
  node [shape=box, style="rounded,filled", fillcolor="#f6f8fa", color="#57606a", fontname="monospace", fontsize=11];
  edge [color="#57606a", fontcolor="#57606a", fontname="monospace", fontsize=9];
"##;

pub(super) fn write(diagram: &Diagram, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    for it in &diagram.nodes {
        write!(out, "  {} [label={}", it.id, label(&it.text, it.kind))?;
        out.write_all(match it.kind {
            Kind::Process => b"".as_slice(),
            Kind::Junction => b", shape=ellipse, style=filled",
            Kind::Absent => b", shape=plaintext, style=\"\", fontcolor=\"#9a6700\"",
            Kind::InheritedCopy => b", shape=note, style=\"filled,dashed\", fontsize=9",
        })?;
        out.write_all(match it.severity {
            Some(Severity::Error) => b", fillcolor=\"#ffebe9\", color=\"#cf222e\"".as_slice(),
            Some(Severity::Warning | Severity::Info) => b", fillcolor=\"#fff8c5\", color=\"#9a6700\"",
            None => b"",
        })?;
        writeln!(out, "];")?;
    }
    for line in &diagram.lines {
        write!(out, "  {} -> {}", line.from, line.to)?;
        match (line.is_flow, line.text.is_empty()) {
            (true, true) => {}
            (true, false) => write!(out, " [label={}]", label(&line.text, Kind::Process))?,
            (false, _) => write!(out, " [style=dashed, dir=none]")?,
        }
        writeln!(out, ";")?;
    }
    writeln!(out, "}}")
}

/// A text as an escString in quotes: what a name holds must neither end it, nor be an escape such as `\N`, nor an entity of HTML.
fn label(lines: &[String], kind: Kind) -> String {
    let mut label = String::from('"');
    for (index, line) in lines.iter().enumerate() {
        if index > 0 && kind != Kind::InheritedCopy {
            label.push_str("\\n");
        }
        for character in line.chars() {
            match character {
                '"' => label.push_str("\\\""),
                '\\' => label.push_str("\\\\"),
                '&' => label.push_str("&amp;"),
                _ => label.push(character),
            }
        }
        if kind == Kind::InheritedCopy {
            // The end of a line that is set to the left.
            label.push_str("\\l");
        }
    }
    label.push('"');
    label
}
