//! Users as a table or as JSON, page by page: whoever reads it takes the next piece when the last has gone, and no more than one is in
//! memory.

use std::str::FromStr;

use super::user_columns::{Exported, exported};
use super::{ChangeSource, Rights, Search, judge_search, list_users, seen_by_administrators};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::{EventKind, Fact, Property};
use crate::tabular;

/// So many users are read at a time.
const PAGE: u32 = 500;

/// In which form users are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// A table in UTF-8, with a heading.
    Csv,
    /// A list of objects.
    Json,
}

impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            _ => Err(Error::field("format", "unsupported", "expected csv or json")),
        }
    }
}

impl ExportFormat {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// An export under way.
#[derive(Clone, Debug)]
pub struct UserExport {
    search: Search,
    rights: Rights,
    /// At the moment at which it was asked for.
    call: Call,
    format: ExportFormat,
    columns: Vec<String>,
    properties: Vec<Property>,
    place: Place,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Beginning,
    After(String),
    End,
}

/// What an export is to hold.
#[derive(Clone, Debug)]
pub struct ExportWish {
    /// Whom.
    pub search: Search,
    /// How.
    pub format: ExportFormat,
    /// Which columns of a table, in this order; all if none is said.
    pub columns: Option<Vec<String>>,
}

/// Begins an export: that somebody did is on record before the first piece is given.
///
/// # Errors
/// [`Error::Invalid`] for a column that there is not; [`Error::Forbidden`].
pub async fn export_users(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    wish: ExportWish,
) -> Result<UserExport, Error> {
    source.must_cover(["admin:users.read"])?;
    let export = UserExport::new(provider, call, (source.rights(), wish), None).await?;
    let mut tx = provider.store.write().await?;
    let event = call
        .event(EventKind::UsersExported)
        .fact("format", Fact::Word(export.format.word()))
        .fact("source", source.fact());
    let done = tx.add_event(&event).await.map_err(Error::from);
    settle(tx, done).await?;
    Ok(export)
}

impl UserExport {
    /// An export of which nothing is on record.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a column that there is not.
    pub(in crate::flow) async fn judge(
        provider: &Provider,
        call: &Call,
        (rights, wish): (Rights, ExportWish),
    ) -> Result<Self, Error> {
        Self::new(provider, call, (rights, wish), None).await
    }

    /// Its columns.
    pub(in crate::flow) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The cells of the next users; none at the end.
    pub(in crate::flow) async fn next_rows(&mut self, provider: &Provider) -> Result<Option<Vec<Vec<String>>>, Error> {
        let page = self.page(provider).await?;
        Ok(page.map(|users| users.iter().map(|user| self.cells(user)).collect()))
    }

    /// An export that goes on after this place of an earlier one.
    ///
    /// # Errors
    /// As [`export_users`].
    pub async fn go_on(
        provider: &Provider,
        call: &Call,
        (rights, wish): (Rights, ExportWish),
        after: &str,
    ) -> Result<Self, Error> {
        Self::new(provider, call, (rights, wish), Some(after)).await
    }

    async fn new(
        provider: &Provider,
        call: &Call,
        (rights, wish): (Rights, ExportWish),
        after: Option<&str>,
    ) -> Result<Self, Error> {
        judge_search(provider, call, &rights, &wish.search).await?;
        let properties = provider.properties().await?.to_vec();
        let all = exported(&properties);
        let columns = match wish.columns {
            None => all,
            Some(chosen) => match chosen.iter().find(|column| !all.contains(column)) {
                None => chosen,
                Some(unknown) => {
                    let detail = format!("there is no column {unknown}; expected some of: {}", all.join(", "));
                    return Err(Error::field("columns", "unknown", detail));
                }
            },
        };
        Ok(Self {
            search: wish.search,
            rights,
            call: call.clone(),
            format: wish.format,
            columns,
            properties,
            place: match after {
                None => Place::Beginning,
                Some(after) => Place::After(after.to_owned()),
            },
        })
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`Error::Unavailable`]
    pub async fn next(&mut self, provider: &Provider) -> Result<Option<Vec<u8>>, Error> {
        let is_first = self.place == Place::Beginning;
        let Some(users) = self.page(provider).await? else {
            return Ok(None);
        };
        let mut piece = match (self.format, is_first) {
            (ExportFormat::Csv, true) => tabular::line(self.columns.iter().map(String::as_str)),
            (ExportFormat::Json, true) => b"[".to_vec(),
            (_, false) => Vec::new(),
        };
        for (number, user) in users.iter().enumerate() {
            self.write(user, is_first && number == 0, &mut piece);
        }
        if self.place == Place::End && self.format == ExportFormat::Json {
            piece.extend_from_slice(b"\n]\n");
        }
        Ok(Some(piece))
    }

    /// The next users, with their groups; none at the end.
    async fn page(&mut self, provider: &Provider) -> Result<Option<Vec<Exported>>, Error> {
        let after = match &self.place {
            Place::End => return Ok(None),
            Place::Beginning => None,
            Place::After(position) => Some(position.as_str()),
        };
        let page = list_users(provider, &self.call, &self.rights, &self.search, (after, PAGE)).await?;
        let ids: Vec<_> = page.items.iter().map(|user| user.id).collect();
        let mut memberships = provider.store.read().await?.list_group_names_of_many(&ids).await?;
        memberships.sort_by(|one, other| (one.user, &one.name).cmp(&(other.user, &other.name)));
        let users = page.items.into_iter().map(|user| {
            let first = memberships.partition_point(|membership| membership.user < user.id);
            let own = memberships.iter().skip(first);
            let own: Vec<_> = own.take_while(|membership| membership.user == user.id).collect();
            let primary = own.iter().find(|membership| membership.primary);
            Exported {
                groups: own.iter().map(|membership| membership.name.clone()).collect(),
                primary_group: primary.map(|membership| membership.name.clone()),
                user,
            }
        });
        let users = users.collect();
        self.place = page.next.map_or(Place::End, Place::After);
        Ok(Some(users))
    }

    /// After which place the next piece begins; none at the end.
    pub fn place(&self) -> Option<&str> {
        match &self.place {
            Place::After(position) => Some(position),
            Place::Beginning | Place::End => None,
        }
    }

    fn cells(&self, row: &Exported) -> Vec<String> {
        let seen = seen_by_administrators(&self.properties, &row.user.profile);
        let cells = self.columns.iter().map(|column| row.cell(column, &seen, self.call.now));
        cells.collect()
    }

    fn write(&self, row: &Exported, is_first: bool, piece: &mut Vec<u8>) {
        match self.format {
            ExportFormat::Csv => piece.extend(tabular::line(self.cells(row).iter().map(String::as_str))),
            ExportFormat::Json => {
                let seen = seen_by_administrators(&self.properties, &row.user.profile);
                piece.extend_from_slice(if is_first { b"\n" } else { b",\n" });
                piece.extend_from_slice(row.json(seen, self.call.now).to_string().as_bytes());
            }
        }
    }
}
