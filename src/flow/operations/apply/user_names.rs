//! Who has which names while a file is applied: nobody's is another's.

use std::collections::BTreeSet;

use super::users::UserAct;
use crate::flow::people::{self, UserKey};
use crate::flow::{Error, Provider};
use crate::model::setting::Settings;
use crate::model::user::comparison_key;
use crate::model::{Id, User};

/// Who has which names while a file is applied, entry by entry.
#[derive(Default)]
pub(super) struct Names {
    taken: BTreeSet<String>,
    subjects: BTreeSet<String>,
    moved: BTreeSet<Id<User>>,
}

impl Names {
    /// What can be seen to be wrong with a user before anything is changed: fields, password, and names that somebody else has
    /// by then.
    pub(super) async fn judge(&mut self, provider: &Provider, settings: &Settings, act: &UserAct) -> Result<(), Error> {
        let (own, username, profile) = match act {
            UserAct::Create(new) => {
                people::judge_user(provider, settings, new)?;
                if let Some(subject) = &new.subject {
                    let there = people::find_user(provider, &UserKey::Subject(subject.clone())).await?;
                    if there.is_some() || !self.subjects.insert(subject.clone()) {
                        return Err(taken("/subject"));
                    }
                }
                (None, &new.username, &new.profile)
            }
            UserAct::Change(changed) => {
                let errors = people::fields::check_user(&changed.username, &changed.profile);
                if !errors.is_empty() {
                    return Err(Error::Invalid(errors));
                }
                (Some(changed.id), &changed.username, &changed.profile)
            }
            UserAct::Remove(_) => return Ok(()),
        };
        // a username signs in as well as a mail address: nobody's is another's
        for (pointer, name) in [("/username", Some(username)), ("/email", profile.email.as_ref())] {
            let Some(name) = name else { continue };
            if self.taken.contains(&comparison_key(name)) || self.is_held(provider, own, name).await? {
                return Err(taken(pointer));
            }
        }
        self.moved.extend(own);
        self.taken.insert(comparison_key(username));
        self.taken.extend(profile.email.as_deref().map(comparison_key));
        Ok(())
    }

    /// Whether somebody in the store has it, who has not come to have another one by then.
    async fn is_held(&self, provider: &Provider, own: Option<Id<User>>, name: &str) -> Result<bool, Error> {
        for key in [UserKey::Username(name.to_owned()), UserKey::Email(name.to_owned())] {
            let holder = people::find_user(provider, &key).await?.map(|user| user.id);
            if holder.is_some_and(|holder| Some(holder) != own && !self.moved.contains(&holder)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn taken(pointer: &str) -> Error {
    Error::field(pointer, "taken", "somebody else has it")
}
