//! What became of mails and text messages: whether each was sent, how often it was tried, and what the mail server said. What they say is told nowhere.

use crate::flow::people::Page;
use crate::flow::people::users::position;
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{Channel, EventKind, Fact, Id, Timestamp};
pub use crate::store::MailSelection;
use crate::store::{OutboxMail, OutboxRow};

/// How it stands with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStatus {
    /// It is sent at the next chance, or tried again.
    Waiting,
    /// The mail server has it.
    Sent,
    /// It was given up.
    Failed,
}

impl MessageStatus {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

/// A mail, without what it says.
#[derive(Clone, Debug)]
pub struct Message {
    /// The row.
    pub id: Id<OutboxMail>,
    /// By which way it goes.
    pub channel: Channel,
    /// Which one.
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// In which language.
    pub locale: String,
    /// How it stands.
    pub status: MessageStatus,
    /// How often it was tried.
    pub attempts: i64,
    /// Why it was not taken the last time.
    pub error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
}

impl From<OutboxRow> for Message {
    fn from(row: OutboxRow) -> Self {
        let status = match (row.sent_at, row.next_at) {
            (Some(_), _) => MessageStatus::Sent,
            (None, Some(_)) => MessageStatus::Waiting,
            (None, None) => MessageStatus::Failed,
        };
        Self {
            id: row.id,
            channel: row.channel,
            kind: row.kind,
            recipient: row.recipient,
            locale: row.locale,
            status,
            attempts: row.attempts,
            error: row.error,
            created_at: row.created_at,
            next_at: row.next_at,
            sent_at: row.sent_at,
        }
    }
}

/// A page of mails, the newest first.
///
/// # Errors
/// [`Error::Invalid`] for a position of another list.
pub async fn list(
    provider: &Provider,
    selection: &MailSelection,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Message>, Error> {
    let before = position(after)?;
    let mut store = provider.store.read().await?;
    let rows = store.list_mails(selection, before, limit.saturating_add(1)).await?;
    let messages: Vec<Message> = rows.into_iter().map(Message::from).collect();
    Ok(Page::cut(messages, limit, |message| message.id.to_string()))
}

/// One mail.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(provider: &Provider, id: Id<OutboxMail>) -> Result<Message, Error> {
    let found = provider.store.read().await?.find_mail(id).await?;
    found.map(Message::from).ok_or(Error::NotFound)
}

/// Has a mail sent that was given up.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `not_given_up` for one that was sent, or is tried again anyway.
pub async fn send_again(provider: &Provider, call: &Call, id: Id<OutboxMail>) -> Result<Message, Error> {
    let mut tx = provider.store.write().await?;
    let done = async {
        if !tx.send_mail_again(id, call.now).await? {
            return Err(match tx.find_mail(id).await? {
                Some(_) => Error::Conflict("not_given_up"),
                None => Error::NotFound,
            });
        }
        let event = call.event(EventKind::MessageSentAgain);
        Ok(tx.add_event(&event.fact("message", Fact::Id(id.uuid()))).await?)
    }
    .await;
    settle(tx, done).await?;
    get(provider, id).await
}
