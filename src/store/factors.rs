//! Second factors and recovery codes. Which time step was used last, and whether a recovery code was spent, the database
//! decides: one guarded statement each, so that of many who come at once with the same code one succeeds, on whatever node.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Digest, Factor, Id, OtpShape, RequiredAction, Timestamp, User};
use crate::sql::{self, Record, Row};

/// More factors of one person are not listed; nobody may have more.
const MOST: u32 = 100;

impl Record for Factor {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            user: row.id("user_id")?,
            kind: row.named("kind")?,
            name: row.text("name")?,
            sealed: row.bytes("sealed")?,
            shape: OtpShape {
                algorithm: row.named("algorithm")?,
                digits: u8::try_from(row.int("digits")?).map_err(|_| sql::Error::unreadable("digits"))?,
                period: u32::try_from(row.int("period")?).map_err(|_| sql::Error::unreadable("period"))?,
            },
            last_step: row.int("last_step")?,
            created_at: row.time("created_at")?,
            confirmed_at: row.maybe_time("confirmed_at")?,
            used_at: row.maybe_time("used_at")?,
        })
    }
}

const LIST: &str = "
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at
from factors
where user_id = $1
and confirmed_at is not null
order by created_at, id
limit $2";

const FIND_UNCONFIRMED: &str = "
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at
from factors
where user_id = $1
and id = $2
and confirmed_at is null
and created_at > $3";

const COUNT_RECOVERY_CODES: &str = "
select count(*)
from recovery_codes
where user_id = $1
and spent_at is null";

const HAS_RECOVERY_CODE: &str = "
select count(*)
from recovery_codes
where user_id = $1
and digest = $2
and spent_at is null";

readers! {
    /// The factors of a person that count, in the order in which they came.
    pub async fn list_factors_of(&mut self, user: Id<User>) -> Result<Vec<Factor>, Error> {
        Ok(self.sql(LIST).bind(user).bind(MOST).all().await?)
    }

    /// A factor that a person has begun after `since` and not confirmed.
    pub async fn find_unconfirmed_factor(
        &mut self,
        user: Id<User>,
        id: Id<Factor>,
        since: Timestamp,
    ) -> Result<Option<Factor>, Error> {
        Ok(self.sql(FIND_UNCONFIRMED).bind(user).bind(id).bind(since).optional().await?)
    }

    /// How many recovery codes a person has left.
    pub async fn count_recovery_codes_of(&mut self, user: Id<User>) -> Result<i64, Error> {
        Ok(self.sql(COUNT_RECOVERY_CODES).bind(user).one().await?)
    }

    /// Whether a recovery code is a person's, and not spent.
    pub async fn has_recovery_code(&mut self, user: Id<User>, digest: &Digest) -> Result<bool, Error> {
        let found: i64 = self.sql(HAS_RECOVERY_CODE).bind(user).bind(digest).one().await?;
        Ok(found > 0)
    }
}

const ADD: &str = "
insert into factors (id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const FORGET_UNCONFIRMED: &str = "
delete from factors
where user_id = $1
and confirmed_at is null";

const CONFIRM: &str = "
update factors
set confirmed_at = $4, used_at = $4, last_step = $3
where user_id = $1
and id = $2
and confirmed_at is null
and last_step < $3";

const ACCEPT_STEP: &str = "
update factors
set last_step = $3, used_at = $4
where user_id = $1
and id = $2
and confirmed_at is not null
and last_step < $3";

const RENAME: &str = "
update factors
set name = $3
where user_id = $1
and id = $2
and confirmed_at is not null";

const REMOVE: &str = "
delete from factors
where user_id = $1
and id = $2
and confirmed_at is not null";

const REMOVE_ALL: &str = "
delete from factors
where user_id = $1
and confirmed_at is not null";

const SWEEP: &str = "
delete from factors
where id in (select id from factors where confirmed_at is null and created_at < $1 limit $2)";

const ADD_RECOVERY_CODE: &str = "
insert into recovery_codes (user_id, digest, created_at)
values ($1, $2, $3)";

const SPEND_RECOVERY_CODE: &str = "
update recovery_codes
set spent_at = $3
where user_id = $1
and digest = $2
and spent_at is null";

const FORGET_RECOVERY_CODES: &str = "
delete from recovery_codes
where user_id = $1";

impl Write {
    /// Adds a factor, confirmed or yet to be.
    pub async fn add_factor(&mut self, factor: &Factor) -> Result<(), Error> {
        self.sql(ADD)
            .bind(factor.id)
            .bind(factor.user)
            .bind(factor.kind.as_str())
            .bind(factor.name.as_str())
            .bind(factor.sealed.clone())
            .bind(factor.shape.algorithm.as_str())
            .bind(i64::from(factor.shape.digits))
            .bind(i64::from(factor.shape.period))
            .bind(factor.last_step)
            .bind(factor.created_at)
            .bind(factor.confirmed_at)
            .changed()
            .await?;
        if factor.confirmed_at.is_some() {
            self.complete_action(factor.user, RequiredAction::EnrolFactor).await?;
            self.forget_remembered_devices_of(factor.user).await?;
        }
        Ok(())
    }

    /// Forgets what a person has begun and not confirmed.
    pub async fn forget_unconfirmed_factors_of(&mut self, user: Id<User>) -> Result<(), Error> {
        self.sql(FORGET_UNCONFIRMED).bind(user).changed().await?;
        Ok(())
    }

    /// A person has shown by the code of this step that they have a factor. False if it is not there, or counts already.
    pub async fn confirm_factor(
        &mut self,
        user: Id<User>,
        id: Id<Factor>,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let confirming = self.sql(CONFIRM).bind(user).bind(id).bind(step).bind(at);
        if confirming.changed().await? != 1 {
            return Ok(false);
        }
        self.complete_action(user, RequiredAction::EnrolFactor).await?;
        self.forget_remembered_devices_of(user).await?;
        Ok(true)
    }

    /// Accepts the code of this step. False if that step or a later one was accepted before, or the factor is not there: of
    /// many who come with the same code one has true.
    pub async fn accept_step(
        &mut self,
        user: Id<User>,
        id: Id<Factor>,
        step: i64,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let accepting = self.sql(ACCEPT_STEP).bind(user).bind(id).bind(step).bind(at);
        Ok(accepting.changed().await? == 1)
    }

    /// Calls a factor otherwise. False if it is not there.
    pub async fn rename_factor(&mut self, user: Id<User>, id: Id<Factor>, name: &str) -> Result<bool, Error> {
        Ok(self.sql(RENAME).bind(user).bind(id).bind(name).changed().await? == 1)
    }

    /// Removes a factor. False if it is not there.
    pub async fn remove_factor(&mut self, user: Id<User>, id: Id<Factor>) -> Result<bool, Error> {
        self.forget_remembered_devices_of(user).await?;
        Ok(self.sql(REMOVE).bind(user).bind(id).changed().await? == 1)
    }

    /// Removes every factor of a person. Gives how many.
    pub async fn remove_factors_of(&mut self, user: Id<User>) -> Result<u64, Error> {
        self.forget_remembered_devices_of(user).await?;
        Ok(self.sql(REMOVE_ALL).bind(user).changed().await?)
    }

    /// Forgets what was begun before `before` and not confirmed, a bounded number.
    pub async fn sweep_unconfirmed_factors(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }

    /// Puts another set of recovery codes in the place of the one before.
    pub async fn replace_recovery_codes(
        &mut self,
        user: Id<User>,
        digests: &[Digest],
        at: Timestamp,
    ) -> Result<(), Error> {
        self.forget_recovery_codes_of(user).await?;
        for digest in digests {
            self.sql(ADD_RECOVERY_CODE)
                .bind(user)
                .bind(digest)
                .bind(at)
                .changed()
                .await?;
        }
        Ok(())
    }

    /// Spends a recovery code. False if there is none of this digest, or it is spent: of many who come at once one has true.
    pub async fn spend_recovery_code(&mut self, user: Id<User>, digest: &Digest, at: Timestamp) -> Result<bool, Error> {
        Ok(self
            .sql(SPEND_RECOVERY_CODE)
            .bind(user)
            .bind(digest)
            .bind(at)
            .changed()
            .await?
            == 1)
    }

    /// Forgets the recovery codes of a person. Gives how many.
    pub async fn forget_recovery_codes_of(&mut self, user: Id<User>) -> Result<u64, Error> {
        Ok(self.sql(FORGET_RECOVERY_CODES).bind(user).changed().await?)
    }
}
