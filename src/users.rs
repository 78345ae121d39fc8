//! Looks up users in the name service of this machine, which may be slow, or block: once for each user that is shown, and not at all
//! with `--numeric-uid`. Completion lists all of them.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::model::{PipeGraph, Uid, Users};
use crate::sys;

/// No user has this name, and it is not a number.
#[derive(Debug, Error)]
#[error("no user named {0:?}: give a name that `getent passwd` lists, or a number")]
pub struct NoSuchUser(String);

/// The names of all users that hold an end.
pub(crate) fn users_of(graph: &PipeGraph) -> Users {
    let uids: BTreeSet<Uid> = graph.processes.values().filter_map(|process| process.uid).collect();
    let name = |uid: Uid| Some((uid, uzers::get_user_by_uid(uid.0)?.name().to_string_lossy().into_owned()));
    uids.into_iter().filter_map(name).collect()
}

/// These users, and all others that the name service lists, by name.
pub(crate) fn known_users(owners: &BTreeSet<Uid>) -> BTreeMap<String, Uid> {
    // A name service that does not list its users, as LDAP often does not, still names those that are asked for.
    let name = |uid: &Uid| Some((uzers::get_user_by_uid(uid.0)?.name().to_string_lossy().into_owned(), *uid));
    owners.iter().filter_map(name).chain(sys::listed_users()).collect()
}

/// The user that a name or a number on the command line stands for.
pub(crate) fn user(name: &str) -> Result<Uid, NoSuchUser> {
    if let Ok(uid) = name.parse() {
        return Ok(Uid(uid));
    }
    uzers::get_user_by_name(name).map(|user| Uid(user.uid())).ok_or_else(|| NoSuchUser(name.to_owned()))
}
