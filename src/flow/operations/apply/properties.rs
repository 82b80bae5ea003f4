//! The section `properties`: what is defined that is told about people. An entry is laid over what is there.

use serde_json::{Map, Value};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, below};
use crate::flow::people::{self, properties};
use crate::flow::{Call, Error, Provider};
use crate::model::property::MEMBERS;
use crate::model::{Property, PropertyDefinition, PropertyState};
use crate::store::Write;

pub(super) const SECTION: &str = "properties";

/// An entry.
pub(super) struct Entry {
    pub(super) pointer: String,
    pub(super) name: String,
    members: Map<String, Value>,
}

impl Entry {
    pub(super) fn read(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let name = reader.required("name", mistakes);
        let members = reader.patch(MEMBERS);
        let pointer = reader.pointer.clone();
        reader.finish(mistakes);
        Some(Self {
            pointer,
            name: name?,
            members,
        })
    }
}

/// A property as the file has it.
pub(in crate::flow::operations) fn to_json(property: &Property) -> Map<String, Value> {
    let mut members = property.definition.members();
    if property.is_built_in() {
        let allowed = crate::model::property::MEMBERS_OF_BUILT_IN;
        members.retain(|name, _| allowed.contains(&name.as_str()));
    }
    members.insert("name".to_owned(), property.name.clone().into());
    members
}

/// What is done with a property.
pub(super) enum PropertyAct {
    Define(String, PropertyDefinition),
    Change(Box<Property>, PropertyDefinition),
}

pub(super) async fn plan(provider: &Provider, entries: &[Entry]) -> Result<Vec<Planned>, Error> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let there = people::list_properties(provider).await?;
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for entry in entries {
        let before = there
            .iter()
            .find(|known| known.name == entry.name && known.state != PropertyState::Clearing);
        let read = match before {
            Some(known) => properties::patched(known, &entry.members),
            None => people::judge_property(&entry.name, &entry.members),
        };
        let definition = match read.map_err(|refusal| below(refusal, &entry.pointer)) {
            Ok(definition) => definition,
            Err(Error::Invalid(wrong)) => {
                errors.extend(wrong);
                continue;
            }
            Err(other) => return Err(other),
        };
        let fields = FieldChange::between(
            &before.map(|known| known.definition.members()).unwrap_or_default(),
            &definition.members(),
        );
        if fields.is_empty() {
            continue;
        }
        let (action, act) = match before {
            Some(known) => (Action::Change, PropertyAct::Change(Box::new(known.clone()), definition)),
            None => (Action::Create, PropertyAct::Define(entry.name.clone(), definition)),
        };
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: SECTION,
                name: entry.name.clone(),
                action,
                fields,
            },
            act: Act::Property(Box::new(act)),
        });
    }
    if errors.is_empty() {
        Ok(planned)
    } else {
        Err(Error::Invalid(errors))
    }
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &PropertyAct) -> Result<(), Error> {
    match act {
        PropertyAct::Define(name, definition) => {
            let property = properties::define_in(tx, call, name, definition.clone()).await?;
            Ok(tx.mark_property_applied(property.id).await?)
        }
        PropertyAct::Change(property, definition) => {
            properties::change_in(tx, call, (**property).clone(), definition.clone()).await?;
            Ok(())
        }
    }
}
