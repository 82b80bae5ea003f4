//! Moving everything from a SQLite database into an empty Postgres one of the same schema, in one transaction, and comparing
//! both by counts and digests.

use super::database::{Database, Engine};
use super::error::Error;
use super::row::{Record, Row};
use super::statement::places;
use super::summary::{Sum, Summary};
use super::value::{Kind, Value};
use super::{Connection, Statement, Transaction};

/// A table that is moved.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a migration has put into it.
    pub seed: Seed,
    /// Columns that say something of the database itself, and stay as they are.
    pub kept: &'static [&'static str],
}

/// What is in a table of a new database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// Nothing.
    Empty,
    /// Rows of a migration: those that are moved take their place.
    Rows,
}

/// Why a database was not moved. The target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// Not from SQLite to Postgres.
    #[error("a store is moved from SQLite to Postgres, no other way")]
    Engines,
    /// A table that the list does not have.
    #[error("this program does not know how to move the table {0}")]
    UnknownTable(String),
    /// The two schemas are not the same.
    #[error("the table {0} is not the same on both sides")]
    Columns(&'static str),
    /// Somebody's rows.
    #[error("the target is not empty: its table {0} has rows")]
    NotEmpty(&'static str),
    /// What was written is not what is read there.
    #[error("the table {table} does not arrive as it left: {left} rows there, {arrived} here, or other contents")]
    Different {
        /// Which one.
        table: &'static str,
        /// How many left.
        left: u64,
        /// How many arrived.
        arrived: u64,
    },
    /// One of the databases.
    #[error(transparent)]
    Sql(#[from] Error),
}

struct Column {
    name: String,
    kind: Option<Kind>,
}

impl Record for Column {
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let kind = match row.text("kind")?.as_str() {
            "int8" => Some(Kind::Int),
            "bool" => Some(Kind::Bool),
            "text" => Some(Kind::Text),
            "bytea" => Some(Kind::Bytes),
            "uuid" => Some(Kind::Uuid),
            _ => None,
        };
        Ok(Self {
            name: row.text("name")?,
            kind,
        })
    }
}

const TABLES_SQLITE: &str = "
select name
from sqlite_schema
where type = 'table'
and name not like 'sqlite_%'
and name <> 'schema_migrations'
order by name";

const TABLES_POSTGRES: &str = "
select tablename::text
from pg_tables
where schemaname = current_schema()
and tablename <> 'schema_migrations'
order by tablename";

const COLUMNS_SQLITE: &str = "
select name
from pragma_table_info($1)
order by name";

const COLUMNS_POSTGRES: &str = "
select column_name::text as name, udt_name::text as kind
from information_schema.columns
where table_schema = current_schema()
and table_name = $1
order by column_name collate \"C\"";

const NO_TIME_LIMIT: &str = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";

/// Rows that are read at a time.
const BATCH: i64 = 500;

impl Database {
    /// The names of the tables, that of the migrations excepted.
    pub async fn tables(&self) -> Result<Vec<String>, Error> {
        let text = match self.engine() {
            Engine::Sqlite => TABLES_SQLITE,
            Engine::Postgres => TABLES_POSTGRES,
        };
        self.read().await?.sql(text).all().await
    }

    /// Moves every row of `tables` (each after those it refers to) into the empty `target`: all or nothing. `progress` is
    /// told the table, how many of its rows are there, and how many there are. Nobody else may write here meanwhile.
    ///
    /// # Errors
    /// [`TransferError`]; the target is then as it was.
    pub async fn move_to(
        &self,
        target: &Self,
        tables: &'static [Table],
        progress: &mut (dyn FnMut(&'static str, u64, u64) + Send),
    ) -> Result<Vec<Summary>, TransferError> {
        self.must_be_movable(target, tables).await?;
        let mut source = self.read().await?;
        let mut transaction = begin(target, tables).await?;
        let mut summaries = Vec::new();
        for table in tables {
            if !is_empty(&mut transaction, *table).await? {
                return Err(TransferError::NotEmpty(table.name));
            }
        }
        for table in tables {
            let columns = columns(&mut source, &mut transaction, *table).await?;
            let left = copy(&mut source, &mut transaction, *table, &columns, progress).await?;
            let arrived = sum_postgres(&mut transaction, *table, &columns).await?;
            summaries.push(must_match(left, arrived)?);
        }
        transaction.commit().await?;
        Ok(summaries)
    }

    /// Compares every row of `tables` with `target`.
    ///
    /// # Errors
    /// [`TransferError::Different`] for the first table that is not the same.
    pub async fn compare_with(&self, target: &Self, tables: &'static [Table]) -> Result<Vec<Summary>, TransferError> {
        self.must_be_movable(target, tables).await?;
        let mut source = self.read().await?;
        let mut transaction = begin(target, tables).await?;
        let mut summaries = Vec::new();
        for table in tables {
            let columns = columns(&mut source, &mut transaction, *table).await?;
            let here = sum_sqlite(&mut source, *table, &columns).await?;
            let there = sum_postgres(&mut transaction, *table, &columns).await?;
            summaries.push(must_match(here, there)?);
        }
        transaction.abandon().await?;
        Ok(summaries)
    }

    /// The first of `tables` that has rows of its own; none if the database is as a new one.
    pub async fn first_filled(&self, tables: &'static [Table]) -> Result<Option<&'static str>, Error> {
        let mut connection = self.read().await?;
        for table in tables {
            if !is_empty(&mut connection, *table).await? {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// How many rows each of `tables` has.
    pub async fn count(&self, tables: &'static [Table]) -> Result<Vec<(&'static str, u64)>, Error> {
        let mut connection = self.read().await?;
        let mut counts = Vec::new();
        for table in tables {
            counts.push((table.name, count(&mut connection, *table).await?));
        }
        Ok(counts)
    }

    async fn must_be_movable(&self, target: &Self, tables: &'static [Table]) -> Result<(), TransferError> {
        if (self.engine(), target.engine()) != (Engine::Sqlite, Engine::Postgres) {
            return Err(TransferError::Engines);
        }
        let known = |name: &String| tables.iter().any(|table| table.name == name);
        let present = self.tables().await?;
        match present.into_iter().find(|name| !known(name)) {
            Some(name) => Err(TransferError::UnknownTable(name)),
            None => Ok(()),
        }
    }
}

/// A transaction that alone writes to these tables.
async fn begin(target: &Database, tables: &'static [Table]) -> Result<Transaction, Error> {
    let mut transaction = target.write().await?;
    transaction.without_time_limit();
    transaction.script(NO_TIME_LIMIT).await?;
    let names: Vec<&str> = tables.iter().map(|table| table.name).collect();
    let lock = format!("lock table {} in exclusive mode", names.join(", "));
    transaction.sql_built(lock).changed().await?;
    Ok(transaction)
}

async fn is_empty(connection: &mut Connection, table: Table) -> Result<bool, Error> {
    if table.seed == Seed::Rows {
        return Ok(true);
    }
    let text = format!("select 1 from {} limit 1", table.name);
    let found: Option<i64> = connection.sql_built(text).optional().await?;
    Ok(found.is_none())
}

async fn count(connection: &mut Connection, table: Table) -> Result<u64, Error> {
    let count: i64 = connection
        .sql_built(format!("select count(*) from {}", table.name))
        .one()
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The columns that are moved, the same on both sides.
async fn columns(
    source: &mut Connection,
    target: &mut Connection,
    table: Table,
) -> Result<Vec<(String, Kind)>, TransferError> {
    let here: Vec<String> = source.sql(COLUMNS_SQLITE).bind(table.name).all().await?;
    let there: Vec<Column> = target.sql(COLUMNS_POSTGRES).bind(table.name).all().await?;
    let mut columns = Vec::new();
    for column in there
        .iter()
        .filter(|column| !table.kept.contains(&column.name.as_str()))
    {
        let kind = column.kind.ok_or(TransferError::Columns(table.name))?;
        columns.push((column.name.clone(), kind));
    }
    let moved = here.iter().filter(|name| !table.kept.contains(&name.as_str()));
    if !moved.eq(columns.iter().map(|(name, _)| name)) {
        return Err(TransferError::Columns(table.name));
    }
    Ok(columns)
}

async fn copy(
    source: &mut Connection,
    target: &mut Transaction,
    table: Table,
    columns: &[(String, Kind)],
    progress: &mut (dyn FnMut(&'static str, u64, u64) + Send),
) -> Result<Summary, TransferError> {
    if table.seed == Seed::Rows {
        let cleared = format!("delete from {}", table.name);
        target.sql_built(cleared).changed().await?;
    }
    let whole = count(source, table).await?;
    let mut batches = Batches::of(table, columns);
    while let Some(rows) = batches.next(source).await? {
        let insert = target.sql_built(insertion(table, columns, rows.len()));
        let insert = rows.into_iter().flatten().fold(insert, Statement::bind);
        insert.changed().await?;
        progress(table.name, batches.sum.rows(), whole);
    }
    Ok(batches.sum.end(table.name))
}

async fn sum_sqlite(source: &mut Connection, table: Table, columns: &[(String, Kind)]) -> Result<Summary, Error> {
    let mut batches = Batches::of(table, columns);
    while batches.next(source).await?.is_some() {}
    Ok(batches.sum.end(table.name))
}

async fn sum_postgres(target: &mut Transaction, table: Table, columns: &[(String, Kind)]) -> Result<Summary, Error> {
    // a name of its own: what is prepared for one cursor expects its columns
    let cursor = format!("moved_{}", table.name);
    let select = format!(
        "declare {cursor} no scroll cursor for select {} from {}",
        names(columns),
        table.name
    );
    target.sql_built(select).changed().await?;
    let fetch = format!("fetch {BATCH} from {cursor}");
    let mut sum = Sum::default();
    loop {
        let rows = target.sql_built(fetch.clone()).rows().await?;
        let rows = rows.read(|row| values(row, columns, 0))?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            sum.add(row);
        }
    }
    target.sql_built(format!("close {cursor}")).changed().await?;
    Ok(sum.end(table.name))
}

/// The rows of a table of the source, some at a time.
struct Batches<'t> {
    table: Table,
    columns: &'t [(String, Kind)],
    after: i64,
    sum: Sum,
}

impl<'t> Batches<'t> {
    fn of(table: Table, columns: &'t [(String, Kind)]) -> Self {
        Self {
            table,
            columns,
            after: i64::MIN,
            sum: Sum::default(),
        }
    }

    /// The next ones, counted into the sum; none after the last.
    async fn next(&mut self, source: &mut Connection) -> Result<Option<Vec<Vec<Value>>>, Error> {
        let text = format!(
            "select rowid, {} from {} where rowid > $1 order by rowid limit {BATCH}",
            names(self.columns),
            self.table.name
        );
        let rows = source.sql_built(text).bind(self.after).rows().await?;
        let read = rows.read(|row| Ok((row.value(0, Kind::Int)?, values(row, self.columns, 1)?)))?;
        let Some((Value::Int(Some(last)), _)) = read.last() else {
            return Ok(None);
        };
        self.after = *last;
        let rows: Vec<_> = read.into_iter().map(|(_, row)| row).collect();
        for row in &rows {
            self.sum.add(row);
        }
        Ok(Some(rows))
    }
}

/// The columns of a row, which begin at `first`.
fn values(row: &Row<'_>, columns: &[(String, Kind)], first: usize) -> Result<Vec<Value>, Error> {
    let columns = columns.iter().enumerate();
    columns
        .map(|(index, (_, kind))| row.value(first + index, *kind))
        .collect()
}

/// `key` and the like are words of the language.
fn names(columns: &[(String, Kind)]) -> String {
    let quoted: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    quoted.join(", ")
}

fn insertion(table: Table, columns: &[(String, Kind)], rows: usize) -> String {
    format!(
        "insert into {} ({}) values {}",
        table.name,
        names(columns),
        places(rows, columns.len())
    )
}

fn must_match(left: Summary, arrived: Summary) -> Result<Summary, TransferError> {
    if left == arrived {
        Ok(arrived)
    } else {
        Err(TransferError::Different {
            table: left.table,
            left: left.rows,
            arrived: arrived.rows,
        })
    }
}
