//! From the model to the shapes of what an audit judges by.

use crate::model::{Directories, PipeFile, PipeLimits, Process};
use crate::shape;

pub(super) fn process_facts(process: &Process) -> shape::ProcessFacts {
    shape::ProcessFacts { fd_limit: process.fd_limit, fds: process.fds, pid_namespace: process.pid_namespace }
}

pub(super) fn pipe_file(file: &PipeFile) -> shape::PipeFile {
    shape::PipeFile {
        owner: file.owner.0,
        group: file.group.0,
        mode: format!("{:04o}", file.mode),
        directories: file.directories.map(directories),
    }
}

fn directories(directories: Directories) -> shape::Directories {
    shape::Directories {
        owner: directories.owner,
        group: directories.group,
        others: directories.others,
        replaceable: directories.replaceable,
        group_replaces: directories.group_replaces.map(|group| group.0),
        owner_replaces: directories.owner_replaces.map(|owner| owner.0),
        owner_passes: directories.owner_passes.map(|owner| owner.0),
    }
}

pub(super) fn limits(limits: &PipeLimits) -> Option<shape::Limits> {
    let PipeLimits { user_pages_soft, user_pages_hard, page_size } = *limits;
    (*limits != PipeLimits::default()).then_some(shape::Limits {
        pipe_user_pages_soft: user_pages_soft,
        pipe_user_pages_hard: user_pages_hard,
        page_size,
    })
}
