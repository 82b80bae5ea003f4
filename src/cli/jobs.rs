//! `jobs` and `users bulk`: work on many users from a terminal.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::user_arguments::Which;
use super::users::find;
use crate::flow::operations::jobs::{self, Begun, Chosen, Task};
use crate::flow::people::{self, BulkAction, ChangeSource, Search};
use crate::flow::{Call, Provider};
use crate::model::{Id, ItemOutcome, Job, JobItem, Timestamp, UnknownName};

const SOURCE: ChangeSource = ChangeSource::Command;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Jobs {
    /// List jobs, the last made first.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Show a job and how far it is.
    Show {
        job: String,
        #[command(flatten)]
        json: Json,
    },
    /// List what became of each user that a job has come to.
    Items {
        job: String,
        /// Those that were refused.
        #[arg(long)]
        refused: bool,
        /// How many.
        #[arg(long, default_value_t = 1_000)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// End a job before its end: nothing more of it is done, what was done stays.
    Cancel { job: String },
}

#[derive(Clone, Debug, Args)]
pub(super) struct Bulk {
    /// `deactivate`, `reactivate`, `delete`, `restore`, `reset-password`, `send-invitation`, `unlock`, `end-sessions`, `require-action`,
    /// `add-to-group`, `remove-from-group`.
    pub(super) action: String,
    /// With this user, by username or mail address. Repeatable.
    #[arg(long = "user", value_name = "USER", required_unless_present_any = ["filter", "words", "bin", "all"],
        conflicts_with_all = ["filter", "words", "bin", "inactive", "all"])]
    pub(super) users: Vec<String>,
    #[command(flatten)]
    pub(super) which: Which,
    /// With everybody who is not in the bin.
    #[arg(long, conflicts_with_all = ["filter", "words", "bin", "inactive"])]
    pub(super) all: bool,
    /// What is required, for `require-action`.
    #[arg(long, value_name = "ACTION")]
    pub(super) require: Option<String>,
    /// The group, for `add-to-group` and `remove-from-group`.
    #[arg(long)]
    pub(super) group: Option<String>,
    #[command(flatten)]
    pub(super) json: Json,
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Jobs) -> Result<Output, Failure> {
    match command {
        Jobs::List { limit, json } => {
            let page = jobs::list(provider, None, None, limit).await?;
            let rows: Vec<Value> = page.items.iter().map(row).collect();
            let columns = ["id", "action", "state", "total", "done", "refused", "created_at"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Jobs::Show { job, json } => Ok(Output::thing(
            json.shape(),
            &row(&jobs::get(provider, id(&job)?).await?),
        )),
        Jobs::Items {
            job,
            refused,
            limit,
            json,
        } => {
            let only = refused.then_some(ItemOutcome::Refused);
            let page = jobs::list_items(provider, id(&job)?, only, (None, limit)).await?;
            let mut rows = Vec::with_capacity(page.items.len());
            for item in &page.items {
                rows.push(item_row(provider, item).await?);
            }
            let columns = ["username", "outcome", "code", "detail", "user"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Jobs::Cancel { job } => {
            let job = jobs::cancel(provider, call, &SOURCE, id(&job)?).await?;
            Ok(Output::line(format!("the job is {}", job.state)))
        }
    }
}

pub(super) async fn bulk(provider: &Provider, call: &Call, bulk: Bulk) -> Result<Output, Failure> {
    let task = Task {
        action: action(provider, &bulk).await?,
        chosen: chosen(provider, &bulk).await?,
    };
    match jobs::begin(provider, call, &SOURCE, task).await? {
        Begun::Now(answers) => {
            let mut rows = Vec::with_capacity(answers.len());
            for answered in answers {
                let (code, detail) = answered.refused.unzip();
                let username = username(provider, answered.user).await?;
                let outcome = if code.is_some() { "refused" } else { "done" };
                rows.push(
                    json!({"user": answered.user.to_string(), "username": username, "outcome": outcome,
                    "code": code, "detail": detail}),
                );
            }
            let columns = ["username", "outcome", "code", "detail"];
            Ok(Output::table(bulk.json.shape(), &rows, &columns))
        }
        Begun::Later(job) => Ok(Output::either(bulk.json.shape(), &row(&job), || {
            format!(
                "the job {} goes on while the server runs: ostiary jobs show {}\n",
                job.id, job.id
            )
        })),
    }
}

async fn chosen(provider: &Provider, bulk: &Bulk) -> Result<Chosen, Failure> {
    if bulk.all {
        return Ok(Chosen::Found(Search::everybody()));
    }
    if bulk.which.is_named() {
        return Ok(Chosen::Found(bulk.which.search()));
    }
    let mut ids = Vec::with_capacity(bulk.users.len());
    for user in &bulk.users {
        ids.push(find(provider, user).await?.id);
    }
    Ok(Chosen::Named(ids))
}

async fn action(provider: &Provider, bulk: &Bulk) -> Result<BulkAction, Failure> {
    let group = async || -> Result<_, Failure> {
        let name = bulk.group.as_deref();
        let name = name.ok_or_else(|| Failure::usage("this takes --group".to_owned()))?;
        let found = people::find_group_by_name(provider, name).await?;
        let found = found.ok_or_else(|| Failure::refused(format!("there is no group {name}")))?;
        Ok(found.id)
    };
    Ok(match bulk.action.as_str() {
        "deactivate" => BulkAction::Deactivate,
        "reactivate" => BulkAction::Reactivate,
        "delete" => BulkAction::Delete,
        "restore" => BulkAction::Restore,
        "reset-password" => BulkAction::ResetPassword,
        "send-invitation" => BulkAction::SendInvitation,
        "unlock" => BulkAction::Unlock,
        "end-sessions" => BulkAction::EndSessions,
        "require-action" => {
            let word = bulk.require.as_deref();
            let word = word.ok_or_else(|| Failure::usage("this takes --require".to_owned()))?;
            let unknown = |unknown: UnknownName| Failure::usage(unknown.to_string());
            BulkAction::RequireAction {
                required_action: word.parse().map_err(unknown)?,
            }
        }
        "add-to-group" => BulkAction::AddToGroup { group: group().await? },
        "remove-from-group" => BulkAction::RemoveFromGroup { group: group().await? },
        other => return Err(Failure::usage(format!("there is no action {other}"))),
    })
}

fn id(text: &str) -> Result<Id<Job>, Failure> {
    text.parse()
        .map_err(|_| Failure::usage(format!("{text} is no id of a job, as `jobs list` shows it")))
}

async fn username(provider: &Provider, id: Id<crate::model::User>) -> Result<Option<String>, Failure> {
    let found = people::find_user(provider, &people::UserKey::Id(id)).await?;
    Ok(found.map(|user| user.username))
}

async fn item_row(provider: &Provider, item: &JobItem) -> Result<Value, Failure> {
    Ok(json!({
        "user": item.user.to_string(),
        "username": username(provider, item.user).await?,
        "outcome": item.outcome.as_str(),
        "code": item.code,
        "detail": item.detail,
    }))
}

fn row(job: &Job) -> Value {
    json!({
        "id": job.id.to_string(),
        "action": job.kind,
        "state": job.state.as_str(),
        "reason": job.reason,
        "total": job.total,
        "done": job.done,
        "refused": job.refused,
        "created_at": job.created_at.rfc3339(),
        "ended_at": job.ended_at.map(Timestamp::rfc3339),
    })
}
