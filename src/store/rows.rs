//! How model types are bound and read.

use serde::de::DeserializeOwned;

use super::Error;
use crate::model::{Digest, Id, Timestamp};
use crate::sql::{self, Row, Value};

impl<T> From<Id<T>> for Value {
    fn from(id: Id<T>) -> Self {
        id.uuid().into()
    }
}
impl<T> From<Option<Id<T>>> for Value {
    fn from(id: Option<Id<T>>) -> Self {
        id.map(Id::uuid).into()
    }
}
impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        moment.micros().into()
    }
}
impl From<Option<Timestamp>> for Value {
    fn from(moment: Option<Timestamp>) -> Self {
        moment.map(Timestamp::micros).into()
    }
}
impl From<&Digest> for Value {
    fn from(digest: &Digest) -> Self {
        digest.as_bytes().into()
    }
}
impl From<Option<Digest>> for Value {
    fn from(digest: Option<Digest>) -> Self {
        digest.map(|digest| digest.as_bytes().to_vec()).into()
    }
}

/// Reads model types from a row.
pub(super) trait Columns {
    fn id<T>(&self, column: &'static str) -> Result<Id<T>, sql::Error>;
    fn maybe_id<T>(&self, column: &'static str) -> Result<Option<Id<T>>, sql::Error>;
    fn time(&self, column: &'static str) -> Result<Timestamp, sql::Error>;
    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, sql::Error>;
    fn digest(&self, column: &'static str) -> Result<Digest, sql::Error>;
    fn maybe_digest(&self, column: &'static str) -> Result<Option<Digest>, sql::Error>;
    fn named<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, sql::Error>;
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, sql::Error>;
}

impl Columns for Row<'_> {
    fn id<T>(&self, column: &'static str) -> Result<Id<T>, sql::Error> {
        self.uuid(column).map(Id::from_uuid)
    }
    fn maybe_id<T>(&self, column: &'static str) -> Result<Option<Id<T>>, sql::Error> {
        Ok(self.maybe_uuid(column)?.map(Id::from_uuid))
    }
    fn time(&self, column: &'static str) -> Result<Timestamp, sql::Error> {
        self.int(column).map(Timestamp::from_micros)
    }
    fn maybe_time(&self, column: &'static str) -> Result<Option<Timestamp>, sql::Error> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_micros))
    }
    fn digest(&self, column: &'static str) -> Result<Digest, sql::Error> {
        Digest::from_bytes(&self.bytes(column)?).ok_or_else(|| sql::Error::unreadable(column))
    }
    fn maybe_digest(&self, column: &'static str) -> Result<Option<Digest>, sql::Error> {
        match self.maybe_bytes(column)? {
            None => Ok(None),
            Some(bytes) => Digest::from_bytes(&bytes)
                .map(Some)
                .ok_or_else(|| sql::Error::unreadable(column)),
        }
    }
    fn named<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, sql::Error> {
        self.text(column)?.parse().map_err(|_| sql::Error::unreadable(column))
    }
    fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, sql::Error> {
        serde_json::from_str(&self.text(column)?).map_err(|_| sql::Error::unreadable(column))
    }
}

/// Writes JSON into a text column.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unreadable("a value that is not JSON"))
}
