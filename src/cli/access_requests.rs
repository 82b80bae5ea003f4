//! `access-requests`: requests for an account from a terminal.

use clap::Subcommand;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::flow::people;
use crate::flow::{Call, Provider};
use crate::model::{AccessRequest, AccessRequestStatus, Id};

/// More are not listed.
const MOST: u32 = 1_000;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum AccessRequests {
    /// List the requests that wait, the first made first.
    List(Json),
    /// Approve a request: the person is mailed a link to an account of their own.
    Approve {
        /// Its id, or the mail address.
        request: String,
    },
    /// Refuse a request: the person is told so by mail.
    Refuse {
        /// Its id, or the mail address.
        request: String,
    },
}

pub(super) async fn run(provider: &Provider, call: &Call, command: AccessRequests) -> Result<Output, Failure> {
    match command {
        AccessRequests::List(json) => {
            let rows: Vec<Value> = waiting(provider).await?.iter().map(row).collect();
            let columns = ["id", "email", "name", "reason", "created_at"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        AccessRequests::Approve { request } => {
            let found = find(provider, &request).await?;
            people::approve_access(provider, call, found.id).await?;
            Ok(Output::line(format!("{} is mailed a link to an account", found.email)))
        }
        AccessRequests::Refuse { request } => {
            let found = find(provider, &request).await?;
            people::refuse_access(provider, call, found.id).await?;
            Ok(Output::line(format!(
                "{} is told that there is no account",
                found.email
            )))
        }
    }
}

async fn waiting(provider: &Provider) -> Result<Vec<AccessRequest>, Failure> {
    let page = people::list_access_requests(provider, AccessRequestStatus::Waiting, None, MOST).await?;
    Ok(page.items)
}

async fn find(provider: &Provider, named: &str) -> Result<AccessRequest, Failure> {
    if let Ok(id) = named.parse::<Id<AccessRequest>>() {
        return Ok(people::get_access_request(provider, id).await?);
    }
    let found = waiting(provider)
        .await?
        .into_iter()
        .find(|request| request.email.eq_ignore_ascii_case(named));
    found.ok_or_else(|| Failure::refused(format!("no request of {named} waits")))
}

fn row(request: &AccessRequest) -> Value {
    json!({
        "id": request.id.to_string(),
        "email": request.email,
        "name": request.name,
        "reason": request.reason,
        "created_at": request.created_at.rfc3339(),
    })
}
