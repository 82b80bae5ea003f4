//! The section `webhooks`: addresses that are told of events, by name. A `secret` that is not the one that counts takes its place,
//! with overlap.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::sealing::Opener;
use super::{Act, Planned, below};
use crate::flow::operations::webhooks::{self as flow, NewWebhook, OVERLAP};
use crate::flow::{Call, Error, Provider, signed};
use crate::model::{Id, Secret, Webhook};
use crate::store::Write;

pub(super) const SECTION: &str = "webhooks";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) name: String,
    description: Option<Option<String>>,
    url: String,
    events: Option<Vec<String>>,
    enabled: Option<bool>,
    secret: Option<Secret>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, opener: &Opener, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let url = reader.required("url", mistakes);
        let description = reader.has("description").then(|| reader.text("description", mistakes));
        let events = reader.texts("events", mistakes);
        let enabled = reader.flag("enabled", mistakes);
        let secret = reader
            .value("secret")
            .cloned()
            .and_then(|value| opener.open(&value, &reader, "secret", mistakes));
        if secret.as_ref().is_some_and(|secret| !signed::is_secret(secret)) {
            let detail = "expected whsec_ and 24 to 64 bytes in base64";
            mistakes.add(&reader.at("secret"), "invalid", detail);
        }
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            name: name?,
            description,
            url: url?,
            events,
            enabled,
            secret,
        })
    }
}

/// What is to be done.
pub(super) enum WebhookAct {
    Add(Webhook, Secret),
    Change {
        before: Box<Webhook>,
        after: Box<Webhook>,
        secret: Option<Secret>,
    },
    Remove(Id<Webhook>),
}

/// A webhook as the file has it, without its secret.
pub(in crate::flow::operations) fn to_json(webhook: &Webhook) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), webhook.name.clone().into());
    entry.insert("url".to_owned(), webhook.url.clone().into());
    if let Some(description) = &webhook.description {
        entry.insert("description".to_owned(), description.clone().into());
    }
    entry.insert("events".to_owned(), json!(webhook.events.as_slice()));
    entry.insert("enabled".to_owned(), webhook.enabled.into());
    entry
}

pub(super) async fn plan(provider: &Provider, call: &Call, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let there = flow::list(provider).await?;
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for entry in entries {
        let before = there.iter().find(|webhook| webhook.name == entry.name);
        match plan_one(provider, call, entry, before)
            .await
            .map_err(|error| below(error, &entry.pointer))
        {
            Ok(one) => planned.extend(one),
            Err(Error::Invalid(wrong)) => errors.extend(wrong),
            Err(other) => return Err(other),
        }
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

async fn plan_one(
    provider: &Provider,
    call: &Call,
    entry: &Entry,
    before: Option<&Webhook>,
) -> Result<Option<Planned>, Error> {
    let new = NewWebhook {
        name: entry.name.clone(),
        description: match &entry.description {
            Some(description) => description.clone(),
            None => before.and_then(|before| before.description.clone()),
        },
        url: entry.url.clone(),
        events: match &entry.events {
            Some(events) => events.clone(),
            None => before
                .map(|before| before.events.as_slice().to_vec())
                .unwrap_or_default(),
        },
        disabled: !entry
            .enabled
            .unwrap_or_else(|| before.is_none_or(|before| before.enabled)),
    };
    let after = flow::judge(provider, &new, call.now)?;
    let Some(before) = before else {
        let fields = FieldChange::between(&Map::new(), &to_json(&after));
        // without one in the file one is made, and seen by nobody: `rotate-secret` shows another
        let secret = entry.secret.clone().unwrap_or_else(signed::new_secret);
        return Ok(Some(planned(
            entry,
            Action::Create,
            fields,
            WebhookAct::Add(after, secret),
        )));
    };
    let mut fields = FieldChange::between(&to_json(before), &to_json(&after));
    let secret = match &entry.secret {
        Some(secret) if !is_newest(provider, call, before, secret).await? => {
            fields.push(FieldChange::secret("secret"));
            Some(secret.clone())
        }
        _ => None,
    };
    let after = Webhook {
        id: before.id,
        version: before.version,
        created_at: before.created_at,
        ..after
    };
    let act = WebhookAct::Change {
        before: Box::new(before.clone()),
        after: Box::new(after),
        secret,
    };
    Ok((!fields.is_empty()).then(|| planned(entry, Action::Change, fields, act)))
}

async fn is_newest(provider: &Provider, call: &Call, webhook: &Webhook, secret: &Secret) -> Result<bool, Error> {
    let known = flow::secrets(provider, webhook.id, call.now).await?;
    Ok(known.first().is_some_and(|known| known.matches(secret)))
}

fn planned(entry: &Entry, action: Action, fields: Vec<FieldChange>, act: WebhookAct) -> Planned {
    Planned {
        pointer: entry.pointer.clone(),
        change: Change {
            section: SECTION,
            name: entry.name.clone(),
            action,
            fields,
        },
        act: Act::Webhook(act),
    }
}

pub(super) async fn write(tx: &mut Write, provider: &Provider, call: &Call, act: &WebhookAct) -> Result<(), Error> {
    match act {
        WebhookAct::Add(webhook, secret) => {
            flow::add_in(tx, provider, call, webhook, secret).await?;
            tx.mark_webhook_applied(webhook.id);
            Ok(())
        }
        WebhookAct::Change { before, after, secret } => {
            let mut current = before.as_ref().clone();
            if to_json(before) != to_json(after) {
                current = flow::change_in(tx, call, after.as_ref().clone()).await?;
            }
            match secret {
                Some(secret) => flow::rotate_in(tx, provider, call, &current, (secret, OVERLAP)).await,
                None => Ok(()),
            }
        }
        WebhookAct::Remove(id) => flow::delete_in(tx, call, *id).await,
    }
}
