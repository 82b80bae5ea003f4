//! An account of one's own: what the mailed link does. Whoever holds it can read the mail of the address, so the address counts as
//! confirmed. Nobody is signed in by the link: the person signs in with the password that they chose, through the same gates as
//! everybody.

use std::collections::BTreeMap;

use serde_json::Value;

use super::registration_wish::{RegistrationMode, registration_mode};
use super::users::{self, CreatedUser, FirstLink, NewUser};
use super::{ChangeSource, NewPassword, registration_limits};
use crate::flow::{Call, Error, FieldError, Provider, guess, terms};
use crate::model::setting::REGISTRATION_FIELDS;
use crate::model::{AskedField, FormField, Id, Profile, Secret, Terms};
use crate::store::ActionLinkKind;

/// What somebody tells of themselves for an account.
#[derive(Clone, Debug)]
pub struct Registrant {
    /// What they entered; nothing where that is empty.
    pub entered: Vec<(AskedField, String)>,
    /// What they entered of what an administrator has defined.
    pub properties: BTreeMap<String, Value>,
    /// The language of the page, `en`; it counts where no language was asked for.
    pub locale: String,
    /// The password.
    pub password: Secret,
    /// The same once more, where it is asked for twice.
    pub password_again: Option<Secret>,
    /// The terms of use that they accept.
    pub accepted: Vec<Id<Terms>>,
}

/// Looks at a link, and gives the address that it was mailed to. It changes nothing: programs that look at mails follow links. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, void or too old, nobody may have an account, or none of this mail domain any more;
/// [`Error::Throttled`].
pub async fn look_at_registration(provider: &Provider, call: &Call, token: &Secret) -> Result<String, Error> {
    if registration_mode(provider).await? == RegistrationMode::Off {
        return Err(Error::NotFound);
    }
    look(provider, call, token, ActionLinkKind::Registration).await
}

/// Looks at a link of this kind.
pub(super) async fn look(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    kind: ActionLinkKind,
) -> Result<String, Error> {
    guess::look(provider, call, guess::Account::RegistrationLink).await?;
    let found = {
        let mut store = provider.store.read().await?;
        store.find_action_link(kind, &token.digest(), call.now).await?
    };
    let Some(email) = found.and_then(|link| link.email) else {
        guess::wrong(provider, call, guess::Account::RegistrationLink).await?;
        return Err(Error::NotFound);
    };
    guess::right(provider, call, guess::Account::RegistrationLink).await?;
    // what is allowed by now counts, not what was when it was mailed
    match registration_limits::judge_stranger(provider, call, &email).await {
        Ok(()) => Ok(email),
        Err(Error::Invalid(_)) => Err(Error::NotFound),
        Err(error) => Err(error),
    }
}

/// Makes the account. Of several who follow the link at once one has it, the others [`Error::NotFound`].
///
/// # Errors
/// As [`look_at_registration`]; [`Error::Invalid`] naming every field that can't be taken, [`Error::Busy`]: the link still counts then.
pub async fn register(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    registrant: Registrant,
) -> Result<CreatedUser, Error> {
    let email = look_at_registration(provider, call, token).await?;
    let settings = provider.settings().await?;
    let mut new = NewUser {
        profile: Profile {
            email: Some(email.clone()),
            email_verified: true,
            ..Profile::default()
        },
        password: NewPassword::Given(registrant.password.clone()),
        link: Some(FirstLink::Registration(token.digest())),
        ..NewUser::named(email)
    };
    new.profile.properties.clone_from(&registrant.properties);
    let mut errors = fill(&mut new, settings.fields(REGISTRATION_FIELDS), &registrant);
    let asked = terms::asked_of_new(provider, call.now).await?;
    new.accepted_terms = asked.iter().map(|terms| terms.id).collect();
    errors.extend(
        asked
            .iter()
            .filter(|terms| !registrant.accepted.contains(&terms.id))
            .map(not_accepted),
    );
    if let Some(again) = &registrant.password_again
        && !again.matches(&registrant.password)
    {
        let pointer = "/password_again".to_owned();
        errors.push(wrong(pointer, "different", "this is not the same password"));
    }
    if errors.is_empty() {
        return users::create_user(provider, call, &ChangeSource::Person, new).await;
    }
    // everything that is wrong at once
    if let Err(Error::Invalid(wrong)) = users::judge_user(provider, &settings, &new) {
        let is_new = |wrong: &FieldError| !errors.iter().any(|known| known.pointer == wrong.pointer);
        let more: Vec<FieldError> = wrong.into_iter().filter(is_new).collect();
        errors.extend(more);
    }
    Err(Error::Invalid(errors))
}

/// Puts what was entered where it belongs, and what counts where nothing was. Gives what is missing, or was not asked for.
fn fill(new: &mut NewUser, asked: &[FormField], registrant: &Registrant) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (field, _) in &registrant.entered {
        if !asked.iter().any(|known| known.field == *field) {
            errors.push(wrong(field.pointer(), "unknown", "this is not asked for here"));
        }
    }
    for FormField {
        field,
        is_required,
        default,
    } in asked
    {
        let entered = registrant.entered.iter().find(|(known, _)| known == field);
        let entered = entered.map(|(_, text)| text.trim()).filter(|text| !text.is_empty());
        let Some(value) = entered.map(str::to_owned).or_else(|| default.clone()) else {
            if *is_required {
                errors.push(wrong(field.pointer(), "required", "this is required here"));
            }
            continue;
        };
        match field.place(&mut new.profile) {
            Some(place) => *place = Some(value),
            None => new.username = value,
        }
    }
    if new.profile.locale.is_none() && !registrant.locale.is_empty() {
        new.profile.locale = Some(registrant.locale.clone());
    }
    errors
}

fn not_accepted(terms: &Terms) -> FieldError {
    wrong(
        format!("/accepted_terms/{}", terms.id),
        "not_accepted",
        "these terms have to be accepted",
    )
}

fn wrong(pointer: String, code: &'static str, detail: &str) -> FieldError {
    FieldError {
        pointer,
        code,
        detail: detail.to_owned(),
    }
}
