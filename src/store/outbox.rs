//! The outbox: mails and text messages that are written with the change they tell of, and sent afterwards, with retry.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Channel, Id, Timestamp};
use crate::sql::{self, Record, Row};

/// A message to write.
#[derive(Clone, Debug)]
pub struct OutboxMail {
    /// By which way it goes.
    pub channel: Channel,
    /// Which one: a name of `view`.
    pub kind: &'static str,
    /// To whom: a mail address, or a number.
    pub recipient: String,
    /// In which language.
    pub locale: String,
    /// What it says, as JSON under the master key: it may hold links that let people in.
    pub sealed: Vec<u8>,
    /// When it is of no use any more, if that is known.
    pub ends_at: Option<Timestamp>,
}

/// A message as it is stored.
#[derive(Clone, Debug)]
pub struct OutboxRow {
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
    /// What it says, sealed.
    pub sealed: Vec<u8>,
    /// When it was written.
    pub created_at: Timestamp,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, if it is.
    pub next_at: Option<Timestamp>,
    /// When it was sent, if it was.
    pub sent_at: Option<Timestamp>,
    /// Why it was not, if it was tried.
    pub error: Option<String>,
    /// When it is of no use any more, if that is known.
    pub ends_at: Option<Timestamp>,
}

impl Record for OutboxRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            channel: row.named("channel")?,
            kind: row.text("kind")?,
            recipient: row.text("recipient")?,
            locale: row.text("locale")?,
            sealed: row.bytes("sealed")?,
            created_at: row.time("created_at")?,
            attempts: row.int("attempts")?,
            next_at: row.maybe_time("next_at")?,
            sent_at: row.maybe_time("sent_at")?,
            error: row.maybe_text("error")?,
            ends_at: row.maybe_time("ends_at")?,
        })
    }
}

const LIST_NEWEST: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
order by id desc
limit $1";

const LIST_ALL: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where id < $1
order by id desc
limit $2";

const LIST_TO: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where id < $1
and recipient = $3
order by id desc
limit $2";

const LIST_WAITING: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where id < $1
and sent_at is null
and next_at is not null
order by id desc
limit $2";

const LIST_FAILED: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where id < $1
and sent_at is null
and next_at is null
order by id desc
limit $2";

const FIND: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where id = $1";

/// Which mails are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailSelection {
    /// All.
    All,
    /// Those to this address, as it was written.
    To(String),
    /// Those that are sent, or tried again.
    Waiting,
    /// Those that are given up.
    Failed,
}

const LIST_DUE: &str = "
select id, channel, kind, recipient, locale, sealed, created_at, attempts, next_at, sent_at, error, ends_at
from outbox
where channel = $1
and next_at <= $2
order by next_at
limit $3";

const WAITING: &str = "
select count(*) as number, min(created_at) as oldest
from (
  select created_at
  from outbox
  where next_at is not null
  order by next_at
  limit $1
) as waiting";

/// How many messages wait.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaitingMails {
    /// How many, up to the number asked for.
    pub number: i64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
}

impl Record for WaitingMails {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            number: row.int("number")?,
            oldest: row.maybe_time("oldest")?,
        })
    }
}

readers! {
    /// How many messages wait to be sent; no more than `most` are looked at.
    pub async fn waiting_mails(&mut self, most: u32) -> Result<WaitingMails, Error> {
        Ok(self.sql(WAITING).bind(most).one().await?)
    }

    /// The newest messages, sent or not.
    pub async fn list_outbox(&mut self, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        Ok(self.sql(LIST_NEWEST).bind(limit).all().await?)
    }

    /// Mails before this one, the newest first.
    pub async fn list_mails(&mut self, selection: &MailSelection, before: Option<Id<OutboxMail>>, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        let before = before.unwrap_or(Id::from_uuid(uuid::Uuid::max()));
        Ok(match selection {
            MailSelection::All => self.sql(LIST_ALL).bind(before).bind(limit).all().await?,
            MailSelection::To(recipient) => {
                self.sql(LIST_TO).bind(before).bind(limit).bind(recipient.as_str()).all().await?
            }
            MailSelection::Waiting => self.sql(LIST_WAITING).bind(before).bind(limit).all().await?,
            MailSelection::Failed => self.sql(LIST_FAILED).bind(before).bind(limit).all().await?,
        })
    }

    /// One mail.
    pub async fn find_mail(&mut self, id: Id<OutboxMail>) -> Result<Option<OutboxRow>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// Messages of a way whose time has come.
    pub async fn list_due_mails(
        &mut self,
        channel: Channel,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<OutboxRow>, Error> {
        Ok(self.sql(LIST_DUE).bind(channel.as_str()).bind(now).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into outbox (id, channel, kind, recipient, locale, sealed, ends_at, created_at, next_at, attempts)
values ($1, $2, $3, $4, $5, $6, $7, $8, $8, 0)";

const CLAIM: &str = "
update outbox
set next_at = $3, attempts = attempts + 1
where id = $1
and next_at <= $2";

const SENT: &str = "
update outbox
set sent_at = $2, next_at = null, error = null
where id = $1";

const SWEEP: &str = "
delete from outbox
where id in (select id from outbox where created_at < $1 order by created_at limit $2)";

const AGAIN: &str = "
update outbox
set next_at = $2, attempts = 0
where id = $1
and sent_at is null
and next_at is null";

const FAILED: &str = "
update outbox
set error = $2, next_at = $3
where id = $1";

impl Write {
    /// Adds a message, due at once.
    pub async fn add_mail(&mut self, mail: &OutboxMail, now: Timestamp) -> Result<(), Error> {
        self.sql(ADD)
            .bind(Id::<OutboxMail>::new(now))
            .bind(mail.channel.as_str())
            .bind(mail.kind)
            .bind(mail.recipient.as_str())
            .bind(mail.locale.as_str())
            .bind(mail.sealed.clone())
            .bind(mail.ends_at)
            .bind(now)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes a due message for sending until `until`. False if another node has it.
    pub async fn claim_mail(&mut self, id: Id<OutboxMail>, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(CLAIM).bind(id).bind(now).bind(until).changed().await? == 1)
    }

    /// Forgets messages that were written before `before`, a bounded number.
    pub async fn sweep_mails(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }

    /// Remembers that a message was sent.
    pub async fn mark_mail_sent(&mut self, id: Id<OutboxMail>, at: Timestamp) -> Result<(), Error> {
        self.sql(SENT).bind(id).bind(at).changed().await?;
        Ok(())
    }

    /// Has a mail sent that was given up. False if it was not.
    pub async fn send_mail_again(&mut self, id: Id<OutboxMail>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(AGAIN).bind(id).bind(now).changed().await? == 1)
    }

    /// Remembers why a message was not sent, and when to try again; never, if `next` is none.
    pub async fn mark_mail_failed(
        &mut self,
        id: Id<OutboxMail>,
        error: &str,
        next: Option<Timestamp>,
    ) -> Result<(), Error> {
        self.sql(FAILED).bind(id).bind(error).bind(next).changed().await?;
        Ok(())
    }
}
