//! Webhooks, their secrets, and what is remembered of them so that events find their way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::{EventPatterns, Id, Timestamp, Webhook, WebhookFault};
use crate::sql::{self, Record, Row};

/// The webhooks as they were read last: what is written in a transaction is put down for those that want to be told of it.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    any: AtomicBool,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Of which epoch and generation.
    of: (i64, i64),
    webhooks: Arc<Vec<Webhook>>,
}

impl Subscriptions {
    /// Those there are; none costs nothing.
    pub(super) fn current(&self) -> Option<Arc<Vec<Webhook>>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Some(known.webhooks.clone())
    }

    /// Whether they are known as of this reading, or a later one.
    pub(super) fn are_of(&self, of: (i64, i64)) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).of >= of
    }

    /// Takes note of what was read. An older reading changes nothing.
    pub(super) fn note(&self, of: (i64, i64), webhooks: Vec<Webhook>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if of > known.of {
            self.any.store(!webhooks.is_empty(), Ordering::Release);
            *known = Known {
                of,
                webhooks: Arc::new(webhooks),
            };
        }
    }
}

impl Record for Webhook {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let fault = row.maybe_text("disabled_because")?;
        let fault = fault.map(|text| text.parse::<WebhookFault>());
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            description: row.maybe_text("description")?,
            url: row.text("url")?,
            events: EventPatterns::stored(row.json("events")?),
            enabled: row.boolean("enabled")?,
            disabled_because: fault
                .transpose()
                .map_err(|_| sql::Error::unreadable("disabled_because"))?,
            failing_since: row.maybe_time("failing_since")?,
            failures: row.int("failures")?,
            paused_until: row.maybe_time("paused_until")?,
            full_since: row.maybe_time("full_since")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A secret of a webhook, sealed.
#[derive(Clone, Debug)]
pub struct WebhookSecret {
    /// The row.
    pub id: Id<WebhookSecret>,
    /// The secret.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when deliveries are signed with it too; none: it is the one that counts.
    pub expires_at: Option<Timestamp>,
}

impl Record for WebhookSecret {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            sealed: row.bytes("sealed")?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
        })
    }
}

const LIST: &str = "
select id, name, description, url, events, enabled, disabled_because, failing_since, failures, paused_until, full_since, version,
  created_at, updated_at
from webhooks
order by name";

const FIND: &str = "
select id, name, description, url, events, enabled, disabled_because, failing_since, failures, paused_until, full_since, version,
  created_at, updated_at
from webhooks
where id = $1";

/// Those that have something to be told now.
const LIST_DUE: &str = "
select id, name, description, url, events, enabled, disabled_because, failing_since, failures, paused_until, full_since, version,
  created_at, updated_at
from webhooks
where enabled
and (paused_until is null or paused_until <= $1)
and exists (
  select 1
  from webhook_deliveries
  where webhook_deliveries.webhook_id = webhooks.id
  and webhook_deliveries.next_at <= $1)
order by id";

const LIST_APPLIED: &str = "
select name
from webhooks
where applied
order by name";

const SECRETS: &str = "
select id, sealed, created_at, expires_at
from webhook_secrets
where webhook_id = $1
and (expires_at is null or expires_at > $2)
order by created_at desc, id desc";

readers! {
    /// Every webhook, by name.
    pub async fn list_webhooks(&mut self) -> Result<Vec<Webhook>, Error> {
        Ok(self.sql(LIST).all().await?)
    }

    /// A webhook.
    pub async fn find_webhook(&mut self, id: Id<Webhook>) -> Result<Option<Webhook>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The webhooks that have something to be told now.
    pub async fn list_due_webhooks(&mut self, now: Timestamp) -> Result<Vec<Webhook>, Error> {
        Ok(self.sql(LIST_DUE).bind(now).all().await?)
    }

    /// The names of those that came by `apply`.
    pub async fn list_applied_webhooks(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }

    /// The secrets of a webhook that count at this moment, the newest first.
    pub async fn list_webhook_secrets(&mut self, id: Id<Webhook>, now: Timestamp) -> Result<Vec<WebhookSecret>, Error> {
        Ok(self.sql(SECRETS).bind(id).bind(now).all().await?)
    }
}

const ADD: &str = "
insert into webhooks (id, name, description, url, events, enabled, failures, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)";

/// Whoever changes one looks at it: what was found out about the address before is forgotten.
const CHANGE: &str = "
update webhooks
set name = $3, description = $4, url = $5, events = $6, enabled = $7, updated_at = $8, version = version + 1,
  disabled_because = null, failing_since = null, failures = 0, paused_until = null
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update webhooks
set applied = $2
where id = $1";

const DELETE: &str = "
delete from webhooks
where id = $1";

const ADD_SECRET: &str = "
insert into webhook_secrets (id, webhook_id, sealed, created_at)
values ($1, $2, $3, $4)";

const DROP_SECRETS: &str = "
delete from webhook_secrets
where webhook_id = $1
and expires_at is not null";

const EXPIRE_SECRETS: &str = "
update webhook_secrets
set expires_at = $2
where webhook_id = $1";

const TOUCH: &str = "
update webhooks
set updated_at = $3, version = version + 1
where id = $1
and version = $2";

const REACHED: &str = "
update webhooks
set failing_since = null, failures = 0, paused_until = null
where id = $1";

const MISSED: &str = "
update webhooks
set failing_since = $2
where id = $1
and failing_since is null";

const PAUSE: &str = "
update webhooks
set failures = failures + 1, paused_until = $2
where id = $1";

const DISABLE: &str = "
update webhooks
set enabled = false, disabled_because = $2
where id = $1
and enabled";

const DISABLE_FAILING: &str = "
update webhooks
set enabled = false, disabled_because = 'unreached'
where id = $1
and enabled
and failing_since < $2";

const FILL: &str = "
update webhooks
set full_since = $2
where id = $1
and full_since is null";

const DRAIN: &str = "
update webhooks
set full_since = null
where id = $1
and full_since is not null";

impl Write {
    /// Adds a webhook. `Taken("webhooks_name")` if another is called so.
    pub async fn add_webhook(&mut self, webhook: &Webhook) -> Result<(), Error> {
        self.sql(ADD)
            .bind(webhook.id)
            .bind(webhook.name.as_str())
            .bind(webhook.description.clone())
            .bind(webhook.url.as_str())
            .bind(to_json(&webhook.events.as_slice())?)
            .bind(webhook.enabled)
            .bind(false)
            .bind(webhook.version)
            .bind(webhook.created_at)
            .bind(webhook.updated_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Changes what people say of a webhook, if its version still is the expected one. False if not. `Taken("webhooks_name")`.
    pub async fn change_webhook(&mut self, webhook: &Webhook) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(webhook.id)
            .bind(webhook.version)
            .bind(webhook.name.as_str())
            .bind(webhook.description.clone())
            .bind(webhook.url.as_str())
            .bind(to_json(&webhook.events.as_slice())?)
            .bind(webhook.enabled)
            .bind(webhook.updated_at);
        Ok(changed.changed().await? == 1)
    }

    /// Remembers that `apply` made it.
    pub fn mark_webhook_applied(&mut self, id: Id<Webhook>) {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
    }

    /// Deletes a webhook with its secrets; its deliveries go by time. False if it was not there.
    pub async fn delete_webhook(&mut self, id: Id<Webhook>) -> Result<bool, Error> {
        Ok(self.sql(DELETE).bind(id).changed().await? == 1)
    }

    /// Raises the version of a webhook, if it still is the expected one. False if not: of two changes at once one fails.
    pub async fn touch_webhook(&mut self, webhook: &Webhook, at: Timestamp) -> Result<bool, Error> {
        let touched = self.sql(TOUCH).bind(webhook.id).bind(webhook.version).bind(at);
        Ok(touched.changed().await? == 1)
    }

    /// Gives a webhook another secret. The one before counts until then, those before that no more.
    pub fn rotate_webhook_secret(&mut self, id: Id<Webhook>, secret: &WebhookSecret, before_until: Timestamp) {
        self.sql(DROP_SECRETS).bind(id).later();
        self.sql(EXPIRE_SECRETS).bind(id).bind(before_until).later();
        self.sql(ADD_SECRET)
            .bind(secret.id)
            .bind(id)
            .bind(secret.sealed.clone())
            .bind(secret.created_at)
            .later();
    }

    /// Remembers that something came through.
    pub fn webhook_reached(&mut self, id: Id<Webhook>) {
        self.sql(REACHED).bind(id).later();
    }

    /// Remembers that something did not come through.
    pub fn webhook_missed(&mut self, id: Id<Webhook>, now: Timestamp) {
        self.sql(MISSED).bind(id).bind(now).later();
    }

    /// Asks nobody there until then.
    pub fn pause_webhook(&mut self, id: Id<Webhook>, until: Timestamp) {
        self.sql(PAUSE).bind(id).bind(until).later();
    }

    /// Disables a webhook for a reason. False if it is disabled already.
    pub async fn disable_webhook(&mut self, id: Id<Webhook>, fault: WebhookFault) -> Result<bool, Error> {
        Ok(self.sql(DISABLE).bind(id).bind(fault.as_str()).changed().await? == 1)
    }

    /// Disables a webhook where nothing has come through since before then. False if something did.
    pub async fn disable_failing_webhook(&mut self, id: Id<Webhook>, before: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(DISABLE_FAILING).bind(id).bind(before).changed().await? == 1)
    }

    /// Remembers that so much waits for it that it is told of nothing more. False if that was known.
    pub async fn fill_webhook(&mut self, id: Id<Webhook>, now: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(FILL).bind(id).bind(now).changed().await? == 1)
    }

    /// Takes that back. False if it was not so.
    pub async fn drain_webhook(&mut self, id: Id<Webhook>) -> Result<bool, Error> {
        Ok(self.sql(DRAIN).bind(id).changed().await? == 1)
    }
}
