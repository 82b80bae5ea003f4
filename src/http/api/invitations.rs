//! `/invitations`: mails with a link to an account of one's own.

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::{Error, people};
use crate::model::setting::LOCALE;
use crate::view::Locale;

/// Who is invited.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct InvitationBody {
    /// The address that the link is mailed to.
    #[schemars(required)]
    email: String,
    /// The language of the mail: `en`, `de` or `fr`; that of the installation unless told.
    locale: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    vec![
        Route::new(
            Method::Post,
            "/invitations",
            "admin:users",
            "Mails somebody a link to an account of their own. A newer one voids those before.",
            handler!(create),
        )
        .takes::<InvitationBody>(),
    ]
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: InvitationBody = asked.read()?;
    let locale = match body.locale.as_deref() {
        Some(text) => Locale::from_tag(text)
            .ok_or_else(|| Error::field("/locale", "malformed", "expected a language there is: en, de or fr"))?,
        None => Locale::from_tag(asked.provider().settings().await?.word(LOCALE)).unwrap_or_default(),
    };
    people::invite(asked.provider(), asked.call(), body.email, locale).await?;
    Ok(Answer::done())
}
