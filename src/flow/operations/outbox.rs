//! The outbox: mails are written with the change they tell of, and sent afterwards, again and again until they are taken.

use std::sync::Arc;
use std::time::Duration;

use crate::flow::letter::SEALED_FOR;
use crate::flow::{Call, Error, Provider};
use crate::mail::{self, Mailer, Message};
use crate::model::{Id, Timestamp};
use crate::store::{OutboxMail, OutboxRow};
use crate::view::{Locale, Mail, RenderedMail, Views};

/// What mails are drawn and sent with.
#[derive(Clone)]
pub struct Post {
    /// The way to the mail server; without it mails wait, and are shown to administrators.
    pub mailer: Option<Mailer>,
    /// The pages and mails.
    pub views: Arc<Views>,
}

/// How many are sent in one go.
const BATCH: u32 = 20;
/// Who takes a mail has this long to send it, before another node tries.
const CLAIMED_FOR: Duration = Duration::from_secs(120);
/// The first pause after a failure; each following is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);
/// With these pauses: after a little more than two days.
const MOST_ATTEMPTS: i64 = 18;

/// A mail as administrators see it.
#[derive(Clone, Debug)]
pub struct SeenMail {
    /// The row.
    pub id: Id<OutboxMail>,
    /// To whom.
    pub recipient: String,
    /// What it says.
    pub content: RenderedMail,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent, if it was.
    pub sent_at: Option<Timestamp>,
}

/// Sends what is due, a bounded number. Gives how many were sent; nothing happens without a mail server.
///
/// # Errors
/// [`Error`] if the store does not answer. A mail that can't be sent is no error: it waits.
pub async fn send_due(provider: &Provider, call: &Call, post: &Post) -> Result<usize, Error> {
    let Some(mailer) = &post.mailer else {
        return Ok(0);
    };
    let due = provider.store.read().await?.list_due_mails(call.now, BATCH).await?;
    let mut sent = 0;
    for row in due {
        if !claim(provider, call, row.id).await? {
            continue;
        }
        let outcome = match draw(provider, &post.views, &row) {
            Ok(content) => mailer.send(message(provider, &row, content)).await.map_err(Trouble::of),
            Err(_) => Err(Trouble::Unreadable),
        };
        let mut tx = provider.store.write().await?;
        match outcome {
            Ok(()) => {
                tx.mark_mail_sent(row.id, call.now).await?;
                sent += 1;
            }
            Err(trouble) => {
                let next = trouble.again(row.attempts).map(|pause| call.now.after(pause));
                tx.mark_mail_failed(row.id, &trouble.to_string(), next).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(sent)
}

/// The newest mails first, with what they say.
///
/// # Errors
/// [`Error`] if the store does not answer. A mail of another program's version is left out.
pub async fn list(provider: &Provider, views: &Views, limit: u32) -> Result<Vec<SeenMail>, Error> {
    let rows = provider.store.read().await?.list_outbox(limit).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let content = draw(provider, views, &row).ok()?;
            Some(SeenMail {
                id: row.id,
                recipient: row.recipient,
                content,
                created_at: row.created_at,
                sent_at: row.sent_at,
            })
        })
        .collect())
}

async fn claim(provider: &Provider, call: &Call, id: Id<OutboxMail>) -> Result<bool, Error> {
    let mut tx = provider.store.write().await?;
    let claimed = tx.claim_mail(id, call.now, call.now.after(CLAIMED_FOR)).await?;
    tx.commit().await?;
    Ok(claimed)
}

fn draw(provider: &Provider, views: &Views, row: &OutboxRow) -> Result<RenderedMail, Error> {
    let json = provider
        .master
        .open(SEALED_FOR, &row.sealed)
        .map_err(|error| Error::Failed(Box::new(error)))?;
    let mail: Mail = serde_json::from_slice(&json).map_err(|error| Error::Failed(Box::new(error)))?;
    let locale = Locale::from_tag(&row.locale).unwrap_or(Locale::English);
    views
        .mail(&mail, locale)
        .map_err(|error| Error::Failed(Box::new(error)))
}

fn message(provider: &Provider, row: &OutboxRow, content: RenderedMail) -> Message {
    let host = provider.issuer.url().domain().unwrap_or("localhost");
    Message {
        to: row.recipient.clone(),
        subject: content.subject,
        text: content.text,
        html: content.html,
        // the same at every attempt, so that mail programs see one mail
        message_id: format!("{}@{host}", row.id),
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the mail can't be read by this program")]
    Unreadable,
    #[error(transparent)]
    ForGood(mail::Error),
    #[error(transparent)]
    ForNow(mail::Error),
}

impl Trouble {
    fn of(error: mail::Error) -> Self {
        match error {
            mail::Error::Unavailable { .. } => Self::ForNow(error),
            other => Self::ForGood(other),
        }
    }

    /// The pause before the next attempt, after `attempts` earlier ones.
    fn again(&self, attempts: i64) -> Option<Duration> {
        if !matches!(self, Self::ForNow(_)) || attempts + 1 >= MOST_ATTEMPTS {
            return None;
        }
        let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(20);
        Some(FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE))
    }
}
