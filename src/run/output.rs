//! The last step: from an answer to bytes.

use std::io::Write;

use super::source::Source;
use super::{Answer, Error, Exit, Session};
use crate::model::{PipeGraph, Users};
use crate::render::{Style, render};
use crate::report::Told;
use crate::users::users_of;

impl Session<'_> {
    pub(super) fn write(&self, answer: &Answer, style: &Style, out: &mut dyn Write) -> Result<(), Error> {
        let request = self.request;
        let is_for_machines = request.format.is_for_machines();
        if request.source.repeat.is_some() && !is_for_machines {
            writeln!(out, "=== {:.3} ===", answer.graph.taken_at)?;
        }
        // Headings alone help nobody; what machines read is valid only with them.
        if is_for_machines || answer.exit != Exit::NothingMatched {
            let (told, drawing) = (self.told(answer), answer.drawing.as_ref());
            // An audit has them in its messages, and those are the same in every format.
            let is_named = request.format.needs_users() || answer.audit.is_some();
            let users = if is_named { self.users(&answer.graph) } else { Users::default() };
            render(&answer.graph, &users, told.as_ref(), drawing, &request.format, style, out)?;
        }
        out.flush()?;
        Ok(())
    }

    pub(super) fn told<'b>(&self, answer: &'b Answer) -> Option<Told<'b>> {
        Some(Told {
            diagnosis: answer.diagnosis.as_ref()?,
            groups: &answer.threads,
            asked: &answer.asked,
            audited: answer.audit.as_ref(),
            may_probe: !self.request.probe && self.source.file().is_none(),
            from_file: self.source.file().is_some(),
        })
    }

    /// The names of all users in it.
    pub(super) fn users(&self, graph: &PipeGraph) -> Users {
        match &self.source {
            _ if self.request.output.numeric_uid => Users::default(),
            Source::Live(_) => users_of(graph),
            Source::Saved { saved, .. } => saved.users.clone(),
        }
    }
}
