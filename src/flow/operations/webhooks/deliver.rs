//! Telling webhooks: each by itself, so that one that does not answer keeps nobody else waiting; again and again for about a day.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use url::Url;

use super::{event, secrets};
use crate::clock;
use crate::egress::{Limits, Outgoing, Reason};
use crate::flow::again::again;
use crate::flow::operations::forget;
use crate::flow::{Call, Error, Provider, signed};
use crate::model::{DeliveryOutcome, Event, EventKind, Fact, Id, Secret, Timestamp, Webhook, WebhookFault};
use crate::store::{DeliveryRow, EventRow};

/// So many are taken at a time of one that answers; of one that does not, one.
const BATCH: u32 = 8;
/// So many go to one address at once.
const AT_ONCE: usize = 2;
/// What an address may take to answer. Nothing of the answer is read.
const LIMITS: Limits = Limits {
    bytes: 0,
    time: Duration::from_secs(10),
};
/// The same for a test: what comes back is shown.
const SHOWN: Limits = Limits { bytes: 1_000, ..LIMITS };
/// Who takes some has this long, before another node tries: more than the four rounds of a batch take.
const CLAIMED_FOR: Duration = Duration::from_secs(60);
/// What has not come to its end goes on at once for so long.
const GO_ON_FOR: Duration = Duration::from_secs(5);
/// The pauses between the attempts at one event, about a day altogether; after the last attempt it is given up.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(4 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
];
/// How long an address is left alone at which nobody was reached: twice as long each time.
const LEFT_ALONE: Duration = Duration::from_secs(5);
const LONGEST_LEFT_ALONE: Duration = Duration::from_secs(10 * 60);
/// A webhook at which nothing has come through for so long is disabled.
const DISABLED_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Taken: 2xx.
    Done(u16),
    /// There is nobody any more who would take it: 410.
    Gone,
    /// Not now: 429, 502, 503, 504.
    Later(u16),
    /// Another answer.
    Answered(u16),
    /// Nothing of ours goes there: the address is not one that this server asks.
    Forbidden,
    /// No answer.
    Unreached,
    /// The event is not in the audit log any more.
    Forgotten,
}

impl Attempt {
    fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Done(status),
            410 => Self::Gone,
            429 | 502 | 503 | 504 => Self::Later(status),
            status => Self::Answered(status),
        }
    }

    fn without(reason: Reason) -> Self {
        match reason {
            Reason::Scheme | Reason::Port | Reason::UserInfo | Reason::Host | Reason::Address => Self::Forbidden,
            _ => Self::Unreached,
        }
    }

    const fn status(self) -> Option<u16> {
        match self {
            Self::Done(status) | Self::Later(status) | Self::Answered(status) => Some(status),
            Self::Gone => Some(410),
            Self::Forbidden | Self::Unreached | Self::Forgotten => None,
        }
    }

    /// For the log of deliveries. Why nobody was reached is not told: it would tell what is behind the address.
    const fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Done(_) => None,
            Self::Gone => Some("the address says that it is there no more"),
            Self::Later(_) | Self::Answered(_) => Some("the address did not take it"),
            Self::Forbidden => Some("the address is not one that this server may ask"),
            Self::Unreached => Some("the address was not reached"),
            Self::Forgotten => Some("the event is not in the audit log any more"),
        }
    }
}

/// The webhooks that are to be told something now. Without any webhook nothing is asked.
///
/// # Errors
/// [`Error`] if the store does not answer.
pub async fn due(provider: &Provider, call: &Call) -> Result<Vec<Webhook>, Error> {
    if provider.store.known_webhooks().is_none() {
        return Ok(Vec::new());
    }
    Ok(provider.store.read().await?.list_due_webhooks(call.now).await?)
}

/// Tells one of what it is to be told now, for a while.
///
/// # Errors
/// [`Error`] if the store does not answer. What can't be told is no error: it is tried again, or given up.
pub async fn deliver_to(provider: &Provider, webhook: &Webhook) -> Result<(), Error> {
    let began = clock::monotonic();
    let batch = if webhook.failures > 0 { 1 } else { BATCH };
    loop {
        let call = Call::system(&provider.clock);
        let goes_on = deliver_some(provider, &call, webhook, batch).await?;
        if !goes_on || batch == 1 || began.elapsed() > GO_ON_FOR {
            return Ok(());
        }
    }
}

/// Whether there may be more, and it makes sense to go on.
async fn deliver_some(provider: &Provider, call: &Call, webhook: &Webhook, batch: u32) -> Result<bool, Error> {
    let mut store = provider.store.read().await?;
    let due = store.list_due_deliveries(webhook.id, call.now, batch).await?;
    drop(store);
    let claimed = claim(provider, call, due).await?;
    if claimed.is_empty() {
        return Ok(false);
    }
    let secrets = secrets(provider, webhook.id, call.now).await?;
    let mut attempts: Vec<(DeliveryRow, Attempt)> = Vec::with_capacity(claimed.len());
    let mut untried = claimed.as_slice();
    while let Some((some, rest)) = untried
        .split_at_checked(AT_ONCE.min(untried.len()))
        .filter(|(some, _)| !some.is_empty())
    {
        let told = join_all(some.iter().map(|row| tell(provider, webhook, &secrets, row))).await;
        untried = rest;
        let told: Vec<Attempt> = told.into_iter().collect::<Result<_, Error>>()?;
        let is_off = told
            .iter()
            .any(|attempt| !matches!(attempt, Attempt::Done(_) | Attempt::Answered(_) | Attempt::Forgotten));
        attempts.extend(some.iter().cloned().zip(told));
        if is_off {
            break;
        }
    }
    let now = Call::system(&provider.clock).now;
    again(|| write_down(provider, now, webhook, &attempts, untried)).await?;
    judge(provider, call, webhook, &attempts).await?;
    Ok(untried.is_empty())
}

async fn claim(provider: &Provider, call: &Call, mut due: Vec<DeliveryRow>) -> Result<Vec<DeliveryRow>, Error> {
    if due.is_empty() {
        return Ok(due);
    }
    // every node takes rows in the same order, so that none waits for one that waits for it
    due.sort_by_key(|row| row.event);
    let mut claimed = Vec::with_capacity(due.len());
    let mut tx = provider.store.write().await?;
    for mut row in due {
        if tx
            .claim_delivery(&mut row, call.now, call.now.after(CLAIMED_FOR))
            .await?
        {
            claimed.push(row);
        }
    }
    tx.commit().await?;
    Ok(claimed)
}

async fn tell(provider: &Provider, webhook: &Webhook, secrets: &[Secret], row: &DeliveryRow) -> Result<Attempt, Error> {
    let found = provider.store.read().await?.find_event(row.event).await?;
    let Some(event) = found else {
        return Ok(Attempt::Forgotten);
    };
    let body = payload(&event).to_string();
    Ok(post(provider, webhook, secrets, (&row.event.to_string(), body), LIMITS)
        .await
        .0)
}

/// Posts a message. Gives what came of it, and the beginning of what came back.
async fn post(
    provider: &Provider,
    webhook: &Webhook,
    secrets: &[Secret],
    (id, body): (&str, String),
    limits: Limits,
) -> (Attempt, Vec<u8>) {
    let Ok(url) = Url::parse(&webhook.url) else {
        return (Attempt::Forbidden, Vec::new());
    };
    let request = Outgoing {
        method: "POST",
        headers: signed::headers(secrets, id, Call::system(&provider.clock).now, &body),
        body: Some(Secret::new(body)),
    };
    match provider.egress.tell(&url, &request, limits).await {
        Ok(answer) => (Attempt::of(answer.status), answer.bytes),
        Err(error) => match error.reason() {
            // it leads elsewhere, and is not followed
            Reason::Redirect => (Attempt::Answered(302), Vec::new()),
            reason => (Attempt::without(reason), Vec::new()),
        },
    }
}

/// What a receiver is told: the event as `GET /events` tells it.
fn payload(event: &EventRow) -> Value {
    json!({
        "type": event.kind,
        "timestamp": event.at.rfc3339(),
        "data": {
            "id": event.id.to_string(),
            "at": event.at.rfc3339(),
            "kind": event.kind,
            "outcome": event.outcome,
            "reason": event.reason,
            "actor_kind": event.actor_kind,
            "actor_id": event.actor_id.map(|id| id.to_string()),
            "user": event.user.map(|id| id.to_string()),
            "client": event.client.map(|id| id.to_string()),
            "address": event.address,
            "trace_id": event.trace,
            "facts": event.facts,
        },
    })
}

async fn write_down(
    provider: &Provider,
    now: Timestamp,
    webhook: &Webhook,
    attempts: &[(DeliveryRow, Attempt)],
    untried: &[DeliveryRow],
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    for (row, attempt) in attempts {
        let sentence = attempt.sentence();
        let tried = usize::try_from(row.attempts).unwrap_or(usize::MAX);
        let said = (attempt.status(), sentence);
        match (attempt, PAUSES.get(tried)) {
            (Attempt::Done(_), _) => tx.finish_delivery(row, DeliveryOutcome::Delivered, said, now),
            (Attempt::Forgotten, _) | (_, None) => tx.finish_delivery(row, DeliveryOutcome::GivenUp, said, now),
            (_, Some(pause)) => {
                let said = (attempt.status(), sentence.unwrap_or_default());
                tx.put_off_delivery(row, said, now.after(*pause));
            }
        }
    }
    for row in untried {
        tx.release_delivery(row, now);
    }
    let reached = attempts.iter().any(|(_, attempt)| matches!(attempt, Attempt::Done(_)));
    let is_off = |attempt: Attempt| matches!(attempt, Attempt::Later(_) | Attempt::Forbidden | Attempt::Unreached);
    if reached && (webhook.failing_since.is_some() || webhook.failures > 0) {
        tx.webhook_reached(webhook.id);
    } else if !reached && webhook.failing_since.is_none() {
        tx.webhook_missed(webhook.id, now);
    }
    if attempts.iter().any(|(_, attempt)| is_off(*attempt)) {
        let doubled = u32::try_from(webhook.failures.clamp(0, 20)).unwrap_or(20);
        let pause = LEFT_ALONE.saturating_mul(2_u32.saturating_pow(doubled));
        tx.pause_webhook(webhook.id, now.after(pause.min(LONGEST_LEFT_ALONE)));
    }
    Ok(tx.commit().await?)
}

/// Disables a webhook that is there no more, or through which nothing has come for days.
async fn judge(
    provider: &Provider,
    call: &Call,
    webhook: &Webhook,
    attempts: &[(DeliveryRow, Attempt)],
) -> Result<(), Error> {
    let failing = webhook
        .failing_since
        .filter(|since| call.now > since.after(DISABLED_AFTER));
    let reached = attempts.iter().any(|(_, attempt)| matches!(attempt, Attempt::Done(_)));
    let gone = attempts.iter().any(|(_, attempt)| *attempt == Attempt::Gone);
    let fault = match failing {
        _ if gone => WebhookFault::Gone,
        Some(_) if !reached => WebhookFault::Unreached,
        _ => return Ok(()),
    };
    let mut tx = provider.store.write().await?;
    let is_news = match fault {
        WebhookFault::Gone => tx.disable_webhook(webhook.id, fault).await?,
        WebhookFault::Unreached => {
            let before = call.now.before(DISABLED_AFTER);
            tx.disable_failing_webhook(webhook.id, before).await?
        }
    };
    if is_news {
        let event = event(call, EventKind::WebhookDisabled, webhook.id).because(fault.as_str());
        tx.add_event(&event).await?;
        tx.raise_webhook_generation().await?;
    }
    tx.commit().await?;
    forget(provider).await;
    Ok(())
}

/// What came of a test.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The id that the message had.
    pub id: Id<Event>,
    /// Whether it was taken: a status of 200 to 299.
    pub delivered: bool,
    /// The status that came back; none if nobody was reached.
    pub status: Option<u16>,
    /// The beginning of what came back.
    pub answer: String,
    /// Why it was not taken.
    pub error: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

/// Sends a webhook a message of no event, disabled ones too, and waits for what comes back.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn test(provider: &Provider, call: &Call, id: Id<Webhook>) -> Result<Tested, Error> {
    let webhook = super::get(provider, id).await?;
    let secrets = secrets(provider, id, call.now).await?;
    let event_of_test = event(call, EventKind::WebhookTested, id);
    let message = json!({
        "type": "webhook.test",
        "timestamp": call.now.rfc3339(),
        "data": { "webhook": id.to_string(), "name": webhook.name, "trace_id": call.trace.text() },
    });
    let began = clock::monotonic();
    let name = event_of_test.id.to_string();
    let (attempt, bytes) = post(provider, &webhook, &secrets, (&name, message.to_string()), SHOWN).await;
    let took = began.elapsed();
    let tested = Tested {
        id: event_of_test.id,
        delivered: matches!(attempt, Attempt::Done(_)),
        status: attempt.status(),
        answer: String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control() && c != '\n', ""),
        error: attempt.sentence(),
        took,
    };
    let mut tx = provider.store.write().await?;
    let event = event_of_test.fact("delivered", Fact::Bool(tested.delivered));
    tx.add_event(&event).await?;
    tx.commit().await?;
    Ok(tested)
}
