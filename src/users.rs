//! Names of users, from the name service of this machine, which may be slow, or block: asked once for each user that is
//! shown, and not at all with `--numeric-uid`.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::model::{PipeGraph, Uid};

/// The names of the users that a report shows.
#[derive(Debug, Clone, Default)]
pub struct Users {
    names: BTreeMap<Uid, String>,
}

impl Users {
    /// Looks up every user that holds an end.
    #[must_use]
    pub fn of(graph: &PipeGraph) -> Self {
        let mut names = BTreeMap::new();
        for uid in graph.processes.values().filter_map(|process| process.uid) {
            names.entry(uid).or_insert_with(|| uzers::get_user_by_uid(uid.0));
        }
        let named =
            names.into_iter().filter_map(|(uid, user)| Some((uid, user?.name().to_string_lossy().into_owned())));
        Self { names: named.collect() }
    }

    /// Those that a saved report names.
    #[must_use]
    pub fn saved(names: impl Iterator<Item = (Uid, String)>) -> Self {
        Self { names: names.collect() }
    }

    /// The user of that name.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<Uid> {
        self.names.iter().find(|(_, known)| *known == name).map(|(uid, _)| *uid)
    }

    /// The name of a user; none if there is none, or it was not looked up.
    #[must_use]
    pub fn name(&self, uid: Uid) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }
}

/// The user that a name or a number on the command line means.
///
/// # Errors
///
/// If it is no number, and nobody has that name.
pub fn user(name: &str) -> Result<Uid, Error> {
    if let Ok(uid) = name.parse() {
        return Ok(Uid(uid));
    }
    uzers::get_user_by_name(name).map(|user| Uid(user.uid())).ok_or_else(|| Error::NoSuchUser(name.to_owned()))
}
