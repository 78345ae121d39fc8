//! Metrics of an audit in the text format of Prometheus, as the textfile collector of `node_exporter` reads it: counts, never a name.

use std::io::{self, Write};

use super::ReportView;
use crate::findings::{Code, Finding};
use crate::model::{AccessMode, PipeKind, Probed, Side, Unseen};
use crate::report::Judgment;

impl ReportView<'_> {
    /// What was not found is a zero; what was not looked for is absent.
    pub(super) fn metrics(&self, out: &mut dyn Write) -> io::Result<()> {
        let (graph, coverage) = (self.graph, &self.graph.coverage);
        let kinds = PipeKind::ALL.iter().filter(|kind| kind.is_pipe()).map(|kind| {
            let count = graph.pipes.iter().filter(|pipe| pipe.id.kind() == *kind).count();
            (format!(r#"kind="{}""#, kind.as_str()), count)
        });
        gauge(out, "pipes", "Pipes and FIFOs that some process has open, or waits to open.", kinds)?;
        let accesses = [AccessMode::Read, AccessMode::Write, AccessMode::ReadWrite].map(|access| {
            let pipes = graph.pipes.iter().filter(|pipe| pipe.id.kind().is_pipe());
            let ends = pipes.flat_map(|pipe| &pipe.ends);
            (format!(r#"access="{}""#, access.as_str()), ends.filter(|end| end.access == access).count())
        });
        gauge(out, "ends", "Descriptors that are ends of pipes, by access mode.", accesses)?;
        self.counted(out)?;
        single(out, "processes", "Processes.", coverage.processes)?;
        single(out, "unreadable_processes", "Processes that could not be read completely.", coverage.unreadable())?;
        let complete = u8::from(coverage.is_complete());
        single(out, "scan_complete", "Whether everything could be read; if not, findings may be missing.", complete)?;
        if let Some(Judgment { diagnosis, audit: Some(audit), .. }) = self.judgment {
            let severities = |code: Code| code.about().severities.iter().map(move |severity| (code, *severity));
            let asked = audit.asked().flat_map(severities).filter(|(_, severity)| severity.is_at_least(audit.severity));
            let findings = asked.filter_map(|(code, severity)| {
                let is_such = |finding: &&Finding| (finding.code, finding.severity) == (code, severity);
                let count = diagnosis.findings.iter().filter(is_such).count();
                let is_said = count > 0 || audit.codes.contains(&code);
                is_said.then(|| (format!(r#"code="{code}",severity="{}""#, severity.as_str()), count))
            });
            gauge(out, "findings", "Findings of the checked codes that are not in the baseline.", findings)?;
            single(out, "known_findings", "Findings that the baseline knows.", audit.known)?;
            single(out, "scan_duration_seconds", "How long the look took.", audit.took.as_secs_f64())?;
        }
        let taken_at = graph.taken_at.unix_seconds();
        single(out, "scan_timestamp_seconds", "When the look began, in seconds since 1970.", format!("{taken_at:.3}"))?;
        let version = [(format!(r#"version="{}""#, env!("CARGO_PKG_VERSION")), 1)];
        gauge(out, "build_info", "The version of lspipe.", version)
    }

    /// What the kernel counts; absent where it was not asked.
    fn counted(&self, out: &mut dyn Write) -> io::Result<()> {
        let known = || self.graph.pipes.iter().filter_map(|pipe| self.graph.probed.get(&pipe.id));
        let of = |side: Side| known().filter_map(move |probed| probed.unseen(side));
        if known().any(|probed| Side::BOTH.iter().any(|side| probed.unseen(*side).is_some())) {
            let is_whole =
                |probed: &&Probed| Side::BOTH.iter().all(|side| probed.unseen(*side).is_some_and(Unseen::is_nothing));
            let whole = known().filter(is_whole).count();
            single(out, "accounted_pipes", "Pipes that have no end but those that were seen.", whole)?;
            let sides = Side::BOTH.map(|side| {
                let hidden: u64 = of(side).map(|unseen| u64::from(unseen.descriptions)).sum();
                (format!(r#"side="{}""#, side.as_str()), hidden)
            });
            gauge(out, "hidden_ends", "Open ends of pipes that no fd table shows, by side.", sides)?;
        }
        if known().any(|probed| probed.full.is_some()) {
            let full = known().filter(|probed| probed.full == Some(true)).count();
            single(out, "full_pipes", "Pipes of which all buffers are in use.", full)?;
        }
        if known().any(|probed| probed.queued.is_some()) {
            let queued = known().filter_map(|probed| probed.queued).fold(0, u64::saturating_add);
            single(out, "queued_bytes", "Bytes in pipes.", queued)?;
        }
        Ok(())
    }
}

/// A metric with a value for each set of labels.
fn gauge<V: std::fmt::Display>(
    out: &mut dyn Write,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (String, V)>,
) -> io::Result<()> {
    writeln!(out, "# HELP lspipe_{name} {help}\n# TYPE lspipe_{name} gauge")?;
    values.into_iter().try_for_each(|(labels, value)| writeln!(out, "lspipe_{name}{{{labels}}} {value}"))
}

/// A metric without labels.
fn single(out: &mut dyn Write, name: &str, help: &str, value: impl std::fmt::Display) -> io::Result<()> {
    writeln!(out, "# HELP lspipe_{name} {help}\n# TYPE lspipe_{name} gauge\nlspipe_{name} {value}")
}
