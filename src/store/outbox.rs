//! The outbox: mail that is written with the change it tells of, and sent afterwards, with retry.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Id, Timestamp};
use crate::sql::{self, Record, Row};

/// A mail to write.
#[derive(Clone, Debug)]
pub struct OutboxMail {
    /// Which one: a name of `view`.
    pub kind: &'static str,
    /// To whom.
    pub recipient: String,
    /// In which language.
    pub locale: String,
    /// What it says, as JSON under the master key: it may hold links that let people in.
    pub sealed: Vec<u8>,
}

/// A mail as it is stored.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// The row.
    pub id: Id<OutboxMail>,
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
    /// When it was sent, if it was.
    pub sent_at: Option<Timestamp>,
    /// Why it was not, if it was tried.
    pub error: Option<String>,
}

impl Record for OutboxRow {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            kind: row.text("kind")?,
            recipient: row.text("recipient")?,
            locale: row.text("locale")?,
            sealed: row.bytes("sealed")?,
            created_at: row.time("created_at")?,
            attempts: row.int("attempts")?,
            sent_at: row.maybe_time("sent_at")?,
            error: row.maybe_text("error")?,
        })
    }
}

const LIST_NEWEST: &str = "
select id, kind, recipient, locale, sealed, created_at, attempts, sent_at, error
from outbox
order by id desc
limit $1";

const LIST_DUE: &str = "
select id, kind, recipient, locale, sealed, created_at, attempts, sent_at, error
from outbox
where next_at <= $1
order by next_at
limit $2";

const WAITING: &str = "
select count(*) as number, min(created_at) as oldest
from (
  select created_at
  from outbox
  where next_at is not null
  order by next_at
  limit $1
) as waiting";

/// How many mails wait.
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
    /// How many mails wait to be sent; no more than `most` are looked at.
    pub async fn waiting_mails(&mut self, most: u32) -> Result<WaitingMails, Error> {
        Ok(self.sql(WAITING).bind(most).one().await?)
    }

    /// The newest mails, sent or not.
    pub async fn list_outbox(&mut self, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        Ok(self.sql(LIST_NEWEST).bind(limit).all().await?)
    }

    /// Mails whose time has come.
    pub async fn list_due_mails(&mut self, now: Timestamp, limit: u32) -> Result<Vec<OutboxRow>, Error> {
        Ok(self.sql(LIST_DUE).bind(now).bind(limit).all().await?)
    }
}

const ADD: &str = "
insert into outbox (id, kind, recipient, locale, sealed, created_at, next_at, attempts)
values ($1, $2, $3, $4, $5, $6, $6, 0)";

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

const FAILED: &str = "
update outbox
set error = $2, next_at = $3
where id = $1";

impl Write {
    /// Adds a mail, due at once.
    pub async fn add_mail(&mut self, mail: &OutboxMail, now: Timestamp) -> Result<(), Error> {
        self.sql(ADD)
            .bind(Id::<OutboxMail>::new(now))
            .bind(mail.kind)
            .bind(mail.recipient.as_str())
            .bind(mail.locale.as_str())
            .bind(mail.sealed.clone())
            .bind(now)
            .changed()
            .await?;
        Ok(())
    }

    /// Takes a due mail for sending until `until`. False if another node has it.
    pub async fn claim_mail(&mut self, id: Id<OutboxMail>, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(CLAIM).bind(id).bind(now).bind(until).changed().await? == 1)
    }

    /// Forgets mails that were written before `before`, a bounded number.
    pub async fn sweep_mails(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }

    /// Remembers that a mail was sent.
    pub async fn mark_mail_sent(&mut self, id: Id<OutboxMail>, at: Timestamp) -> Result<(), Error> {
        self.sql(SENT).bind(id).bind(at).changed().await?;
        Ok(())
    }

    /// Remembers why a mail was not sent, and when to try again; never, if `next` is none.
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
