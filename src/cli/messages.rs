//! `messages` and `message-templates`: what became of mails, and what they say.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::input;
use super::output::Output;
use crate::flow::operations::message_templates::{self as templates, ShownTemplate, TemplateKey, TemplatePatch};
use crate::flow::operations::messages::{self, MailSelection, Message};
use crate::flow::operations::settings::ChangedBy;
use crate::flow::{Call, Error, Provider};
use crate::model::Secret;
use crate::view::{MailPart, Views, mail_values};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Messages {
    /// List mails and what became of them, the newest first.
    List {
        /// Only those to this address.
        #[arg(long, conflicts_with = "status")]
        to: Option<String>,
        /// Only those that wait or were given up.
        #[arg(long, value_enum)]
        status: Option<Status>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Send a mail again that was given up.
    SendAgain {
        /// Its id, as `messages list` shows it.
        id: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Status {
    Waiting,
    Failed,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum MessageTemplates {
    /// List every mail in every language.
    List(Json),
    /// Show what a mail says, and which values it has.
    Show {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        json: Json,
    },
    /// Change what a mail says.
    Set {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        words: Words,
    },
    /// Draw a mail with sample values, as it is or as it would be.
    Preview {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        words: Words,
        /// Only this part.
        #[arg(long, value_enum, value_name = "PART")]
        only: Option<Part>,
        #[command(flatten)]
        json: Json,
    },
    /// Take a mail back to what the program says by itself.
    Reset {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct Which {
    /// Its kind, as `message-templates list` shows it.
    kind: String,
    /// The language: en, de or fr.
    locale: String,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Words {
    /// The subject.
    #[arg(long)]
    subject: Option<String>,
    /// A file with the plain text.
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// A file with the HTML that stands in the frame.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    Subject,
    Text,
    Html,
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Messages) -> Result<Output, Failure> {
    match command {
        Messages::List {
            to,
            status,
            limit,
            json,
        } => {
            let selection = match (to, status) {
                (Some(to), _) => MailSelection::To(to),
                (None, Some(Status::Waiting)) => MailSelection::Waiting,
                (None, Some(Status::Failed)) => MailSelection::Failed,
                (None, None) => MailSelection::All,
            };
            let page = messages::list(provider, &selection, None, limit).await?;
            let rows: Vec<Value> = page.items.iter().map(row).collect();
            let columns = [
                "status",
                "channel",
                "kind",
                "recipient",
                "attempts",
                "error",
                "created_at",
                "next_at",
                "sent_at",
                "id",
            ];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Messages::SendAgain { id } => {
            let id = id
                .parse()
                .map_err(|_| Failure::usage(format!("{id} is not the id of a mail")))?;
            match messages::send_again(provider, call, id).await {
                Err(Error::Conflict(_)) => Err(Failure::refused(
                    "the mail was not given up: it was sent, or is tried again",
                )),
                sent => Ok(Output::line(format!("the mail to {} is sent again", sent?.recipient))),
            }
        }
    }
}

fn row(message: &Message) -> Value {
    json!({
        "id": message.id.to_string(),
        "channel": message.channel.as_str(),
        "kind": message.kind,
        "recipient": message.recipient,
        "locale": message.locale,
        "status": message.status.as_str(),
        "attempts": message.attempts,
        "error": message.error,
        "created_at": message.created_at.rfc3339(),
        "next_at": message.next_at.map(|at| at.rfc3339()),
        "sent_at": message.sent_at.map(|at| at.rfc3339()),
    })
}

/// What is read where the command is typed: the words, as one document.
pub(super) fn read_words(command: &MessageTemplates) -> Result<Option<Secret>, Failure> {
    let (MessageTemplates::Set { words, .. } | MessageTemplates::Preview { words, .. }) = command else {
        return Ok(None);
    };
    let read = |path: &Option<PathBuf>| path.as_deref().map(input::file).transpose();
    let patch = TemplatePatch {
        subject: words.subject.clone(),
        text: read(&words.text)?,
        html: read(&words.html)?,
    };
    if patch == TemplatePatch::default() && matches!(command, MessageTemplates::Set { .. }) {
        return Err(Failure::usage("expected --subject, --text or --html"));
    }
    Ok(Some(Secret::new(serde_json::to_string(&patch)?)))
}

pub(super) async fn run_templates(
    provider: &Provider,
    call: &Call,
    command: MessageTemplates,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    let views = Views::new().map_err(|error| Failure::refused(error.to_string()))?;
    let views = &views;
    let patch: TemplatePatch = match &input {
        Some(input) => serde_json::from_str(input.expose())?,
        None => TemplatePatch::default(),
    };
    match command {
        MessageTemplates::List(json) => {
            let all = templates::list(provider, views).await?;
            let rows: Vec<Value> = all.iter().map(summary).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["kind", "locale", "changed", "subject"],
            ))
        }
        MessageTemplates::Show { which, json } => {
            let shown = templates::get(provider, views, key(&which)?).await?;
            let values: Vec<Value> = mail_values(shown.key.kind)
                .iter()
                .map(|value| json!({"name": value.name, "description": value.sentence, "required": value.is_needed}))
                .collect();
            let mut value = summary(&shown);
            if let Value::Object(members) = &mut value {
                members.insert("text".to_owned(), shown.template.text.clone().into());
                members.insert("html".to_owned(), shown.template.html.clone().into());
                members.insert("values".to_owned(), json!(values));
            }
            Ok(Output::either(json.shape(), &value, || drawn(&shown)))
        }
        MessageTemplates::Set { which, .. } => {
            let key = key(&which)?;
            let change = (patch, ChangedBy::Command);
            templates::change(provider, call, views, key, change).await?;
            Ok(Output::line(format!("{} ({}) is changed", key.kind, key.locale.tag())))
        }
        MessageTemplates::Preview { which, only, json, .. } => {
            let mail = templates::preview(provider, views, key(&which)?, patch).await?;
            let value = json!({"subject": mail.subject, "text": mail.text, "html": mail.html});
            Ok(Output::either(json.shape(), &value, || match only {
                Some(Part::Subject) => format!("{}\n", mail.subject),
                Some(Part::Text) => mail.text,
                Some(Part::Html) => mail.html,
                None => format!("Subject: {}\n\n{}\n{}", mail.subject, mail.text, mail.html),
            }))
        }
        MessageTemplates::Reset { which } => {
            let key = key(&which)?;
            templates::reset(provider, call, key, ChangedBy::Command).await?;
            Ok(Output::line(format!(
                "{} ({}) is what the program says by itself",
                key.kind,
                key.locale.tag()
            )))
        }
    }
}

fn key(which: &Which) -> Result<TemplateKey, Failure> {
    let Which { kind, locale } = which;
    TemplateKey::parse(kind, locale)
        .map_err(|_| Failure::refused(format!("there is no mail {kind} in the language {locale}")))
}

fn summary(shown: &ShownTemplate) -> Value {
    json!({
        "kind": shown.key.kind,
        "locale": shown.key.locale.tag(),
        "changed": shown.is_changed,
        "subject": shown.template.subject,
    })
}

fn drawn(shown: &ShownTemplate) -> String {
    let mut text = String::new();
    for part in MailPart::ALL {
        text.push_str(&format!(
            "--- {} ---\n{}\n",
            part.name(),
            shown.template.part(part).trim_end()
        ));
    }
    text.push_str("--- values ---\n");
    for value in mail_values(shown.key.kind) {
        let needed = if value.is_needed { " Required." } else { "" };
        text.push_str(&format!("{}: {}{needed}\n", value.name, value.sentence));
    }
    text
}
