//! Second factors and recovery codes. Which time step or signature was used last, and whether a recovery code was spent, the
//! database decides: one guarded statement each, so that of many who come at once with the same code one succeeds, on whatever node.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{
    Channel, Digest, Factor, FactorKind, FactorMeans, Id, OtpSecret, OtpShape, Passkey, RequiredAction, Timestamp, User,
};
use crate::sql::{self, Record, Row};

/// More factors of one person are not listed; nobody may have more.
const MOST: u32 = 100;

impl Record for Factor {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let means = match row.named("kind")? {
            FactorKind::Totp => FactorMeans::Totp(OtpSecret {
                sealed: row.bytes("sealed")?,
                shape: OtpShape {
                    algorithm: row.named("algorithm")?,
                    digits: u8::try_from(row.int("digits")?).map_err(|_| sql::Error::unreadable("digits"))?,
                    period: u32::try_from(row.int("period")?).map_err(|_| sql::Error::unreadable("period"))?,
                },
                last_step: row.int("last_step")?,
            }),
            FactorKind::Passkey => FactorMeans::Passkey(Passkey {
                credential_id: row.bytes("credential_id")?,
                credential: row.text("credential")?,
                counter: u32::try_from(row.int("counter")?).map_err(|_| sql::Error::unreadable("counter"))?,
            }),
            FactorKind::Mail => FactorMeans::Sent(Channel::Mail),
            FactorKind::Sms => FactorMeans::Sent(Channel::Sms),
        };
        Ok(Self {
            id: row.id("id")?,
            user: row.id("user_id")?,
            name: row.text("name")?,
            means,
            created_at: row.time("created_at")?,
            confirmed_at: row.maybe_time("confirmed_at")?,
            used_at: row.maybe_time("used_at")?,
        })
    }
}

const LIST: &str = "
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at,
  credential_id, credential, counter
from factors
where user_id = $1
and confirmed_at is not null
order by created_at, id
limit $2";

const FIND_UNCONFIRMED: &str = "
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at,
  credential_id, credential, counter
from factors
where user_id = $1
and id = $2
and confirmed_at is null
and created_at > $3";

const FIND_BY_CREDENTIAL: &str = "
select id, user_id, kind, name, sealed, algorithm, digits, period, last_step, created_at, confirmed_at, used_at,
  credential_id, credential, counter
from factors
where credential_id = $1
and confirmed_at is not null";

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

    /// The passkey of this credential, whosever it is.
    pub async fn find_factor_by_credential(&mut self, credential: &[u8]) -> Result<Option<Factor>, Error> {
        Ok(self.sql(FIND_BY_CREDENTIAL).bind(credential).optional().await?)
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

const ADD_PASSKEY: &str = "
insert into factors (id, user_id, kind, name, credential_id, credential, counter, created_at, confirmed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const ADD_SENT: &str = "
insert into factors (id, user_id, kind, name, created_at, confirmed_at)
values ($1, $2, $3, $4, $5, $6)";

const ACCEPT_SENT: &str = "
update factors
set used_at = $3
where user_id = $1
and id = $2
and confirmed_at is not null";

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

/// Web Authentication Level 3 section 7.2 step 22: greater than the one before, where there is a counter at all.
const ACCEPT_SIGNATURE: &str = "
update factors
set counter = $3, used_at = $4
where user_id = $1
and id = $2
and confirmed_at is not null
and (counter < $3 or (counter = 0 and $3 = 0))";

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
    /// Adds a factor, confirmed or yet to be. [`Error::Taken`] if its credential is there already, whosever it is.
    pub async fn add_factor(&mut self, factor: &Factor) -> Result<(), Error> {
        let adding = match &factor.means {
            FactorMeans::Totp(otp) => self
                .sql(ADD)
                .bind(factor.id)
                .bind(factor.user)
                .bind(factor.kind().as_str())
                .bind(factor.name.as_str())
                .bind(otp.sealed.clone())
                .bind(otp.shape.algorithm.as_str())
                .bind(i64::from(otp.shape.digits))
                .bind(i64::from(otp.shape.period))
                .bind(otp.last_step),
            FactorMeans::Passkey(passkey) => self
                .sql(ADD_PASSKEY)
                .bind(factor.id)
                .bind(factor.user)
                .bind(factor.kind().as_str())
                .bind(factor.name.as_str())
                .bind(passkey.credential_id.clone())
                .bind(passkey.credential.as_str())
                .bind(i64::from(passkey.counter)),
            FactorMeans::Sent(_) => self
                .sql(ADD_SENT)
                .bind(factor.id)
                .bind(factor.user)
                .bind(factor.kind().as_str())
                .bind(factor.name.as_str()),
        };
        adding
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

    /// Accepts the signature of this counter. False if it does not go up, or the factor is not there: of two keys that share a
    /// counter one is refused.
    pub async fn accept_signature(
        &mut self,
        user: Id<User>,
        id: Id<Factor>,
        counter: u32,
        at: Timestamp,
    ) -> Result<bool, Error> {
        let counter = i64::from(counter);
        let accepting = self.sql(ACCEPT_SIGNATURE).bind(user).bind(id).bind(counter).bind(at);
        Ok(accepting.changed().await? == 1)
    }

    /// Accepts a code that was sent. False if the factor is not there.
    pub async fn accept_sent_code(&mut self, user: Id<User>, id: Id<Factor>, at: Timestamp) -> Result<bool, Error> {
        Ok(self.sql(ACCEPT_SENT).bind(user).bind(id).bind(at).changed().await? == 1)
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
