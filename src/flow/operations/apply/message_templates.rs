//! The section `message_templates`: what mails say, by kind and language. What it does not name stays; `"default": true` takes a mail back to
//! what the program says by itself.

use serde_json::{Map, Value};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, below};
use crate::flow::operations::message_templates::{self as templates, TemplateKey, TemplatePatch};
use crate::flow::operations::settings::ChangedBy;
use crate::flow::{Call, Error, Provider};
use crate::store::Write;
use crate::view::{MailTemplate, Views};

pub(super) const SECTION: &str = "message_templates";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    key: TemplateKey,
    patch: TemplatePatch,
    is_default: bool,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let kind = reader.required("kind", mistakes);
        let locale = reader.required("locale", mistakes);
        let patch = TemplatePatch {
            subject: reader.text("subject", mistakes),
            text: reader.text("text", mistakes),
            html: reader.text("html", mistakes),
        };
        let is_default = reader.flag("default", mistakes).unwrap_or(false);
        if is_default && patch != TemplatePatch::default() {
            mistakes.add(
                &reader.at("default"),
                "contradiction",
                "words and the default exclude each other",
            );
        }
        let pointer = reader.pointer.clone();
        let key = TemplateKey::parse(&kind?, &locale?);
        if key.is_err() {
            mistakes.add(&pointer, "unknown", "there is no such mail in this language");
        }
        reader.finish(mistakes);
        Some(Self {
            pointer,
            key: key.ok()?,
            patch,
            is_default,
        })
    }

    /// What two entries must not have in common.
    pub(super) fn name(&self) -> String {
        name(self.key)
    }
}

fn name(key: TemplateKey) -> String {
    format!("{}.{}", key.kind, key.locale.tag())
}

/// What is to be said; nothing for what the program says by itself.
pub(super) struct TemplateAct {
    key: TemplateKey,
    template: Option<MailTemplate>,
}

pub(super) async fn plan(provider: &Provider, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let views = Views::new().map_err(|error| Error::Failed(Box::new(error)))?;
    let mut planned = Vec::new();
    let mut errors = Vec::new();
    for entry in entries {
        let before = templates::get(provider, &views, entry.key).await?;
        let after = match entry.is_default {
            true => None,
            false => Some(entry.patch.clone().onto(before.template.clone())),
        };
        let is_as_wanted = match &after {
            None => !before.is_changed,
            Some(template) => *template == before.template,
        };
        if is_as_wanted {
            continue;
        }
        if let Some(template) = &after {
            match templates::judge(&views, entry.key, template).map_err(|error| below(error, &entry.pointer)) {
                Ok(()) => {}
                Err(Error::Invalid(wrong)) => {
                    errors.extend(wrong);
                    continue;
                }
                Err(other) => return Err(other),
            }
        }
        let shown = |template: &MailTemplate| to_json(entry.key, template);
        let after_shown = after.as_ref().map(shown).unwrap_or_default();
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.name(),
                action: if after.is_some() {
                    Action::Change
                } else {
                    Action::Remove
                },
                fields: FieldChange::between(&shown(&before.template), &after_shown),
            },
            act: Act::Template(TemplateAct {
                key: entry.key,
                template: after,
            }),
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &TemplateAct) -> Result<(), Error> {
    let template = (act.key, act.template.clone());
    templates::put_in(call, tx, &[template], ChangedBy::Apply).await?;
    Ok(())
}

/// A template as the file has it.
pub(in crate::flow::operations) fn to_json(key: TemplateKey, template: &MailTemplate) -> Map<String, Value> {
    let members = [
        ("kind", key.kind),
        ("locale", key.locale.tag()),
        ("subject", &template.subject),
        ("text", &template.text),
        ("html", &template.html),
    ];
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}
