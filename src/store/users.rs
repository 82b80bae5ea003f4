//! Users.

use super::account_terms::first_look;
use super::action_links::ActionLinkKind;
use super::rows::{Columns, to_json};
use super::{Ended, Error, Write, readers, visible};
use crate::model::user::comparison_key;
use crate::model::{Channel, Digest, Id, PasswordHash, PasswordSetter, RequiredAction, Timestamp, User, UserStatus};
use crate::sql::{self, Record, Row};

/// A page of users.
pub type UserPage = Vec<User>;

impl Record for User {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            id: row.id("id")?,
            subject: row.text("subject")?,
            username: row.text("username")?,
            kind: row.named("kind")?,
            client: row.maybe_uuid("client_id")?.map(Id::from_uuid),
            version: row.int("version")?,
            status: row.named("status")?,
            profile: row.json("profile")?,
            password: row.maybe_text("password_hash")?.map(PasswordHash::new),
            password_changed_at: row.maybe_time("password_changed_at")?,
            password_expired_at: row.maybe_time("password_expired_at")?,
            password_initial: row.boolean("password_initial")?,
            required_actions: read_actions(&row.text("required_actions")?)?,
            deletion_at: row.maybe_time("deletion_at")?,
            status_before: read_status(row.maybe_text("status_before")?)?,
            starts_at: row.maybe_time("starts_at")?,
            expires_at: row.maybe_time("expires_at")?,
            invited_at: row.maybe_time("invited_at")?,
            signed_in_at: row.maybe_time("signed_in_at")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

fn read_status(text: Option<String>) -> Result<Option<UserStatus>, sql::Error> {
    let read = |text: String| text.parse().map_err(|_| sql::Error::unreadable("status_before"));
    text.map(read).transpose()
}

fn read_actions(text: &str) -> Result<Vec<RequiredAction>, sql::Error> {
    let words = text.split_whitespace().map(str::parse);
    words
        .collect::<Result<_, _>>()
        .map_err(|_| sql::Error::unreadable("required_actions"))
}

pub(super) fn write_actions(actions: &[RequiredAction]) -> String {
    let words: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
    words.join(" ")
}

/// Users of whom a condition holds, but for those whom an import has made that is not visible yet.
macro_rules! users {
    ($condition:literal) => {
        concat!(
            "
select id, subject, username, status, profile, password_hash, password_changed_at,
  password_expired_at, password_initial, required_actions, deletion_at, starts_at, expires_at,
  invited_at, signed_in_at, kind, client_id, status_before, version, created_at, updated_at
from users
where ",
            visible!(),
            "
and ",
            $condition
        )
    };
}

const FIND: &str = users!("id = $1");

const FIND_BY_SUBJECT: &str = users!("subject = $1");

const FIND_BY_USERNAME: &str = users!("username_key = $1");

const FIND_BY_EMAIL: &str = users!("email_key = $1");

// one more than may be: a number that several people have names nobody
const FIND_BY_PHONE: &str = users!(
    "phone_key = $1
limit 2"
);

const LIST: &str = users!(
    "id > $1
and status <> 'deleted'
order by id
limit $2"
);

const IS_DEPARTED: &str = "
select count(*)
from departed_subjects
where digest = $1";

const LIST_LEFT: &str = "
select id
from users
where deletion_at <= $1
order by deletion_at
limit $2";

const LIST_APPLIED: &str = "
select username
from users
where applied
and status <> 'deleted'
order by username";

readers! {
    /// The user of this row.
    pub async fn find_user(&mut self, id: Id<User>) -> Result<Option<User>, Error> {
        Ok(self.sql(FIND).bind(id).optional().await?)
    }

    /// The user that clients know by this subject.
    pub async fn find_user_by_subject(&mut self, subject: &str) -> Result<Option<User>, Error> {
        Ok(self.sql(FIND_BY_SUBJECT).bind(subject).optional().await?)
    }

    /// The user of this username, without regard to case.
    pub async fn find_user_by_username(&mut self, username: &str) -> Result<Option<User>, Error> {
        Ok(self.sql(FIND_BY_USERNAME).bind(comparison_key(username)).optional().await?)
    }

    /// The user of this mail address, without regard to case.
    pub async fn find_user_by_email(&mut self, email: &str) -> Result<Option<User>, Error> {
        Ok(self.sql(FIND_BY_EMAIL).bind(comparison_key(email)).optional().await?)
    }

    /// The user who signs in with this username or mail address. A username wins over another person's address.
    pub async fn find_user_by_identifier(&mut self, identifier: &str) -> Result<Option<User>, Error> {
        if let Some(user) = self.find_user_by_username(identifier).await? {
            return Ok(Some(user));
        }
        self.find_user_by_email(identifier).await
    }

    /// The user of this number, as E.164 writes it, if they have shown that it is theirs, and nobody else has.
    pub async fn find_user_by_phone(&mut self, number: &str) -> Result<Option<User>, Error> {
        let mut found: UserPage = self.sql(FIND_BY_PHONE).bind(number).all().await?;
        let first = found.pop();
        Ok(first.filter(|_| found.is_empty()))
    }

    /// Users after this one, oldest first, without those in the bin.
    pub async fn list_users(&mut self, after: Option<Id<User>>, limit: u32) -> Result<UserPage, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST).bind(after).bind(limit).all().await?)
    }

    /// Whether a deleted user was known by this subject.
    pub async fn is_subject_departed(&mut self, subject: &str) -> Result<bool, Error> {
        let found: i64 = self.sql(IS_DEPARTED).bind(&Digest::of(subject.as_bytes())).one().await?;
        Ok(found > 0)
    }

    /// Users who wanted to be deleted by now, or have been in the bin for long enough; a bounded number.
    pub async fn list_users_who_left(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Id<User>>, Error> {
        let ids: Vec<uuid::Uuid> = self.sql(LIST_LEFT).bind(now).bind(limit).all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// The usernames that came by `apply`.
    pub async fn list_applied_users(&mut self) -> Result<Vec<String>, Error> {
        Ok(self.sql(LIST_APPLIED).all().await?)
    }
}

const ADD: &str = "
insert into users (id, subject, username, username_key, email_key, status, profile, password_hash,
  password_changed_at, password_initial, required_actions, applied, version, created_at, updated_at,
  starts_at, expires_at, remind_at, phone_key, invited_at, kind, client_id,
  idle_from, idle_look_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
  $14, case when $21 = 'server' then null else $14 end)";

const CHANGE: &str = "
update users
set username = $3, username_key = $4, email_key = $5, status = $6, profile = $7, required_actions = $8, updated_at = $9,
  deletion_at = $10, starts_at = $11, expires_at = $12,
  expired_at = case when expires_at is not distinct from $12 then expired_at end,
  reminded_at = case when expires_at is not distinct from $12 then reminded_at end,
  remind_at = case when expires_at is not distinct from $12 then remind_at else $13 end,
  phone_key = $14, invited_at = $15, kind = $16, status_before = $17,
  version = version + 1
where id = $1
and version = $2";

const SET_PASSWORD: &str = "
update users
set password_hash = $2, password_changed_at = $3, password_initial = $4, password_expired_at = null
where id = $1";

const HOLD_AS: &str = "
update users
set version = version
where id = $1
and status in ('active', 'invited')
and password_changed_at is not distinct from $2
and password_expired_at is null
and required_actions = $3
and starts_at is not distinct from $4
and expires_at is not distinct from $5";

const SIGN_IN_AS: &str = "
update users
set signed_in_at = $6
where id = $1
and status = 'active'
and password_changed_at is not distinct from $2
and password_expired_at is null
and required_actions = $3
and starts_at is not distinct from $4
and expires_at is not distinct from $5";

const ACTIVATE: &str = "
update users
set status = 'active', updated_at = $2, version = version + 1
where id = $1
and status = 'invited'";

// whoever changes the account at the same time has read what is no longer so
const COMPLETE_ACTION: &str = "
update users
set required_actions = $3, version = version + 1
where id = $1
and required_actions = $2";

const EXPIRE_PASSWORD: &str = "
update users
set password_expired_at = $2
where id = $1
and password_hash is not null
and password_expired_at is null
and (password_changed_at is null or password_changed_at <= $3)";

// links to a new password lead nowhere once the person is reached elsewhere
const VOID_LINKS_SENT_ELSEWHERE: &str = "
update action_links
set used_at = $2
where user_id = $1
and purpose in ('recovery', 'password', 'invitation')
and used_at is null
and email_key is distinct from $3";

const REHASH_PASSWORD: &str = "
update users
set password_hash = $3
where id = $1
and password_hash = $2";

const MARK_APPLIED: &str = "
update users
set applied = $2
where id = $1";

const DEPART: &str = "
insert into departed_subjects (digest, departed_at)
values ($1, $2)
on conflict do nothing";

const DELETE: &str = "
delete from users
where id = $1";

impl Write {
    /// Adds a user. `Taken("users_username_key" | "users_email_key" | "users_subject")` if somebody has it.
    pub async fn add_user(&mut self, user: &User) -> Result<(), Error> {
        self.sql(ADD)
            .bind(user.id)
            .bind(user.subject.as_str())
            .bind(user.username.as_str())
            .bind(comparison_key(&user.username))
            .bind(user.profile.email.as_deref().map(comparison_key))
            .bind(user.status.as_str())
            .bind(to_json(&user.profile)?)
            .bind(user.password.as_ref().map(|hash| hash.expose().to_owned()))
            .bind(user.password_changed_at)
            .bind(user.password_initial)
            .bind(write_actions(&user.required_actions))
            .bind(false)
            .bind(user.version)
            .bind(user.created_at)
            .bind(user.updated_at)
            .bind(user.starts_at)
            .bind(user.expires_at)
            .bind(first_look(user))
            .bind(user.confirmed(Channel::Sms))
            .bind(user.invited_at)
            .bind(user.kind.as_str())
            .bind(user.client.map(Id::uuid))
            .changed()
            .await?;
        self.add_words(user);
        Ok(())
    }

    /// Changes everything but id, subject and password, if the version still is the user's. False if not.
    pub async fn change_user(&mut self, user: &User) -> Result<bool, Error> {
        let changed = self
            .sql(CHANGE)
            .bind(user.id)
            .bind(user.version)
            .bind(user.username.as_str())
            .bind(comparison_key(&user.username))
            .bind(user.profile.email.as_deref().map(comparison_key))
            .bind(user.status.as_str())
            .bind(to_json(&user.profile)?)
            .bind(write_actions(&user.required_actions))
            .bind(user.updated_at)
            .bind(user.deletion_at)
            .bind(user.starts_at)
            .bind(user.expires_at)
            .bind(first_look(user))
            .bind(user.confirmed(Channel::Sms))
            .bind(user.invited_at)
            .bind(user.kind.as_str())
            .bind(user.status_before.map(UserStatus::as_str))
            .changed()
            .await?;
        if changed == 1 {
            self.sql(VOID_LINKS_SENT_ELSEWHERE)
                .bind(user.id)
                .bind(user.updated_at)
                .bind(user.profile.email.as_deref().map(comparison_key))
                .later();
            self.set_words(user);
            self.forget(Ended::User(user.id)).await?;
        }
        Ok(changed == 1)
    }

    /// Holds the account, if it is active or waits to become so, has the password and the term that it had when it was read, and has to do what it had to
    /// do then: whoever changes any of it waits for this transaction. False if it is not.
    pub async fn hold_user_as(&mut self, user: &User) -> Result<bool, Error> {
        let holding = self
            .sql(HOLD_AS)
            .bind(user.id)
            .bind(user.password_changed_at)
            .bind(write_actions(&user.required_actions));
        Ok(holding.bind(user.starts_at).bind(user.expires_at).changed().await? == 1)
    }

    /// The owner of an account who was invited to it has signed in: it is active from now on, and the invitation leads nowhere.
    /// False if nobody waits for that, or another sign-in was first.
    pub async fn activate_user(&mut self, id: Id<User>, now: Timestamp) -> Result<bool, Error> {
        let is_active = self.sql(ACTIVATE).bind(id).bind(now).changed().await? == 1;
        if is_active {
            self.void_action_links(ActionLinkKind::Recovery, id, now).await?;
            self.forget(Ended::User(id)).await?;
        }
        Ok(is_active)
    }

    /// Says that its owner signs in, as a condition of this transaction: the account is active, has the password and the term that it
    /// had when it was read, and has to do what it had to do then. Otherwise the next answer or the commit is [`Error::Missing`].
    pub fn must_sign_in_as(&mut self, user: &User, now: Timestamp) {
        self.sql(SIGN_IN_AS)
            .bind(user.id)
            .bind(user.password_changed_at)
            .bind(write_actions(&user.required_actions))
            .bind(user.starts_at)
            .bind(user.expires_at)
            .bind(now)
            .must_change_later();
    }

    /// The person has done what was required of them. Nothing changes if it was not.
    pub async fn complete_action(&mut self, id: Id<User>, done: RequiredAction) -> Result<(), Error> {
        let Some(user) = self.find_user(id).await? else {
            return Ok(());
        };
        if !user.required_actions.contains(&done) {
            return Ok(());
        }
        let left: Vec<RequiredAction> = user
            .required_actions
            .iter()
            .copied()
            .filter(|action| *action != done)
            .collect();
        self.sql(COMPLETE_ACTION)
            .bind(id)
            .bind(write_actions(&user.required_actions))
            .bind(write_actions(&left))
            .changed()
            .await?;
        self.forget(Ended::User(id)).await
    }

    /// Sets the password; links to a new one lead nowhere from then on. Whoever had to set one of their own has, if they did.
    pub async fn set_password(
        &mut self,
        id: Id<User>,
        hash: &PasswordHash,
        setter: PasswordSetter,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.remember_password(id, at).await?;
        self.sql(SET_PASSWORD)
            .bind(id)
            .bind(hash.expose())
            .bind(at)
            .bind(setter == PasswordSetter::Other)
            .changed()
            .await?;
        self.void_action_links(ActionLinkKind::Recovery, id, at).await?;
        self.forget_remembered_devices_of(id).await?;
        if setter == PasswordSetter::Person {
            self.complete_action(id, RequiredAction::ChangePassword).await?;
        }
        self.forget(Ended::User(id)).await
    }

    /// Says that a password is not enough any more: it has to be replaced, if it is the one of `of`. False if it is not, if there is
    /// none, or if that was said before.
    pub async fn expire_password(&mut self, id: Id<User>, at: Timestamp, of: Timestamp) -> Result<bool, Error> {
        let expired = self.sql(EXPIRE_PASSWORD).bind(id).bind(at).bind(of).changed().await? == 1;
        if expired {
            self.forget(Ended::User(id)).await?;
        }
        Ok(expired)
    }

    /// Replaces a hash by one of the same password under newer parameters, unless it has changed meanwhile.
    pub async fn rehash_password(&mut self, id: Id<User>, old: &PasswordHash, new: &PasswordHash) -> Result<(), Error> {
        self.sql(REHASH_PASSWORD)
            .bind(id)
            .bind(old.expose())
            .bind(new.expose())
            .changed()
            .await?;
        Ok(())
    }

    /// Remembers that `apply` made it.
    pub async fn mark_user_applied(&mut self, id: Id<User>) -> Result<(), Error> {
        self.sql(MARK_APPLIED).bind(id).bind(true).later();
        Ok(())
    }

    /// Remembers that nobody else may ever be known by this subject; the digest is enough for that.
    pub async fn remember_departed_subject(&mut self, subject: &str, at: Timestamp) -> Result<(), Error> {
        self.sql(DEPART)
            .bind(&Digest::of(subject.as_bytes()))
            .bind(at)
            .changed()
            .await?;
        Ok(())
    }

    /// Deletes a user with everything that hangs on it. False if it was not there.
    pub async fn delete_user(&mut self, id: Id<User>) -> Result<bool, Error> {
        let deleted = self.sql(DELETE).bind(id).changed().await? == 1;
        if deleted {
            self.erase_values_of(id);
            self.forget(Ended::User(id)).await?;
        }
        Ok(deleted)
    }
}
