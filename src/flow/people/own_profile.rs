//! What a person changes of their own data: no more than `account.editable` says, checked by the law that everybody's data is
//! checked by. The name that they sign in with takes a proof of a moment ago, and is told by mail.

use super::{ChangeSource, UserChange, fields, property_values, user_change};
use crate::flow::again::again;
use crate::flow::session::{self, Asker};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, guess};
use crate::model::setting::{ACCOUNT_EDITABLE, ACCOUNT_REQUIRED};
use crate::model::{Actor, Id, RequiredAction, User};

/// What a person may change, and what they have to have entered: words of the two settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRules {
    /// What they may change.
    pub editable: Vec<&'static str>,
    /// What has to be there.
    pub required: Vec<&'static str>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// The person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What counts for a person.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn profile_rules_of(provider: &Provider, call: &Call, user: Id<User>) -> Result<ProfileRules, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    Ok(ProfileRules {
        editable: layers.words(ACCOUNT_EDITABLE),
        required: layers.words(ACCOUNT_REQUIRED),
    })
}

/// Changes a person's own data.
///
/// # Errors
/// [`NotEdited`]; [`Error::Invalid`] naming every field that can't be taken, those that are not theirs to change among them.
pub async fn change_own_profile(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    change: UserChange,
) -> Result<User, NotEdited> {
    let rules = profile_rules_of(provider, call, asker.user).await?;
    let user = super::get_user(provider, asker.user).await?;
    let change = change.without_what_stays(&user);
    let touched = change.touched();
    let foreign = touched.iter().filter(|field| !rules.editable.contains(*field));
    let mut errors: Vec<FieldError> = foreign
        .map(|field| error_at(field, "not_editable", "this is not changed here"))
        .collect();
    let mut after = user.clone();
    change.clone().make(&mut after);
    for field in &rules.required {
        if touched.contains(field) && !is_entered(&after, field) {
            errors.push(error_at(field, "required", "this has to be entered"));
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors).into());
    }
    let is_renamed = touched.contains(&"username");
    if is_renamed {
        if !session::is_freshly_proved(provider, call, asker).await? {
            return Err(NotEdited::ProofTooOld);
        }
        // whoever tries names finds out which are taken
        guess::spend_wish_of_source(provider, call).await?;
    }
    let call = &call.by(Actor::User(asker.user));
    let news = match user.profile.email.clone().filter(|_| is_renamed) {
        Some(recipient) => Some(super::news::renamed(
            provider,
            call,
            (&user, &after.username),
            recipient,
        )?),
        None => None,
    };
    let changed = again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            let changed =
                user_change::change_in(&mut tx, call, &ChangeSource::Person, asker.user, None, change.clone()).await?;
            if !changed.is_active(call.now) {
                return Err(Error::NotFound);
            }
            if let Some(news) = &news {
                news.write(&mut tx, call).await?;
            }
            Ok(changed)
        }
        .await;
        settle(tx, done).await
    })
    .await?;
    Ok(changed)
}

/// Judges what somebody says of themselves because it is required, on the way in.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken, or is still missing.
pub(in crate::flow) async fn judge_required_profile(
    provider: &Provider,
    call: &Call,
    user: &User,
    change: &UserChange,
) -> Result<(), Error> {
    let rules = profile_rules_of(provider, call, user.id).await?;
    let change = change.clone().without_what_stays(user);
    let foreign = change.touched().into_iter().filter(|field| {
        let is_theirs = rules.editable.contains(field) || rules.required.contains(field);
        !is_theirs || *field == "username"
    });
    let mut errors: Vec<FieldError> = foreign
        .map(|field| error_at(field, "not_editable", "this is not changed here"))
        .collect();
    let mut after = user.clone();
    change.make(&mut after);
    let lacking = missing_of(&after, &rules.required);
    errors.extend(
        lacking
            .iter()
            .map(|field| error_at(field, "required", "this has to be entered")),
    );
    errors.extend(fields::check_user(&after.username, &after.profile));
    let properties = provider.properties().await?;
    errors.extend(property_values::judge(
        &properties,
        &ChangeSource::Person,
        Some(&user.profile),
        &mut after.profile,
    ));
    for property in property_values::lacking(&properties, &after) {
        let pointer = format!("properties/{}", property.name);
        if !errors
            .iter()
            .any(|known| known.pointer.trim_start_matches('/') == pointer)
        {
            errors.push(error_at(&pointer, "required", "this has to be entered"));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Makes it so, if the account still is what it was, and remembers that it was done.
///
/// # Errors
/// [`Error::Stale`] if the account has changed.
pub(in crate::flow) async fn complete_profile(
    provider: &Provider,
    call: &Call,
    user: &User,
    change: UserChange,
) -> Result<(), Error> {
    let call = &call.by(Actor::User(user.id));
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.hold_user_as(user).await? {
                return Err(Error::Stale);
            }
            user_change::change_in(&mut tx, call, &ChangeSource::Person, user.id, None, change.clone()).await?;
            Ok(tx.complete_action(user.id, RequiredAction::UpdateProfile).await?)
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// The person has done what was required of them. Nothing changes if it was not.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow) async fn complete_action(
    provider: &Provider,
    user: Id<User>,
    action: RequiredAction,
) -> Result<(), Error> {
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async { Ok(tx.complete_action(user, action).await?) }.await;
        settle(tx, done).await
    })
    .await
}

/// What is required of somebody and not there.
pub(in crate::flow) fn missing_of(user: &User, required: &[&'static str]) -> Vec<&'static str> {
    required
        .iter()
        .copied()
        .filter(|field| !is_entered(user, field))
        .collect()
}

fn is_entered(user: &User, field: &str) -> bool {
    let profile = &user.profile;
    match field {
        // made of the other two, too
        "name" => user.full_name().is_some(),
        "given_name" => profile.given_name.is_some(),
        "family_name" => profile.family_name.is_some(),
        "middle_name" => profile.middle_name.is_some(),
        "nickname" => profile.nickname.is_some(),
        "website" => profile.website.is_some(),
        "gender" => profile.gender.is_some(),
        "birthdate" => profile.birthdate.is_some(),
        "zoneinfo" => profile.zoneinfo.is_some(),
        "locale" => profile.locale.is_some(),
        "address" => profile.address.is_some(),
        "company" => profile.company.is_some(),
        _ => true,
    }
}

fn error_at(field: &str, code: &'static str, detail: &str) -> FieldError {
    FieldError {
        pointer: format!("/{field}"),
        code,
        detail: detail.to_owned(),
    }
}
