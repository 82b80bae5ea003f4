//! `/users/bulk` and `/jobs`: one thing done with many users, at once or as a job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::user_body::UserPatchBody;
use super::within::Within;
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::operations::jobs::{self, Answered, Begun, Chosen, Task};
use crate::flow::people::{BulkAction, Search};
use crate::model::{Actor, Id, ItemOutcome, Job, JobItem, Timestamp, UnknownName};

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";

const LIST: ListRule = ListRule::plain();

const ITEMS: ListRule = ListRule {
    sorts: &[],
    filters: &["outcome"],
    words: Words::Refused,
    count: Count::Refused,
};

/// What is done with whom.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BulkBody {
    /// `deactivate`, `reactivate`, `delete`, `restore`, `reset-password` (a link is mailed), `send-invitation`, `unlock`,
    /// `end-sessions`, `require-action`, `set`, `add-to-group` or `remove-from-group`.
    #[schemars(required)]
    action: String,
    /// With these users: up to 100 are done at once, up to 10,000 as a job.
    ids: Option<Vec<String>>,
    /// With those of whom this filter of the list of users holds; as a job.
    filter: Option<String>,
    /// With those who have these words in their names, addresses and numbers; as a job.
    q: Option<String>,
    /// With those of a filter or of words also if they were deactivated.
    inactive: bool,
    /// With everybody who is not in the bin; as a job.
    all: bool,
    /// What is required at the next sign-in, for `require-action`.
    required_action: Option<String>,
    /// What becomes of which field, for `set`: a merge patch, without what is one person's own (`username`, `email`, `phone_number`,
    /// `type`).
    fields: Option<UserPatchBody>,
    /// The group's id, for `add-to-group` and `remove-from-group`.
    group: Option<String>,
}

/// What became of each.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Bulk")]
struct BulkAnswer {
    /// In the order in which they were named.
    items: Vec<ItemBody>,
}

/// What became of one user.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BulkItem")]
struct ItemBody {
    /// The user.
    user: String,
    /// `done`, or `refused`: nothing of it has changed then.
    outcome: String,
    /// Why it was refused, in a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The same in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Work that goes on after the answer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Job")]
struct JobBody {
    /// The id of this API.
    id: String,
    /// What is done.
    action: String,
    /// `waiting`, `running`, `done`, `cancelled`, or `failed`: it could not go on. What was done stays.
    state: String,
    /// Why it has failed: `rights`, if whoever began it may not do it any more, or `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How many there are, where that was known at the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// With how many it was done.
    done: i64,
    /// With how many it was refused.
    refused: i64,
    /// When it was asked for.
    created_at: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    /// When it came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Post,
            "/users/bulk",
            WRITE,
            "Does one thing with many users: at once with up to 100 that are named, and tells what became of each; as a job with more, or with those of a filter.",
            handler!(bulk),
        ).within(Within::Parts)
        .takes::<BulkBody>()
        .gives::<BulkAnswer>()
        .or_later::<JobBody>(),
        route(Method::Get, "/jobs", READ, "Lists jobs, the last made first.", handler!(list)).within(Within::Handler)
            .listed(&LIST)
            .gives::<PageBody<JobBody>>(),
        route(Method::Get, "/jobs/{id}", READ, "Tells of a job and how far it is.", handler!(get)).within(Within::Handler).gives::<JobBody>(),
        route(
            Method::Get,
            "/jobs/{id}/items",
            READ,
            "Lists what became of each user that a job has come to.",
            handler!(items),
        ).within(Within::Handler)
        .listed(&ITEMS)
        .gives::<PageBody<ItemBody>>(),
        route(
            Method::Post,
            "/jobs/{id}/cancel",
            WRITE,
            "Ends a job before its end: nothing more of it is done, what was done stays.",
            handler!(cancel),
        ).within(Within::Parts)
        .gives::<JobBody>(),
    ]
}

async fn bulk(asked: Asked) -> Result<Answer, Problem> {
    let body: BulkBody = asked.read()?;
    let chosen = body.chosen()?;
    let task = Task {
        action: body.into_action()?,
        chosen,
    };
    let begun = jobs::begin(asked.provider(), asked.call(), &asked.source(), task).await;
    match begun.map_err(of_body)? {
        Begun::Now(answers) => Answer::of(&BulkAnswer {
            items: answers.into_iter().map(ItemBody::answered).collect(),
        }),
        Begun::Later(job) => {
            let location = format!("{BASE}/jobs/{}", job.id);
            Answer::accepted(location, &JobBody::of(*job))
        }
    }
}

/// What is asked of people stands in the body here.
fn of_body(error: Error) -> Error {
    let Error::Invalid(mut fields) = error else {
        return error;
    };
    for field in &mut fields {
        if !field.pointer.starts_with('/') {
            field.pointer.insert(0, '/');
        }
    }
    Error::Invalid(fields)
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let page = jobs::list(asked.provider(), whose(&asked), listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, JobBody::of)
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&JobBody::of(
        jobs::get_of(asked.provider(), whose(&asked), asked.id("id")?).await?,
    ))
}

async fn items(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let only = match &listed.filter {
        None => None,
        Some((_, word)) if word == ItemOutcome::Refused.as_str() => Some(ItemOutcome::Refused),
        Some(_) => return Err(Error::field("filter", "unsupported", "expected outcome eq \"refused\"").into()),
    };
    let place = (listed.after.as_deref(), listed.limit);
    jobs::get_of(asked.provider(), whose(&asked), asked.id("id")?).await?;
    let page = jobs::list_items(asked.provider(), asked.id("id")?, only, place).await?;
    listed.answer(&asked, page, None, ItemBody::of)
}

async fn cancel(asked: Asked) -> Result<Answer, Problem> {
    jobs::get_of(asked.provider(), whose(&asked), asked.id("id")?).await?;
    let job = jobs::cancel(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Answer::of(&JobBody::of(job))
}

/// Whose jobs a caller sees: everybody's, or only their own where their rights count over something alone.
fn whose(asked: &Asked) -> Option<Actor> {
    match asked.rights().allow(READ) {
        true => None,
        false => Some(asked.call().actor),
    }
}

impl BulkBody {
    /// With whom: said in one way.
    fn chosen(&self) -> Result<Chosen, Problem> {
        let wrong = |pointer: &str, code, detail: &str| Problem::from(Error::field(pointer, code, detail));
        let is_searched = self.filter.is_some() || self.q.is_some();
        let ways = [self.ids.is_some(), is_searched, self.all];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            let detail = "expected one of ids, all, and filter or q or both";
            return Err(wrong("/ids", "contradiction", detail));
        }
        if self.inactive && !is_searched {
            return Err(wrong("/inactive", "contradiction", "inactive belongs to filter and q"));
        }
        if let Some(ids) = &self.ids {
            let read = ids.iter().enumerate().map(|(place, id)| {
                let id: Result<Id<_>, _> = id.parse();
                id.map_err(|_| wrong(&format!("/ids/{place}"), "malformed", "expected an id of this API"))
            });
            return Ok(Chosen::Named(read.collect::<Result<_, _>>()?));
        }
        if self.all {
            return Ok(Chosen::Found(Search::everybody()));
        }
        if self.q.as_deref().is_some_and(|words| words.trim().is_empty()) {
            return Err(wrong("/q", "required", "expected words"));
        }
        Ok(Chosen::Found(Search {
            words: self.q.clone(),
            filter: self.filter.clone(),
            sort: Vec::new(),
            inactive: self.inactive,
        }))
    }

    /// What.
    fn into_action(self) -> Result<BulkAction, Error> {
        let missing = |pointer: &str, detail: &str| Error::field(pointer, "required", detail);
        let action = self.action;
        let needs = |name: &str| action == name;
        if self.fields.is_some() && !needs("set") {
            return Err(Error::field("/fields", "contradiction", "fields belong to set"));
        }
        if self.required_action.is_some() && !needs("require-action") {
            let detail = "required_action belongs to require-action";
            return Err(Error::field("/required_action", "contradiction", detail));
        }
        if self.group.is_some() && !needs("add-to-group") && !needs("remove-from-group") {
            let detail = "group belongs to add-to-group and remove-from-group";
            return Err(Error::field("/group", "contradiction", detail));
        }
        let group = || -> Result<Id<_>, Error> {
            let id = self.group.as_deref();
            let id = id.ok_or_else(|| missing("/group", "expected the id of a group"))?;
            id.parse()
                .map_err(|_| Error::field("/group", "malformed", "expected the id of a group"))
        };
        Ok(match action.as_str() {
            "deactivate" => BulkAction::Deactivate,
            "reactivate" => BulkAction::Reactivate,
            "delete" => BulkAction::Delete,
            "restore" => BulkAction::Restore,
            "reset-password" => BulkAction::ResetPassword,
            "send-invitation" => BulkAction::SendInvitation,
            "unlock" => BulkAction::Unlock,
            "end-sessions" => BulkAction::EndSessions,
            "require-action" => {
                let word = self.required_action.as_deref();
                let word = word.ok_or_else(|| missing("/required_action", "expected what is required"))?;
                let unknown = |error: UnknownName| Error::field("/required_action", "unsupported", error.to_string());
                BulkAction::RequireAction {
                    required_action: word.parse().map_err(unknown)?,
                }
            }
            "set" => {
                let fields = self
                    .fields
                    .ok_or_else(|| missing("/fields", "expected what becomes of which field"))?;
                BulkAction::Set {
                    fields: Box::new(fields.into_change()?),
                }
            }
            "add-to-group" => BulkAction::AddToGroup { group: group()? },
            "remove-from-group" => BulkAction::RemoveFromGroup { group: group()? },
            _ => {
                return Err(Error::field(
                    "/action",
                    "unsupported",
                    "there is no action of this name",
                ));
            }
        })
    }
}

impl ItemBody {
    fn answered(answered: Answered) -> Self {
        let (code, detail) = answered.refused.unzip();
        let outcome = if code.is_some() {
            ItemOutcome::Refused
        } else {
            ItemOutcome::Done
        };
        Self {
            user: answered.user.to_string(),
            outcome: outcome.to_string(),
            code,
            detail,
        }
    }

    fn of(item: JobItem) -> Self {
        Self {
            user: item.user.to_string(),
            outcome: item.outcome.to_string(),
            code: item.code,
            detail: item.detail,
        }
    }
}

impl JobBody {
    fn of(job: Job) -> Self {
        Self {
            id: job.id.to_string(),
            action: job.kind,
            state: job.state.to_string(),
            reason: job.reason,
            total: job.total,
            done: job.done,
            refused: job.refused,
            created_at: job.created_at.rfc3339(),
            started_at: job.started_at.map(Timestamp::rfc3339),
            ended_at: job.ended_at.map(Timestamp::rfc3339),
        }
    }
}
