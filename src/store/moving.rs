//! Moving the embedded store into Postgres: every table there is, in the order in which they refer to each other.

use super::Store;
use crate::sql::{Database, Seed, Summary, Table, TransferError};

/// Every table of the schema, each after those it refers to. A store with a table that is not in this list is not moved.
const TABLES: &[Table] = &[
    filled_by_migration("generations"),
    filled_by_migration("open_clients"),
    Table {
        name: "installation",
        seed: Seed::Rows,
        // the history of the server that the store is in
        kept: &["lineage"],
    },
    plain("settings"),
    plain("setting_revisions"),
    plain("events"),
    plain("event_checkpoints"),
    plain("event_values"),
    plain("event_objects"),
    plain("outbox"),
    plain("proofs"),
    plain("idempotency_keys"),
    plain("clients"),
    plain("client_secrets"),
    plain("registration_tokens"),
    plain("resources"),
    plain("users"),
    plain("departed_subjects"),
    plain("properties"),
    plain("user_properties"),
    plain("user_words"),
    plain("word_sweep"),
    plain("groups"),
    plain("group_permissions"),
    plain("group_members"),
    plain("client_access"),
    plain("permissions"),
    plain("roles"),
    plain("role_permissions"),
    plain("group_roles"),
    plain("user_roles"),
    plain("limited_roles"),
    plain("group_owners"),
    plain("group_nesting"),
    plain("group_ancestors"),
    plain("user_settings"),
    plain("group_settings"),
    plain("client_settings"),
    plain("devices"),
    plain("action_links"),
    plain("password_history"),
    plain("access_requests"),
    plain("terms"),
    plain("terms_acceptances"),
    plain("pictures"),
    plain("factors"),
    plain("recovery_codes"),
    plain("sessions"),
    plain("session_clients"),
    plain("logouts"),
    plain("consents"),
    plain("grants"),
    plain("refresh_tokens"),
    plain("access_tokens"),
    plain("revoked_tokens"),
    plain("traces"),
    plain("user_actions"),
    plain("segments"),
    plain("jobs"),
    plain("job_items"),
    plain("imports"),
    plain("import_parts"),
    plain("import_rows"),
    plain("exports"),
    plain("export_parts"),
    plain("signing_keys"),
    plain("master_keys"),
    plain("ended"),
    plain("webhooks"),
    plain("api_keys"),
    plain("webhook_secrets"),
    plain("webhook_deliveries"),
];

const fn plain(name: &'static str) -> Table {
    Table {
        name,
        seed: Seed::Empty,
        kept: &[],
    }
}

/// A table whose rows a migration has written: those that are moved take their place.
const fn filled_by_migration(name: &'static str) -> Table {
    Table {
        name,
        seed: Seed::Rows,
        kept: &[],
    }
}

/// A store that was moved: what is in the target, table by table.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Count and digest of each table, the same on both sides.
    pub tables: Vec<Summary>,
    /// Whether everything was there already, from an earlier attempt that was cut off at its very end.
    pub was_there: bool,
}

/// Why a store was not moved. The target is as it was.
pub type MoveError = TransferError;

impl Store {
    /// Moves everything into the empty Postgres store `target` of the same schema, and marks this one so that it is not
    /// opened again. All or nothing; what arrived is compared with what left. Nobody else may use this store meanwhile.
    ///
    /// # Errors
    /// [`MoveError`]; the target is then as it was.
    pub async fn move_to(
        &self,
        target: &Self,
        named: &str,
        progress: &mut (dyn FnMut(&'static str, u64, u64) + Send),
    ) -> Result<Moved, MoveError> {
        let (from, to): (&Database, &Database) = (&self.database, &target.database);
        let (tables, was_there) = match from.move_to(to, TABLES, progress).await {
            Err(MoveError::NotEmpty(table)) => {
                // the attempt before may have ended between its commit and the mark
                let same = from.compare_with(to, TABLES).await;
                (same.map_err(|_| MoveError::NotEmpty(table))?, true)
            }
            moved => (moved?, false),
        };
        from.mark_moved(named).await?;
        Ok(Moved { tables, was_there })
    }

    /// How many rows each table has that would be moved.
    ///
    /// # Errors
    /// [`MoveError::Sql`]
    pub async fn count_rows(&self) -> Result<Vec<(&'static str, u64)>, MoveError> {
        Ok(self.database.count(TABLES).await?)
    }

    /// The first table of a store that has rows of its own; none if it is as a new one.
    ///
    /// # Errors
    /// [`MoveError::Sql`]
    pub async fn first_filled_table(&self) -> Result<Option<&'static str>, MoveError> {
        Ok(self.database.first_filled(TABLES).await?)
    }

    /// The tables of the store that nobody knows how to move, and those that are to be moved and are not there.
    ///
    /// # Errors
    /// [`MoveError::Sql`]
    pub async fn unmovable_tables(&self) -> Result<Vec<String>, MoveError> {
        let present = self.database.tables().await?;
        let unknown = present
            .iter()
            .filter(|name| TABLES.iter().all(|table| table.name != *name))
            .cloned();
        let missing = TABLES
            .iter()
            .map(|table| table.name.to_owned())
            .filter(|name| !present.contains(name));
        Ok(unknown.chain(missing).collect())
    }
}
