//! `segments`: what was asked about people, under a name, from a terminal.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Json;
use super::failure::Failure;
use super::output::Output;
use super::user_arguments::Which;
use crate::flow::people::{self, ChangeSource, Rights, SegmentChange};
use crate::flow::{Call, Provider};
use crate::model::Segment;

const SOURCE: ChangeSource = ChangeSource::Command;

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Segments {
    /// List everybody's segments.
    List(Json),
    /// Show a segment.
    Show {
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Save a question about people under a name.
    Create(Box<Asked>),
    /// Change what a segment asks: all of it is said anew.
    Change(Box<Asked>),
    /// List who is in a segment now.
    Users {
        name: String,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// Count who is in a segment now.
    Count {
        name: String,
        #[command(flatten)]
        json: Json,
    },
    /// Delete a segment; nobody who is in it is touched.
    Delete { name: String },
}

/// What a segment asks.
#[derive(Clone, Debug, Args)]
pub(super) struct Asked {
    name: String,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    #[command(flatten)]
    which: Which,
    /// By what they are sorted, `-` before what goes the other way round. Repeatable.
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true, value_delimiter = ',')]
    sort: Vec<String>,
    #[command(flatten)]
    json: Json,
}

pub(super) async fn run(provider: &Provider, call: &Call, command: Segments) -> Result<Output, Failure> {
    match command {
        Segments::List(json) => {
            let rows: Vec<Value> = people::list_segments(provider, call).await?.iter().map(row).collect();
            let columns = ["name", "description", "q", "filter"];
            Ok(Output::table(json.shape(), &rows, &columns))
        }
        Segments::Show { name, json } => Ok(Output::thing(
            json.shape(),
            &row(&people::get_segment_by_name(provider, &name).await?),
        )),
        Segments::Create(asked) => {
            let json = asked.json;
            let made = people::create_segment(provider, call, &SOURCE, asked.into_change()).await?;
            Ok(Output::either(json.shape(), &row(&made), || {
                format!("the segment {} is saved\n", made.name)
            }))
        }
        Segments::Change(asked) => {
            let json = asked.json;
            let there = people::get_segment_by_name(provider, &asked.name).await?;
            let target = (there.id, None);
            let changed = people::change_segment(provider, call, &SOURCE, target, asked.into_change()).await?;
            Ok(Output::either(json.shape(), &row(&changed), || {
                format!("the segment {} is changed\n", changed.name)
            }))
        }
        Segments::Users { name, limit, json } => {
            let segment = people::get_segment_by_name(provider, &name).await?;
            super::users::listed(provider, call, &segment.search, limit, json).await
        }
        Segments::Count { name, json } => {
            let segment = people::get_segment_by_name(provider, &name).await?;
            let counted = people::count_segment_members(provider, call, &Rights::All, segment.id).await?;
            let told = json!({"count": counted.count, "count_at_least": counted.at_least});
            Ok(Output::either(json.shape(), &told, || match counted.at_least {
                true => format!("{} and perhaps more\n", counted.count),
                false => format!("{}\n", counted.count),
            }))
        }
        Segments::Delete { name } => {
            let segment = people::get_segment_by_name(provider, &name).await?;
            people::delete_segment(provider, call, (segment.id, None)).await?;
            Ok(Output::line(format!("the segment {} is deleted", segment.name)))
        }
    }
}

impl Asked {
    fn into_change(self) -> SegmentChange {
        let search = self.which.search();
        SegmentChange {
            name: Some(self.name),
            description: Some(self.description),
            shared: Some(true),
            words: Some(search.words),
            filter: Some(search.filter),
            sort: Some(self.sort),
            inactive: Some(search.inactive),
        }
    }
}

fn row(segment: &Segment) -> Value {
    json!({
        "id": segment.id.to_string(),
        "name": segment.name,
        "description": segment.description,
        "q": segment.search.words,
        "filter": segment.search.filter,
        "sort": segment.search.sort,
        "inactive": segment.search.inactive,
    })
}
