//! What people have allowed clients: to look at, and to take back.

use crate::flow::again::again;
use crate::flow::people::ChangeSource;
use crate::flow::session::{Asker, NotEnded, PROOF_GOOD_FOR};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Client, Consent, EventKind, Fact, Id, Scopes, User};
use crate::store::Write;

/// More consents of one person are not listed.
const MOST: u32 = 1000;

/// What a person has allowed, newest first.
///
/// # Errors
/// [`Error::NotFound`] if there is no such person.
pub async fn list(provider: &Provider, _: &Call, user: Id<User>) -> Result<Vec<Consent>, Error> {
    let mut store = provider.store.read().await?;
    if store.find_user(user).await?.is_none() {
        return Err(Error::NotFound);
    }
    Ok(store.list_consents_of(user, MOST).await?)
}

/// What a person has allowed which clients, newest first, for the person.
///
/// # Errors
/// [`Error::Unavailable`]
pub async fn list_with_clients(provider: &Provider, user: Id<User>) -> Result<Vec<(Consent, Client)>, Error> {
    let mut store = provider.store.read().await?;
    let consents = store.list_consents_of(user, MOST).await?;
    let mut clients = store.list_allowed_clients_of(user, MOST).await?;
    drop(store);
    let mut allowed = Vec::new();
    for consent in consents {
        if let Some(at) = clients.iter().position(|client| client.id == consent.client) {
            allowed.push((consent, clients.swap_remove(at)));
        }
    }
    Ok(allowed)
}

/// Takes back everything a person has allowed a client: every grant ends, and with it every token (RFC 9700 section 2.2). A connected
/// application is a login, so whoever ends it has proved a moment ago who they are, as for a session.
///
/// A client that people are not asked about has grants without a consent; those end, too.
///
/// # Errors
/// [`NotEnded`]: nothing was taken back. [`Error::NotFound`] in it: there is nothing to take back.
pub async fn withdraw(provider: &Provider, call: &Call, asker: Asker, client: Id<Client>) -> Result<(), NotEnded> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotEnded::ProofTooOld);
    }
    let call = call.by(Actor::User(asker.user));
    let store = provider.store.write().await.map_err(Error::from)?;
    Ok(take_back(store, &call, asker.user, client).await?)
}

/// Takes back a part of what a person has allowed a client: scopes, or single claims. Whatever was granted with any of it ends, and the
/// client has to ask anew; it gets what is left without the person being asked.
///
/// # Errors
/// [`NotEnded`]: nothing was taken back. [`Error::NotFound`] in it: nothing of that was allowed. [`Error::Conflict`]: without `openid`
/// nothing is left, so all of it is taken back instead.
pub async fn narrow(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    (client, less): (Id<Client>, &[String]),
) -> Result<(), NotEnded> {
    if call.now >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotEnded::ProofTooOld);
    }
    if less.iter().any(|one| one == "openid") {
        return Err(Error::Conflict("without openid nothing is left: take all of it back").into());
    }
    let call = &call.by(Actor::User(asker.user));
    Ok(again(|| async {
        let mut tx = provider.store.write().await?;
        let done = narrow_in(&mut tx, call, (asker.user, client), less).await;
        settle(tx, done).await
    })
    .await?)
}

async fn narrow_in(
    tx: &mut Write,
    call: &Call,
    (user, client): (Id<User>, Id<Client>),
    less: &[String],
) -> Result<(), Error> {
    let mut consent = tx.find_consent(user, client).await?.ok_or(Error::NotFound)?;
    // whoever changes it meanwhile has changed it before, or does so afterwards
    tx.must_hold_consent(user, client, &consent.scope);
    let is_less = |name: &str| less.iter().any(|one| one == name);
    let scope = Scopes::from_tokens(consent.scope.iter().filter(|scope| !is_less(scope)));
    let claims: Vec<String> = consent.claims.iter().filter(|claim| !is_less(claim)).cloned().collect();
    if scope == consent.scope && claims == consent.claims {
        return Err(Error::NotFound);
    }
    (consent.scope, consent.claims) = (scope, claims);
    tx.give_consent(&consent).await?;
    let mut ended: i64 = 0;
    for (grant, terms) in tx.list_live_grants_of(user, client, MOST).await? {
        let asks = terms.claims.userinfo.iter().chain(&terms.claims.id_token);
        let has_any = terms.scope.iter().any(is_less) || asks.into_iter().any(|claim| is_less(&claim.name));
        if has_any && tx.end_grant(grant, call.now, "consent_narrowed").await? {
            ended = ended.saturating_add(1);
        }
    }
    let event = call
        .event(EventKind::Consent)
        .because("narrowed")
        .user(user)
        .client(client);
    tx.add_event(&event.fact("grants", Fact::Number(ended))).await?;
    Ok(())
}

/// The same by somebody who administers people: it ends what the person is signed in to.
///
/// # Errors
/// [`Error::NotFound`] if there is nothing to take back, [`Error::Forbidden`] if the person holds rights of administration
/// that the caller lacks.
pub async fn withdraw_of(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    user: Id<User>,
    client: Id<Client>,
) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    source.must_outrank(&store.list_permissions_of(user).await?)?;
    take_back(store, call, user, client).await
}

async fn take_back(mut store: Write, call: &Call, user: Id<User>, client: Id<Client>) -> Result<(), Error> {
    let withdrawn = store.withdraw_consent(user, client).await?;
    let ended = store
        .end_grants_of_user_and_client(user, client, call.now, "consent_withdrawn")
        .await?;
    if !withdrawn && ended == 0 {
        store.abandon().await?;
        return Err(Error::NotFound);
    }
    let event = call
        .event(EventKind::Consent)
        .because("withdrawn")
        .user(user)
        .client(client)
        .fact("grants", Fact::Number(i64::try_from(ended).unwrap_or(i64::MAX)));
    store.add_event(&event).await?;
    store.commit().await?;
    Ok(())
}
