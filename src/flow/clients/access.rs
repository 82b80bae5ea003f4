//! Who may use an application. Everybody, unless the operator says that it is for those alone whom it is given to: the members of a
//! group, or single people.
//!
//! It is asked wherever an application is about to get something for a person: before it asks for consent or gets a code, when the
//! code is redeemed, and with each refresh (SEC-023). Whoever may not is told so by the application, after they have proved who they
//! are, and never before.

use super::authority::Authority;
use super::load;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
pub use crate::model::ClientUser;
use crate::model::{Client, ClientUsers, EventKind, Fact, Id, User};
pub use crate::store::ClientAccess;
use crate::store::{MOST_WITH_ACCESS, Write};

/// Whether somebody may use an application now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn may_use(provider: &Provider, call: &Call, user: Id<User>, client: &Client) -> Result<bool, Error> {
    match client.policy.users {
        ClientUsers::Everybody => Ok(true),
        ClientUsers::Assigned => Ok(provider
            .store
            .read()
            .await?
            .may_use_client(user, client.id, call.now)
            .await?),
    }
}

/// Gives an application to a group or a user. Once more changes nothing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] for scopes of administration that the client has and the caller lacks,
/// [`Error::Conflict`] (`too_many_given`).
pub async fn give_client(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    client: Id<Client>,
    who: ClientUser,
) -> Result<(), Error> {
    authority.require(&load(provider, client).await?.metadata)?;
    let mut tx = provider.store.write().await?;
    let done = give_in(&mut tx, call, client, who).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn give_in(
    tx: &mut Write,
    call: &Call,
    client: Id<Client>,
    who: ClientUser,
) -> Result<(), Error> {
    must_be_there(tx, who).await?;
    if tx.count_client_access(client).await? >= i64::from(MOST_WITH_ACCESS) {
        return Err(Error::Conflict("too_many_given"));
    }
    if tx.give_client(client, who, call.now).await? {
        record(tx, call, client, who, "access_given").await?;
    }
    Ok(())
}

/// Takes an application from a group or a user: they get nothing more for it, whatever they hold.
///
/// # Errors
/// As [`give_client`], [`Error::NotFound`] also if they did not have it.
pub async fn take_client(
    provider: &Provider,
    call: &Call,
    authority: &Authority,
    client: Id<Client>,
    who: ClientUser,
) -> Result<(), Error> {
    authority.require(&load(provider, client).await?.metadata)?;
    let mut tx = provider.store.write().await?;
    let done = take_in(&mut tx, call, client, who).await;
    settle(tx, done).await
}

/// The same as a part of a transaction.
pub(in crate::flow) async fn take_in(
    tx: &mut Write,
    call: &Call,
    client: Id<Client>,
    who: ClientUser,
) -> Result<(), Error> {
    if !tx.take_client(client, who).await? {
        return Err(Error::NotFound);
    }
    record(tx, call, client, who, "access_taken").await
}

/// To whom an application is given, by name.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn list_client_access(provider: &Provider, client: Id<Client>) -> Result<Vec<ClientAccess>, Error> {
    let client = load(provider, client).await?;
    Ok(provider.store.read().await?.list_client_access(client.id).await?)
}

async fn must_be_there(tx: &mut Write, who: ClientUser) -> Result<(), Error> {
    let is_there = match who {
        ClientUser::Group(group) => tx.find_group(group).await?.is_some(),
        ClientUser::User(user) => tx.find_user(user).await?.is_some(),
    };
    if is_there { Ok(()) } else { Err(Error::NotFound) }
}

async fn record(
    tx: &mut Write,
    call: &Call,
    client: Id<Client>,
    who: ClientUser,
    what: &'static str,
) -> Result<(), Error> {
    let event = call.event(EventKind::ClientChanged).client(client).because(what);
    let event = match who {
        ClientUser::Group(group) => event.fact("group", Fact::Id(group.uuid())),
        ClientUser::User(user) => event.user(user),
    };
    Ok(tx.add_event(&event).await?)
}
