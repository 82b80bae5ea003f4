//! `resources`: APIs with an audience and scopes of their own, from a terminal.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::flow::operations::inventory;
use crate::flow::operations::resources::{self, NewResource, ResourceChange};
use crate::flow::{Call, Provider};
use crate::model::{AccessTokenFormat, Resource, setting};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Resources {
    /// List resources.
    List(Json),
    /// Make a resource.
    Create {
        /// Its identifier: an absolute URI without a fragment, the `aud` of its tokens.
        identifier: String,
        #[command(flatten)]
        shape: ShapeOfTokens,
    },
    /// Change a resource: what is not named stays.
    Change {
        /// Its identifier.
        identifier: String,
        #[command(flatten)]
        shape: ShapeOfTokens,
    },
    /// Delete a resource.
    Delete {
        /// Its identifier.
        identifier: String,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct ShapeOfTokens {
    /// A name to show.
    #[arg(long)]
    name: Option<String>,
    /// A scope that it knows, again for each: all of them as a whole.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The shape of its tokens, `jwt` or `opaque`.
    #[arg(long, value_name = "FORMAT")]
    access_token_format: Option<AccessTokenFormat>,
    /// How long its tokens are good for at most, as in 90s or 10m.
    #[arg(long, value_name = "TIME")]
    access_token_lifetime: Option<String>,
}

impl ShapeOfTokens {
    fn lifetime(&self) -> Result<Option<Duration>, Failure> {
        let read = |text: &String| {
            setting::parse_duration(text)
                .ok_or_else(|| Failure::usage("--access-token-lifetime: a time, as in 90s or 10m"))
        };
        self.access_token_lifetime.as_ref().map(read).transpose()
    }
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Resources) -> Result<Output, Failure> {
    match command {
        Resources::List(json) => {
            let rows: Vec<Value> = inventory::resources(provider).await?.iter().map(row).collect();
            let columns = [
                "identifier",
                "name",
                "scopes",
                "access_token_format",
                "access_token_lifetime",
            ];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Resources::Create { identifier, shape } => {
            let new = NewResource {
                access_token_lifetime: shape.lifetime()?,
                identifier,
                name: shape.name,
                scopes: shape.scopes,
                access_token_format: shape.access_token_format,
            };
            let made = resources::create(provider, call, new).await?;
            Ok(Output::line(format!("{} is there", made.identifier)))
        }
        Resources::Change { identifier, shape } => {
            let resource = find(provider, &identifier).await?;
            let change = ResourceChange {
                access_token_lifetime: shape.lifetime()?.map(Some),
                name: shape.name.map(Some),
                scopes: (!shape.scopes.is_empty()).then_some(shape.scopes),
                access_token_format: shape.access_token_format.map(Some),
            };
            resources::change(provider, call, resource.id, None, change).await?;
            Ok(Output::line(format!("{identifier} is changed")))
        }
        Resources::Delete { identifier } => {
            let resource = find(provider, &identifier).await?;
            resources::delete(provider, call, resource.id, None).await?;
            Ok(Output::line(format!("{identifier} is deleted")))
        }
    }
}

async fn find(provider: &Provider, identifier: &str) -> Result<Resource, Failure> {
    let all = inventory::resources(provider).await?;
    let found = all.into_iter().find(|resource| resource.identifier == identifier);
    found.ok_or_else(|| Failure::refused(format!("there is no resource {identifier}")))
}

fn row(resource: &Resource) -> Value {
    json!({
        "id": resource.id.to_string(),
        "identifier": resource.identifier,
        "name": resource.name,
        "scopes": resource.scopes.iter().collect::<Vec<&str>>(),
        "access_token_format": resource.access_token_format.map(|format| format.to_string()),
        "access_token_lifetime": resource.access_token_lifetime.map(setting::write_duration),
    })
}
