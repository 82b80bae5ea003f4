//! The command line: what there is to say, and nothing of what it means. No argument has to hold a secret, because every
//! process of a machine sees the arguments of every other.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::devices::Devices;
use super::output::Shape;

/// An OpenID Connect and OAuth 2 identity provider.
#[derive(Debug, Parser)]
#[command(name = "ostiary", version, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// The configuration file; else OSTIARY_CONFIG, else ostiary.toml if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

// read once a process
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server.
    Serve,
    /// Run a throwaway sandbox with a sample application.
    Demo(Demo),
    /// Bring the store to this program's schema.
    Migrate(Migrate),
    /// Back the embedded store and its keys up into one sealed file, also while the server runs.
    Backup(Backup),
    /// Bring a backup back; no server may run.
    Restore(Restore),
    /// Look at configuration, public address, proxy, clock, database, Redis, mail, disk, keys and certificates.
    Doctor(Doctor),
    /// The list of passwords that others have lost.
    #[command(subcommand)]
    BreachedPasswords(super::breached::BreachedPasswords),
    #[command(flatten)]
    Store(StoreCommand),
}

/// What works with the store.
// read once a process
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Make a one-time link for the first administrator.
    Setup(Json),
    /// Bring settings, resources, clients, groups and users to what a file says.
    Apply(Apply),
    /// Write everything in the format of `apply`.
    Export(Export),
    /// People's accounts.
    #[command(subcommand)]
    Users(super::user_arguments::Users),
    /// Bring users in from a file.
    #[command(subcommand)]
    Import(super::imports::ImportCommand),
    /// Files of users that were brought in, and what became of them.
    #[command(subcommand)]
    Imports(super::imports::Imports),
    /// Groups and their members.
    #[command(subcommand)]
    Groups(Groups),
    /// Named sets of permissions, and who has them.
    #[command(subcommand)]
    Roles(super::roles::Roles),
    /// What permissions mean, and what somebody may do.
    #[command(subcommand)]
    Permissions(super::roles::Permissions),
    /// Applications.
    #[command(subcommand)]
    Clients(super::client_arguments::Clients),
    /// Where people are signed in.
    #[command(subcommand)]
    Sessions(Sessions),
    /// What people sign in with.
    #[command(subcommand)]
    Devices(Devices),
    /// Requests for an account, where an administrator decides.
    #[command(subcommand)]
    AccessRequests(super::access_requests::AccessRequests),
    /// Work on many users, and what became of it.
    #[command(subcommand)]
    Jobs(super::jobs::Jobs),
    /// What is told about people beside the standard claims.
    #[command(subcommand)]
    Properties(super::properties::Properties),
    /// Questions about people, saved under a name: segments.
    #[command(subcommand)]
    Segments(super::segments::Segments),
    /// Terms of use.
    #[command(subcommand)]
    Terms(super::terms::Terms),
    /// Signing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Settings of the store.
    #[command(subcommand)]
    Settings(Settings),
    /// Mails and what became of them.
    #[command(subcommand)]
    Messages(super::messages::Messages),
    /// What mails say.
    #[command(subcommand)]
    MessageTemplates(super::messages::MessageTemplates),
    /// The audit log.
    #[command(subcommand)]
    Events(super::events::Events),
    /// APIs with an audience and scopes of their own.
    #[command(subcommand)]
    Resources(super::resources::Resources),
    /// Keys of scripts to the administration API.
    #[command(subcommand)]
    ApiKeys(super::api_keys::ApiKeys),
    /// Addresses that are told of events.
    #[command(subcommand)]
    Webhooks(super::webhooks::Webhooks),
    /// Copy the embedded store into an empty file: what `backup` asks a running server.
    #[command(hide = true)]
    Snapshot { path: PathBuf },
    /// Why something was refused, how somebody signed in, or where a token's claims come from.
    Explain(Explain),
}

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Json {
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Json {
    pub(super) fn shape(self) -> Shape {
        if self.json { Shape::Json } else { Shape::People }
    }
}

#[derive(Clone, Debug, Args)]
pub(super) struct Demo {
    /// Port of the server, on this machine alone.
    #[arg(long, default_value_t = 8080)]
    pub(super) port: u16,
    /// Port of the sample application.
    #[arg(long, default_value_t = 8081)]
    pub(super) app_port: u16,
    /// Address to listen on; only loopback ones are taken.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(super) listen: std::net::IpAddr,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Migrate {
    /// Only tell what would be done.
    #[arg(long)]
    pub(super) check: bool,
    /// Move the embedded store into this empty Postgres database: postgres://USER@HOST/DATABASE, the password by PGPASSWORD
    /// or ~/.pgpass.
    #[arg(long, value_name = "URL")]
    pub(super) to: Option<String>,
    /// The same with the whole address, password included, in a file; `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    pub(super) to_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Send a mail to this address, too.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) send_to: Option<String>,
    /// Send a text message to this number, too: +33612345678.
    #[arg(long, value_name = "NUMBER")]
    pub(super) text_to: Option<String>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Backup {
    /// The file to write. An earlier backup of that name is replaced when the new one is whole.
    pub(super) file: PathBuf,
    /// A file with the passphrase that seals it, `-` for standard input; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    pub(super) file: PathBuf,
    /// A file with its passphrase, `-` for standard input; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// Take the place of the store and keys that are there, which are kept aside.
    #[arg(long)]
    pub(super) replace: bool,
    /// Only open the backup and compare everything in it.
    #[arg(long, conflicts_with = "replace")]
    pub(super) check: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Apply {
    /// The file: .json, .toml, .yaml or .yml.
    pub(super) file: PathBuf,
    /// Only print what would change.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Let "prune": ["users"] remove users.
    #[arg(long)]
    pub(super) prune_users: bool,
    /// A file with the passphrase of sealed secrets, `-` for standard input; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Debug, Args)]
pub(super) struct Export {
    /// Include password hashes and client secrets, sealed under a passphrase.
    #[arg(long)]
    pub(super) with_secrets: bool,
    /// A file with the passphrase, `-` for standard input; else it is asked for.
    #[arg(long, value_name = "FILE", requires = "with_secrets")]
    pub(super) passphrase_file: Option<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Json, conflicts_with = "json")]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Json,
    Toml,
    Yaml,
}

/// Where a password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PasswordFrom {
    /// It is made up and printed once.
    Generate,
    /// It is asked for.
    Prompt,
    /// The first line of standard input.
    Stdin,
    /// The person sets it, by a link that is mailed.
    Mail,
    /// There is none.
    None,
}

#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Explain {
    /// A trace id, or a unique beginning of one: error pages show ten characters.
    #[arg(value_name = "ID", required = true)]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) json: Json,
    #[command(subcommand)]
    pub(super) what: Option<Explained>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Explained {
    /// Where each claim of a token comes from, and why a wanted one is absent.
    Token {
        /// An access token or ID token of this server. Better given as the first line of standard input, as it is without this
        /// argument: arguments are seen by others, and stay in the shell's history.
        #[arg(value_name = "JWT", default_value = "-", allow_hyphen_values = true)]
        token: String,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Groups {
    /// List groups.
    List(Json),
    /// Make a group.
    Create {
        name: String,
        #[arg(long)]
        description: Option<String>,
        /// A permission its members hold. Repeatable.
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Put a user into a group, or change from when until when the user is in it.
    Add {
        group: String,
        user: String,
        #[command(flatten)]
        term: MembershipArguments,
    },
    /// Take a user out of a group.
    Remove {
        group: String,
        user: String,
        /// The user's group that becomes the primary one in its place; the first of the others by name, unless told.
        #[arg(long, value_name = "GROUP")]
        primary_group: Option<String>,
    },
    /// Make somebody an owner of a group: they look after its members.
    Own { group: String, user: String },
    /// Somebody is an owner of a group no more.
    Disown { group: String, user: String },
    /// List the owners of a group.
    Owners {
        group: String,
        #[command(flatten)]
        json: Json,
    },
    /// Put a group into another: what the outer one carries counts for the members of the inner one.
    Nest { inner: String, outer: String },
    /// Take a group out of another.
    Unnest { inner: String, outer: String },
    /// Delete a group with its memberships.
    Delete {
        group: String,
        /// The group that becomes the primary one of those whose primary one it is.
        #[arg(long, value_name = "GROUP")]
        primary_group: Option<String>,
    },
}

/// How a user is in a group.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct MembershipArguments {
    /// From when on, as 2027-01-31T08:00:00+01:00 or 2027-01-31; `now` takes it back.
    #[arg(long, value_name = "WHEN")]
    pub(super) from: Option<String>,
    /// Until when; `none` for good.
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// It becomes the user's primary group.
    #[arg(long)]
    pub(super) primary: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Sessions {
    /// List the sessions that go on, the newest first; those of a group by person.
    List {
        #[command(flatten)]
        of: SessionOwner,
        /// How many at most.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        #[command(flatten)]
        json: Json,
    },
    /// End sessions with the tokens that hang on them, on every node within a second.
    End(EndSessions),
}

/// Which sessions are ended: one of these.
#[derive(Clone, Debug, Args)]
pub(super) struct EndSessions {
    /// The id of one session, as `sessions list` shows it.
    #[arg(conflicts_with_all = ["user", "client", "address", "group", "all"])]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) of: SessionOwner,
    /// Every session of the installation.
    #[arg(long, conflicts_with_all = ["user", "client", "address", "group"])]
    pub(super) all: bool,
    /// The grants with `offline_access` that began in them end too; those of a user, and with `--all` everybody's, wherever
    /// they began.
    #[arg(long)]
    pub(super) with_offline: bool,
    #[command(flatten)]
    pub(super) json: Json,
}

/// Whose sessions are meant.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(super) struct SessionOwner {
    /// A username or mail address.
    #[arg(long)]
    pub(super) user: Option<String>,
    /// A client's `client_id`: the sessions that serve it.
    #[arg(long)]
    pub(super) client: Option<String>,
    /// A network address that they were begun from.
    #[arg(long)]
    pub(super) address: Option<String>,
    /// A group's name: the sessions of its members.
    #[arg(long)]
    pub(super) group: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Keys {
    /// List signing keys.
    List(Json),
    /// Begin a rotation: keys are published now, and sign when every verifier can know them.
    Rotate {
        /// Sign with the new keys at once.
        #[arg(long)]
        now: bool,
        /// For keys that others may have: sign with new keys at once and refuse every token the old ones signed.
        #[arg(long, conflicts_with = "now")]
        compromised: bool,
    },
    /// Seal everything that is stored under a new master key, while the server runs; goes on where it was interrupted.
    Reseal {
        /// Only make the new key's file, to be copied to the keys folder of every node first.
        #[arg(long)]
        prepare: bool,
        /// Only tell what is sealed under which master key, and which may be removed.
        #[arg(long, conflicts_with = "prepare")]
        check: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Take in a private key, PEM or JWK; `-` for standard input.
    Import {
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum Settings {
    /// Every setting with its value and source; for a user what counts there, by whom, and what else was said.
    Show {
        /// Username or mail address.
        #[arg(long)]
        user: Option<String>,
        /// A client's `client_id`: what it says for itself is counted in.
        #[arg(long, requires = "user")]
        client: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Set a setting for everyone, or for one user, group or client; `null` takes back what was said there.
    Set {
        /// `session.max_concurrent`
        key: String,
        /// `3`, `30m`, `end_oldest`, `true`
        value: String,
        #[command(flatten)]
        owner: SettingOwner,
        #[command(flatten)]
        json: Json,
    },
    /// Numbered revisions of everything that was changed.
    History(Json),
    /// Bring the settings back to how they were after a revision; 0 is before the first.
    Rollback {
        number: i64,
        #[command(flatten)]
        json: Json,
    },
}

/// Whose setting it is; nobody's: everyone's.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub(super) struct SettingOwner {
    /// Username or mail address.
    #[arg(long)]
    pub(super) user: Option<String>,
    /// A group's name.
    #[arg(long)]
    pub(super) group: Option<String>,
    /// A client's `client_id`.
    #[arg(long)]
    pub(super) client: Option<String>,
}
