//! The arguments of `clients`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::Json;

// read once a process
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Subcommand)]
pub(super) enum Clients {
    /// List clients.
    List(Json),
    /// Show a client.
    Show {
        client_id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Make a client, and print what its application needs.
    Create(CreateClient),
    /// Give a client another secret; the old one stays valid for the overlap of the settings.
    RotateSecret {
        client_id: String,
        /// A file with the secret, `-` for standard input; else one is made.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Refuse a client everywhere.
    Disable { client_id: String },
    /// Admit a disabled client again.
    Enable { client_id: String },
    /// Vouch for a client that registered itself, until it changes its redirect URIs: no page warns of it.
    Trust { client_id: String },
    /// Take that back.
    Distrust { client_id: String },
    /// Give a client to a user or the members of a group, where not everybody may use it.
    Give {
        client_id: String,
        #[command(flatten)]
        to: super::roles::Holder,
    },
    /// Take a client from a user or a group.
    Take {
        client_id: String,
        #[command(flatten)]
        from: super::roles::Holder,
    },
    /// Delete a client with everything that hangs on it.
    Delete { client_id: String },
    /// Whether a client was told of the ends of sessions, newest first.
    Logouts {
        client_id: String,
        #[command(flatten)]
        json: Json,
    },
    /// Tokens with which clients register themselves.
    #[command(subcommand)]
    RegistrationToken(RegistrationToken),
}

#[derive(Clone, Debug, Args)]
pub(super) struct CreateClient {
    /// What it calls itself in the protocol; made up if not given.
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// Its name, shown to people.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Where codes may be sent. Repeatable.
    #[arg(long = "redirect-uri", value_name = "URI")]
    pub(super) redirect_uris: Vec<String>,
    /// Where people may be sent after signing out. Repeatable.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    pub(super) post_logout_redirect_uris: Vec<String>,
    /// Where it is told, by a signed token from this server, that a session has ended.
    #[arg(long, value_name = "URI")]
    pub(super) backchannel_logout_uri: Option<String>,
    /// What the browser loads when the person signs out.
    #[arg(long, value_name = "URI")]
    pub(super) frontchannel_logout_uri: Option<String>,
    /// It can't keep a secret: an application in a browser, on a phone or a desktop.
    #[arg(long, conflicts_with = "auth_method")]
    pub(super) public: bool,
    /// An application on the person's device.
    #[arg(long)]
    pub(super) native: bool,
    /// How it authenticates, such as client_secret_basic, client_secret_post, private_key_jwt.
    #[arg(long, value_name = "METHOD")]
    pub(super) auth_method: Option<String>,
    /// Where its keys are, for private_key_jwt.
    #[arg(long, value_name = "URL")]
    pub(super) jwks_uri: Option<String>,
    /// A grant it may use. Repeatable. [default: authorization_code and refresh_token]
    #[arg(long = "grant", value_name = "GRANT")]
    pub(super) grants: Vec<String>,
    /// The scopes it may ask for, separated by spaces.
    #[arg(long, value_name = "SCOPES")]
    pub(super) scope: Option<String>,
    /// A resource it may ask tokens for. Repeatable.
    #[arg(long = "resource", value_name = "IDENTIFIER")]
    pub(super) resources: Vec<String>,
    /// A resource it serves: it may introspect tokens for that. Repeatable.
    #[arg(long = "serves", value_name = "IDENTIFIER")]
    pub(super) serves: Vec<String>,
    /// Whether people are asked: ask or skip.
    #[arg(long, value_name = "MODE")]
    pub(super) consent: Option<String>,
    /// Who may use it: everybody, or assigned: whom it is given to.
    #[arg(long, value_name = "WHO")]
    pub(super) users: Option<String>,
    /// A file with its secret, `-` for standard input; else one is made.
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: Json,
}

#[derive(Clone, Debug, Subcommand)]
pub(super) enum RegistrationToken {
    /// Make a token, shown this once.
    Create {
        /// What it is for.
        name: String,
        /// How many clients may be registered with it; else any number.
        #[arg(long)]
        uses: Option<u32>,
        /// How long it lives, as in 1h or 7d.
        #[arg(long, default_value = "1d")]
        life: String,
        #[command(flatten)]
        json: Json,
    },
    /// List tokens.
    List(Json),
    /// Revoke a token.
    Revoke { id: String },
}
