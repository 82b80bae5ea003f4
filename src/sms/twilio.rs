//! Twilio Programmable Messaging, "Create a Message resource": `POST /2010-04-01/Accounts/{AccountSid}/Messages.json`, a form, basic
//! authentication by Account SID and Auth Token; 201 when it is queued.

use serde::Deserialize;
use url::Url;

use super::provider::Preset;
use super::{Error, Text, judge_status};
use crate::egress::{Answer, Outgoing};

pub(super) const USUAL: &str = "https://api.twilio.com";
/// What a sender begins with that is a pool of them.
const MESSAGING_SERVICE: &str = "MG";

#[derive(Deserialize)]
struct Refusal {
    code: u32,
}

pub(super) fn request(preset: &Preset, text: &Text) -> Result<(Url, Outgoing), Error> {
    let mut url = preset.url.clone();
    url.path_segments_mut().map_err(|()| Error::Url)?.clear().extend([
        "2010-04-01",
        "Accounts",
        &preset.account,
        "Messages.json",
    ]);
    let from = if preset.sender.starts_with(MESSAGING_SERVICE) && preset.sender.len() == 34 {
        "MessagingServiceSid"
    } else {
        "From"
    };
    let fields = [("To", text.to.as_str()), (from, &preset.sender), ("Body", &text.text)];
    Ok((url, preset.form(&fields)))
}

/// An error has a code of its own in its body; what is at fault is told by the status.
pub(super) fn judge(answer: &Answer) -> Result<(), Error> {
    let told = serde_json::from_slice::<Refusal>(&answer.bytes).ok();
    judge_status(answer).map_err(|error| match (error, told) {
        (Error::Refused { .. }, Some(told)) => Error::Refused { code: told.code },
        (Error::Unavailable { .. }, Some(told)) => Error::Unavailable { code: Some(told.code) },
        (error, _) => error,
    })
}
