//! A token, claim by claim: where each comes from, and why a wanted one is absent. As of now: what was changed since the token
//! was made is seen by the difference.

use serde_json::{Map, Value};

use super::chain::{Decided, Named};
use super::sources::{self, Kind, Origins};

use super::words;
use crate::flow::token::standing::{self, Standing};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::ID_TOKEN_LIFETIME;
use crate::model::{
    Client, Grant, GrantTerms, Id, Property, Scopes, Secret, Session, SigningAlgorithm, Timestamp, User,
};
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::acr;
use crate::protocol::claims::{self, Person};
use crate::protocol::id_token::{self, IdToken};
use crate::protocol::subject;
use crate::store::Read;

/// What is known about a token.
#[derive(Clone, Debug)]
pub struct TokenExplanation {
    /// `access_token` or `id_token`.
    pub kind: &'static str,
    /// `jwt` or `opaque`.
    pub format: &'static str,
    /// Whether it counts now.
    pub counts: bool,
    /// The rule that says so.
    pub rule: &'static str,
    /// That in words.
    pub sentence: String,
    /// When this was found out.
    pub as_of: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The setting that says how long such a token lives, as it stands.
    pub lifetime: Option<Decided>,
    /// Who got it.
    pub client: Option<Named>,
    /// On whose behalf.
    pub user: Option<Named>,
    /// The trace id of the authorization request that it came from.
    pub journey: Option<String>,
    /// The claims it has, or of an opaque one what introspection would tell.
    pub claims: Vec<Claim>,
    /// What userinfo would tell now for it; nothing for an ID token.
    pub userinfo: Vec<Claim>,
    /// Claims about the person that are not there, or of an access token not in the userinfo answer, and why.
    pub absent: Vec<Absent>,
}

/// A claim and where it comes from.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// Its value in the token.
    pub value: Value,
    /// Where it comes from, in words.
    pub source: String,
    /// The value it would have now, if that is another.
    pub now: Option<Value>,
}

/// A claim that is not there.
#[derive(Clone, Debug)]
pub struct Absent {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Explains an access token, signed or opaque, or an ID token of this server.
///
/// # Errors
/// [`Error::Invalid`] for what is no such token of this server.
pub async fn explain(provider: &Provider, call: &Call, token: &Secret) -> Result<TokenExplanation, Error> {
    let token = Secret::new(token.expose().trim());
    if let Some(standing) = standing::find(provider, call.now, &token).await? {
        return access_token(provider, call, standing).await;
    }
    let keyring = provider.keyring().await?;
    let verified = keyring
        .set()
        .verify(token.expose(), &[id_token::TYP], SigningAlgorithm::ALL);
    match verified {
        Ok(set) if set.get("iss").and_then(Value::as_str) == Some(provider.issuer.as_str()) => {
            id_token(provider, call, set).await
        }
        _ => Err(Error::field(
            "token",
            "unknown",
            "this is no access token or ID token of this server, or its signing key is gone",
        )),
    }
}

fn told_properties(
    properties: &[Property],
    client: Option<&Client>,
    user: Option<&User>,
) -> Vec<claims::PropertyClaim> {
    match (client, user) {
        (Some(client), Some(user)) => claims::of_properties(properties, &client.client_id, user),
        _ => Vec::new(),
    }
}

async fn access_token(provider: &Provider, call: &Call, standing: Standing) -> Result<TokenExplanation, Error> {
    let settings = provider.settings().await?;
    let groups = groups(provider, call, standing.user.as_ref()).await?;
    let terms = standing.grant.as_ref().map(|grant| &grant.terms);
    let properties = provider.properties().await?;
    let origins = Origins {
        client: standing.client.as_deref(),
        terms,
        settings: &settings,
        scope: &standing.claims.scope,
        kind: Kind::Access,
        properties: &properties,
    };
    let now = access_claims_now(provider, &standing);
    let set = standing.signed.clone().unwrap_or_else(|| now.clone());
    let told = told_properties(&properties, standing.client.as_deref(), standing.user.as_ref());
    let person = standing.user.as_ref().map(|user| Person {
        user,
        groups: &groups,
        properties: &told,
    });
    let asks_userinfo = standing.claims.scope.contains("openid");
    let (userinfo, absent) = match (&person, terms) {
        (Some(person), Some(terms)) if asks_userinfo => {
            let told = sources::of_userinfo(&origins, person, &terms.claims);
            let is_told = |name: &str| told.iter().any(|claim| claim.name == name);
            let absent = sources::absent(&origins, is_told, Some(person), &terms.claims.userinfo);
            (told, absent)
        }
        _ => (Vec::new(), Vec::new()),
    };
    let rule = standing
        .refused
        .as_ref()
        .map_or("access_token.counts", |reason| reason.rule);
    Ok(TokenExplanation {
        kind: "access_token",
        format: if standing.signed.is_some() { "jwt" } else { "opaque" },
        counts: standing.refused.is_none(),
        rule,
        sentence: words::sentence(rule, &[]),
        as_of: call.now,
        issued_at: standing.claims.issued_at,
        expires_at: standing.claims.expires_at,
        lifetime: lifetime(&settings, crate::model::setting::ACCESS_TOKEN_LIFETIME),
        client: client_named(standing.client.as_deref()),
        user: user_named(standing.user.as_ref()),
        journey: terms.and_then(|terms| terms.journey).map(crate::model::TraceId::text),
        claims: sources::of_token(&origins, &set, &now),
        userinfo,
        absent,
    })
}

/// What the token would say if it were made now; its times and its own id stay.
fn access_claims_now(provider: &Provider, standing: &Standing) -> Map<String, Value> {
    let subject = match (&standing.user, &standing.client, standing.claims.grant) {
        (Some(user), Some(client), _) => subject::of(user, client, &provider.pairwise_key()),
        (None, Some(client), None) => subject::of_client(client),
        _ => standing.claims.subject.clone(),
    };
    let claims = AccessTokenClaims {
        subject,
        authentication: standing
            .grant
            .as_ref()
            .map(|grant| (grant.terms.auth_time, grant.terms.acr.clone(), grant.terms.amr.clone())),
        ..standing.claims.clone()
    };
    let mut set = access_token::to_claims(&claims, provider.issuer.as_str());
    if claims.id.is_empty() {
        set.remove("jti");
    }
    set
}

async fn id_token(provider: &Provider, call: &Call, set: Map<String, Value>) -> Result<TokenExplanation, Error> {
    let settings = provider.settings().await?;
    let text = |name: &str| set.get(name).and_then(Value::as_str);
    let time = |name: &str| Timestamp::from_seconds(set.get(name).and_then(Value::as_i64).unwrap_or_default());
    let client = match text("aud") {
        Some(client_id) => provider.client(client_id).await?,
        None => None,
    };
    let session: Option<Id<Session>> = text("sid").and_then(|session| session.parse().ok());
    let mut store = provider.store.read().await?;
    let grant = match (session, &client) {
        (Some(session), Some(client)) => find_grant(&mut store, session, client, time("iat")).await?,
        _ => None,
    };
    let user = find_user(&mut store, session, text("sub")).await?;
    drop(store);
    let groups = groups(provider, call, user.as_ref()).await?;
    let terms = grant.as_ref().map(|grant| &grant.terms);
    let none = Scopes::default();
    let properties = provider.properties().await?;
    let origins = Origins {
        client: client.as_deref(),
        terms,
        settings: &settings,
        scope: terms.map_or(&none, |terms| &terms.scope),
        kind: Kind::Id,
        properties: &properties,
    };
    let told = told_properties(&properties, client.as_deref(), user.as_ref());
    let person = user.as_ref().map(|user| Person {
        user,
        groups: &groups,
        properties: &told,
    });
    let now = match (&person, &client) {
        (Some(person), Some(client)) => {
            let agreed = terms.cloned().unwrap_or_else(|| stand_in(&set, time("auth_time")));
            id_claims_now(provider, &set, client, person, &agreed, call.now)
        }
        _ => set.clone(),
    };
    let requested = terms.map(|terms| terms.claims.id_token.clone()).unwrap_or_default();
    let mut absent = sources::absent_of_id_token(&set, terms);
    absent.extend(sources::absent(
        &origins,
        |name| set.contains_key(name),
        person.as_ref(),
        &requested,
    ));
    let expires_at = time("exp");
    let rule = if expires_at > call.now {
        "id_token.counts"
    } else {
        "id_token.expired"
    };
    Ok(TokenExplanation {
        kind: "id_token",
        format: "jwt",
        counts: expires_at > call.now,
        rule,
        sentence: words::sentence(rule, &[]),
        as_of: call.now,
        issued_at: time("iat"),
        expires_at,
        lifetime: lifetime(&settings, ID_TOKEN_LIFETIME),
        client: client_named(client.as_deref()),
        user: user_named(user.as_ref()),
        journey: terms.and_then(|terms| terms.journey).map(crate::model::TraceId::text),
        claims: sources::of_token(&origins, &set, &now),
        userinfo: Vec::new(),
        absent,
    })
}

/// What the ID token would say if it were made now. Its times, the hashes and the nonce are its own.
fn id_claims_now(
    provider: &Provider,
    set: &Map<String, Value>,
    client: &Client,
    person: &Person<'_>,
    terms: &GrantTerms,
    now: Timestamp,
) -> Map<String, Value> {
    let own = |name: &str| set.get(name).and_then(Value::as_str);
    let subject = subject::of(person.user, client, &provider.pairwise_key());
    let token = IdToken {
        issuer: provider.issuer.as_str(),
        subject: &subject,
        client_id: &client.client_id,
        session: own("sid").unwrap_or_default().to_owned(),
        terms,
        person,
        at_hash: own("at_hash").map(str::to_owned),
        nonce: own("nonce"),
    };
    let mut claims = id_token::claims(&token, now, std::time::Duration::ZERO);
    for name in ["iat", "exp"] {
        if let Some(value) = set.get(name) {
            claims.insert(name.to_owned(), value.clone());
        }
    }
    claims
}

/// What was agreed, as far as the token itself says it: its grant is no longer there.
fn stand_in(set: &Map<String, Value>, auth_time: Timestamp) -> GrantTerms {
    let amr = set.get("amr").and_then(Value::as_array).cloned().unwrap_or_default();
    GrantTerms {
        scope: Scopes::default(),
        resources: Vec::new(),
        claims: crate::model::ClaimsRequest::default(),
        nonce: None,
        auth_time,
        acr: set
            .get("acr")
            .and_then(Value::as_str)
            .unwrap_or(acr::PASSWORD)
            .to_owned(),
        amr: amr.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        journey: None,
    }
}

/// The grant that an ID token belongs to: it does not name it, but it names session and client. Of several the last one that
/// was there when the token was made.
async fn find_grant(
    store: &mut Read,
    session: Id<Session>,
    client: &Client,
    made: Timestamp,
) -> Result<Option<Grant>, Error> {
    const MOST: u32 = 100;
    // tokens tell whole seconds
    let made = made.after(std::time::Duration::from_secs(1));
    let grants = store.list_grants_of_session(session, client.id, MOST).await?;
    Ok(grants.into_iter().find(|grant| grant.created_at < made))
}

/// Whom an ID token is about: whose session it names, else whose subject.
async fn find_user(
    store: &mut Read,
    session: Option<Id<Session>>,
    subject: Option<&str>,
) -> Result<Option<User>, Error> {
    let row = match session {
        Some(session) => store.find_session(session).await?,
        None => None,
    };
    match (row, subject) {
        (Some(row), _) => Ok(store.find_user(row.user).await?),
        (None, Some(subject)) => Ok(store.find_user_by_subject(subject).await?),
        (None, None) => Ok(None),
    }
}

async fn groups(provider: &Provider, call: &Call, user: Option<&User>) -> Result<Vec<String>, Error> {
    let person = match user {
        Some(user) => provider.person(user.id, call.now).await?,
        None => None,
    };
    Ok(person.map(|person| person.groups.clone()).unwrap_or_default())
}

fn lifetime(settings: &crate::model::setting::Settings, key: &'static str) -> Option<Decided> {
    let effective = settings.effective(key)?;
    Some(Decided {
        key: key.to_owned(),
        value: effective.value.to_json(),
        source: effective.source.as_str().to_owned(),
    })
}

fn client_named(client: Option<&Client>) -> Option<Named> {
    let client = client?;
    Some(Named {
        id: client.id.uuid(),
        name: Some(client.client_id.clone()),
    })
}

fn user_named(user: Option<&User>) -> Option<Named> {
    let user = user?;
    Some(Named {
        id: user.id.uuid(),
        name: Some(user.username.clone()),
    })
}
