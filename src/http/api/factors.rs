//! `/users/{id}/factors`: somebody's second factors, for whoever helps them when a device is lost.

use super::factor_body::{FactorBody, ImportedFactorBody};
use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::factor;
use crate::flow::people::Page;
use crate::model::{Factor, Id, User};

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users.factors";

const LIST: ListRule = ListRule::plain();

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/users/{id}/factors",
            READ,
            "Lists a user's second factors, in the order in which they came.",
            handler!(list),
        )
        .within(Within::Path("id", Kind::User))
        .listed(&LIST)
        .gives::<PageBody<FactorBody>>(),
        route(
            Method::Post,
            "/users/{id}/factors",
            WRITE,
            "Brings along an authenticator that a user had elsewhere: it counts at once.",
            handler!(import),
        )
        .within(Within::Path("id", Kind::User))
        .takes::<ImportedFactorBody>()
        .creates::<FactorBody>(),
        route(
            Method::Delete,
            "/users/{id}/factors",
            WRITE,
            "Takes all second factors of a user away, with the recovery codes: a password alone is enough again.",
            handler!(remove_all),
        )
        .within(Within::Path("id", Kind::User)),
        route(
            Method::Delete,
            "/users/{id}/factors/remembered-devices",
            WRITE,
            "Has a user's second factor asked for on every device again.",
            handler!(ask_everywhere),
        )
        .within(Within::Path("id", Kind::User)),
        route(
            Method::Delete,
            "/users/{id}/factors/{factor}",
            WRITE,
            "Takes a second factor of a user away; with the last one go the recovery codes.",
            handler!(remove),
        )
        .within(Within::Path("id", Kind::User)),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let items = factor::list(asked.provider(), asked.id("id")?).await?;
    listed.answer(&asked, Page { items, next: None }, None, FactorBody::of)
}

async fn import(asked: Asked) -> Result<Answer, Problem> {
    let new = asked.read::<ImportedFactorBody>()?.into_import()?;
    let user: Id<User> = asked.id("id")?;
    let factor = factor::import(asked.provider(), asked.call(), &asked.source(), user, new).await?;
    let location = format!("{BASE}/users/{user}/factors/{}", factor.id);
    Answer::created(location, &FactorBody::of(factor))
}

async fn remove_all(asked: Asked) -> Result<Answer, Problem> {
    factor::remove_all_of(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn ask_everywhere(asked: Asked) -> Result<Answer, Problem> {
    factor::ask_everywhere_of(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn remove(asked: Asked) -> Result<Answer, Problem> {
    let (user, id): (Id<User>, Id<Factor>) = (asked.id("id")?, asked.id("factor")?);
    factor::remove_of(asked.provider(), asked.call(), &asked.source(), user, id).await?;
    Ok(Answer::done())
}
