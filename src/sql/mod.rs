//! The only room that names sqlx: statements whose text is written once and runs on SQLite and on Postgres.
//!
//! A [`Database`] hands out a [`Connection`] to read from and a [`Transaction`] to change something in. On SQLite many
//! short transactions share one durable commit (`group_commit`); on Postgres each is a transaction of its own, read
//! committed. Rooms above see only the types named here.

mod connection;
mod database;
mod error;
mod failpoint;
mod group_commit;
mod measures;
mod migrations;
mod opened_file;
mod outage;
mod progress;
mod readers;
mod row;
mod statement;
mod summary;
mod together;
mod transaction;
mod transfer;
mod value;

pub use connection::Connection;
pub use database::{Database, Durability, Engine, Watch, file};
pub use error::{Cause, Error, MigrationFault};
#[cfg(feature = "failpoints")]
pub use failpoint::{Answer as FailpointAnswer, Step, Verdict};
pub use failpoint::{Edge, Failpoints, Place};
pub use measures::{Measures, Occupancy};
pub use migrations::Migration;
pub use row::{Record, Row};
pub use statement::{Statement, places};
pub use summary::Summary;
pub use transaction::{Last, Transaction};
pub use transfer::{Seed, Table, TransferError};
pub use value::Value;
