//! `dummy`: a code of the tests alone. It is this file and its line in the registry, as any code is.

use serde::{Deserialize, Serialize};

use crate::findings::phrases::lines;
use crate::findings::{About, Case, Details, Evidence, Identity, Judgement, Kind, OF_WHY, Phrases, Role, all_on};
use crate::judge::dataflow::MarkKind;
use crate::model::{Doubts, Pid, PipeId, Severity};

pub(in crate::findings) const ABOUT: About = About {
    severities: &[Severity::Info],
    explain: "\
A FIFO has the path /dummy.

Notice (info).

Harmless in tests.

What to do: nothing.",
    summary: Some(["dummy", "dummies"]),
    ..OF_WHY
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Dummy {
    pub pipe: PipeId,
    pub holders: Vec<Pid>,
}

impl Kind for Dummy {
    fn severity(&self, _: bool) -> Severity {
        Severity::Info
    }

    fn identity(&self) -> Identity {
        Identity::Pipe
    }

    fn marks(&self) -> Vec<(MarkKind, Vec<Pid>)> {
        vec![(MarkKind::BlockedWriter, self.holders.clone())]
    }

    fn message(&self, phrases: &Phrases<'_>, _: &Doubts) -> String {
        format!("{} is a dummy", phrases.pipe(self.pipe))
    }

    fn evidence(&self, phrases: &Phrases<'_>) -> Vec<Evidence> {
        lines(Role::Holder, &self.holders, |pid| phrases.process(*pid, None))
    }

    fn advice(&self, _: &Phrases<'_>, _: &Doubts) -> String {
        "Nothing to do.".to_owned()
    }
}

pub(in crate::findings) fn find(case: &Case<'_>) -> Vec<Judgement> {
    case.each_pipe(|case, pipe| {
        let is_it = pipe.path.as_deref() == Some(b"/dummy");
        is_it.then(|| {
            case.of_all_on(pipe, Details::Dummy(Dummy { pipe: pipe.id, holders: all_on(pipe).into_iter().collect() }))
        })
    })
}
