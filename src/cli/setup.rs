//! `setup`: a new one-time link for an administrator's account.

use serde_json::json;

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::flow::operations::setup::{self, SetupLink};
use crate::flow::{Call, Provider};

pub(super) async fn run(provider: &Provider, call: &Call, json: Json) -> Result<Output, Failure> {
    let link = setup::new_link(provider, call).await?;
    let value = json!({ "url": link.url.expose(), "expires_at": link.expires_at.rfc3339() });
    Ok(Output::either(json.shape(), &value, || sentence(&link)))
}

/// What is told of a link.
pub(super) fn sentence(link: &SetupLink) -> String {
    format!(
        "Make an administrator's account here, within an hour; the link works once:\n\n  {}\n\n",
        link.url.expose()
    )
}
