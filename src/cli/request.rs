//! What a command line asks for, before any name in it has been looked up.

use clap::{Args, ValueHint};

use super::{AuditArgs, FilterArgs, FindingArgs, Generate, OutputOptions, SelectionArgs, SourceOptions, value};
use crate::findings::Code;
use crate::render::Format;
use crate::render::columns::Column;
use crate::report_file::ReportFile;

/// What the process is to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Answer a question about pipes.
    Report(Box<Request>),
    /// Compare two saved reports.
    Compare(Comparison, OutputOptions),
    /// Print the explanation of a finding, or what findings there are.
    Explain(Option<Code>, OutputOptions),
    /// Print the names of the columns that are accepted.
    ListColumns(fn(Column) -> bool, OutputOptions),
    /// Print the man page, a completion or the schema.
    Generate(Generate),
}

/// One question, and how to answer it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where the facts come from.
    pub source: SourceOptions,
    /// What to report.
    pub question: Question,
    /// Which findings [`Question::Why`] reports; an audit has its own.
    pub findings: FindingArgs,
    /// How it is printed.
    pub format: Format,
    /// Whether to ask the kernel about the pipes that are shown.
    pub probe: bool,
    /// What all commands share.
    pub output: OutputOptions,
}

impl Request {
    /// A question about this machine, with all facts, for a caller that prints nothing.
    #[must_use]
    pub fn new(question: Question) -> Self {
        let output = OutputOptions { numeric_uid: true, ..OutputOptions::default() };
        let (source, findings) = (SourceOptions::default(), FindingArgs::default());
        Self { source, question, findings, format: Format::Json, probe: false, output }
    }
}

/// What to report.
#[derive(Debug, Clone)]
pub enum Question {
    /// The pipes and their ends.
    Pipes(SelectionArgs),
    /// What is blocked on pipes, and why.
    Why(SelectionArgs),
    /// The pipelines, drawn.
    Graph(SelectionArgs),
    /// What is wrong.
    Audit(AuditArgs),
    /// The fd tables of these processes, which are named.
    Tables(FilterArgs),
}

impl Question {
    /// How the command is typed that asks it.
    pub(crate) const fn command(&self) -> &'static str {
        match self {
            Self::Pipes(_) => "lspipe",
            Self::Why(_) => "lspipe why",
            Self::Graph(_) => "lspipe graph",
            Self::Audit(_) => "lspipe audit",
            Self::Tables(_) => "lspipe fds",
        }
    }
}

/// The two reports of `lspipe diff`.
#[derive(Debug, Clone, Args)]
pub struct Comparison {
    /// Read the earlier report from this file; - is standard input
    #[arg(value_name = "OLD", value_hint = ValueHint::FilePath, value_parser = value::report_file())]
    pub old: ReportFile,

    /// Read the later report from this file
    #[arg(value_name = "NEW", value_hint = ValueHint::FilePath, value_parser = value::report_file())]
    pub new: ReportFile,
}
