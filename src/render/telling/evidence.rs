//! By what a finding is known: a line for each who is in it, and how these are drawn.

use super::super::ReportView;
use super::super::text::sanitize_sentence;
use super::Piece;
use super::chain::MOST_WAKERS;
use crate::model::{Code, Evidence, Fault, Finding, Pid, Role, Side, TaskId};

impl ReportView<'_> {
    /// Who is in it, and what each does.
    pub(crate) fn evidence(&self, finding: &Finding) -> Vec<Evidence> {
        match &finding.fault {
            Fault::Deadlock { circle, behind, .. } => {
                let mut lines: Vec<Evidence> =
                    circle.iter().map(|link| Evidence { role: Role::Circle, text: self.link(link) }).collect();
                let outside: Vec<_> =
                    finding.tasks.get(circle.len()..).unwrap_or_default().iter().chain(behind).collect();
                let mut pids: Vec<Pid> = outside.iter().map(|task| task.pid).collect();
                pids.dedup();
                let stuck = pids.iter().map(|pid| {
                    let doing = outside.iter().find(|task| task.pid == *pid).and_then(|task| self.task(**task));
                    let doing = doing.map_or_else(String::new, |task| format!(" {}", self.doing(task)));
                    format!("stuck with it: {}{doing}", self.who(*pid, None))
                });
                lines.extend(few(Role::Behind, stuck));
                lines
            }
            Fault::LeakedWriteEnd { readers, holders, .. } => {
                let holders = holders.iter().map(|holder| {
                    let does = self.what_does(holder.end.pid);
                    format!("{}: {}; it {does}", self.waker_end(&holder.end), self.stranger(holder))
                });
                [self.own_words(readers), few(Role::Holder, holders)].concat()
            }
            Fault::StalledReader { pipe, writers, .. } => {
                let ends = self.graph.pipe(*pipe).into_iter().flat_map(|pipe| pipe.side(Side::Read));
                let readers = ends.map(|end| format!("{}; it {}", self.waker_end(end), self.what_does(end.pid)));
                [self.own_words(writers), few(Role::Holder, readers)].concat()
            }
            Fault::BlockedOpen { openers, .. } => {
                let tasks: Vec<_> = openers.iter().map(|(task, _)| *task).collect();
                self.own_words(&tasks)
            }
            Fault::HiddenEnd { .. } | Fault::Missing { .. } => Vec::new(),
            Fault::Risk(risk) => few(Role::Holder, self.risk_evidence(risk).into_iter()),
            Fault::Recorded(record) => {
                let lines = record.evidence.iter();
                lines.map(|line| Evidence { role: line.role, text: sanitize_sentence(&line.text) }).collect()
            }
        }
    }

    /// What each of some threads is doing.
    fn own_words(&self, tasks: &[TaskId]) -> Vec<Evidence> {
        let tasks = tasks.iter().filter_map(|id| self.task(*id));
        few(Role::Waits, tasks.map(|task| format!("{} {}", self.who_task(task.id), self.doing(task))))
    }
}

/// The first lines of many, and how many more there are.
fn few(role: Role, mut lines: impl Iterator<Item = String>) -> Vec<Evidence> {
    let mut shown: Vec<String> = lines.by_ref().take(MOST_WAKERS).collect();
    if let more @ 1.. = lines.count() {
        shown.push(format!("and {more} more"));
    }
    shown.into_iter().map(|text| Evidence { role, text }).collect()
}

/// Draws the lines below their finding. Where a chain was drawn, that tells already who waits for whom.
pub(super) fn draw(lines: &[Evidence], code: Code, is_drawn: bool) -> Vec<Piece> {
    let told_by_chain = |role: Role| match code {
        Code::StalledReader | Code::BlockedOpen => true,
        _ => role == Role::Circle,
    };
    let count = |role: Role| lines.iter().filter(|line| line.role == role).count();
    let mut pieces = Vec::new();
    for role in [Role::Circle, Role::Behind, Role::Waits, Role::Holder] {
        if is_drawn && told_by_chain(role) {
            continue;
        }
        let last = count(role).saturating_sub(1);
        for (index, line) in lines.iter().filter(|line| line.role == role).enumerate() {
            let (first, rest) = match role {
                Role::Circle if last == 0 => ("  ↻ ", "    "),
                Role::Circle if index == 0 => ("  ╭▶ ", "  │  "),
                Role::Circle if index == last => ("  ╰─ ", "     "),
                Role::Circle => ("  │  ", "  │  "),
                Role::Behind | Role::Waits => ("  ", "    "),
                Role::Holder if index == last => ("  └─ ", "     "),
                Role::Holder => ("  ├─ ", "  │  "),
            };
            pieces.push(Piece::new(first, rest, line.text.as_str()));
        }
    }
    pieces
}
