//! Links of mails that let whoever holds one do something once. Every one stands in one table and is found by the digest of its secret and by
//! what it is for, so none works for another purpose. What a link needs beside that, its kind says: the account that it is for has to be
//! what it was, and a person's one open link or change is the newest.
//!
//! Setup links and the links of mails about a new device are rows of the same table, with stores of their own.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::user::comparison_key;
use crate::model::{Digest, Id, Timestamp, User};
use crate::sql::{self, Record, Row};

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionLinkKind {
    /// It leads to a new password, because the person asked for one.
    Recovery,
    /// The same, because somebody who administers has it mailed.
    Password,
    /// The same, for somebody who was invited to an account that was made for them.
    Invitation,
    /// It ends the wait for an account at which others guess.
    Wait,
    /// It locks an account that may be used.
    Lock,
    /// It unlocks one that its owner has locked.
    Unlock,
    /// It confirms the mail address that is to be the person's.
    NewAddress,
    /// It allows that the one which was confirmed before is replaced.
    OldAddress,
    /// It leads to an account of one's own.
    Registration,
    /// It leads to the request for one.
    AccessRequest,
}

/// What the account has to be that a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    /// There is none yet.
    Nobody,
    /// Of this status, whatever its term.
    Of(&'static str),
    /// Active, and not over.
    Usable,
    /// The same, or one that waits for its owner to sign in for the first time; and still with the address that the link was mailed to.
    Reached,
}

impl ActionLinkKind {
    const ALL: [Self; 10] = [
        Self::Recovery,
        Self::Password,
        Self::Invitation,
        Self::Wait,
        Self::Lock,
        Self::Unlock,
        Self::NewAddress,
        Self::OldAddress,
        Self::Registration,
        Self::AccessRequest,
    ];

    const fn purpose(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Password => "password",
            Self::Invitation => "invitation",
            Self::Wait => "wait",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::NewAddress => "email_new",
            Self::OldAddress => "email_old",
            Self::Registration => "registration",
            Self::AccessRequest => "access_request",
        }
    }

    /// The purposes that lead to the same page: a link of either is found there.
    const fn found(self) -> [&'static str; 3] {
        let [one, two, three] = match self {
            Self::Recovery | Self::Password | Self::Invitation => [Self::Recovery, Self::Password, Self::Invitation],
            Self::NewAddress | Self::OldAddress => [Self::NewAddress, Self::OldAddress, Self::OldAddress],
            alone => [alone, alone, alone],
        };
        [one.purpose(), two.purpose(), three.purpose()]
    }

    /// The purposes whose links are void together.
    const fn voided(self) -> [&'static str; 3] {
        match self {
            Self::Lock | Self::Unlock => [Self::Lock.purpose(), Self::Unlock.purpose(), Self::Unlock.purpose()],
            other => other.found(),
        }
    }

    /// Whether the address is kept as it was typed, because it becomes somebody's.
    const fn is_about_address(self) -> bool {
        matches!(
            self,
            Self::NewAddress | Self::OldAddress | Self::Registration | Self::AccessRequest
        )
    }

    const fn guard(self) -> Guard {
        match self {
            Self::Recovery | Self::Password | Self::Invitation | Self::Wait => Guard::Reached,
            Self::Lock => Guard::Of("active"),
            Self::Unlock => Guard::Of("locked"),
            Self::NewAddress | Self::OldAddress => Guard::Usable,
            Self::Registration | Self::AccessRequest => Guard::Nobody,
        }
    }
}

impl Guard {
    /// In a word, and the status.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Nobody => ("nobody", ""),
            Self::Of(status) => ("account", status),
            Self::Usable => ("usable", "active"),
            Self::Reached => ("reached", "active"),
        }
    }
}

/// A link that may still be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionLink {
    /// What it does.
    pub kind: ActionLinkKind,
    /// Whose account it is for; nobody's yet, where it leads to one.
    pub user: Option<Id<User>>,
    /// The address that it is about, as it was typed, where that is more than where it was mailed to.
    pub email: Option<String>,
    /// Where it was mailed to, as addresses are compared; of a change of the address, what it becomes.
    pub email_key: String,
    /// When it was mailed.
    pub created_at: Timestamp,
}

impl Record for ActionLink {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        let purpose = row.text("purpose")?;
        let kind = ActionLinkKind::ALL.into_iter().find(|kind| kind.purpose() == purpose);
        Ok(Self {
            kind: kind.ok_or_else(|| sql::Error::unreadable("purpose"))?,
            user: row.maybe_uuid("user_id")?.map(Id::from_uuid),
            email: row.maybe_text("email")?,
            email_key: row.maybe_text("email_key")?.unwrap_or_default(),
            created_at: row.time("created_at")?,
        })
    }
}

/// A link to be mailed.
#[derive(Clone, Copy, Debug)]
pub struct NewActionLink<'a> {
    /// What it does.
    pub kind: ActionLinkKind,
    /// Of its secret.
    pub digest: &'a Digest,
    /// Whose account it is for, if it is for one.
    pub user: Option<Id<User>>,
    /// The address: where it is mailed to, or the one that it is about.
    pub email: &'a str,
    /// From when until when it may be followed.
    pub term: (Timestamp, Timestamp),
}

const FIND: &str = "
select purpose, user_id, email, email_key, created_at
from action_links
where digest = $1
and purpose in ($2, $3, $4)
and used_at is null
and expires_at > $5
and created_at >= (select epoch from installation)
and ($6 = 'nobody' or exists (
  select 1 from users
  where users.id = action_links.user_id
  and (users.status = $7 or ($6 = 'reached' and users.status = 'invited'))
  and ($6 = 'account' or users.expires_at is null or users.expires_at > $5)
  and ($6 <> 'reached' or users.email_key = action_links.email_key)
))";

const COUNT_OPEN: &str = "
select count(*)
from (
  select 1
  from action_links
  where purpose in ('registration', 'access_request')
  and used_at is null
  and expires_at > $1
  limit $2
) as open_links";

const COUNT_LEFT: &str = "
select count(*)
from action_links
where user_id = $1
and purpose in ($2, $3, $4)
and created_at = $5
and used_at is null";

readers! {
    /// The link of this digest, if it may still be followed, of this kind or the one that leads to the same page.
    pub async fn find_action_link(&mut self, kind: ActionLinkKind, digest: &Digest, now: Timestamp) -> Result<Option<ActionLink>, Error> {
        let [one, two, three] = kind.found();
        let (guard, status) = kind.guard().words();
        let finding = self.sql(FIND).bind(digest).bind(one).bind(two).bind(three).bind(now);
        Ok(finding.bind(guard).bind(status).optional().await?)
    }

    /// How many links to accounts, and to requests for one, are open, counted no further than `most`.
    pub async fn count_registration_links(&mut self, now: Timestamp, most: u32) -> Result<i64, Error> {
        Ok(self.sql(COUNT_OPEN).bind(now).bind(most).one().await?)
    }

    /// How many links of a change, made at the same moment, were not followed yet.
    pub async fn count_action_links_left(&mut self, kind: ActionLinkKind, user: Id<User>, created_at: Timestamp) -> Result<i64, Error> {
        let [one, two, three] = kind.found();
        Ok(self.sql(COUNT_LEFT).bind(user).bind(one).bind(two).bind(three).bind(created_at).one().await?)
    }
}

const ADD: &str = "
insert into action_links (digest, purpose, user_id, email, email_key, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)";

const USE: &str = "
update action_links
set used_at = $5
where digest = $1
and purpose in ($2, $3, $4)
and used_at is null
and expires_at > $5
and created_at >= (select epoch from installation)
and ($6 = 'nobody' or exists (
  select 1 from users
  where users.id = action_links.user_id
  and (users.status = $7 or ($6 = 'reached' and users.status = 'invited'))
  and ($6 = 'account' or users.expires_at is null or users.expires_at > $5)
  and ($6 <> 'reached' or users.email_key = action_links.email_key)
))";

const VOID_OF_USER: &str = "
update action_links
set used_at = $5
where user_id = $1
and purpose in ($2, $3, $4)
and used_at is null";

const VOID_OF_ADDRESS: &str = "
update action_links
set used_at = $3
where purpose = $2
and email_key = $1
and used_at is null";

const SWEEP: &str = "
delete from action_links
where digest in (select digest from action_links where expires_at < $1 limit $2)";

impl Write {
    /// Adds a link. Where a person has one open link at most, or an address has, earlier ones no longer count; whoever adds one for a
    /// person holds the person.
    pub async fn add_action_link(&mut self, link: NewActionLink<'_>) -> Result<(), Error> {
        let (created_at, expires_at) = link.term;
        let key = comparison_key(link.email);
        match (link.kind, link.user) {
            (ActionLinkKind::Recovery | ActionLinkKind::Password | ActionLinkKind::Invitation, Some(user)) => {
                self.void_action_links(link.kind, user, created_at).await?;
            }
            (ActionLinkKind::Registration | ActionLinkKind::AccessRequest, _) => {
                let voiding = self.sql(VOID_OF_ADDRESS).bind(key.as_str());
                voiding.bind(link.kind.purpose()).bind(created_at).changed().await?;
            }
            _ => {}
        }
        self.sql(ADD)
            .bind(link.digest)
            .bind(link.kind.purpose())
            .bind(link.user.map(Id::uuid))
            .bind(link.kind.is_about_address().then(|| link.email.to_owned()))
            .bind(key)
            .bind(created_at)
            .bind(expires_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Uses a link. False if it is unknown, ended, void or used, or the account is not what it has to be; the database decides.
    pub async fn use_action_link(
        &mut self,
        kind: ActionLinkKind,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let [one, two, three] = kind.found();
        let (guard, status) = kind.guard().words();
        let using = self.sql(USE).bind(digest).bind(one).bind(two).bind(three).bind(now);
        Ok(using.bind(guard).bind(status).changed().await? == 1)
    }

    /// Voids the links of a person, of this kind and of the one that leads to the same page.
    pub async fn void_action_links(
        &mut self,
        kind: ActionLinkKind,
        user: Id<User>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let [one, two, three] = kind.voided();
        let voiding = self.sql(VOID_OF_USER).bind(user).bind(one).bind(two).bind(three);
        voiding.bind(now).changed().await?;
        Ok(())
    }

    /// Forgets links of every purpose that ended before `before`, a bounded number.
    pub async fn sweep_action_links(&mut self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        Ok(self.sql(SWEEP).bind(before).bind(limit).changed().await?)
    }
}
