//! Finding people by an index: whom it names, a bounded number at a time. Whoever asks judges what else has to hold.

use std::fmt::Write as _;

use super::rows::Columns;
use super::users::UserPage;
use super::{Error, readers, visible};
use crate::model::{ColumnOrder, Drive, Group, Id, SearchedKey, Span, Timestamp, User};
use crate::sql::{self, Record, Row, Value, places};

/// What is read of each, in every query here.
macro_rules! columns {
    () => {
        "u.id, u.subject, u.username, u.status, u.profile, u.password_hash, u.password_changed_at,
  u.password_expired_at, u.password_initial, u.required_actions, u.deletion_at, u.starts_at, u.expires_at,
  u.invited_at, u.signed_in_at, u.kind, u.client_id, u.status_before, u.version, u.created_at, u.updated_at"
    };
}

/// Behind whom a page begins: what they are sorted by, and the row.
#[derive(Clone, Debug)]
pub struct Behind {
    /// None: they have no value there, and come after all who have.
    pub key: Option<SearchedKey>,
    /// The row.
    pub user: Id<User>,
}

/// An order, and behind whom a page of it begins.
#[derive(Clone, Debug)]
pub struct Ordered {
    /// By which column.
    pub order: ColumnOrder,
    /// The greatest first.
    pub descending: bool,
    /// None: at the beginning.
    pub behind: Option<Behind>,
}

/// Somebody's group.
#[derive(Clone, Copy, Debug)]
pub struct HeldGroup {
    /// Who.
    pub user: Id<User>,
    /// Which.
    pub group: Id<Group>,
    /// Whether it is the primary one.
    pub is_primary: bool,
}

impl Record for HeldGroup {
    fn read(row: &Row<'_>) -> Result<Self, sql::Error> {
        Ok(Self {
            user: row.id("user_id")?,
            group: row.id("group_id")?,
            is_primary: row.boolean("is_primary")?,
        })
    }
}

impl From<SearchedKey> for Value {
    fn from(key: SearchedKey) -> Self {
        match key {
            SearchedKey::Text(text) => text.into(),
            SearchedKey::Time(at) => at.into(),
        }
    }
}

/// A query as it is put together.
#[derive(Default)]
struct Built {
    text: String,
    values: Vec<Value>,
}

impl Built {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            values: Vec::new(),
        }
    }

    fn add(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        // a text takes what is written to it
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// A query for the `user_id` of each whom the index names, some perhaps twice.
    fn drive(&mut self, drive: &Drive) -> &mut Self {
        match drive {
            Drive::Nobody => self.add("select id as user_id from users where id is null"),
            Drive::One(id) => self.add("select id as user_id from users where id = ").bind(*id),
            Drive::Subject(subject) => self
                .add("select id as user_id from users where subject = ")
                .bind(subject),
            Drive::Status(status) => self
                .add("select id as user_id from users where status = ")
                .bind(status.as_str()),
            Drive::Kind(kind) => self
                .add("select id as user_id from users where kind = ")
                .bind(kind.as_str()),
            Drive::Groups(groups) => {
                self.add("select user_id from group_members where group_id ");
                match groups.as_slice() {
                    [only] => self.add("= ").bind(*only),
                    many => self.among(many),
                }
            }
            Drive::Property(property, span) => {
                self.add("select user_id from user_properties where property_id = ")
                    .bind(*property);
                self.span("key", span)
            }
            Drive::Word(word) => {
                self.add("select user_id from user_words where word >= ").bind(word);
                self.add(" and word <= ").bind(format!("{word}\u{10FFFF}"))
            }
            Drive::Column(order, span) => {
                self.add("select id as user_id from users where ").add(column(*order));
                self.add(" is not null").span(column(*order), span)
            }
            Drive::Without(order) => self
                .add("select id as user_id from users where ")
                .add(column(*order))
                .add(" is null"),
            Drive::AnyOf(drives) => {
                for (place, drive) in drives.iter().enumerate() {
                    self.add(if place == 0 { "" } else { "\nunion all\n" }).drive(drive);
                }
                self
            }
        }
    }

    fn among<T>(&mut self, ids: &[Id<T>]) -> &mut Self {
        self.add("in (");
        for (place, id) in ids.iter().enumerate() {
            self.add(if place == 0 { "" } else { ", " }).bind(*id);
        }
        self.add(")")
    }

    fn span<T: Clone + Into<Value> + PartialEq>(&mut self, column: &str, span: &Span<T>) -> &mut Self {
        match (&span.from, &span.to) {
            (Some(from), Some(to)) if from == to => self.add(" and ").add(column).add(" = ").bind(from.clone()),
            (from, to) => {
                if let Some(from) = from {
                    self.add(" and ").add(column).add(" >= ").bind(from.clone());
                }
                if let Some(to) = to {
                    self.add(" and ").add(column).add(" <= ").bind(to.clone());
                }
                self
            }
        }
    }

    /// Where a page of this order begins, and the order.
    fn order(&mut self, ordered: &Ordered) -> &mut Self {
        let (sign, way) = if ordered.descending { ("<", " desc") } else { (">", "") };
        let column = column(ordered.order);
        let behind = ordered.behind.as_ref();
        if ordered.order == ColumnOrder::Making || ordered.is_in_gap() {
            if let Some(behind) = behind {
                self.add(" and u.id ").add(sign).add(" ").bind(behind.user);
            }
            return self.add("\norder by u.id").add(way);
        }
        if let Some((key, user)) = behind.and_then(|behind| Some((behind.key.clone()?, behind.user))) {
            self.add(" and (u.").add(column).add(", u.id) ").add(sign).add(" (");
            self.bind(key).add(", ").bind(user).add(")");
        }
        self.add("\norder by u.").add(column).add(way).add(", u.id").add(way)
    }
}

impl Ordered {
    /// Whether those who have a value there are through.
    fn is_in_gap(&self) -> bool {
        let is_without = |behind: &Behind| behind.key.is_none();
        self.order.has_gaps() && self.behind.as_ref().is_some_and(is_without)
    }

    fn has_value(&self) -> &'static str {
        if self.is_in_gap() { " is null" } else { " is not null" }
    }
}

const fn column(order: ColumnOrder) -> &'static str {
    match order {
        ColumnOrder::Making => "id",
        ColumnOrder::Username => "username_key",
        ColumnOrder::Email => "email_key",
        ColumnOrder::SignedIn => "signed_in_at",
        ColumnOrder::Expires => "expires_at",
    }
}

/// Texts of a few lengths alone, so that few are prepared: the places behind the last one are filled with it.
fn filled<T>(ids: &[Id<T>]) -> Vec<uuid::Uuid> {
    const LENGTHS: &[usize] = &[1, 8, 64, 256, 1_000];
    let length = LENGTHS.iter().find(|length| ids.len() <= **length).copied();
    let mut filled: Vec<uuid::Uuid> = ids.iter().map(|id| id.uuid()).collect();
    filled.resize(
        length.unwrap_or(ids.len()),
        ids.last().map_or(uuid::Uuid::nil(), |id| id.uuid()),
    );
    filled
}

fn all_of(values: usize) -> String {
    places(values, 1).replace(['(', ')'], "")
}

const LIST_OF: &str = concat!(
    "
select ",
    columns!(),
    "
from users u
where ",
    visible!(),
    "
and u.id in ("
);

const LIST_GROUPS: &str = "
select user_id, group_id, is_primary
from group_members
where (starts_at is null or starts_at <= $1)
and (ends_at is null or ends_at > $1)
and user_id in (";

const COUNT_SHOWN: &str = concat!(
    "
select count(*)
from (select 1 as one from users where status in ($1, $2, $3, $4, $5) and ",
    visible!(),
    " limit $6) as counted"
);

readers! {
    /// How many an index names, some of them perhaps twice; counted no further than `most`.
    pub async fn count_driven(&mut self, drive: &Drive, most: u32) -> Result<i64, Error> {
        let mut built = Built::new("select count(*)\nfrom (select 1 as one from (");
        built.drive(drive).add(") as driven limit ").bind(most).add(") as counted");
        let counting = built.values.into_iter().fold(self.sql_built(built.text), sql::Statement::bind);
        Ok(counting.one().await?)
    }

    /// Those that an index names, each once, in no order; at most so many rows of it.
    pub async fn list_driven(&mut self, drive: &Drive, limit: u32) -> Result<Vec<Id<User>>, Error> {
        let mut built = Built::new("select distinct user_id\nfrom (select user_id from (");
        built.drive(drive).add(") as driven limit ").bind(limit).add(") as few");
        let listing = built.values.into_iter().fold(self.sql_built(built.text), sql::Statement::bind);
        let ids: Vec<uuid::Uuid> = listing.all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// Those that an index names, in the order of their making. One that has that order gives them as it has them; of another so many
    /// rows are sorted.
    pub async fn list_driven_by_making(&mut self, drive: &Drive, sorted: u32, ordered: &Ordered, limit: u32) -> Result<Vec<Id<User>>, Error> {
        let mut built = Built::new("with driven as ");
        let is_by_making = drive.is_by_making();
        built.add(if is_by_making { "(" } else { "materialized (select user_id from (" }).drive(drive);
        if !is_by_making {
            built.add(") as found limit ").bind(sorted);
        }
        built.add(")\nselect ").add(if is_by_making { "" } else { "distinct " }).add("user_id\nfrom driven");
        let (sign, way) = if ordered.descending { ("<", " desc") } else { (">", "") };
        if let Some(behind) = &ordered.behind {
            built.add("\nwhere user_id ").add(sign).add(" ").bind(behind.user);
        }
        built.add("\norder by user_id").add(way).add("\nlimit ").bind(limit);
        let listing = built.values.into_iter().fold(self.sql_built(built.text), sql::Statement::bind);
        let ids: Vec<uuid::Uuid> = listing.all().await?;
        Ok(ids.into_iter().map(Id::from_uuid).collect())
    }

    /// Those that an index names, in the order of a column; so many rows of the index are sorted. Who has no value there is asked for by
    /// a [`Behind`] without one.
    pub async fn list_driven_by_column(&mut self, drive: &Drive, sorted: u32, ordered: &Ordered, limit: u32) -> Result<UserPage, Error> {
        let mut built = Built::new("with driven as materialized (select distinct user_id from (select user_id from (");
        built.drive(drive).add(") as found limit ").bind(sorted).add(") as few)\nselect ").add(columns!());
        built.add("\nfrom driven d\njoin users u on u.id = d.user_id\nwhere ").add(visible!());
        built.add("\nand u.").add(column(ordered.order));
        built.add(ordered.has_value()).order(ordered).add("\nlimit ").bind(limit);
        let listing = built.values.into_iter().fold(self.sql_built(built.text), sql::Statement::bind);
        Ok(listing.all().await?)
    }

    /// Everybody in the order of a column, those within a span of it. Who has no value there is asked for by a [`Behind`] without one.
    pub async fn list_everybody_by(&mut self, ordered: &Ordered, span: Option<&Span<SearchedKey>>, limit: u32) -> Result<UserPage, Error> {
        let mut built = Built::new("select ");
        built.add(columns!()).add("\nfrom users u\nwhere ").add(visible!());
        built.add("\nand u.").add(column(ordered.order)).add(ordered.has_value());
        if let Some(span) = span {
            built.span(column(ordered.order), span);
        }
        built.order(ordered).add("\nlimit ").bind(limit);
        let listing = built.values.into_iter().fold(self.sql_built(built.text), sql::Statement::bind);
        Ok(listing.all().await?)
    }

    /// These users, in no order.
    pub async fn list_users_of(&mut self, ids: &[Id<User>]) -> Result<UserPage, Error> {
        let ids = filled(ids);
        let text = format!("{LIST_OF}{})", all_of(ids.len()));
        Ok(ids.into_iter().fold(self.sql_built(text), sql::Statement::bind).all().await?)
    }

    /// The groups that these are in directly at a moment.
    pub async fn list_groups_held(&mut self, ids: &[Id<User>], now: Timestamp) -> Result<Vec<HeldGroup>, Error> {
        let ids = filled(ids);
        let all = places(ids.len() + 1, 1).replace(['(', ')'], "");
        let all = all.strip_prefix("$1, ").unwrap_or_default();
        let listing = self.sql_built(format!("{LIST_GROUPS}{all})")).bind(now);
        Ok(ids.into_iter().fold(listing, sql::Statement::bind).all().await?)
    }

    /// How many there are of these statuses, counted no further than `most`.
    pub async fn count_users_of(&mut self, statuses: &[&str; 5], most: u32) -> Result<i64, Error> {
        let counting = statuses.iter().fold(self.sql(COUNT_SHOWN), |counting, status| counting.bind(*status));
        Ok(counting.bind(most).one().await?)
    }
}
