//! The words by which people are found, kept with each account.

use super::{Error, Write, readers};
use crate::model::{Id, MOST_WORDS, User, words_of};
use crate::sql;
use crate::sql::{Record, Row, places};

/// How far words were gone through.
pub struct WordSweep {
    /// The last person who was looked at.
    pub swept_to: Option<Id<User>>,
}

impl Record for WordSweep {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            swept_to: row.maybe_uuid("swept_to")?.map(Id::from_uuid),
        })
    }
}

/// So many words one statement adds.
const WORDS_AT_ONCE: usize = 500;

const FIND_SWEEP: &str = "
select swept_to
from word_sweep
where number = 1";

const LIST_EVERYBODY: &str = "
select id, subject, username, status, profile, password_hash, password_changed_at,
  password_expired_at, password_initial, required_actions, deletion_at, starts_at, expires_at,
  invited_at, signed_in_at, kind, client_id, status_before, version, created_at, updated_at
from users
where id > $1
order by id
limit $2";

readers! {
    /// How far it has come that whoever was there before words is found by them; none if that is done.
    pub async fn find_word_sweep(&mut self) -> Result<Option<WordSweep>, Error> {
        Ok(self.sql(FIND_SWEEP).optional().await?)
    }

    /// Users after this one, oldest first, also those in the bin.
    pub async fn list_every_user(&mut self, after: Option<Id<User>>, limit: u32) -> Result<Vec<User>, Error> {
        let after = after.map_or(uuid::Uuid::nil(), Id::uuid);
        Ok(self.sql(LIST_EVERYBODY).bind(after).bind(limit).all().await?)
    }
}

const ADVANCE: &str = "
update word_sweep
set swept_to = $1
where number = 1";

const FINISH: &str = "
delete from word_sweep
where number = 1";

impl Write {
    /// Somebody who is new is found by these words.
    pub(super) fn add_words(&mut self, user: &User) {
        let words = filled(words_of(user).into_iter().collect());
        self.insert_words(user, words);
    }

    /// The same of many who are new.
    pub(super) async fn add_words_of_many(&mut self, users: &[User]) -> Result<(), Error> {
        let words: Vec<(String, Id<User>)> = users
            .iter()
            .flat_map(|user| words_of(user).into_iter().map(|word| (word, user.id)))
            .collect();
        for some in words.chunks(WORDS_AT_ONCE) {
            let rows = places(some.len(), 2);
            let text = format!("insert into user_words (word, user_id) values {rows} on conflict do nothing");
            let adding = some.iter().fold(self.sql_built(text), |adding, (word, user)| {
                adding.bind(word).bind(*user)
            });
            adding.changed().await?;
        }
        Ok(())
    }

    /// Somebody who was changed is found by these words alone.
    pub(super) fn set_words(&mut self, user: &User) {
        let words = filled(words_of(user).into_iter().collect());
        let all = places(words.len() + 1, 1).replace(['(', ')'], "");
        let all = all.strip_prefix("$1, ").unwrap_or_default();
        let text = format!("delete from user_words where user_id = $1 and word not in ({all})");
        let removing = self.sql_built(text).bind(user.id);
        words.iter().fold(removing, sql::Statement::bind).later();
        self.insert_words(user, words);
    }

    fn insert_words(&mut self, user: &User, words: Vec<String>) {
        if words.is_empty() {
            return;
        }
        let rows = places(words.len(), 2);
        let text = format!("insert into user_words (word, user_id) values {rows} on conflict do nothing");
        let adding = words
            .into_iter()
            .fold(self.sql_built(text), |adding, word| adding.bind(word).bind(user.id));
        adding.later();
    }

    /// Somebody who was there before words is found by theirs. Whoever changes the account meanwhile says by which.
    pub async fn fill_words(&mut self, user: &User) -> Result<(), Error> {
        if self.hold_user_version(user).await? {
            self.set_words(user);
        }
        Ok(())
    }

    /// Says how far words were gone through; none: to the end.
    pub async fn advance_word_sweep(&mut self, to: Option<Id<User>>) -> Result<(), Error> {
        let done = match to {
            Some(to) => self.sql(ADVANCE).bind(to).changed().await?,
            None => self.sql(FINISH).changed().await?,
        };
        if done == 1 { Ok(()) } else { Err(Error::Missing) }
    }
}

/// Texts of a few lengths alone, so that few are prepared: the places behind the last one are filled with it.
fn filled(mut words: Vec<String>) -> Vec<String> {
    const LENGTHS: &[usize] = &[4, 8, 12, 20, MOST_WORDS];
    if let (Some(last), Some(length)) = (
        words.last().cloned(),
        LENGTHS.iter().find(|length| words.len() <= **length),
    ) {
        words.resize(*length, last);
    }
    words
}
