//! Properties of people: how they are defined, and what people are found by. The values themselves stand in each profile.

use super::rows::{Columns, to_json};
use super::{Error, Write, readers};
use crate::model::{Id, Property, PropertyState, User};
use crate::sql::{self, Record, Row};

/// More are not defined.
pub const MOST_PROPERTIES: u32 = 200;

impl Record for Property {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            definition: row.json("definition")?,
            state: row.named("state")?,
            doubles: row.int("doubles")?,
            version: row.int("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// A property whose values are being gone through, and how far that has come.
pub struct Sweep {
    /// The property.
    pub property: Property,
    /// The last person who was looked at.
    pub swept_to: Option<Id<User>>,
}

impl Record for Sweep {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            property: Property::read(row)?,
            swept_to: row.maybe_id("swept_to")?,
        })
    }
}

const LIST: &str = "
select id, name, definition, state, doubles, version, created_at, updated_at
from properties
order by name
limit $1";

const FIND: &str = "
select id, name, definition, state, doubles, version, created_at, updated_at
from properties
where id = $1";

const FIND_SWEEP: &str = "
select id, name, definition, state, doubles, version, created_at, updated_at, swept_to
from properties
where state <> 'ready'
order by id
limit 1";

const LIST_APPLIED: &str = "
select name
from properties
where applied
order by name";

readers! {
    /// Every property, by name.
    pub async fn list_properties(&mut self) -> Result<Vec<Property>, Error> {
        Ok(self.sql(LIST).bind(MOST_PROPERTIES).all().await?)
    }

    /// The property of this row.
    pub async fn find_property(&mut self, id: Id<Property>) -> Result<Option<Property>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// One whose values are being gone through.
    pub async fn find_property_sweep(&mut self) -> Result<Option<Sweep>, Error> {
        Ok(self.sql(FIND_SWEEP).optional().await?)
    }

    /// The names that came by `apply`.
    pub async fn list_applied_properties(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into properties (id, name, definition, state, doubles, applied, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const CHANGE: &str = "
update properties
set definition = $3, state = $4, updated_at = $5, version = version + 1,
  swept_to = case when state = $4 and $6 = 0 then swept_to end,
  doubles = case when $6 = 0 then doubles else 0 end
where id = $1
and version = $2";

const ADVANCE: &str = "
update properties
set swept_to = $3, doubles = doubles + $4
where id = $1
and version = $2";

const FINISH: &str = "
update properties
set state = 'ready', swept_to = null
where id = $1
and version = $2";

const REMOVE: &str = "
delete from properties
where id = $1
and version = $2";

const MARK_APPLIED: &str = "
update properties
set applied = $2
where id = $1";

const ADD_KEY: &str = "
insert into user_properties (user_id, property_id, key, unique_key)
values ($1, $2, $3, $4)";

// of two people with one value, the one who had it first is found
const ADD_KEY_IF_FREE: &str = "
insert into user_properties (user_id, property_id, key, unique_key)
values ($1, $2, $3, $4)
on conflict do nothing";

const REMOVE_KEYS: &str = "
delete from user_properties
where user_id = $1
and property_id = $2";

const REMOVE_EVERY_KEY: &str = "
delete from user_properties
where property_id = $1";

impl Write {
    /// Adds a property. `Taken("properties_name")` if there is one of this name.
    pub async fn add_property(&mut self, property: &Property) -> Result<(), Error> {
        self.sql(ADD)
            .bind(property.id)
            .bind(property.name.as_str())
            .bind(to_json(&property.definition)?)
            .bind(property.state.as_str())
            .bind(0_i64)
            .bind(false)
            .bind(property.version)
            .bind(property.created_at)
            .bind(property.updated_at)
            .changed()
            .await?;
        self.raise_property_generation().await
    }

    /// Changes definition and state, if the version still is the property's. `anew` begins what is being done from the first person.
    pub async fn change_property(&mut self, property: &Property, anew: bool) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(property.id)
            .bind(property.version)
            .bind(to_json(&property.definition)?)
            .bind(property.state.as_str())
            .bind(property.updated_at)
            .bind(i64::from(anew))
            .changed()
            .await?;
        self.raise_property_generation().await?;
        Ok(changed == 1)
    }

    /// Says how far its values were gone through, and how many were found that another has. False if it has changed meanwhile.
    pub async fn advance_property(&mut self, property: &Property, to: Id<User>, doubles: i64) -> Result<bool, Error> {
        let advancing = self.sql(ADVANCE).bind(property.id).bind(property.version);
        Ok(advancing.bind(to).bind(doubles).changed().await? == 1)
    }

    /// Says that its values were gone through. False if it has changed meanwhile.
    pub async fn finish_property(&mut self, property: &Property) -> Result<bool, Error> {
        let finished = match property.state {
            PropertyState::Clearing => self.sql(REMOVE),
            PropertyState::Ready | PropertyState::Indexing => self.sql(FINISH),
        };
        let is_done = finished.bind(property.id).bind(property.version).changed().await? == 1;
        self.raise_property_generation().await?;
        Ok(is_done)
    }

    /// Remembers that `apply` made it.
    pub async fn mark_property_applied(&mut self, id: Id<Property>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Says by what somebody is found, in place of what was said. `Taken("user_properties_property_id_unique_key")` if somebody else
    /// has a value of which there may be one.
    pub async fn set_property_keys(
        &mut self,
        user: Id<User>,
        property: &Property,
        keys: &[String],
    ) -> Result<(), Error> {
        self.sql(REMOVE_KEYS).bind(user).bind(property.id).changed().await?;
        for key in keys {
            let unique = property.definition.unique.then(|| key.clone());
            let adding = self.sql(ADD_KEY).bind(user).bind(property.id).bind(key.as_str());
            adding.bind(unique).changed().await?;
        }
        Ok(())
    }

    /// The same for somebody who had the value before it was findable. False if somebody else has one of which there may be one.
    pub async fn fill_property_keys(
        &mut self,
        user: Id<User>,
        property: &Property,
        keys: &[String],
    ) -> Result<bool, Error> {
        self.sql(REMOVE_KEYS).bind(user).bind(property.id).changed().await?;
        let mut are_free = true;
        for key in keys {
            let unique = property.definition.unique.then(|| key.clone());
            let adding = self
                .sql(ADD_KEY_IF_FREE)
                .bind(user)
                .bind(property.id)
                .bind(key.as_str());
            if adding.bind(unique).changed().await? == 0 {
                are_free = false;
                let adding = self
                    .sql(ADD_KEY_IF_FREE)
                    .bind(user)
                    .bind(property.id)
                    .bind(key.as_str());
                adding.bind(None::<String>).changed().await?;
            }
        }
        Ok(are_free)
    }

    /// Nobody is found by it any more.
    pub async fn remove_property_keys(&mut self, id: Id<Property>) -> Result<(), Error> {
        self.sql(REMOVE_EVERY_KEY).bind(id).changed().await?;
        Ok(())
    }
}

const SET_PROFILE: &str = "
update users
set profile = $3, version = version + 1
where id = $1
and version = $2";

const HOLD_VERSION: &str = "
update users
set version = version
where id = $1
and version = $2";

impl Write {
    /// Whoever changes the account waits for this transaction, if the version still is the user's. False if not.
    pub async fn hold_user_version(&mut self, user: &User) -> Result<bool, Error> {
        let held = self.sql(HOLD_VERSION).bind(user.id).bind(user.version);
        Ok(held.changed().await? == 1)
    }

    /// Changes nothing but what is told about a person, if the version still is the user's: to take a value away that nobody knows.
    pub async fn set_profile(&mut self, user: &User) -> Result<bool, Error> {
        let set = self.sql(SET_PROFILE).bind(user.id).bind(user.version);
        let is_done = set.bind(to_json(&user.profile)?).changed().await? == 1;
        if is_done {
            self.forget(super::Ended::User(user.id)).await?;
        }
        Ok(is_done)
    }
}
