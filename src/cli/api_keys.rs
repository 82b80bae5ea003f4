//! `api-keys`: keys of scripts to the administration API, from a terminal.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::users;
use crate::flow::operations::inventory;
use crate::flow::people::Rights;
use crate::flow::people::api_keys::{self, ApiKey, KeyOwner, Maker, NewApiKey};
use crate::flow::{Call, Provider};
use crate::model::{Timestamp, setting};

/// So many keys are shown.
const MOST_LISTED: u32 = 1_000;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum ApiKeys {
    /// List keys, the newest first.
    List(Json),
    /// Make a key, shown this once.
    Create {
        /// What it is for.
        name: String,
        #[command(flatten)]
        owner: Owner,
        /// What it may do at most, again for each: `admin:users.read`.
        #[arg(long = "scope", value_name = "PERMISSION", required = true)]
        scopes: Vec<String>,
        /// How long it lives, a year at most.
        #[arg(long, default_value = "90d")]
        life: String,
        #[command(flatten)]
        json: Json,
    },
    /// Revoke a key.
    Revoke {
        /// Its id.
        id: String,
    },
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Owner {
    /// The user it acts as: username or mail address.
    #[arg(long)]
    user: Option<String>,
    /// The client it acts as: its `client_id`.
    #[arg(long)]
    client: Option<String>,
}

pub(super) async fn run(provider: &Provider, call: &Call, command: ApiKeys) -> Result<Output, Failure> {
    match command {
        ApiKeys::List(json) => {
            let page = api_keys::list(provider, None, MOST_LISTED).await?;
            let rows: Vec<Value> = page.items.iter().map(|key| row(key, call.now)).collect();
            let columns = [
                "id",
                "name",
                "beginning",
                "scopes",
                "status",
                "expires_at",
                "last_used_at",
            ];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        ApiKeys::Create {
            name,
            owner,
            scopes,
            life,
            json,
        } => {
            let owner = match (owner.user, owner.client) {
                (Some(user), _) => KeyOwner::User(users::find(provider, &user).await?.id),
                (None, Some(client)) => KeyOwner::Client(inventory::client(provider, &client).await?.id),
                (None, None) => return Err(Failure::usage("--user or --client: as whom the key acts")),
            };
            let life =
                setting::parse_duration(&life).ok_or_else(|| Failure::usage("--life: a time, as in 24h or 90d"))?;
            let new = NewApiKey {
                name,
                owner,
                scopes,
                life,
            };
            let maker = Maker {
                rights: &Rights::All,
                key: None,
            };
            let (key, secret) = api_keys::create(provider, call, maker, new).await?;
            let expires_at = key.expires_at.rfc3339();
            let value = json!({ "id": key.id.to_string(), "key": secret.expose(), "expires_at": expires_at });
            Ok(Output::either(json.shape(), &value, || {
                format!("{}\nShown this once; it is good until {expires_at}.\n", secret.expose())
            }))
        }
        ApiKeys::Revoke { id } => {
            let id = id.parse().map_err(|_| Failure::usage("that is not an id"))?;
            api_keys::revoke(provider, call, id).await?;
            Ok(Output::line("the key is revoked"))
        }
    }
}

fn row(key: &ApiKey, now: Timestamp) -> Value {
    let (user, client) = match key.owner {
        KeyOwner::User(id) => (Some(id.to_string()), None),
        KeyOwner::Client(id) => (None, Some(id.to_string())),
    };
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "beginning": key.beginning,
        "scopes": key.scopes.to_string(),
        "user": user,
        "client": client,
        "status": api_keys::state(key, now),
        "created_at": key.created_at.rfc3339(),
        "expires_at": key.expires_at.rfc3339(),
        "last_used_at": key.last_used_at.map(Timestamp::rfc3339),
    })
}
