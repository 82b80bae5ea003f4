//! The schema's steps, in order; each has the same name on both databases.

use crate::sql::Migration;

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        /// Every step.
        pub const ALL: &[Migration] = &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),+];
    };
}

migrations![
    "0001_ground",
    "0002_clients",
    "0003_users",
    "0004_sign_ons",
    "0005_client_trust",
    "0006_ended",
    "0007_sealed_under",
    "0008_traces",
    "0009_epoch",
    "0010_layers",
    "0011_sweeping",
    "0012_logins",
    "0013_logouts",
    "0014_devices",
    "0015_kept_sessions",
    "0016_latest",
    "0017_factors",
    "0018_passwords",
    "0019_passkeys",
    "0020_required_actions",
    "0021_remembered_devices",
    "0022_open_clients",
    "0023_registration",
    "0024_text_messages",
    "0026_account",
    "0028_terms",
    "0029_access_requests",
    "0030_mails",
    "0031_phone_key",
    "0032_account_term",
    "0033_event_checkpoints",
    "0034_nested_groups",
    "0035_roles",
    "0036_client_access",
    "0040_properties",
    "0044_life_cycle",
    "0045_kinds_and_bin",
    "0046_jobs",
    "0047_user_actions",
    "0050_webhooks",
    "0051_api_keys",
    "0052_event_values",
    "0053_resource_lifetime",
    "0054_finding_people",
    "0055_words",
    "0056_segments",
    "0057_imports",
    "0058_exports",
    "0060_limited_roles"
];
