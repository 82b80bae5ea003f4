//! `/clients/{id}/access`: who may use an application where not everybody may (`users` of the client is `assigned`).

use schemars::JsonSchema;
use serde::Serialize;

use super::clients::authority;
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::clients::access::{self, ClientAccess, ClientUser};
use crate::flow::people::Page;

const READ: &str = "admin:clients.read";
const WRITE: &str = "admin:clients";

const PLAIN: ListRule = ListRule::plain();

/// Somebody who may use an application.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientAccess")]
struct AccessBody {
    /// `group` or `user`.
    kind: String,
    /// The id of the group or the user.
    id: String,
    /// The group's name, or what the person signs in with; for callers who may read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Since when.
    since: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/clients/{id}/access",
            READ,
            "Lists to whom a client is given.",
            handler!(list),
        )
        .listed(&PLAIN)
        .gives::<PageBody<AccessBody>>(),
        route(
            Method::Put,
            "/clients/{id}/access/groups/{group}",
            WRITE,
            "Gives a client to the members of a group.",
            handler!(give_group),
        ),
        route(
            Method::Delete,
            "/clients/{id}/access/groups/{group}",
            WRITE,
            "Takes a client from a group.",
            handler!(take_group),
        ),
        route(
            Method::Put,
            "/clients/{id}/access/users/{user}",
            WRITE,
            "Gives a client to a user.",
            handler!(give_user),
        ),
        route(
            Method::Delete,
            "/clients/{id}/access/users/{user}",
            WRITE,
            "Takes a client from a user.",
            handler!(take_user),
        ),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = access::list_client_access(asked.provider(), asked.id("id")?).await?;
    let begin = match &listed.after {
        Some(after) => items
            .iter()
            .position(|item| id_of(item) == *after)
            .map_or(items.len(), |at| at.saturating_add(1)),
        None => 0,
    };
    let rest: Vec<ClientAccess> = items.into_iter().skip(begin).collect();
    let page = Page::cut(rest, listed.limit, id_of);
    let (groups, users) = (
        asked.rights().allow("admin:groups.read"),
        asked.rights().allow("admin:users.read"),
    );
    listed.answer(&asked, page, None, |item| {
        let (kind, is_named) = match item.who {
            ClientUser::Group(_) => ("group", groups),
            ClientUser::User(_) => ("user", users),
        };
        AccessBody {
            kind: kind.to_owned(),
            id: id_of(&item),
            name: is_named.then_some(item.name),
            since: item.since.rfc3339(),
        }
    })
}

fn id_of(item: &ClientAccess) -> String {
    match item.who {
        ClientUser::Group(id) => id.to_string(),
        ClientUser::User(id) => id.to_string(),
    }
}

async fn give_group(asked: Asked) -> Result<Answer, Problem> {
    let who = ClientUser::Group(asked.id("group")?);
    access::give_client(asked.provider(), asked.call(), &authority(&asked), asked.id("id")?, who).await?;
    Ok(Answer::done())
}

async fn give_user(asked: Asked) -> Result<Answer, Problem> {
    let who = ClientUser::User(asked.id("user")?);
    access::give_client(asked.provider(), asked.call(), &authority(&asked), asked.id("id")?, who).await?;
    Ok(Answer::done())
}

async fn take_group(asked: Asked) -> Result<Answer, Problem> {
    let who = ClientUser::Group(asked.id("group")?);
    access::take_client(asked.provider(), asked.call(), &authority(&asked), asked.id("id")?, who).await?;
    Ok(Answer::done())
}

async fn take_user(asked: Asked) -> Result<Answer, Problem> {
    let who = ClientUser::User(asked.id("user")?);
    access::take_client(asked.provider(), asked.call(), &authority(&asked), asked.id("id")?, who).await?;
    Ok(Answer::done())
}
