//! What the specifications say, rule by rule: no server, no store, no clock.

mod audience;
mod authorization_request;
mod claims_parameter;
mod discovery;
mod layers;
mod logout;
mod parameters;
mod pkce;
mod prompt;
mod refresh;
mod scim_filter;
mod subject;

use ostiary::model::{
    Client, ClientMetadata, ClientOrigin, ClientPolicy, Digest, GrantType, Id, Profile, Scopes, Timestamp, User,
    UserKind, UserStatus, scope,
};
use ostiary::protocol::OAuthError;
use ostiary::protocol::parameters::Parameters;

/// A moment like any other.
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
/// A well-formed S256 challenge.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The verifier it belongs to (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A confidential client of the web that asks for consent.
fn client() -> Client {
    Client {
        id: Id::new(NOW),
        client_id: "shop".to_owned(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
        origin: ClientOrigin::Operator,
        trusted: true,
        metadata: ClientMetadata {
            redirect_uris: vec!["https://shop.example/callback".to_owned()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scope: Scopes::from_tokens(scope::STANDARD.iter().copied()),
            ..ClientMetadata::default()
        },
        policy: ClientPolicy::default(),
        settings: ostiary::model::Layer::new(),
        secrets: Vec::new(),
        registration_token: None,
        unused_until: None,
    }
}

fn client_with(change: impl FnOnce(&mut Client)) -> Client {
    let mut client = client();
    change(&mut client);
    client
}

fn user() -> User {
    User {
        id: Id::new(NOW),
        subject: "0f5c1a".to_owned(),
        username: "ada".to_owned(),
        kind: UserKind::Default,
        client: None,
        version: 1,
        status: UserStatus::Active,
        profile: Profile::default(),
        password: None,
        password_changed_at: None,
        password_expired_at: None,
        password_initial: false,
        required_actions: Vec::new(),
        deletion_at: None,
        status_before: None,
        starts_at: None,
        expires_at: None,
        invited_at: None,
        signed_in_at: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The parameters of a query.
fn query(query: &str) -> Parameters {
    Parameters::parse(&[query.as_bytes()]).unwrap()
}

/// The parameters of a request; one that is named twice is repeated.
fn parameters(pairs: &[(&str, &str)]) -> Parameters {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    self::query(&query)
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

/// The code of a refusal.
fn code<T>(judged: Result<T, OAuthError>) -> &'static str {
    match judged {
        Ok(_) => panic!("it is not refused"),
        Err(error) => error.code.as_str(),
    }
}

/// The rule of a refusal.
fn rule<T>(judged: Result<T, OAuthError>) -> &'static str {
    match judged {
        Ok(_) => panic!("it is not refused"),
        Err(error) => error.rule,
    }
}
