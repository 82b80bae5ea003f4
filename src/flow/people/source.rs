//! Where a change comes from.

use super::{Reach, Rights};
use crate::flow::Error;
use crate::model::Fact;

/// Where a change of a user or group comes from, and with what rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeSource {
    /// The administration API, by a caller with these rights.
    Api(Rights),
    /// A file of `apply`.
    Apply,
    /// The person themselves.
    Person,
    /// A command at the server's machine.
    Command,
    /// The first setup of the installation.
    Setup,
    /// A time that has come: what was said beforehand happens.
    Term,
}

impl ChangeSource {
    /// Its name, for events.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Api(_) => "api",
            Self::Apply => "apply",
            Self::Person => "person",
            Self::Command => "command",
            Self::Setup => "setup",
            Self::Term => "term",
        }
    }

    /// The rights that it comes with.
    pub fn rights(&self) -> Rights {
        match self {
            Self::Api(rights) => rights.clone(),
            Self::Apply | Self::Person | Self::Command | Self::Setup | Self::Term => Rights::All,
        }
    }

    /// Its name, as a fact of an event.
    pub const fn fact(&self) -> Fact {
        Fact::Word(self.word())
    }

    /// Refuses with the first of these permissions that is not the caller's to confer.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_cover<'a>(&self, permissions: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        match self {
            Self::Api(rights) => rights.must_cover(permissions),
            Self::Apply | Self::Person | Self::Command | Self::Setup | Self::Term => Ok(()),
        }
    }

    /// Refuses whoever holds a permission neither everywhere nor over anything.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_hold(&self, permission: &str) -> Result<(), Error> {
        match self.reach(permission) {
            Reach::Nowhere => Err(Error::Forbidden(permission.to_owned())),
            Reach::Everywhere | Reach::Within(_) => Ok(()),
        }
    }

    /// Over what a permission is held.
    pub fn reach(&self, permission: &str) -> Reach {
        match self {
            Self::Api(rights) => rights.reach(permission),
            Self::Apply | Self::Person | Self::Command | Self::Setup | Self::Term => Reach::Everywhere,
        }
    }

    /// Refuses to act on somebody who holds rights of administration that the caller lacks: taking over the account would
    /// be taking the rights.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn must_outrank(&self, held_by_target: &[String]) -> Result<(), Error> {
        let administration = held_by_target
            .iter()
            .map(String::as_str)
            .filter(|permission| super::permissions::is_of_administration(permission));
        self.must_cover(administration)
    }
}
