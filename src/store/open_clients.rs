//! Clients that registered themselves where anyone may, and that nobody vouches for: how many there are, and which of them nobody
//! has signed in to.
//!
//! Their number stands in a row of its own, which whoever adds one raises by a guarded statement: of any number of registrations at
//! once no more succeed than there are places, and none of them counts clients.

use super::{Error, Write, readers};
use crate::model::{Client, Id, Timestamp};
use crate::sql::{self, Record, Row};

const NUMBER: &str = "
select number
from open_clients";

const LIST_UNUSED: &str = "
select id
from clients
where unused_until <= $1
and unused_until is not null
order by unused_until
limit $2";

/// The row of a client.
struct Found(Id<Client>);

impl Record for Found {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self(Id::from_uuid(row.uuid("id")?)))
    }
}

readers! {
    /// How many there are.
    pub async fn open_clients(&mut self) -> Result<i64, Error> {
        Ok(self.sql(NUMBER).one().await?)
    }

    /// Those to which nobody has signed in until now, and for which the time to do so is over; a bounded number.
    pub async fn list_unused_clients(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Id<Client>>, Error> {
        let found: Vec<Found> = self.sql(LIST_UNUSED).bind(now).bind(limit).all().await?;
        Ok(found.into_iter().map(|found| found.0).collect())
    }
}

const TAKE_PLACE: &str = "
update open_clients
set number = number + 1
where number < $1";

const HOLD: &str = "
update open_clients
set number = number";

const COUNT: &str = "
update open_clients
set number = (select count(*) from clients where origin = 'registration' and trusted = $1)";

const DELETE_UNUSED: &str = "
delete from clients
where id = $1
and unused_until <= $2";

const MARK_USED: &str = "
update clients
set unused_until = null
where id = $1
and unused_until is not null";

impl Write {
    /// Takes a place for one more, which is added in this transaction. False if `most` are there.
    pub async fn take_place_of_open_client(&mut self, most: i64) -> Result<bool, Error> {
        Ok(self.sql(TAKE_PLACE).bind(most).changed().await? == 1)
    }

    /// Counts them anew, after one has gone or somebody vouches for it. It looks at them alone, not at all clients.
    pub(super) async fn count_open_clients(&mut self) -> Result<(), Error> {
        // whoever is adding one is waited for first: the statement after it sees that one
        self.sql(HOLD).later();
        self.sql(COUNT).bind(false).later();
        Ok(())
    }

    /// Deletes one whose time to be used is over. False if somebody has signed in to it meanwhile, or it is gone.
    pub async fn delete_unused_client(&mut self, id: Id<Client>, now: Timestamp) -> Result<bool, Error> {
        let deleted = self.sql(DELETE_UNUSED).bind(id).bind(now).changed().await? == 1;
        if deleted {
            self.count_open_clients().await?;
            self.raise_client_generation().await?;
        }
        Ok(deleted)
    }

    /// Somebody has signed in to it: from now on it stays.
    pub async fn mark_client_used(&mut self, id: Id<Client>) -> Result<(), Error> {
        self.sql(MARK_USED).bind(id).later();
        self.raise_client_generation().await
    }
}
