//! What a filter asks of the people here: its names are looked up, its values are judged by the fields that they are compared with.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::flow::people::Rights;
use crate::flow::people::property_values::is_day;
use crate::model::search::{Condition, Field, Operator, PropertyField, SearchValue, Sort, Standard, ValueKind};
use crate::model::setting::parse_duration;
use crate::model::user::comparison_key;
use crate::model::{Group, Id, Property, PropertyAccess, PropertyState, Timestamp};
use crate::protocol::scim_filter::{Filter, FilterFault, Path};

/// What names mean.
pub(super) struct Names<'a> {
    pub(super) properties: &'a [Property],
    /// Groups that a filter names, as it names them, each with those that stand in it.
    pub(super) groups: BTreeMap<String, Vec<Id<Group>>>,
    /// What the segments ask that a filter names.
    pub(super) segments: BTreeMap<String, Condition>,
    pub(super) rights: &'a Rights,
    pub(super) now: Timestamp,
}

/// What a filter compares attributes of one kind with, each once.
pub(super) fn named(filter: &Filter, is_meant: fn(&str) -> bool) -> Vec<String> {
    let mut named = Vec::new();
    gather(filter, is_meant, &mut named);
    named.sort_unstable();
    named.dedup();
    named
}

fn gather(filter: &Filter, is_meant: fn(&str) -> bool, named: &mut Vec<String>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            for part in parts {
                gather(part, is_meant, named);
            }
        }
        Filter::Not(part) => gather(part, is_meant, named),
        Filter::Present(_) => {}
        Filter::Compare { path, value, .. } => {
            if let Value::String(name) = value
                && is_meant(&path.name)
            {
                named.push(name.clone());
            }
        }
    }
}

/// Whether an attribute names a group.
pub(super) fn is_group(name: &str) -> bool {
    of_groups(name).is_some()
}

/// Whether an attribute names a segment.
pub(super) fn is_segment(name: &str) -> bool {
    name == "segment"
}

fn of_groups(name: &str) -> Option<Field> {
    match name {
        "groups" | "group" => Some(Field::Groups),
        "primary_group" => Some(Field::PrimaryGroup),
        _ => None,
    }
}

impl Names<'_> {
    /// What a filter asks.
    pub(super) fn bind(&self, filter: &Filter) -> Result<Condition, FilterFault> {
        Ok(match filter {
            Filter::And(parts) => Condition::All(self.bind_all(parts)?),
            Filter::Or(parts) => Condition::Any(self.bind_all(parts)?),
            Filter::Not(part) => Condition::Not(Box::new(self.bind(part)?)),
            Filter::Present(path) => Condition::Present(self.field(path)?),
            Filter::Compare {
                path,
                operator,
                value,
                at,
            } if is_segment(&path.name) => {
                let asked = self.in_segment(*operator, value).map_err(|detail| fault(*at, detail))?;
                if operator.is_none() {
                    Condition::Not(Box::new(asked))
                } else {
                    asked
                }
            }
            Filter::Compare {
                path,
                operator,
                value,
                at,
            } => {
                let field = self.field(path)?;
                let is_not = operator.is_none();
                let operator = operator.unwrap_or(Operator::Equal);
                let compared = match value {
                    // what has no value is not there
                    Value::Null if operator == Operator::Equal => Condition::Not(Box::new(Condition::Present(field))),
                    Value::Null => return Err(fault(*at, "null is compared by eq and ne")),
                    value => self
                        .compare(field, operator, value)
                        .map_err(|detail| fault(*at, detail))?,
                };
                if is_not {
                    Condition::Not(Box::new(compared))
                } else {
                    compared
                }
            }
        })
    }

    fn in_segment(&self, operator: Option<Operator>, value: &Value) -> Result<Condition, String> {
        if operator.is_some_and(|operator| operator != Operator::Equal) {
            return Err("segments are compared by eq and ne".to_owned());
        }
        let Value::String(name) = value else {
            return Err("expected the name or id of a segment".to_owned());
        };
        let known = self.segments.get(name).cloned();
        known.ok_or_else(|| format!("there is no segment {name}"))
    }

    fn bind_all(&self, parts: &[Filter]) -> Result<Vec<Condition>, FilterFault> {
        parts.iter().map(|part| self.bind(part)).collect()
    }

    fn field(&self, path: &Path) -> Result<Field, FilterFault> {
        self.known(&path.name)
            .ok_or_else(|| fault(path.at, format!("there is no attribute {}", path.name)))
    }

    /// The field of this name; a property may be named with `properties.` before it.
    fn known(&self, name: &str) -> Option<Field> {
        if let Some(field) = of_groups(name) {
            return Some(field);
        }
        if let Ok(standard) = name.parse() {
            return Some(Field::Standard(standard));
        }
        let name = name.strip_prefix("properties.").unwrap_or(name);
        let property = self
            .properties
            .iter()
            .find(|known| known.name == name && known.has_values())?;
        // what is not told is not told by asking whether it is so
        let is_told = *self.rights == Rights::All || property.definition.administrators != PropertyAccess::None;
        is_told.then(|| {
            Field::Property(PropertyField {
                id: property.id,
                name: property.name.clone(),
                kind: property.definition.kind,
                is_found_by: property.definition.is_keyed() && property.state == PropertyState::Ready,
            })
        })
    }

    fn compare(&self, field: Field, operator: Operator, value: &Value) -> Result<Condition, String> {
        if value.as_str().is_some_and(|text| text.contains('\0')) {
            return Err("no text has such a sign".to_owned());
        }
        let kind = match field {
            Field::Groups | Field::PrimaryGroup => return self.compare_groups(&field, operator, value),
            _ => field.kind(),
        };
        let is_equal = operator == Operator::Equal;
        let is_of_texts = matches!(operator, Operator::Contains | Operator::Begins | Operator::Ends);
        let wanted = match (kind, value) {
            (ValueKind::Text, Value::String(text)) => SearchValue::Text(comparison_key(text)),
            (ValueKind::Text, _) => return Err("expected a text".to_owned()),
            (ValueKind::Exact | ValueKind::Word(_) | ValueKind::Flag, _) if !is_equal => {
                return Err("this is compared by eq and ne".to_owned());
            }
            (ValueKind::Exact, Value::String(text)) => SearchValue::Text(text.clone()),
            (ValueKind::Exact, _) => return Err("expected a text".to_owned()),
            (ValueKind::Word(known), Value::String(word)) if known.contains(&word.as_str()) => {
                SearchValue::Text(word.clone())
            }
            (ValueKind::Word(known), _) => return Err(format!("expected one of: {}", known.join(", "))),
            (ValueKind::Flag, Value::Bool(flag)) => SearchValue::Flag(*flag),
            (ValueKind::Flag, _) => return Err("expected true or false".to_owned()),
            (ValueKind::Time | ValueKind::Number, _) if is_of_texts => {
                return Err("this is compared by eq, ne, gt, ge, lt and le".to_owned());
            }
            (ValueKind::Number, Value::Number(number)) => {
                SearchValue::Number(number.as_f64().ok_or("expected a number")?)
            }
            (ValueKind::Number, _) => return Err("expected a number".to_owned()),
            (ValueKind::Time, Value::String(text)) => SearchValue::Time(self.moment(text).ok_or(MOMENT)?),
            (ValueKind::Time, _) => return Err(MOMENT.to_owned()),
            (ValueKind::Day, Value::String(text)) => SearchValue::Text(match self.relative(text) {
                Some(moment) => moment.rfc3339().chars().take(10).collect(),
                None => comparison_key(text),
            }),
            (ValueKind::Day, _) => return Err("expected a day like 2026-11-23, now, or now-30d".to_owned()),
            (ValueKind::Opaque, _) => return Err("of this it is asked whether it is there: pr".to_owned()),
        };
        Ok(Condition::Compared(field, operator, wanted))
    }

    fn compare_groups(&self, field: &Field, operator: Operator, value: &Value) -> Result<Condition, String> {
        if operator != Operator::Equal {
            return Err("groups are compared by eq and ne".to_owned());
        }
        let Value::String(name) = value else {
            return Err("expected the name or id of a group".to_owned());
        };
        let groups = self
            .groups
            .get(name)
            .ok_or_else(|| format!("there is no group {name}"))?;
        Ok(match field {
            Field::PrimaryGroup => Condition::PrimaryIn(groups.iter().take(1).copied().collect()),
            _ => Condition::InGroups(groups.clone()),
        })
    }

    /// A moment: itself, the beginning of a day (UTC), or one before or after now.
    fn moment(&self, text: &str) -> Option<Timestamp> {
        if is_day(text) {
            return Timestamp::parse(&format!("{text}T00:00:00Z"));
        }
        self.relative(text).or_else(|| Timestamp::parse(text))
    }

    fn relative(&self, text: &str) -> Option<Timestamp> {
        let rest = text.strip_prefix("now")?;
        if rest.is_empty() {
            return Some(self.now);
        }
        match (rest.strip_prefix('-'), rest.strip_prefix('+')) {
            (Some(length), _) => Some(self.now.before(parse_duration(length)?)),
            (_, Some(length)) => Some(self.now.after(parse_duration(length)?)),
            _ => None,
        }
    }

    /// The order that names say, each by itself, `-` before those that are the other way round. What can't make a difference is left out.
    pub(super) fn sorts(&self, names: &[String]) -> Result<Vec<Sort>, String> {
        let mut sorts: Vec<Sort> = Vec::new();
        for written in names {
            let name = written.strip_prefix('-').unwrap_or(written);
            let field = self
                .known(name)
                .ok_or_else(|| format!("there is no attribute {name}"))?;
            if field.kind() == ValueKind::Opaque {
                return Err(format!("nobody is sorted by {name}"));
            }
            let is_unique = matches!(
                field,
                Field::Standard(Standard::CreatedAt | Standard::Id | Standard::Username)
            );
            sorts.push(Sort {
                field,
                descending: name.len() != written.len(),
            });
            if is_unique {
                break;
            }
        }
        // whoever is the same in all of it comes in the order of their making anyway, the same way round
        if let [.., before, Sort { field, descending }] = sorts.as_slice()
            && matches!(field, Field::Standard(Standard::CreatedAt | Standard::Id))
            && before.descending == *descending
        {
            sorts.pop();
        }
        if sorts.is_empty() {
            sorts.push(Sort::by_making());
        }
        Ok(sorts)
    }
}

const MOMENT: &str = "expected a moment like 2026-11-23T08:00:00Z, a day like 2026-11-23, now, or now-90d";

fn fault(at: usize, detail: impl Into<String>) -> FilterFault {
    FilterFault {
        at,
        detail: detail.into(),
    }
}
