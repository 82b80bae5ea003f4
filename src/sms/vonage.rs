//! Vonage SMS API, "Send an SMS": `POST /sms/json`, a form, basic authentication by API key and API secret. Whether it was taken is told
//! by the `status` of each part of the message, not by the status of the answer.

use serde::Deserialize;
use url::Url;

use super::provider::Preset;
use super::{Error, Text, judge_status};
use crate::egress::{Answer, Outgoing};

pub(super) const USUAL: &str = "https://rest.nexmo.com";
/// GSM 03.38 section 6.2.1: what a message may hold without becoming one of half the length.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€";
/// Invalid parameters (which includes the number), invalid message, number barred, message too long, invalid network, a number that
/// is not on the list of an account that may send to some alone.
const OF_THE_MESSAGE: [u32; 6] = [3, 6, 7, 12, 22, 29];

#[derive(Deserialize)]
struct Told {
    messages: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    status: String,
}

pub(super) fn request(preset: &Preset, text: &Text) -> Result<(Url, Outgoing), Error> {
    let url = preset.url.join("/sms/json").map_err(|_| Error::Url)?;
    let digits = |number: &str| number.strip_prefix('+').unwrap_or(number).to_owned();
    let kind = match text.text.chars().all(|letter| GSM.contains(letter)) {
        true => "text",
        false => "unicode",
    };
    let (from, to) = (digits(&preset.sender), digits(&text.to));
    let fields = [
        ("from", from.as_str()),
        ("to", &to),
        ("text", &text.text),
        ("type", kind),
    ];
    Ok((url, preset.form(&fields)))
}

pub(super) fn judge(answer: &Answer) -> Result<(), Error> {
    judge_status(answer)?;
    let unknown = || Error::Unavailable { code: None };
    let told: Told = serde_json::from_slice(&answer.bytes).map_err(|_| unknown())?;
    if told.messages.is_empty() {
        return Err(unknown());
    }
    for part in told.messages {
        match part.status.parse::<u32>() {
            Ok(0) => {}
            Ok(code) if OF_THE_MESSAGE.contains(&code) => return Err(Error::Refused { code }),
            Ok(code) => return Err(Error::Unavailable { code: Some(code) }),
            Err(_) => return Err(unknown()),
        }
    }
    Ok(())
}
