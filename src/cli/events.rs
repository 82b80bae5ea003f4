//! `events`: whether the audit log is what it was.

use std::str::FromStr;

use clap::Subcommand;
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use crate::crypto;
use crate::flow::operations::event_chain::{self, Broken, EventCheckpoint, Fault, Verified};
use crate::flow::{Call, Provider};

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Events {
    /// Hold every event against the checkpoints of the audit log: whatever was changed, added or removed in the database is named.
    Verify {
        /// A checkpoint that you have kept elsewhere, as `NUMBER:DIGEST`: the log must have it.
        #[arg(long = "checkpoint", value_name = "NUMBER:DIGEST")]
        kept: Option<Kept>,
        #[command(flatten)]
        json: Json,
    },
    /// List checkpoints of the audit log, the newest first.
    Checkpoints {
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
}

/// A checkpoint as somebody wrote it down.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    number: i64,
    digest: String,
}

impl FromStr for Kept {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected a number, a colon and 64 hex digits";
        let (number, digest) = text.split_once(':').ok_or(expected)?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        match number.parse() {
            Ok(number) if is_digest => Ok(Self {
                number,
                digest: digest.to_ascii_lowercase(),
            }),
            _ => Err(expected),
        }
    }
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Events) -> Result<Output, Failure> {
    match command {
        Events::Verify { kept, json } => {
            let verified = event_chain::verify(provider, call.now).await?;
            let lost = match &kept {
                None => None,
                Some(kept) => differs(provider, kept).await?,
            };
            let output = Output::either(json.shape(), &report(&verified, lost.as_deref()), || drawn(&verified));
            match lost.or_else(|| (!verified.broken.is_empty()).then(|| "the audit log is not what it was".to_owned()))
            {
                Some(sentence) => Err(Failure::refused(sentence).printing(output.text)),
                None if verified.forgotten_early => {
                    Ok(output.remarking("what came before was forgotten sooner than event.kept_for says now"))
                }
                None => Ok(output),
            }
        }
        Events::Checkpoints { limit, json } => {
            let page = event_chain::list(provider, None, limit).await?;
            let rows: Vec<Value> = page.items.iter().map(row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["number", "last_at", "events", "digest"],
            ))
        }
    }
}

/// What is wrong where somebody has kept a checkpoint elsewhere.
async fn differs(provider: &Provider, kept: &Kept) -> Result<Option<String>, Failure> {
    let found = event_chain::find(provider, kept.number).await?;
    Ok(match found {
        None => Some(format!("the audit log has no checkpoint {}", kept.number)),
        Some(found) if crypto::hex(found.digest.as_bytes()) != kept.digest => {
            Some(format!("checkpoint {} has another digest", kept.number))
        }
        Some(_) => None,
    })
}

fn report(verified: &Verified, lost: Option<&str>) -> Value {
    json!({
        "from": verified.from.map(|from| from.rfc3339()),
        "forgotten_early": verified.forgotten_early,
        "checkpoints": verified.checkpoints,
        "events": verified.events,
        "events_after_the_last_checkpoint": verified.open,
        "last_checkpoint": verified.head.as_ref().map(row),
        "broken": verified.broken.iter().map(|broken| json!({
            "checkpoint": broken.number,
            "fault": broken.fault.as_str(),
            "events_expected": broken.expected,
            "events_found": broken.found,
            "until": broken.until.rfc3339(),
        })).collect::<Vec<Value>>(),
        "lost": lost,
    })
}

fn drawn(verified: &Verified) -> String {
    let mut text = format!(
        "{} events under {} checkpoints since {}; {} came after them\n",
        verified.events,
        verified.checkpoints,
        verified.from.map_or_else(|| "-".to_owned(), |from| from.rfc3339()),
        verified.open,
    );
    if let Some(head) = &verified.head {
        let digest = crypto::hex(head.digest.as_bytes());
        text.push_str(&format!("the last one is {}:{digest}\n", head.number));
    }
    for broken in &verified.broken {
        text.push_str(&sentence(broken));
    }
    text
}

fn sentence(broken: &Broken) -> String {
    let Broken {
        number,
        expected,
        found,
        until,
        ..
    } = broken;
    let until = until.rfc3339();
    match broken.fault {
        Fault::Count => format!("checkpoint {number} (until {until}): {expected} events were there, {found} are\n"),
        Fault::Digest => format!("checkpoint {number} (until {until}): the events are not the same\n"),
        Fault::Missing => format!("checkpoint {number} (until {until}): those before it are missing\n"),
    }
}

fn row(checkpoint: &EventCheckpoint) -> Value {
    json!({
        "number": checkpoint.number,
        "last_event": checkpoint.last_event.to_string(),
        "last_at": checkpoint.last_at.rfc3339(),
        "events": checkpoint.events,
        "digest": crypto::hex(checkpoint.digest.as_bytes()),
        "made_at": checkpoint.made_at.rfc3339(),
        "swept_at": checkpoint.swept_at.map(|at| at.rfc3339()),
    })
}
