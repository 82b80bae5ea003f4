//! The outbox: mails and text messages are written with the change they tell of, and sent afterwards, again and again until they are
//! taken. Either way has a job of its own: one that stands still holds up no other.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::message_templates;
use crate::flow::letter::SEALED_FOR;
use crate::flow::{Call, Error, Provider};
use crate::mail::{self, Mailer, Message};
use crate::model::{Channel, Id, Timestamp};
use crate::sms::{self, Gateway};
use crate::store::{OutboxMail, OutboxRow};
use crate::view::{Locale, Mail, RenderedMail, Text, Views};

/// What messages are drawn and sent with.
#[derive(Clone)]
pub struct Post {
    /// The way to the mail server; without it mails wait, and are shown to administrators.
    pub mailer: Option<Mailer>,
    /// The way to whoever takes text messages; without it they wait likewise.
    pub gateway: Option<Gateway>,
    /// The pages and mails.
    pub views: Arc<Views>,
}

/// How many are sent in one go.
const BATCH: u32 = 20;
/// Who takes a message has this long to send it, before another node tries.
const CLAIMED_FOR: Duration = Duration::from_secs(120);
/// The first pause after a failure; each following is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);
/// With these pauses: after a little more than two days.
const MOST_ATTEMPTS: i64 = 18;

/// A message as administrators see it.
#[derive(Clone, Debug)]
pub struct SeenMail {
    /// The row.
    pub id: Id<OutboxMail>,
    /// By which way it goes.
    pub channel: Channel,
    /// To whom.
    pub recipient: String,
    /// What it says; of a text message the text alone.
    pub content: RenderedMail,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent, if it was.
    pub sent_at: Option<Timestamp>,
}

/// Sends the mails that are due, a bounded number. Gives how many were sent; nothing happens without a mail server.
///
/// # Errors
/// [`Error`] if the store does not answer. A mail that can't be sent is no error: it waits.
pub async fn send_due(provider: &Provider, call: &Call, post: &Post) -> Result<usize, Error> {
    match &post.mailer {
        Some(mailer) => send_each(provider, call, &post.views, Way::Mail(mailer)).await,
        None => Ok(0),
    }
}

/// The same for text messages.
///
/// # Errors
/// As [`send_due`].
pub async fn send_due_texts(provider: &Provider, call: &Call, post: &Post) -> Result<usize, Error> {
    match &post.gateway {
        Some(gateway) => send_each(provider, call, &post.views, Way::Text(gateway)).await,
        None => Ok(0),
    }
}

/// By what messages leave.
#[derive(Clone, Copy)]
enum Way<'a> {
    Mail(&'a Mailer),
    Text(&'a Gateway),
}

impl Way<'_> {
    const fn channel(self) -> Channel {
        match self {
            Self::Mail(_) => Channel::Mail,
            Self::Text(_) => Channel::Sms,
        }
    }

    async fn send(self, provider: &Provider, views: &Views, row: &OutboxRow) -> Result<(), Trouble> {
        match self {
            Self::Mail(mailer) => {
                let content = draw(provider, views, row).await.map_err(|error| match error {
                    Error::Unavailable(_) => Trouble::NotNow,
                    _ => Trouble::Unreadable,
                })?;
                mailer
                    .send(message(provider, row, content))
                    .await
                    .map_err(Trouble::Mail)
            }
            Self::Text(gateway) => {
                let text = sms::Text {
                    to: row.recipient.clone(),
                    text: draw_text(provider, views, row).map_err(|_| Trouble::Unreadable)?,
                };
                gateway.send(&text).await.map_err(Trouble::Text)
            }
        }
    }
}

async fn send_each(provider: &Provider, call: &Call, views: &Views, way: Way<'_>) -> Result<usize, Error> {
    let due = {
        let mut store = provider.store.read().await?;
        store.list_due_mails(way.channel(), call.now, BATCH).await?
    };
    let mut sent = 0;
    for row in due {
        if !claim(provider, call, row.id).await? {
            continue;
        }
        let outcome = match row.ends_at {
            Some(ends) if ends <= call.now => Err(Trouble::Over),
            _ => way.send(provider, views, &row).await,
        };
        let mut tx = provider.store.write().await?;
        match outcome {
            Ok(()) => {
                tx.mark_mail_sent(row.id, call.now).await?;
                sent += 1;
            }
            Err(trouble) => {
                let next = trouble.again(row.attempts).map(|pause| call.now.after(pause));
                // what comes too late to be of use is not tried again
                let next = next.filter(|next| row.ends_at.is_none_or(|ends| *next < ends));
                tx.mark_mail_failed(row.id, &trouble.to_string(), next).await?;
            }
        }
        tx.commit().await?;
    }
    Ok(sent)
}

/// The newest messages first, with what they say.
///
/// # Errors
/// [`Error`] if the store does not answer. A message of another program's version is left out.
pub async fn list(provider: &Provider, views: &Views, limit: u32) -> Result<Vec<SeenMail>, Error> {
    let rows = provider.store.read().await?.list_outbox(limit).await?;
    let mut seen = Vec::new();
    for row in rows {
        let content = match row.channel {
            Channel::Mail => draw(provider, views, &row).await,
            Channel::Sms => draw_text(provider, views, &row).map(|text| RenderedMail {
                subject: String::new(),
                text,
                html: String::new(),
            }),
        };
        if let Ok(content) = content {
            seen.push(SeenMail {
                id: row.id,
                channel: row.channel,
                recipient: row.recipient,
                content,
                created_at: row.created_at,
                sent_at: row.sent_at,
            });
        }
    }
    Ok(seen)
}

async fn claim(provider: &Provider, call: &Call, id: Id<OutboxMail>) -> Result<bool, Error> {
    let mut tx = provider.store.write().await?;
    let claimed = tx.claim_mail(id, call.now, call.now.after(CLAIMED_FOR)).await?;
    tx.commit().await?;
    Ok(claimed)
}

async fn draw(provider: &Provider, views: &Views, row: &OutboxRow) -> Result<RenderedMail, Error> {
    let mail: Mail = open(provider, row)?;
    let dress = message_templates::dress(provider, mail.kind(), locale(row)).await?;
    views
        .mail_in(&mail, locale(row), &dress)
        .map_err(|error| Error::Failed(Box::new(error)))
}

fn draw_text(provider: &Provider, views: &Views, row: &OutboxRow) -> Result<String, Error> {
    let text: Text = open(provider, row)?;
    Ok(views.text(&text, locale(row)))
}

fn open<T: DeserializeOwned>(provider: &Provider, row: &OutboxRow) -> Result<T, Error> {
    let json = provider
        .master
        .open(SEALED_FOR, &row.sealed)
        .map_err(|error| Error::Failed(Box::new(error)))?;
    serde_json::from_slice(&json).map_err(|error| Error::Failed(Box::new(error)))
}

fn locale(row: &OutboxRow) -> Locale {
    Locale::from_tag(&row.locale).unwrap_or(Locale::English)
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

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the message can't be read by this program")]
    Unreadable,
    #[error("the store did not answer while the mail was drawn")]
    NotNow,
    #[error("its time was over before it could be sent")]
    Over,
    #[error(transparent)]
    Mail(mail::Error),
    #[error(transparent)]
    Text(sms::Error),
}

impl Trouble {
    /// The pause before the next attempt, after `attempts` earlier ones.
    fn again(&self, attempts: i64) -> Option<Duration> {
        let is_for_now = matches!(
            self,
            Self::NotNow | Self::Mail(mail::Error::Unavailable { .. }) | Self::Text(sms::Error::Unavailable { .. })
        );
        if !is_for_now || attempts + 1 >= MOST_ATTEMPTS {
            return None;
        }
        let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(20);
        Some(FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE))
    }
}
