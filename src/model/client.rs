//! Clients: applications and services that ask for tokens.

use serde::{Deserialize, Serialize};

use super::named::named;
use super::{Digest, Group, Id, Layer, Scopes, SigningAlgorithm, Timestamp, User};

/// An application or service that asks for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// The row.
    pub id: Id<Client>,
    /// What it calls itself in the protocol. ASCII, unique.
    pub client_id: String,
    /// Raised with every change: the ETag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Set when an administrator disabled it: every endpoint refuses it from then on.
    pub disabled_at: Option<Timestamp>,
    /// Who made it.
    pub origin: ClientOrigin,
    /// Whether somebody vouches for it: the operator who made it, who gave it an initial access token, or who said so later.
    /// What registered itself while anyone could is not trusted, nor what changed its redirect URIs by itself.
    pub trusted: bool,
    /// Until when it is kept although nobody has signed in to it; set for what registered itself while anyone could, and gone with
    /// the first sign-in.
    pub unused_until: Option<Timestamp>,
    /// What it registered (RFC 7591, OpenID Connect Dynamic Registration).
    pub metadata: ClientMetadata,
    /// What only the operator decides.
    pub policy: ClientPolicy,
    /// What it says about settings, for itself.
    pub settings: Layer,
    /// Its secrets, newest first; two may be valid at once, for rotation.
    pub secrets: Vec<ClientSecret>,
    /// What manages its registration (RFC 7592), if it registered itself.
    pub registration_token: Option<Digest>,
}

named! {
    /// Who made a client.
    ClientOrigin {
        /// The operator, by command, API or file.
        Operator = "operator",
        /// Itself, by dynamic registration.
        Registration = "registration",
    }
}

named! {
    /// How a client proves who it is at the token endpoint (RFC 7591 section 2, OpenID Connect Core section 9).
    TokenEndpointAuthMethod {
        /// HTTP Basic with the secret.
        ClientSecretBasic = "client_secret_basic",
        /// The secret in the form.
        ClientSecretPost = "client_secret_post",
        /// A JWT under the secret.
        ClientSecretJwt = "client_secret_jwt",
        /// A JWT under a key of the client.
        PrivateKeyJwt = "private_key_jwt",
        /// A public client: no proof.
        None = "none",
    }
}

impl TokenEndpointAuthMethod {
    /// Whether the method rests on a shared secret.
    pub const fn uses_secret(self) -> bool {
        matches!(
            self,
            Self::ClientSecretBasic | Self::ClientSecretPost | Self::ClientSecretJwt
        )
    }

    /// Whether the proof is a JWT that the client signs (RFC 7523).
    pub const fn uses_assertion(self) -> bool {
        matches!(self, Self::ClientSecretJwt | Self::PrivateKeyJwt)
    }
}

named! {
    /// The grants this server knows.
    GrantType {
        /// RFC 6749 section 4.1.
        AuthorizationCode = "authorization_code",
        /// RFC 6749 section 6.
        RefreshToken = "refresh_token",
        /// RFC 6749 section 4.4.
        ClientCredentials = "client_credentials",
    }
}

named! {
    /// What kind of application a client is (OpenID Connect Dynamic Registration section 2).
    ApplicationType {
        /// Runs on a web server or in a browser.
        Web = "web",
        /// Runs on the person's device (RFC 8252).
        Native = "native",
    }
}

named! {
    /// How subjects are told to a client (OpenID Connect Core section 8).
    SubjectType {
        /// Everyone is told the same.
        Public = "public",
        /// Each sector is told its own.
        Pairwise = "pairwise",
    }
}

named! {
    /// The shape of access tokens.
    AccessTokenFormat {
        /// RFC 9068.
        Jwt = "jwt",
        /// A random string, known by introspection.
        Opaque = "opaque",
    }
}

named! {
    /// Whether people are asked before a client gets something.
    ConsentMode {
        /// Ask for what was not granted before.
        Ask = "ask",
        /// A first-party application: don't ask.
        Skip = "skip",
    }
}

/// What a client registered, in the spelling of RFC 7591 and OpenID Connect Dynamic Registration section 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    /// Where codes may be sent; compared byte for byte.
    pub redirect_uris: Vec<String>,
    /// `code` only.
    pub response_types: Vec<String>,
    /// What it may ask the token endpoint for.
    pub grant_types: Vec<GrantType>,
    /// Web or native.
    pub application_type: ApplicationType,
    /// People responsible for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Its name, shown to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its logo, shown to people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// How it uses data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Where its keys are; never beside `jwks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Its keys by value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
    /// The document that lists the redirect URIs of its sector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// Public or pairwise subjects.
    pub subject_type: SubjectType,
    /// What signs its ID tokens.
    pub id_token_signed_response_alg: SigningAlgorithm,
    /// What signs its userinfo answers; plain JSON if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<SigningAlgorithm>,
    /// How it authenticates.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// What signs its assertions; any of the method's algorithms if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// `max_age` where a request names none, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether `auth_time` is wanted in every ID token.
    pub require_auth_time: bool,
    /// `acr_values` where a request names none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// Where a login may be started from our side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiate_login_uri: Option<String>,
    /// Where people may be sent after signing out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told, by a signed token from this server, that a session has ended (Back-Channel Logout 1.0 section 2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs the session's name there. It always gets it.
    #[serde(skip_serializing_if = "is_false")]
    pub backchannel_logout_session_required: bool,
    /// What the browser loads when the person signs out (Front-Channel Logout 1.0 section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// Whether it needs the session's name there. It always gets it.
    #[serde(skip_serializing_if = "is_false")]
    pub frontchannel_logout_session_required: bool,
    /// The scopes it may ask for.
    pub scope: Scopes,
    /// Browser origins that may call our endpoints for it, beside those of its redirect URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_cors_origins: Vec<String>,
    /// RFC 7591 section 2: which software it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// RFC 7591 section 2: and in which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}

impl Default for ClientMetadata {
    fn default() -> Self {
        Self {
            redirect_uris: Vec::new(),
            response_types: vec!["code".to_owned()],
            grant_types: vec![GrantType::AuthorizationCode],
            application_type: ApplicationType::Web,
            contacts: Vec::new(),
            client_name: None,
            logo_uri: None,
            client_uri: None,
            policy_uri: None,
            tos_uri: None,
            jwks_uri: None,
            jwks: None,
            sector_identifier_uri: None,
            subject_type: SubjectType::Public,
            id_token_signed_response_alg: SigningAlgorithm::Rs256,
            userinfo_signed_response_alg: None,
            token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
            token_endpoint_auth_signing_alg: None,
            default_max_age: None,
            require_auth_time: false,
            default_acr_values: Vec::new(),
            initiate_login_uri: None,
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            scope: Scopes::default(),
            allowed_cors_origins: Vec::new(),
            software_id: None,
            software_version: None,
        }
    }
}

/// A member that says no more than its absence.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What only the operator decides about a client; dynamic registration can't set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientPolicy {
    /// PKCE is demanded although the client is confidential.
    pub require_pkce: bool,
    /// Whether people are asked.
    pub consent: ConsentMode,
    /// The shape of its access tokens where no resource says otherwise.
    pub access_token_format: AccessTokenFormat,
    /// The response modes it may ask for.
    pub response_modes: Vec<ResponseMode>,
    /// Identifiers of the resources (audiences) it serves: it may introspect tokens for these.
    pub serves: Vec<String>,
    /// Identifiers of the resources it may ask tokens for.
    pub resources: Vec<String>,
    /// Whether it is as much ours as the pages are: it may ask people for their passwords itself.
    #[serde(skip_serializing_if = "is_false")]
    pub first_party: bool,
    /// Who may use it.
    #[serde(skip_serializing_if = "ClientUsers::is_everybody")]
    pub users: ClientUsers,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            require_pkce: false,
            consent: ConsentMode::Ask,
            access_token_format: AccessTokenFormat::Jwt,
            response_modes: ResponseMode::ALL.to_vec(),
            serves: Vec::new(),
            resources: Vec::new(),
            first_party: false,
            users: ClientUsers::Everybody,
        }
    }
}

named! {
    /// Who may use an application.
    ClientUsers {
        /// Everybody who has an account.
        Everybody = "everybody",
        /// Those whom it is given to: the members of groups, and single people.
        Assigned = "assigned",
    }
}

impl ClientUsers {
    /// Whether nothing needs to be said about it.
    fn is_everybody(&self) -> bool {
        *self == Self::Everybody
    }
}

/// Whom an application is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientUser {
    /// The members of a group.
    Group(Id<Group>),
    /// One person.
    User(Id<User>),
}

named! {
    /// How an authorization response travels (OAuth 2.0 Multiple Response Types, Form Post Response Mode).
    ResponseMode {
        /// In the query of the redirect URI.
        Query = "query",
        /// By a self-submitting form.
        FormPost = "form_post",
    }
}

/// A client's secret as it is stored.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// The row.
    pub id: Id<ClientSecret>,
    /// What is compared with.
    pub digest: Digest,
    /// The secret itself under the master key: for `client_secret_jwt` only, which needs it.
    pub sealed: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer counts.
    pub expires_at: Option<Timestamp>,
}

impl Client {
    /// Whether the client can't keep a secret (RFC 6749 section 2.1).
    pub fn is_public(&self) -> bool {
        self.metadata.token_endpoint_auth_method == TokenEndpointAuthMethod::None
    }

    /// Whether PKCE is demanded: of public clients always (RFC 9700 section 2.1.1).
    pub fn requires_pkce(&self) -> bool {
        self.is_public() || self.policy.require_pkce
    }

    /// Whether it may use this grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant)
    }

    /// The name to show: its own, else its id.
    pub fn name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(&self.client_id)
    }
}
