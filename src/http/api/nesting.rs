//! `/groups/{id}/inner-groups` and `/groups/{id}/outer-groups`: which groups stand in which.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{ListRule, PageBody};
use super::route::{Method, Route, handler};
use super::within::{Kind, Within};
use super::{Answer, Asked, Problem};
use crate::flow::people::{self, NestedGroup, Page};

const READ: &str = "admin:groups.read";
const WRITE: &str = "admin:groups";

const LIST: ListRule = ListRule::plain();

/// A group that stands in another, or that another stands in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NestedGroup")]
struct NestedBody {
    /// The group's id.
    id: String,
    /// The group's name.
    name: String,
    /// How many steps away; 1: directly.
    distance: u32,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/groups/{id}/inner-groups",
            READ,
            "Lists the groups that stand in a group, by way of others too, the nearest first.",
            handler!(inner),
        )
        .within(Within::Path("id", Kind::Group))
        .listed(&LIST)
        .gives::<PageBody<NestedBody>>(),
        route(
            Method::Get,
            "/groups/{id}/outer-groups",
            READ,
            "Lists the groups that a group stands in, by way of others too, the nearest first.",
            handler!(outer),
        )
        .listed(&LIST)
        .gives::<PageBody<NestedBody>>(),
        route(
            Method::Put,
            "/groups/{id}/inner-groups/{inner}",
            WRITE,
            "Puts a group into a group: what the outer one carries counts for the members of the inner one. The caller must hold what both carry.",
            handler!(nest),
        ),
        route(
            Method::Delete,
            "/groups/{id}/inner-groups/{inner}",
            WRITE,
            "Takes a group out of a group.",
            handler!(unnest),
        ),
    ]
}

async fn inner(asked: Asked) -> Result<Answer, Problem> {
    let (_, below) = people::nesting_of(asked.provider(), asked.id("id")?).await?;
    page(&asked, below)
}

async fn outer(asked: Asked) -> Result<Answer, Problem> {
    let (above, _) = people::nesting_of(asked.provider(), asked.id("id")?).await?;
    page(&asked, above)
}

fn page(asked: &Asked, groups: Vec<NestedGroup>) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let begin = match &listed.after {
        Some(after) => groups
            .iter()
            .position(|group| group.id.to_string() == *after)
            .map_or(groups.len(), |at| at.saturating_add(1)),
        None => 0,
    };
    let rest: Vec<NestedGroup> = groups.into_iter().skip(begin).collect();
    let page = Page::cut(rest, listed.limit, |group| group.id.to_string());
    listed.answer(asked, page, None, |group| NestedBody {
        id: group.id.to_string(),
        name: group.name,
        distance: group.distance,
    })
}

async fn nest(asked: Asked) -> Result<Answer, Problem> {
    let (outer, inner) = (asked.id("id")?, asked.id("inner")?);
    people::nest_group(asked.provider(), asked.call(), &asked.source(), outer, inner).await?;
    Ok(Answer::done())
}

async fn unnest(asked: Asked) -> Result<Answer, Problem> {
    let (outer, inner) = (asked.id("id")?, asked.id("inner")?);
    people::unnest_group(asked.provider(), asked.call(), &asked.source(), outer, inner).await?;
    Ok(Answer::done())
}
