//! What mails say, in an administrator's words. They are kept as settings are: with the same numbered revisions, and the same way back.
//!
//! What can't be drawn is refused when it is saved. Should a template not fit its mail all the same (a newer program has other values),
//! the program's own words are sent, and the log says so.

use serde_json::{Map, Value};

use super::settings::{self, ChangedBy, SettingChange};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::setting::{MAIL_BRAND, MAIL_FOOTER};
use crate::model::{EventKind, Fact};
use crate::store::Write;
use crate::view::{Dress, Letterhead, Locale, Mail, MailTemplate, RenderedMail, Views};

/// What the key of a template begins with, among the settings.
const PREFIX: &str = "message_template.";

/// A mail of one kind, in one language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateKey {
    /// The kind.
    pub kind: &'static str,
    /// The language.
    pub locale: Locale,
}

impl TemplateKey {
    /// The key of these names.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such mail.
    pub fn parse(kind: &str, locale: &str) -> Result<Self, Error> {
        let kind = Mail::kinds().into_iter().find(|known| *known == kind);
        let locale = Locale::ALL.into_iter().find(|known| known.tag() == locale);
        match (kind, locale) {
            (Some(kind), Some(locale)) => Ok(Self { kind, locale }),
            _ => Err(Error::NotFound),
        }
    }

    /// Every one, by kind and language.
    pub fn all() -> Vec<Self> {
        let kinds = Mail::kinds().into_iter();
        kinds
            .flat_map(|kind| Locale::ALL.map(|locale| Self { kind, locale }))
            .collect()
    }

    fn key(self) -> String {
        format!("{PREFIX}{}.{}", self.kind, self.locale.tag())
    }
}

/// Whether a key among the settings is one of a template.
pub(super) fn is_template(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// What a mail says.
#[derive(Clone, Debug)]
pub struct ShownTemplate {
    /// Which mail.
    pub key: TemplateKey,
    /// Whether an administrator has changed it.
    pub is_changed: bool,
    /// Its words.
    pub template: MailTemplate,
}

/// What is to stand in the place of what a mail says now; the rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplatePatch {
    /// One line.
    pub subject: Option<String>,
    /// The plain text.
    pub text: Option<String>,
    /// What stands in the frame, HTML.
    pub html: Option<String>,
}

impl TemplatePatch {
    pub(super) fn onto(self, template: MailTemplate) -> MailTemplate {
        MailTemplate {
            subject: self.subject.unwrap_or(template.subject),
            text: self.text.unwrap_or(template.text),
            html: self.html.unwrap_or(template.html),
        }
    }
}

/// Every mail in every language.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn list(provider: &Provider, views: &Views) -> Result<Vec<ShownTemplate>, Error> {
    let stored = provider.store.read().await?.list_settings().await?;
    TemplateKey::all()
        .into_iter()
        .map(|key| shown(views, &stored, key))
        .collect()
}

/// What one mail says.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn get(provider: &Provider, views: &Views, key: TemplateKey) -> Result<ShownTemplate, Error> {
    let stored = provider.store.read().await?.list_settings().await?;
    shown(views, &stored, key)
}

/// The changed ones, by their key, as a file has them.
pub(super) fn changed_of(stored: &Map<String, Value>) -> Vec<(TemplateKey, MailTemplate)> {
    let changed = TemplateKey::all()
        .into_iter()
        .filter_map(|key| Some((key, read(stored, key)?)));
    changed.collect()
}

fn shown(views: &Views, stored: &Map<String, Value>, key: TemplateKey) -> Result<ShownTemplate, Error> {
    let own = read(stored, key);
    let is_changed = own.is_some();
    let template = own.or_else(|| views.default_mail(key.kind, key.locale));
    let template = template.ok_or_else(|| Error::defect("a mail has no template of ours"))?;
    Ok(ShownTemplate {
        key,
        is_changed,
        template,
    })
}

fn read(stored: &Map<String, Value>, key: TemplateKey) -> Option<MailTemplate> {
    serde_json::from_value(stored.get(&key.key())?.clone()).ok()
}

/// Changes what a mail says, as a revision of the settings.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong in each part.
pub async fn change(
    provider: &Provider,
    call: &Call,
    views: &Views,
    key: TemplateKey,
    (patch, by): (TemplatePatch, ChangedBy),
) -> Result<ShownTemplate, Error> {
    let before = get(provider, views, key).await?;
    let template = patch.onto(before.template);
    judge(views, key, &template)?;
    put(provider, call, key, Some(&template), by).await?;
    Ok(ShownTemplate {
        key,
        is_changed: true,
        template,
    })
}

/// Takes a mail back to the program's own words.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn reset(provider: &Provider, call: &Call, key: TemplateKey, by: ChangedBy) -> Result<(), Error> {
    put(provider, call, key, None, by).await
}

/// Says what is wrong with a template.
///
/// # Errors
/// [`Error::Invalid`].
pub(super) fn judge(views: &Views, key: TemplateKey, template: &MailTemplate) -> Result<(), Error> {
    views.examine_mail(key.kind, template).map_err(|faults| {
        let fields = faults.into_iter().map(|fault| FieldError {
            pointer: format!("/{}", fault.part.name()),
            code: "template",
            detail: fault.what,
        });
        Error::Invalid(fields.collect())
    })
}

async fn put(
    provider: &Provider,
    call: &Call,
    key: TemplateKey,
    template: Option<&MailTemplate>,
    by: ChangedBy,
) -> Result<(), Error> {
    let mut tx = provider.store.write().await?;
    let done = put_in(call, &mut tx, &[(key, template.cloned())], by).await;
    settle(tx, done).await?;
    super::forget(provider).await;
    Ok(())
}

/// The same for several, as a part of a transaction and one revision.
pub(in crate::flow) async fn put_in(
    call: &Call,
    tx: &mut Write,
    templates: &[(TemplateKey, Option<MailTemplate>)],
    by: ChangedBy,
) -> Result<Vec<SettingChange>, Error> {
    tx.raise_setting_generation().await?;
    let before = tx.list_settings().await?;
    let mut after = before.clone();
    for (key, template) in templates {
        match template {
            Some(template) => {
                let value = serde_json::to_value(template).map_err(|error| Error::Failed(Box::new(error)))?;
                after.insert(key.key(), value);
            }
            None => drop(after.remove(&key.key())),
        }
    }
    let changes = settings::put_in(call, tx, &before, &after, by.word()).await?;
    for (key, template) in templates {
        if changes.iter().any(|change| change.key == key.key()) {
            let event = call
                .event(EventKind::MessageTemplateChanged)
                .fact("kind", Fact::Word(key.kind))
                .fact("locale", Fact::Word(key.locale.tag()))
                .fact("default", Fact::Bool(template.is_none()));
            tx.add_event(&event).await?;
        }
    }
    Ok(changes)
}

/// What a mail looks like with sample values: as it is, or as it would be.
///
/// # Errors
/// [`Error::Invalid`] with what is wrong in each part.
pub async fn preview(
    provider: &Provider,
    views: &Views,
    key: TemplateKey,
    patch: TemplatePatch,
) -> Result<RenderedMail, Error> {
    let shown = get(provider, views, key).await?;
    let template = patch.onto(shown.template);
    judge(views, key, &template)?;
    let samples = Mail::samples();
    let sample = samples.iter().find(|sample| sample.kind() == key.kind);
    let sample = sample.ok_or_else(|| Error::defect("a mail has no sample"))?;
    let dress = Dress {
        brand: brand(provider).await?,
        template: Some(template),
    };
    let drawn = views.mail_in(sample, key.locale, &dress);
    drawn.map_err(|error| Error::Failed(Box::new(error)))
}

/// How a mail of this kind looks here.
///
/// # Errors
/// [`Error::Unavailable`].
pub(super) async fn dress(provider: &Provider, kind: &'static str, locale: Locale) -> Result<Dress, Error> {
    let key = TemplateKey { kind, locale }.key();
    let stored = provider.store.read().await?.find_setting(&key).await?;
    Ok(Dress {
        brand: brand(provider).await?,
        template: stored.and_then(|value| serde_json::from_value(value).ok()),
    })
}

async fn brand(provider: &Provider) -> Result<Letterhead, Error> {
    let settings = provider.settings().await?;
    Ok(Letterhead {
        name: settings.line(MAIL_BRAND).to_owned(),
        footer: settings.line(MAIL_FOOTER).to_owned(),
    })
}
