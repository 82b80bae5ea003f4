//! `/messages`: what became of mails, the newest first. What they say is told nowhere.

use schemars::JsonSchema;
use serde::Serialize;

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::messages::{self, MailSelection, Message};

const READ: &str = "admin:messages.read";
const WRITE: &str = "admin:messages";

const LIST: ListRule = ListRule {
    sorts: &[],
    filters: &["recipient", "status"],
    words: Words::Refused,
    count: Count::Refused,
};

/// A mail, without what it says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Message")]
struct MessageBody {
    /// Its id, which the mail bears in its `Message-ID`.
    id: String,
    /// By which way it goes: `mail` or `sms`.
    channel: String,
    /// Which one.
    kind: String,
    /// To whom.
    recipient: String,
    /// In which language.
    locale: String,
    /// `waiting` (to be sent, or tried again), `sent` or `failed`.
    status: String,
    /// How often it was tried.
    attempts: i64,
    /// Why it was not taken the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it was written.
    created_at: String,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<String>,
    /// When the mail server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/messages",
            READ,
            "Lists mails and what became of them, the newest first.",
            handler!(list),
        )
        .listed(&LIST)
        .gives::<PageBody<MessageBody>>(),
        route(
            Method::Get,
            "/messages/{id}",
            READ,
            "Tells what became of a mail.",
            handler!(get),
        )
        .gives::<MessageBody>(),
        route(
            Method::Post,
            "/messages/{id}/send-again",
            WRITE,
            "Sends a mail again that was given up.",
            handler!(send_again),
        )
        .gives::<MessageBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let selection = match &listed.filter {
        None => MailSelection::All,
        Some(("recipient", recipient)) => MailSelection::To(recipient.clone()),
        Some((_, status)) => match status.as_str() {
            "waiting" => MailSelection::Waiting,
            "failed" => MailSelection::Failed,
            _ => return Err(Problem::bad_request("filter", "a status is waiting or failed")),
        },
    };
    let page = messages::list(asked.provider(), &selection, listed.after.as_deref(), listed.limit).await?;
    listed.answer(&asked, page, None, MessageBody::from)
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    Answer::of(&MessageBody::from(
        messages::get(asked.provider(), asked.id("id")?).await?,
    ))
}

async fn send_again(asked: Asked) -> Result<Answer, Problem> {
    let sent = messages::send_again(asked.provider(), asked.call(), asked.id("id")?).await?;
    Answer::of(&MessageBody::from(sent))
}

impl From<Message> for MessageBody {
    fn from(message: Message) -> Self {
        Self {
            id: message.id.to_string(),
            channel: message.channel.as_str().to_owned(),
            kind: message.kind,
            recipient: message.recipient,
            locale: message.locale,
            status: message.status.as_str().to_owned(),
            attempts: message.attempts,
            error: message.error,
            created_at: message.created_at.rfc3339(),
            next_at: message.next_at.map(|at| at.rfc3339()),
            sent_at: message.sent_at.map(|at| at.rfc3339()),
        }
    }
}
