//! What stands at `/`.

use serde::{Deserialize, Serialize};

use crate::view::{Account, OwnPath};

/// What this server is, and who is signed in here. A link that is not given is not shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Home {
    /// The issuer, the address that applications are given.
    pub issuer: String,
    /// Who is signed in.
    pub account: Option<Account>,
    /// Where to sign in.
    pub sign_in: Option<OwnPath>,
    /// Where to sign out.
    pub sign_out: Option<OwnPath>,
    /// The person's own account.
    pub own_account: Option<OwnPath>,
    /// The discovery document.
    pub discovery: OwnPath,
    /// How the installation stands, for administrators.
    pub doctor: Option<OwnPath>,
    /// The readable page about the administration API.
    pub api_docs: Option<OwnPath>,
}

impl Home {
    /// With every field filled.
    pub fn sample() -> Self {
        Self {
            issuer: "https://id.example".to_owned(),
            account: Some(Account::sample()),
            sign_in: OwnPath::parse("/login"),
            sign_out: OwnPath::parse("/oauth2/end_session"),
            own_account: OwnPath::parse("/account"),
            discovery: OwnPath::or_home("/.well-known/openid-configuration"),
            doctor: OwnPath::parse("/console/doctor"),
            api_docs: OwnPath::parse("/api/docs"),
        }
    }
}
