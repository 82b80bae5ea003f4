//! `/message-templates`: what mails say, by kind and language.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::message_templates::{self as templates, ShownTemplate, TemplateKey, TemplatePatch};
use crate::flow::operations::settings::ChangedBy;
use crate::view::{MAIL_FUNCTIONS, RenderedMail, mail_values};

const READ: &str = "admin:settings.read";
const WRITE: &str = "admin:settings";

/// Every mail in every language.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageTemplates")]
struct ListBody {
    /// One each.
    items: Vec<RowBody>,
}

/// A mail in a language.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageTemplateSummary")]
struct RowBody {
    /// Its kind.
    kind: String,
    /// Its language.
    locale: String,
    /// Its subject.
    subject: String,
    /// Whether it is not what the program says by itself.
    changed: bool,
}

/// What a mail says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageTemplate")]
struct TemplateBody {
    /// Its kind.
    kind: String,
    /// Its language.
    locale: String,
    /// Whether it is not what the program says by itself.
    changed: bool,
    /// One line.
    subject: String,
    /// The plain text.
    text: String,
    /// What stands in the frame of every mail, HTML. Values are escaped.
    html: String,
    /// The values it can say, in double braces.
    values: Vec<ValueBody>,
    /// What else can stand in double braces.
    functions: Vec<FunctionBody>,
}

/// A value of a mail.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageTemplateValue")]
struct ValueBody {
    /// As it is written.
    name: String,
    /// What it is.
    description: String,
    /// Whether text and HTML have to say it.
    required: bool,
}

/// A function.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessageTemplateFunction")]
struct FunctionBody {
    /// Its name.
    name: String,
    /// How it is called, and what it gives.
    description: String,
}

/// What a mail is to say; what is absent stays.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "MessageTemplatePatch")]
struct PatchBody {
    /// One line.
    subject: Option<String>,
    /// The plain text.
    text: Option<String>,
    /// What stands in the frame of every mail, HTML.
    html: Option<String>,
}

/// A mail with sample values.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MessagePreview")]
struct PreviewBody {
    /// One line.
    subject: String,
    /// The plain text.
    text: String,
    /// The whole document.
    html: String,
}

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(
            Method::Get,
            "/message-templates",
            READ,
            "Tells every mail in every language, and which were changed.",
            handler!(list),
        )
        .gives::<ListBody>(),
        route(
            Method::Get,
            "/message-templates/{kind}/{locale}",
            READ,
            "Tells what a mail says, and what it can say.",
            handler!(get),
        )
        .gives::<TemplateBody>(),
        route(
            Method::Patch,
            "/message-templates/{kind}/{locale}",
            WRITE,
            "Changes what a mail says, as a revision of the settings.",
            handler!(change),
        )
        .takes::<PatchBody>()
        .gives::<TemplateBody>(),
        route(
            Method::Delete,
            "/message-templates/{kind}/{locale}",
            WRITE,
            "Takes a mail back to what the program says by itself.",
            handler!(reset),
        ),
        route(
            Method::Post,
            "/message-templates/{kind}/{locale}/preview",
            WRITE,
            "Draws a mail with sample values, as it is or as it would be with this body. Nothing is changed.",
            handler!(preview),
        )
        .takes::<PatchBody>()
        .gives::<PreviewBody>(),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let all = templates::list(asked.provider(), &asked.http.views).await?;
    let items = all.into_iter().map(|shown| RowBody {
        kind: shown.key.kind.to_owned(),
        locale: shown.key.locale.tag().to_owned(),
        subject: shown.template.subject,
        changed: shown.is_changed,
    });
    Answer::of(&ListBody { items: items.collect() })
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(templates::get(asked.provider(), &asked.http.views, key(&asked)?).await?)
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let (key, patch) = (key(&asked)?, asked.read::<PatchBody>()?.into());
    let change = (patch, ChangedBy::Api);
    one(templates::change(asked.provider(), asked.call(), &asked.http.views, key, change).await?)
}

async fn reset(asked: Asked) -> Result<Answer, Problem> {
    templates::reset(asked.provider(), asked.call(), key(&asked)?, ChangedBy::Api).await?;
    Ok(Answer::done())
}

async fn preview(asked: Asked) -> Result<Answer, Problem> {
    let (key, patch) = (key(&asked)?, asked.read::<PatchBody>()?.into());
    let RenderedMail { subject, text, html } =
        templates::preview(asked.provider(), &asked.http.views, key, patch).await?;
    Answer::of(&PreviewBody { subject, text, html })
}

fn key(asked: &Asked) -> Result<TemplateKey, Problem> {
    Ok(TemplateKey::parse(asked.parameter("kind"), asked.parameter("locale"))?)
}

fn one(shown: ShownTemplate) -> Result<Answer, Problem> {
    let values = mail_values(shown.key.kind).into_iter().map(|value| ValueBody {
        name: value.name,
        description: value.sentence.to_owned(),
        required: value.is_needed,
    });
    let functions = MAIL_FUNCTIONS.iter().map(|(name, sentence)| FunctionBody {
        name: (*name).to_owned(),
        description: (*sentence).to_owned(),
    });
    Answer::of(&TemplateBody {
        kind: shown.key.kind.to_owned(),
        locale: shown.key.locale.tag().to_owned(),
        changed: shown.is_changed,
        subject: shown.template.subject,
        text: shown.template.text,
        html: shown.template.html,
        values: values.collect(),
        functions: functions.collect(),
    })
}

impl From<PatchBody> for TemplatePatch {
    fn from(body: PatchBody) -> Self {
        let PatchBody { subject, text, html } = body;
        Self { subject, text, html }
    }
}
