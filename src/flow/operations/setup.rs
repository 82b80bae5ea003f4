//! The first administrator of an installation: by a one-time link that is shown at the server's machine, or from its
//! configuration.

use std::time::Duration;

use crate::flow::people::{
    ChangeSource, CreatedUser, FirstLink, GroupChange, NewGroup, NewPassword, NewUser, change_group, create_group,
    create_user,
};
use crate::flow::{Call, Error, Provider, guess};
use crate::model::group::{ADMIN, ADMINISTRATORS};
use crate::model::{EventKind, Group, Secret, Timestamp};

/// How long a setup link may be followed.
const LINK_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How often the group of administrators is looked for while others make or change it.
const ROUNDS: u32 = 4;

/// A link to follow once.
pub struct SetupLink {
    /// The whole address, with the secret in it.
    pub url: Secret,
    /// From when on it leads nowhere.
    pub expires_at: Timestamp,
}

/// An administrator to make.
#[derive(Clone, Debug)]
pub struct NewAdministrator {
    /// What the person signs in with.
    pub username: String,
    /// Mail address.
    pub email: String,
    /// Password; the policy judges it.
    pub password: Secret,
}

/// Whether nobody administers this installation yet.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn is_needed(provider: &Provider) -> Result<bool, Error> {
    let now = Timestamp::from_micros(provider.clock.micros());
    let tenure = provider.store.read().await?.find_longest_tenure(ADMIN, now).await?;
    Ok(tenure.is_none())
}

/// A new link; earlier ones no longer count.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn new_link(provider: &Provider, call: &Call) -> Result<SetupLink, Error> {
    let token = Secret::generate();
    let expires_at = call.now.after(LINK_LIFETIME);
    let mut tx = provider.store.write().await?;
    tx.add_setup_link(&token.digest(), call.now, expires_at).await?;
    tx.add_event(&call.event(EventKind::Setup).because("link_made")).await?;
    tx.commit().await?;
    Ok(SetupLink {
        url: Secret::new(provider.issuer.path(&format!("/setup?token={}", token.expose()))),
        expires_at,
    })
}

/// Whether a link with this token may be followed.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn is_link_open(provider: &Provider, call: &Call, token: &Secret) -> Result<bool, Error> {
    let mut store = provider.store.read().await?;
    Ok(store.is_setup_link_open(&token.digest(), call.now).await?)
}

/// The same for whoever opens a link's page: tokens that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::Throttled`] after too many of them.
pub async fn look_at_link(provider: &Provider, call: &Call, token: &Secret) -> Result<bool, Error> {
    guess::look(provider, call, guess::Account::SetupLink).await?;
    if is_link_open(provider, call, token).await? {
        guess::right(provider, call, guess::Account::SetupLink).await?;
        return Ok(true);
    }
    guess::wrong(provider, call, guess::Account::SetupLink).await?;
    Ok(false)
}

/// Follows a link: makes an administrator, and the link counts no more. A refused field leaves the link open.
///
/// # Errors
/// [`Error::NotFound`] if the link is unknown, ended or used; [`Error::Invalid`] for fields that can't be taken.
pub async fn follow_link(
    provider: &Provider,
    call: &Call,
    token: &Secret,
    new: NewAdministrator,
) -> Result<CreatedUser, Error> {
    if !is_link_open(provider, call, token).await? {
        return Err(Error::NotFound);
    }
    // the link is used up in the transaction that makes the user: of two who follow it at once, one is turned away
    make(provider, call, new, Some(FirstLink::Setup(token.digest()))).await
}

/// Makes the first administrator, if there is none.
///
/// # Errors
/// [`Error::Invalid`] for fields that can't be taken.
pub async fn make_first(provider: &Provider, call: &Call, new: NewAdministrator) -> Result<Option<CreatedUser>, Error> {
    if !is_needed(provider).await? {
        return Ok(None);
    }
    make(provider, call, new, None).await.map(Some)
}

async fn make(
    provider: &Provider,
    call: &Call,
    new: NewAdministrator,
    link: Option<FirstLink>,
) -> Result<CreatedUser, Error> {
    let source = ChangeSource::Setup;
    administrators(provider, call, &source).await?;
    let mut user = NewUser::named(new.username);
    user.profile.email = Some(new.email);
    user.password = NewPassword::Given(new.password);
    user.groups = vec![ADMINISTRATORS.to_owned()];
    user.link = link;
    create_user(provider, call, &source, user).await
}

/// Sees to the group that holds every right. Of several who find it missing one makes it, and the others look again.
async fn administrators(provider: &Provider, call: &Call, source: &ChangeSource) -> Result<(), Error> {
    for _ in 0..ROUNDS {
        let settled = match find_settled(provider).await? {
            None => {
                let new = NewGroup {
                    name: ADMINISTRATORS.to_owned(),
                    permissions: vec![ADMIN.to_owned()],
                    ..NewGroup::default()
                };
                create_group(provider, call, source, new).await
            }
            Some(group) if group.permissions.iter().any(|permission| permission == ADMIN) => return Ok(()),
            Some(group) => {
                let mut permissions = group.permissions.clone();
                permissions.push(ADMIN.to_owned());
                let change = GroupChange {
                    permissions: Some(permissions),
                    ..GroupChange::default()
                };
                change_group(provider, call, source, group.id, Some(group.version), change).await
            }
        };
        match settled {
            Ok(_) => return Ok(()),
            Err(error) if is_anothers_doing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Contended)
}

/// The group as whoever wrote last has left it: a transaction of our own comes after theirs, and waits until it lasts.
async fn find_settled(provider: &Provider) -> Result<Option<Group>, Error> {
    let mut tx = provider.store.write().await?;
    let group = tx.find_group_by_name(ADMINISTRATORS).await?;
    tx.abandon().await?;
    Ok(group)
}

/// Whether somebody else was faster with the same group.
fn is_anothers_doing(error: &Error) -> bool {
    match error {
        Error::Invalid(fields) => fields.iter().all(|field| field.code == "taken"),
        Error::Stale | Error::NotFound => true,
        _ => false,
    }
}
