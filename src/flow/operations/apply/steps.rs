//! Carrying a file out: everything it says happens in one transaction, or nothing.
//!
//! Whatever takes time is done before that transaction: judging, password hashes, documents of clients that are fetched. What is
//! left are statements. What happens beside the store waits for the commit ([`Afterwards`]), and is such that nothing depends
//! on it: sessions that the store has ended are over whatever the session store still holds.

use std::time::Duration;

use serde_json::{Map, Value};

use super::difference::Action;
use super::{
    Act, Planned, access, below, clients, groups, layers, limited_roles, memberships, message_templates, properties,
    resources, roles, segments, users, webhooks,
};
use crate::flow::clients::end;
use crate::flow::operations::settings::{self, ChangedBy};
use crate::flow::people::departure;
use crate::flow::settle::settle;
use crate::flow::terms::{self, NewTerms};
use crate::flow::{Call, Error, Provider, operations};
use crate::model::group::ADMIN;
use crate::model::setting::{self, Settings};
use crate::model::{Client, Id, Resource, User};
use crate::store::Write;

/// An entry that is ready to be written.
pub(super) struct Step {
    pointer: String,
    ready: Ready,
}

enum Ready {
    Resource(Resource, Action),
    Group(groups::GroupAct),
    Role(roles::RoleAct),
    Limited(limited_roles::LimitedAct),
    Membership(memberships::TermAct),
    Access(access::AccessAct),
    Client(Box<clients::ReadyClient>),
    RemoveClient(Id<Client>),
    User(users::ReadyUser),
    Layer(layers::LayerAct),
    Terms(NewTerms),
    Property(Box<properties::PropertyAct>),
    Template(message_templates::TemplateAct),
    Webhook(webhooks::WebhookAct),
    Segment(segments::SegmentAct),
}

/// What is done beside the store once it is committed. None of it is done for a file that is not.
#[derive(Default)]
pub(super) struct Afterwards {
    /// Who was deactivated or deleted: the session store forgets the sessions that the store has ended.
    pub(super) departed: Vec<Id<User>>,
    /// Which clients were disabled: their tokens count no more, and are deleted.
    pub(super) disabled: Vec<Id<Client>>,
}

/// Does beforehand what takes time, entry by entry. `settings` are those that will be in force.
pub(super) async fn prepare(
    provider: &Provider,
    call: &Call,
    settings: &Settings,
    pointer: String,
    act: Act,
) -> Result<Step, Error> {
    let ready = match act {
        Act::Resource(resource, action) => Ok(Ready::Resource(resource, action)),
        Act::Group(act) => Ok(Ready::Group(act)),
        Act::Role(act) => Ok(Ready::Role(act)),
        Act::Limited(act) => Ok(Ready::Limited(act)),
        Act::Membership(act) => Ok(Ready::Membership(act)),
        Act::Access(act) => Ok(Ready::Access(act)),
        Act::Client(act) => clients::prepare(provider, call, overlap(settings), *act)
            .await
            .map(|ready| Ready::Client(Box::new(ready))),
        Act::RemoveClient(id) => Ok(Ready::RemoveClient(id)),
        Act::User(act) => users::prepare(provider, call, settings, act).await.map(Ready::User),
        Act::Layer(act) => Ok(Ready::Layer(act)),
        Act::Terms(new) => Ok(Ready::Terms(new)),
        Act::Property(act) => Ok(Ready::Property(act)),
        Act::Template(act) => Ok(Ready::Template(act)),
        Act::Webhook(act) => Ok(Ready::Webhook(act)),
        Act::Segment(act) => Ok(Ready::Segment(act)),
    };
    match ready {
        Ok(ready) => Ok(Step { pointer, ready }),
        Err(error) => Err(at(error, &pointer)),
    }
}

fn overlap(settings: &Settings) -> Duration {
    settings.duration(setting::CLIENT_SECRET_OVERLAP)
}

/// Does all of it, in one transaction. `settings` are the file's, if they change anything.
///
/// # Errors
/// [`Error::Invalid`] for what somebody else has changed since the file was judged; nothing is changed then.
pub(super) async fn carry_out(
    provider: &Provider,
    call: &Call,
    settings: Option<&Map<String, Value>>,
    steps: &[Step],
) -> Result<Afterwards, Error> {
    let mut tx = provider.store.write_alone().await?;
    let done = write(&mut tx, provider, call, settings, steps).await;
    settle(tx, done).await
}

async fn write(
    tx: &mut Write,
    provider: &Provider,
    call: &Call,
    settings: Option<&Map<String, Value>>,
    steps: &[Step],
) -> Result<Afterwards, Error> {
    let mut afterwards = Afterwards::default();
    // the first lock of everybody who takes rights away: two who do must not hold up each other
    tx.hold_groups_with_permission(ADMIN).await?;
    if let Some(settings) = settings {
        let changed = settings::change_in(provider, call, tx, settings, ChangedBy::Apply).await;
        changed.map_err(|error| at(error, "/settings"))?;
    }
    for Step { pointer, ready } in steps {
        let written = match ready {
            Ready::Resource(resource, action) => resources::write(tx, call, resource, *action).await,
            Ready::Group(act) => groups::write(tx, call, act).await,
            Ready::Role(act) => roles::write(tx, call, act).await,
            Ready::Limited(act) => limited_roles::write(tx, call, act).await,
            Ready::Membership(act) => memberships::write(tx, call, act).await,
            Ready::Access(act) => access::write(tx, call, act).await,
            Ready::Client(ready) => clients::write(tx, provider, call, ready, &mut afterwards).await,
            Ready::RemoveClient(id) => clients::remove(tx, call, *id).await,
            Ready::User(ready) => users::write(tx, call, ready, &mut afterwards).await,
            Ready::Layer(act) => layers::write(tx, call, act).await,
            Ready::Terms(new) => terms::publish_in(tx, call, new).await.map(drop),
            Ready::Property(act) => properties::write(tx, call, act).await,
            Ready::Template(act) => message_templates::write(tx, call, act).await,
            Ready::Webhook(act) => webhooks::write(tx, provider, call, act).await,
            Ready::Segment(act) => segments::write(tx, call, act).await,
        };
        written.map_err(|error| at(error, pointer))?;
    }
    Ok(afterwards)
}

/// The same refusal with its place in the file. What others have changed since the file was judged has a place too.
fn at(error: Error, pointer: &str) -> Error {
    match error {
        Error::Stale => Error::field(pointer, "stale", "somebody else has just changed it"),
        Error::NotFound => Error::field(
            pointer,
            "gone",
            "somebody else has just removed it, or what it refers to",
        ),
        Error::Conflict(what) => Error::field(pointer, "conflict", what),
        other => below(other, pointer),
    }
}

impl Afterwards {
    /// Does it. What fails here is told in the log, and stands all the same.
    pub(super) async fn happen(self, provider: &Provider, call: &Call) {
        operations::forget(provider).await;
        for id in self.departed {
            departure::end_browsers(provider, call, id).await;
        }
        for id in self.disabled {
            end::drop_tokens(provider, id).await;
        }
    }
}

/// What is planned, as it is told, and what is left to do of it.
pub(super) async fn prepare_all(
    provider: &Provider,
    call: &Call,
    settings: &Settings,
    planned: Vec<Planned>,
) -> Result<(Vec<super::Change>, Vec<Step>), Error> {
    let (mut changes, mut steps) = (Vec::new(), Vec::new());
    for Planned { pointer, change, act } in planned {
        steps.push(prepare(provider, call, settings, pointer, act).await?);
        changes.push(change);
    }
    Ok((changes, steps))
}
