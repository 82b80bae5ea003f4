//! From JSON to typed metadata: RFC 7591 section 2, OpenID Connect Dynamic Client Registration section 2.

use serde_json::{Map, Value};

use super::{MemberError, judge};
use crate::model::{ClientMetadata, GrantType, Scopes, scope};

/// The members that are understood. RFC 7591 section 2: others are ignored; callers that speak to people may say so instead.
pub const METADATA_MEMBERS: &[&str] = &[
    "redirect_uris",
    "response_types",
    "grant_types",
    "application_type",
    "contacts",
    "client_name",
    "logo_uri",
    "client_uri",
    "policy_uri",
    "tos_uri",
    "jwks_uri",
    "jwks",
    "sector_identifier_uri",
    "subject_type",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "token_endpoint_auth_method",
    "token_endpoint_auth_signing_alg",
    "default_max_age",
    "require_auth_time",
    "default_acr_values",
    "initiate_login_uri",
    "post_logout_redirect_uris",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "frontchannel_logout_uri",
    "frontchannel_logout_session_required",
    "scope",
    "allowed_cors_origins",
    "software_id",
    "software_version",
];

/// Members that promise a client something this server does not do. Leaving them out silently would send in clear what was
/// to be encrypted, or unsigned what was to be signed.
const UNSUPPORTED: &[&str] = &[
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "userinfo_encrypted_response_alg",
    "userinfo_encrypted_response_enc",
    "authorization_signed_response_alg",
    "authorization_encrypted_response_alg",
    "authorization_encrypted_response_enc",
    "introspection_signed_response_alg",
    "introspection_encrypted_response_alg",
    "introspection_encrypted_response_enc",
];

/// Members whose `true` promises a client that something weaker is refused.
const UNSUPPORTED_IF_TRUE: &[&str] = &[
    "require_signed_request_object",
    "require_pushed_authorization_requests",
    "tls_client_certificate_bound_access_tokens",
    "dpop_bound_access_tokens",
];

/// Reads and judges a client's metadata.
///
/// A member that is `null` counts as absent (RFC 7592 section 2.2). Defaults: RFC 7591 section 2; without `scope`, a client
/// that signs people in may ask for all standard ones.
///
/// # Errors
/// Every member that can't be taken.
pub fn read_metadata(request: &Map<String, Value>) -> Result<ClientMetadata, Vec<MemberError>> {
    let mut reader = Reader {
        request,
        errors: Vec::new(),
    };
    reader.refuse_unsupported();
    let metadata = reader.metadata();
    let mut errors = reader.errors;
    // what did not parse stands at its default: rules would only say something untrue about it
    if errors.is_empty() {
        errors = judge(&metadata);
    }
    if errors.is_empty() { Ok(metadata) } else { Err(errors) }
}

struct Reader<'a> {
    request: &'a Map<String, Value>,
    errors: Vec<MemberError>,
}

impl Reader<'_> {
    fn metadata(&mut self) -> ClientMetadata {
        let defaults = ClientMetadata::default();
        let grant_types = self.list("grant_types").unwrap_or(defaults.grant_types);
        let signs_in = grant_types.contains(&GrantType::AuthorizationCode);
        let response_types = if signs_in { defaults.response_types } else { Vec::new() };
        let scope = self.scope().unwrap_or_else(|| {
            let standard: &[&str] = if signs_in { scope::STANDARD } else { &[] };
            Scopes::from_tokens(standard.iter().copied())
        });
        let method = self.named("token_endpoint_auth_method");
        let method = method.unwrap_or(defaults.token_endpoint_auth_method);
        // a member of another method says nothing about this one
        let signing_alg = self
            .text("token_endpoint_auth_signing_alg")
            .filter(|_| method.uses_assertion());
        ClientMetadata {
            redirect_uris: self.texts("redirect_uris"),
            response_types: self.list("response_types").unwrap_or(response_types),
            grant_types,
            application_type: self.named("application_type").unwrap_or(defaults.application_type),
            contacts: self.texts("contacts"),
            client_name: self.text("client_name"),
            logo_uri: self.text("logo_uri"),
            client_uri: self.text("client_uri"),
            policy_uri: self.text("policy_uri"),
            tos_uri: self.text("tos_uri"),
            jwks_uri: self.text("jwks_uri"),
            jwks: self.jwks(),
            sector_identifier_uri: self.text("sector_identifier_uri"),
            subject_type: self.named("subject_type").unwrap_or(defaults.subject_type),
            id_token_signed_response_alg: self
                .named("id_token_signed_response_alg")
                .unwrap_or(defaults.id_token_signed_response_alg),
            userinfo_signed_response_alg: self.named("userinfo_signed_response_alg"),
            token_endpoint_auth_method: method,
            token_endpoint_auth_signing_alg: signing_alg,
            default_max_age: self.seconds("default_max_age"),
            require_auth_time: self.flag("require_auth_time"),
            default_acr_values: self.texts("default_acr_values"),
            initiate_login_uri: self.text("initiate_login_uri"),
            post_logout_redirect_uris: self.texts("post_logout_redirect_uris"),
            backchannel_logout_uri: self.text("backchannel_logout_uri"),
            backchannel_logout_session_required: self.flag("backchannel_logout_session_required"),
            frontchannel_logout_uri: self.text("frontchannel_logout_uri"),
            frontchannel_logout_session_required: self.flag("frontchannel_logout_session_required"),
            scope,
            allowed_cors_origins: self.texts("allowed_cors_origins"),
            software_id: self.text("software_id"),
            software_version: self.text("software_version"),
        }
    }

    fn refuse_unsupported(&mut self) {
        for member in UNSUPPORTED {
            if self.member(member).is_some() {
                self.wrong(member, "unsupported", "is not supported by this server");
            }
        }
        for member in UNSUPPORTED_IF_TRUE {
            if self.flag(member) {
                self.wrong(member, "unsupported", "is not supported by this server");
            }
        }
    }

    fn member(&self, member: &str) -> Option<&Value> {
        self.request.get(member).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, member: &str, code: &'static str, detail: &str) {
        self.errors.push(MemberError::new(member, code, detail));
    }

    fn text(&mut self, member: &str) -> Option<String> {
        match self.member(member)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            _ => {
                self.wrong(member, "type", "must be a string");
                None
            }
        }
    }

    fn named<T: std::str::FromStr>(&mut self, member: &str) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.text(member)?;
        text.parse()
            .map_err(|error: T::Err| self.wrong(member, "unsupported", &format!("is not supported: {error}")))
            .ok()
    }

    /// A list of strings, each once; absent is empty.
    fn texts(&mut self, member: &str) -> Vec<String> {
        self.list(member).unwrap_or_default()
    }

    fn list<T: std::str::FromStr + PartialEq>(&mut self, member: &str) -> Option<Vec<T>>
    where
        T::Err: std::fmt::Display,
    {
        let Some(items) = self.member(member)?.as_array().cloned() else {
            self.wrong(member, "type", "must be a list of strings");
            return None;
        };
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.as_str() else {
                self.errors
                    .push(MemberError::item(member, index, "type", "must be a list of strings"));
                continue;
            };
            match text.parse::<T>() {
                Ok(item) if read.contains(&item) => {}
                Ok(item) => read.push(item),
                Err(error) => {
                    let detail = format!("holds something that is not supported: {error}");
                    self.errors
                        .push(MemberError::item(member, index, "unsupported", &detail));
                }
            }
        }
        Some(read)
    }

    fn scope(&mut self) -> Option<Scopes> {
        match self.member("scope")? {
            Value::String(text) => {
                let scopes = Scopes::parse(text);
                if let Err(error) = &scopes {
                    self.wrong("scope", "invalid", &format!("can't be read: {error}"));
                }
                scopes.ok()
            }
            _ => {
                self.wrong("scope", "type", "must be a string of scopes with spaces between");
                None
            }
        }
    }

    fn jwks(&mut self) -> Option<Value> {
        let value = self.member("jwks")?;
        if value.get("keys").is_some_and(Value::is_array) {
            return Some(value.clone());
        }
        // RFC 7591 section 2
        self.wrong("jwks", "type", "must be a JWK Set: an object with a list of keys");
        None
    }

    fn seconds(&mut self, member: &str) -> Option<u32> {
        let seconds = self
            .member(member)?
            .as_u64()
            .and_then(|seconds| u32::try_from(seconds).ok());
        if seconds.is_none() {
            self.wrong(member, "type", "must be a whole number of seconds");
        }
        seconds
    }

    fn flag(&mut self, member: &str) -> bool {
        match self.member(member) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong(member, "type", "must be true or false");
                false
            }
        }
    }
}
