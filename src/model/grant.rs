//! Grants: what a user or client was granted, the family of its tokens.

use serde::{Deserialize, Serialize};

use super::{Client, Digest, Id, Scopes, Session, Timestamp, TraceId, User};

/// What a user granted a client in one sign-on. All tokens of the family hang on it and end with it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The row.
    pub id: Id<Grant>,
    /// Who got it.
    pub client: Id<Client>,
    /// Who gave it.
    pub user: Id<User>,
    /// The session it was given in.
    pub session: Id<Session>,
    /// The code it was redeemed for: unique, so that a code is redeemed once.
    pub code: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its absolute end: rotation never goes beyond.
    pub expires_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// Everything else that was agreed.
    pub terms: GrantTerms,
}

/// What was agreed in a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrantTerms {
    /// What was granted.
    pub scope: Scopes,
    /// The resources (RFC 8707) it is for; empty: those the scopes and client imply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The `claims` parameter.
    #[serde(default, skip_serializing_if = "ClaimsRequest::is_empty")]
    pub claims: ClaimsRequest,
    /// The `nonce` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// When the person last proved who they are.
    pub auth_time: Timestamp,
    /// How well (Core section 2).
    pub acr: String,
    /// By what (RFC 8176).
    pub amr: Vec<String>,
    /// The authorization request that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journey: Option<TraceId>,
}

impl GrantTerms {
    /// Whether the family outlives the session it was begun in (Core section 11).
    pub fn is_offline(&self) -> bool {
        self.scope.contains("offline_access")
    }
}

/// The `claims` parameter (Core section 5.5): which single claims are asked for, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClaimsRequest {
    /// For the userinfo answer.
    pub userinfo: Vec<RequestedClaim>,
    /// For the ID token.
    pub id_token: Vec<RequestedClaim>,
}

impl ClaimsRequest {
    /// Nothing asked for.
    pub fn is_empty(&self) -> bool {
        self.userinfo.is_empty() && self.id_token.is_empty()
    }
}

/// One claim of the `claims` parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedClaim {
    /// Its name.
    pub name: String,
    /// Whether the client can't go on without it.
    #[serde(default)]
    pub essential: bool,
    /// The values that would do (`value` or `values`), as JSON; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<serde_json::Value>,
}

/// A link of the chain of refresh tokens of a grant.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// What is stored of the token.
    pub digest: Digest,
    /// The family.
    pub grant: Id<Grant>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From when on it no longer counts unless used before (idle end).
    pub expires_at: Timestamp,
    /// What the successor is derived with: HMAC of the server's key, this token and this nonce.
    pub nonce: [u8; 32],
    /// When it was exchanged for its successor, if it was.
    pub spent_at: Option<Timestamp>,
}

/// An opaque access token as it is stored.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// What is stored of the token.
    pub digest: Digest,
    /// The family; none for client_credentials.
    pub grant: Option<Id<Grant>>,
    /// Who it was made for.
    pub client: Id<Client>,
    /// What it allows.
    pub scope: Scopes,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}
