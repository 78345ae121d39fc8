//! The names of users on the machine of the report.

use std::collections::BTreeMap;

use super::Uid;

/// The names of the users that a report shows. A user without a name, or that was not looked up, is not in it.
#[derive(Debug, Clone, Default)]
pub struct Users(BTreeMap<Uid, String>);

impl Users {
    /// The user of that name.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<Uid> {
        self.0.iter().find(|(_, known)| *known == name).map(|(uid, _)| *uid)
    }

    /// The name of a user.
    #[must_use]
    pub fn name(&self, uid: Uid) -> Option<&str> {
        self.0.get(&uid).map(String::as_str)
    }
}

impl FromIterator<(Uid, String)> for Users {
    fn from_iter<I: IntoIterator<Item = (Uid, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}
