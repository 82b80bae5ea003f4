//! Terms of use: published in versions, and accepted by people, with the account or on the way in. Of each name the version that took
//! effect last counts; who has accepted another one is asked again at the next sign-in, and goes on meanwhile.

use std::collections::BTreeMap;

use url::Url;

use super::again::again;
use super::settle::settle;
use super::{Call, Error, FieldError, Provider};
use crate::model::terms::in_force;
use crate::model::user::comparison_key;
use crate::model::{
    Acceptance, Actor, EventKind, Fact, Group, Id, RequiredAction, Terms, TermsOccasion, TermsText, Timestamp, User,
};
use crate::store::{self, Write};

/// No name and no version is longer.
const LONGEST_WORD: usize = 60;
const LONGEST_TITLE: usize = 150;
/// A long contract has a tenth of it.
const LONGEST_TEXT: usize = 200_000;
const LONGEST_URL: usize = 2_048;
const MOST_LANGUAGES: usize = 20;
const MOST_GROUPS: usize = 50;

/// A version to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTerms {
    /// What all versions of it are called.
    pub name: String,
    /// Which one it is.
    pub version: String,
    /// From when it counts; at once if unset.
    pub effective_at: Option<Timestamp>,
    /// Names of the groups of whose members it is required; of everyone if empty.
    pub groups: Vec<String>,
    /// What it says, by language.
    pub texts: BTreeMap<String, TermsText>,
}

/// Publishes a version. It does not change any more.
///
/// # Errors
/// [`Error::Invalid`] naming every field that can't be taken, and if there is one of this name and number.
pub async fn publish(provider: &Provider, call: &Call, new: NewTerms) -> Result<Terms, Error> {
    let errors = check(&new);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let mut tx = provider.store.write().await?;
    let done = publish_in(&mut tx, call, &new).await;
    settle(tx, done).await
}

/// The same as a part of a transaction, once it was checked.
pub(in crate::flow) async fn publish_in(tx: &mut Write, call: &Call, new: &NewTerms) -> Result<Terms, Error> {
    let mut required_of: Vec<Id<Group>> = Vec::new();
    for (index, name) in new.groups.iter().enumerate() {
        let group = tx.find_group_by_name(name).await?;
        let unknown = || Error::field(format!("/groups/{index}"), "unknown", "there is no group of this name");
        required_of.push(group.ok_or_else(unknown)?.id);
    }
    required_of.sort_unstable_by_key(|id| id.uuid());
    required_of.dedup();
    let terms = Terms {
        id: Id::new(call.now),
        name: comparison_key(&new.name),
        version: new.version.clone(),
        effective_at: new.effective_at.unwrap_or(call.now),
        required_of,
        texts: new.texts.clone(),
        created_at: call.now,
        withdrawn_at: None,
    };
    match tx.add_terms(&terms).await {
        Err(store::Error::Taken(_)) => {
            return Err(Error::field(
                "/version",
                "taken",
                "this version is published, and a published version does not change",
            ));
        }
        added => added?,
    }
    tx.add_event(&told(call, EventKind::TermsPublished, terms.id)).await?;
    Ok(terms)
}

/// Takes a version back: the one before it counts again.
///
/// # Errors
/// [`Error::NotFound`] if there is none that counts.
pub async fn withdraw(provider: &Provider, call: &Call, id: Id<Terms>) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx.withdraw_terms(id, call.now).await? {
            return Err(Error::NotFound);
        }
        tx.add_event(&told(call, EventKind::TermsWithdrawn, id)).await?;
        Ok(())
    }
    .await;
    settle(tx, done).await
}

/// Every version, by name, the one that takes effect last first.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn list(provider: &Provider) -> Result<Vec<Terms>, Error> {
    Ok(provider.store.read().await?.list_terms().await?)
}

/// The version of this row.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<Terms>) -> Result<Terms, Error> {
    let mut store = provider.store.read().await?;
    store.find_terms(id).await?.ok_or(Error::NotFound)
}

/// Of each name the version that counts now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn counting(provider: &Provider, now: Timestamp) -> Result<Vec<Terms>, Error> {
    let published = provider.store.read().await?.list_terms_in_force(now).await?;
    Ok(in_force(published, now))
}

/// What somebody accepts with a new account: what is required of everyone.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn asked_of_new(provider: &Provider, now: Timestamp) -> Result<Vec<Terms>, Error> {
    let counting = counting(provider, now).await?;
    Ok(counting
        .into_iter()
        .filter(|terms| terms.required_of.is_empty())
        .collect())
}

/// What somebody has accepted, the latest first.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn accepted_by(provider: &Provider, user: Id<User>) -> Result<Vec<Acceptance>, Error> {
    let mut store = provider.store.read().await?;
    Ok(store.list_acceptances_of(user).await?)
}

/// What somebody has to accept before they are in: what counts, is required of them, and was not accepted; all of it where an
/// administrator wants it so.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn missing_of(provider: &Provider, user: &User, now: Timestamp) -> Result<Vec<Terms>, Error> {
    let mut store = provider.store.read().await?;
    let mut counting = in_force(store.list_terms_in_force(now).await?, now);
    if counting.is_empty() {
        return Ok(counting);
    }
    if counting.iter().any(|terms| !terms.required_of.is_empty()) {
        let groups = store.list_group_ids_of(user.id, now).await?;
        counting.retain(|terms| terms.is_required_of(&groups));
    }
    if !user.required_actions.contains(&RequiredAction::AcceptTerms) {
        let accepted = store.list_acceptances_of(user.id).await?;
        counting.retain(|terms| !accepted.iter().any(|known| known.terms == terms.id));
    }
    Ok(counting)
}

/// Writes down that somebody has accepted these on the way in, if the account still is what it was.
///
/// # Errors
/// [`Error::Stale`] if it is not.
pub(in crate::flow) async fn accept(
    provider: &Provider,
    call: &Call,
    user: &User,
    (accepted, locale): (&[Terms], &str),
) -> Result<(), Error> {
    let by = &call.by(Actor::User(user.id));
    again(|| async {
        let mut tx = provider.store.write().await?;
        let done = async {
            if !tx.hold_user_as(user).await? {
                return Err(Error::Stale);
            }
            tx.complete_action(user.id, RequiredAction::AcceptTerms).await?;
            let ids: Vec<Id<Terms>> = accepted.iter().map(|terms| terms.id).collect();
            accept_in(&mut tx, by, user.id, (&ids, locale), TermsOccasion::SignIn).await
        }
        .await;
        settle(tx, done).await
    })
    .await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn accept_in(
    tx: &mut Write,
    call: &Call,
    user: Id<User>,
    (accepted, locale): (&[Id<Terms>], &str),
    occasion: TermsOccasion,
) -> Result<(), Error> {
    for id in accepted {
        tx.accept_terms(user, *id, (call.now, locale), occasion).await?;
        let event = told(call, EventKind::TermsAccepted, *id).user(user);
        tx.add_event(&event.fact("occasion", Fact::Word(occasion.as_str())))
            .await?;
    }
    Ok(())
}

fn told(call: &Call, kind: EventKind, terms: Id<Terms>) -> crate::model::Event {
    call.event(kind).fact("terms", Fact::Id(terms.uuid()))
}

/// What can be seen to be wrong with a version before anything is changed.
pub(in crate::flow) fn check(new: &NewTerms) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let is_word = |text: &str| {
        (1..=LONGEST_WORD).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !text.starts_with('.')
    };
    for (pointer, word) in [("/name", &new.name), ("/version", &new.version)] {
        if !is_word(word) {
            errors.push(wrong(
                pointer,
                "malformed",
                "expected up to 60 letters, digits, dots, hyphens and underscores",
            ));
        }
    }
    if new.groups.len() > MOST_GROUPS {
        errors.push(wrong("/groups", "too_many", "no more than 50 groups"));
    }
    if new.texts.is_empty() || new.texts.len() > MOST_LANGUAGES {
        errors.push(wrong("/texts", "required", "expected a text in one to 20 languages"));
    }
    for (locale, text) in &new.texts {
        let at = format!("/texts/{locale}");
        if !(2..=35).contains(&locale.len()) || !locale.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            errors.push(wrong(&at, "malformed", "expected a language tag like en or pt-BR"));
        }
        let title = text.title.trim();
        if title.is_empty() || title.chars().count() > LONGEST_TITLE || title.chars().any(char::is_control) {
            let detail = "a title has 1 to 150 characters on one line";
            errors.push(wrong(&format!("{at}/title"), "malformed", detail));
        }
        match (&text.text, &text.url) {
            (Some(body), None) if !body.trim().is_empty() && body.len() <= LONGEST_TEXT => {}
            (None, Some(url)) if is_page(url) => {}
            (Some(_), None) => errors.push(wrong(
                &format!("{at}/text"),
                "malformed",
                "a text has 1 to 200,000 bytes",
            )),
            (None, Some(_)) => errors.push(wrong(
                &format!("{at}/url"),
                "malformed",
                "expected an absolute URL with https or http",
            )),
            _ => errors.push(wrong(&at, "contradiction", "expected a text or a url, one of both")),
        }
    }
    errors
}

fn is_page(text: &str) -> bool {
    let fits = |url: Url| matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty();
    text.len() <= LONGEST_URL && Url::parse(text).is_ok_and(fits)
}

fn wrong(pointer: &str, code: &'static str, detail: &str) -> FieldError {
    FieldError {
        pointer: pointer.to_owned(),
        code,
        detail: detail.to_owned(),
    }
}
