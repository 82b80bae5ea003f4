//! The pictures that people have of themselves.

use super::rows::Columns;
use super::{Error, Write, readers};
use crate::model::{Id, Picture, Timestamp, User};
use crate::sql::{self, Record, Row};

impl Record for Picture {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            name: row.text("name")?,
            format: row.named("media_type")?,
            bytes: row.bytes("bytes")?,
            created_at: row.time("created_at")?,
        })
    }
}

// whoever may not use their account shows no picture
const FIND: &str = "
select p.user_id, p.name, p.media_type, p.bytes, p.created_at
from pictures p
join users u on u.id = p.user_id
where p.name = $1
and u.status = 'active'
and (u.expires_at is null or u.expires_at > $2)";

const FIND_OF_USER: &str = "
select user_id, name, media_type, bytes, created_at
from pictures
where user_id = $1";

const FIND_NAME: &str = "
select name
from pictures
where user_id = $1";

readers! {
    /// The picture of this name, of somebody whose account may be used.
    pub async fn find_picture(&mut self, name: &str, now: Timestamp) -> Result<Option<Picture>, Error> {
        Ok(self.sql(FIND).bind(name).bind(now).optional().await?)
    }

    /// The picture that somebody has here.
    pub async fn find_picture_of(&mut self, user: Id<User>) -> Result<Option<Picture>, Error> {
        Ok(self.sql(FIND_OF_USER).bind(user).optional().await?)
    }

    /// Its name.
    pub async fn find_picture_name_of(&mut self, user: Id<User>) -> Result<Option<String>, Error> {
        Ok(self.sql(FIND_NAME).bind(user).optional().await?)
    }
}

const PUT: &str = "
insert into pictures (user_id, name, media_type, bytes, created_at)
values ($1, $2, $3, $4, $5)
on conflict (user_id) do update
set name = excluded.name, media_type = excluded.media_type, bytes = excluded.bytes, created_at = excluded.created_at";

const REMOVE: &str = "
delete from pictures
where user_id = $1";

impl Write {
    /// Puts a picture in the place of the one that its person had.
    pub async fn put_picture(&mut self, picture: &Picture) -> Result<(), Error> {
        self.sql(PUT)
            .bind(picture.user)
            .bind(picture.name.as_str())
            .bind(picture.format.as_str())
            .bind(picture.bytes.clone())
            .bind(picture.created_at)
            .changed()
            .await?;
        Ok(())
    }

    /// Removes somebody's picture. False if there was none.
    pub async fn remove_picture_of(&mut self, user: Id<User>) -> Result<bool, Error> {
        Ok(self.sql(REMOVE).bind(user).changed().await? == 1)
    }
}
