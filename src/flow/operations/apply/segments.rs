//! The section `segments`: everybody's, by name. An entry says the whole of one.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, below};
use crate::flow::people::segments as flow;
use crate::flow::{Call, Error, Provider};
use crate::model::search::Search;
use crate::model::user::comparison_key;
use crate::model::{Id, Segment};
use crate::store::Write;

pub(super) const SECTION: &str = "segments";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) name: String,
    description: Option<String>,
    search: Search,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let description = reader.text("description", mistakes);
        let search = Search {
            words: reader.text("q", mistakes),
            filter: reader.text("filter", mistakes),
            sort: reader.texts("sort", mistakes).unwrap_or_default(),
            inactive: reader.flag("inactive", mistakes).unwrap_or(false),
        };
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            name: name?,
            description,
            search,
        })
    }

    pub(super) fn key(&self) -> String {
        comparison_key(&self.name)
    }
}

/// What is to be done.
pub(super) enum SegmentAct {
    Add(Segment),
    Change(Segment),
    Remove(Segment),
}

/// A segment as the file has it.
pub(in crate::flow::operations) fn to_json(segment: &Segment) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("name".to_owned(), segment.name.clone().into());
    let texts = [
        ("description", &segment.description),
        ("q", &segment.search.words),
        ("filter", &segment.search.filter),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            entry.insert(name.to_owned(), text.clone().into());
        }
    }
    if !segment.search.sort.is_empty() {
        entry.insert("sort".to_owned(), json!(segment.search.sort));
    }
    if segment.search.inactive {
        entry.insert("inactive".to_owned(), true.into());
    }
    entry
}

/// What a filter names is looked up when it is asked: it may be made by the same file.
pub(super) async fn plan(provider: &Provider, call: &Call, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for entry in entries {
        let before = provider
            .store
            .read()
            .await?
            .find_segment_by_name(None, &entry.name)
            .await?;
        let after = Segment {
            id: before.as_ref().map_or_else(|| Id::new(call.now), |before| before.id),
            name: entry.name.clone(),
            owner: None,
            description: entry.description.clone(),
            search: entry.search.clone(),
            version: before.as_ref().map_or(1, |before| before.version),
            created_at: before.as_ref().map_or(call.now, |before| before.created_at),
            updated_at: call.now,
        };
        match flow::judge_form(&after).map_err(|error| below(error, &entry.pointer)) {
            Ok(()) => {}
            Err(Error::Invalid(wrong)) => {
                errors.extend(wrong);
                continue;
            }
            Err(other) => return Err(other),
        }
        let had = before.as_ref().map(to_json).unwrap_or_default();
        let fields = FieldChange::between(&had, &to_json(&after));
        if fields.is_empty() {
            continue;
        }
        let (action, act) = match before {
            None => (Action::Create, SegmentAct::Add(after)),
            Some(_) => (Action::Change, SegmentAct::Change(after)),
        };
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.name.clone(),
                action,
                fields,
            },
            act: Act::Segment(act),
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &SegmentAct) -> Result<(), Error> {
    match act {
        SegmentAct::Add(segment) => {
            flow::add_in(tx, call, segment).await?;
            tx.mark_segment_applied(segment.id);
            Ok(())
        }
        SegmentAct::Change(segment) => flow::change_in(tx, call, segment).await,
        SegmentAct::Remove(segment) => flow::delete_in(tx, call, segment).await,
    }
}
