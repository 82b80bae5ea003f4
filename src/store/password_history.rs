//! The hashes of former passwords, so that none of them is taken again.

use super::{Error, Write, readers};
use crate::model::{Id, PasswordHash, Timestamp, User};

const LIST: &str = "
select hash
from password_history
where user_id = $1
order by replaced_at desc
limit $2";

readers! {
    /// The hashes of somebody's passwords before the one they have, the latest first.
    pub async fn list_former_passwords(&mut self, user: Id<User>, most: u32) -> Result<Vec<PasswordHash>, Error> {
        let hashes: Vec<String> = self.sql(LIST).bind(user).bind(most).all().await?;
        Ok(hashes.into_iter().map(PasswordHash::new).collect())
    }
}

const REMEMBER: &str = "
insert into password_history (user_id, replaced_at, hash)
select id, $2, password_hash
from users
where id = $1
and password_hash is not null
on conflict do nothing";

const TRIM: &str = "
delete from password_history
where user_id = $1
and replaced_at not in (
  select replaced_at from password_history where user_id = $1 order by replaced_at desc limit $2
)";

impl Write {
    /// Remembers the password that somebody has until now.
    pub(super) async fn remember_password(&mut self, user: Id<User>, at: Timestamp) -> Result<(), Error> {
        self.sql(REMEMBER).bind(user).bind(at).changed().await?;
        Ok(())
    }

    /// Forgets all but the latest former passwords of somebody. The one they have counts as one of `history`.
    pub async fn trim_password_history(&mut self, user: Id<User>, history: u32) -> Result<(), Error> {
        self.sql(TRIM).bind(user).bind(history.saturating_sub(1)).later();
        Ok(())
    }
}
