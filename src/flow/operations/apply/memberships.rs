//! The member `group_terms` of users: from when until when they are in groups, for those that are not for good.

use serde_json::{Map, Value, json};

use super::difference::{Action, Change, FieldChange};
use super::reader::{Mistakes, Reader};
use super::{Act, Planned, users};
use crate::flow::people::{self, ChangeSource, GroupRules, MembershipChange, UserKey};
use crate::flow::{Call, Error, Provider};
use crate::model::user::comparison_key;
use crate::model::{MembershipTerm, Timestamp, User};
use crate::store::{Membership, Write};

const MEMBER: &str = "group_terms";

/// What an entry says, by the group's name. A group that it does not name stays as it is.
pub(super) type Terms = Vec<(String, MembershipTerm)>;

/// Says from when until when a user is in groups.
pub(super) struct TermAct {
    username: String,
    terms: Terms,
}

pub(super) fn read(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Terms {
    let at = reader.at(MEMBER);
    let table = match reader.value(MEMBER) {
        None => return Terms::new(),
        Some(Value::Object(table)) => table,
        Some(_) => {
            mistakes.add(&at, "type", "expected an object");
            return Terms::new();
        }
    };
    let mut terms = Terms::new();
    for (name, said) in table {
        let term = match said {
            Value::Null => Some(MembershipTerm::default()),
            said => Reader::open(said, format!("{at}/{name}"), mistakes).and_then(|entry| term(entry, mistakes)),
        };
        terms.extend(term.map(|term| (name.clone(), term)));
    }
    terms
}

fn term(mut reader: Reader<'_>, mistakes: &mut Mistakes) -> Option<MembershipTerm> {
    let mut moment = |name: &'static str| {
        let text = reader.text(name, mistakes)?;
        let read = Timestamp::parse(&text);
        if read.is_none() {
            mistakes.add(
                &reader.at(name),
                "malformed",
                "expected a moment like 2027-01-31T17:00:00Z (RFC 3339)",
            );
        }
        read
    };
    let term = MembershipTerm {
        starts_at: moment("starts_at"),
        ends_at: moment("ends_at"),
    };
    if term
        .starts_at
        .zip(term.ends_at)
        .is_some_and(|(start, end)| end <= start)
    {
        mistakes.add(
            &reader.at("ends_at"),
            "contradiction",
            "a membership ends after it begins",
        );
    }
    reader.finish(mistakes);
    Some(term)
}

fn shown(term: MembershipTerm) -> Value {
    let mut entry = Map::new();
    for (name, at) in [("starts_at", term.starts_at), ("ends_at", term.ends_at)] {
        if let Some(at) = at {
            entry.insert(name.to_owned(), at.rfc3339().into());
        }
    }
    Value::Object(entry)
}

/// What a user's memberships say that are not for good, as the file has it; nothing if there are none.
pub(in crate::flow::operations) async fn to_json(
    provider: &Provider,
    user: &User,
) -> Result<Map<String, Value>, Error> {
    let memberships = people::list_groups_of(provider, user.id).await?;
    let terms: Map<String, Value> = memberships
        .into_iter()
        .filter(|membership| membership.term != MembershipTerm::default())
        .map(|membership| (membership.name, shown(membership.term)))
        .collect();
    let mut entry = Map::new();
    if !terms.is_empty() {
        entry.insert(MEMBER.to_owned(), Value::Object(terms));
    }
    Ok(entry)
}

/// The difference, once users are in their groups.
pub(super) async fn plan(provider: &Provider, entries: &[users::Entry]) -> Result<Vec<Planned>, Error> {
    let mut planned = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.terms.is_empty()) {
        let key = UserKey::Username(entry.username.clone());
        let before = match people::find_user(provider, &key).await? {
            Some(user) => people::list_groups_of(provider, user.id).await?,
            None => Vec::new(),
        };
        let mut terms = Terms::new();
        let (mut old, mut new) = (Map::new(), Map::new());
        for (name, term) in &entry.terms {
            let known = before_of(&before, name);
            if known != *term {
                old.insert(name.clone(), shown(known));
                new.insert(name.clone(), shown(*term));
                terms.push((name.clone(), *term));
            }
        }
        if terms.is_empty() {
            continue;
        }
        let member = |terms: Map<String, Value>| Map::from_iter([(MEMBER.to_owned(), json!(terms))]);
        planned.push(Planned {
            pointer: entry.pointer.clone(),
            change: Change {
                section: users::SECTION,
                name: entry.username.clone(),
                action: Action::Change,
                fields: FieldChange::between(&member(old), &member(new)),
            },
            act: Act::Membership(TermAct {
                username: entry.username.clone(),
                terms,
            }),
        });
    }
    Ok(planned)
}

fn before_of(memberships: &[Membership], name: &str) -> MembershipTerm {
    let key = comparison_key(name);
    let found = memberships.iter().find(|known| comparison_key(&known.name) == key);
    found.map(|membership| membership.term).unwrap_or_default()
}

pub(super) async fn write(tx: &mut Write, call: &Call, act: &TermAct) -> Result<(), Error> {
    let user = tx.find_user_by_username(&act.username).await?.ok_or(Error::NotFound)?;
    for (name, term) in &act.terms {
        let unknown = || {
            Error::field(
                format!("/{MEMBER}"),
                "unknown",
                format!("the user is in no group {name}"),
            )
        };
        let group = tx.find_group_by_name(name).await?.ok_or_else(unknown)?;
        let before = tx.find_membership(group.id, user.id).await?.ok_or_else(unknown)?;
        let source = &ChangeSource::Apply;
        if before.term.counts(call.now) && !term.counts(call.now) {
            // it has not begun: whoever is in the group already is not from now on
            let (left, rules) = ((group.id, None), GroupRules::default());
            people::members::remove_in(tx, call, source, left, user.id, &rules).await?;
        }
        let change = MembershipChange {
            starts_at: Some(term.starts_at),
            ends_at: Some(term.ends_at),
            primary: false,
        };
        people::members::put_in(tx, call, source, group.id, user.id, change).await?;
    }
    Ok(())
}
