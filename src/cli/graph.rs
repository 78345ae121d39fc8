//! The options of `lspipe graph`.

use std::ffi::OsString;

use clap::{Args, ValueEnum, ValueHint};

use super::selection::SelectionArgs;
use super::{OUTPUT, PIPE_FORMS};
use crate::render::DrawingFormat;

/// Stands below the help.
pub(super) const GRAPH_HELP: &str = "\
Examples:
  lspipe graph                                 every pipeline of this machine
  lspipe graph -p 252                          what process 252 gets its data from and sends them to
  lspipe graph --format dot | dot -Tsvg > pipes.svg

Exit status: 0 if something was drawn, 1 if a selection was given and nothing matched, 2 for a usage error or where it could not be \
drawn.";

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    /// Only what flows into these pipes and out of them
    #[arg(value_name = "PIPE", long_help = PIPE_FORMS, value_hint = ValueHint::FilePath)]
    pub(super) pipes: Vec<OsString>,

    #[command(flatten)]
    pub(super) selection: SelectionArgs,

    /// In which form, a tree if not given; --json is --format json
    #[arg(long, value_name = "FORM", help_heading = OUTPUT)]
    pub(super) format: Option<Form>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Form {
    /// Lines for a terminal, a process each
    Tree,
    /// Graphviz, see dot(1)
    Dot,
    /// Mermaid, as Markdown pages show it
    Mermaid,
    /// Nodes and edges
    Json,
}

impl GraphArgs {
    /// Whether another form than JSON is asked for.
    pub(super) const fn is_of_no_json(&self) -> bool {
        matches!(self.format, Some(Form::Tree | Form::Dot | Form::Mermaid))
    }

    /// The form, where `--json` may have been said in its place.
    pub(super) const fn form(&self, json: bool) -> DrawingFormat {
        match self.format {
            None if json => DrawingFormat::Json,
            None | Some(Form::Tree) => DrawingFormat::Tree,
            Some(Form::Dot) => DrawingFormat::Dot,
            Some(Form::Mermaid) => DrawingFormat::Mermaid,
            Some(Form::Json) => DrawingFormat::Json,
        }
    }
}
