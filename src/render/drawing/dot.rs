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
    for node in &diagram.nodes {
        let shape = match node.kind {
            Kind::Process => "",
            Kind::Junction => ", shape=ellipse, style=filled",
            Kind::Absent => ", shape=plaintext, style=\"\", fontcolor=\"#9a6700\"",
            Kind::InheritedCopy => ", shape=note, style=\"filled,dashed\", fontsize=9",
        };
        let color = match node.severity {
            Some(Severity::Error) => ", fillcolor=\"#ffebe9\", color=\"#cf222e\"",
            Some(Severity::Warning | Severity::Info) => ", fillcolor=\"#fff8c5\", color=\"#9a6700\"",
            None => "",
        };
        writeln!(out, "  {} [label={}{shape}{color}];", node.id, label(&node.text, node.kind))?;
    }
    for line in &diagram.lines {
        let attributes = match (line.is_flow, line.text.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(" [label={}]", label(&line.text, Kind::Process)),
            (false, _) => " [style=dashed, dir=none]".to_owned(),
        };
        writeln!(out, "  {} -> {}{attributes};", line.from, line.to)?;
    }
    writeln!(out, "}}")
}

/// A text as an escString in quotes: a name in it must not end it, and contains no escape such as `\N` and no entity of HTML.
fn label(lines: &[String], kind: Kind) -> String {
    let escape = |line: &String| line.replace('\\', r"\\").replace('"', "\\\"").replace('&', "&amp;");
    let lines: Vec<String> = lines.iter().map(escape).collect();
    match kind {
        // It also ends each line, and aligns it at the left.
        Kind::InheritedCopy => format!("\"{}\\l\"", lines.join("\\l")),
        Kind::Process | Kind::Junction | Kind::Absent => format!("\"{}\"", lines.join("\\n")),
    }
}
