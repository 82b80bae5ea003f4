//! Which client is this? RFC 6749 sections 2.3 and 3.2.1, OpenID Connect Core section 9, RFC 7523.
//!
//! Whoever fails is told the same, whatever the reason; the reason stands in the audit log.

use std::sync::Arc;
use std::time::Duration;

use super::unvouched;
use crate::flow::clients::SECRET_PURPOSE;
use crate::flow::clients::keys::NoKeys;
use crate::flow::guess::{self, Account};
use crate::flow::memory::{ProvenSecret, Recalled, RestsOn};
use crate::flow::{Call, Error, Provider};
use crate::jose::{self, AssertionKeys, TimeLimits, Verified};
use crate::model::{
    Client, ClientSecret, ClientSigningAlgorithm, Digest, Event, EventKind, Fact, Secret, Timestamp,
    TokenEndpointAuthMethod,
};
use crate::protocol::OAuthError;
use crate::protocol::client_authentication::{Credentials, Presented, judge_assertion, refusal};

/// How far away the expiry of an assertion may be, clocks that differ included.
const LONGEST_ASSERTION: Duration = Duration::from_secs(5 * 60 + 60);

/// How long a client that has shown its secret is not looked up among the counters of guesses: its secret is compared all
/// the same.
const PROVEN_FOR: Duration = Duration::from_secs(1);

/// The client that a request comes from. `endpoint` is the address that was called: an assertion may be made for it.
///
/// # Errors
/// `invalid_client`, the same for every reason, or `invalid_request` for several methods at once; [`Error::Throttled`] after
/// too many wrong ones from one address.
pub async fn authenticate(
    provider: &Provider,
    call: &Call,
    presented: Presented,
    endpoint: &str,
) -> Result<Arc<Client>, Error> {
    let credentials = presented.credentials()?;
    let presented_method = method(&credentials);
    let client_id = claimed_client_id(&credentials).ok_or_else(|| refusal("assertion_unreadable"))?;
    let account = Account::Client(&client_id);
    let shown = shown(call, &credentials);
    let since = match &shown {
        None => None,
        Some(shown) => match provider.recall::<ProvenSecret>(shown, call.now).await? {
            Recalled::Known(_) => None,
            Recalled::Unknown(since) => Some(since),
        },
    };
    let guesses = !matches!(credentials, Credentials::Public { .. });
    if guesses && (shown.is_none() || since.is_some()) {
        let looked = guess::look(provider, call, account).await;
        if let Err(Error::Throttled { rule, .. }) = looked {
            let event = refused(call, None, rule, presented_method);
            provider.note_refusals(call, event, rule).await;
        }
        looked?;
    }
    let client = provider.client(&client_id).await?;
    let judged = match &client {
        Some(client) => judge(provider, call, client, &credentials, endpoint).await?,
        None => judge_nobody(&credentials),
    };
    match (judged, client) {
        (Ok(()), Some(client)) => {
            if guesses {
                unvouched::spend(provider, call, &client).await?;
            }
            if let (Some(shown), Some(since)) = (shown, since) {
                let until = call.now.after(PROVEN_FOR);
                provider.remember(
                    since,
                    shown,
                    &Arc::new(ProvenSecret),
                    RestsOn::default(),
                    until,
                    call.now,
                );
            }
            Ok(client)
        }
        (judged, client) => {
            provider.forget_secrets();
            let rule = judged.err().unwrap_or("client_unknown");
            if guess::wrong(provider, call, account).await? {
                let event = refused(call, client.as_deref(), rule, presented_method);
                provider.note_strangers_refusal(call, event, rule).await;
            }
            Err(told(refusal(rule), client.as_deref(), presented_method).into())
        }
    }
}

/// Under what a secret is remembered that was shown: with the client it is shown for and the place it comes from, so that who
/// guesses from elsewhere, or another one, finds nothing.
fn shown(call: &Call, credentials: &Credentials) -> Option<Digest> {
    let (Credentials::Basic { client_id, secret } | Credentials::Post { client_id, secret }) = credentials else {
        return None;
    };
    let mut shown = secret.digest().as_bytes().to_vec();
    shown.extend(call.origin.network());
    // a source has no fixed length, but a client_id no NUL
    shown.push(0);
    shown.extend(client_id.as_bytes());
    Some(Digest::of(&shown))
}

/// What the refusal rests on. The client is told nothing of it.
fn told(refusal: OAuthError, client: Option<&Client>, presented: &'static str) -> OAuthError {
    let refusal = refusal.fact("presented", Fact::Word(presented));
    let Some(client) = client else {
        return refusal;
    };
    let registered = client.metadata.token_endpoint_auth_method;
    refusal
        .fact("client", Fact::Id(client.id.uuid()))
        .fact("registered", Fact::Word(registered.as_str()))
        .fact("secrets", Fact::count(client.secrets.len()))
}

/// The method that was used, in a word.
const fn method(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::Basic { .. } => "client_secret_basic",
        Credentials::Post { .. } => "client_secret_post",
        Credentials::Assertion { .. } => "assertion",
        Credentials::Public { .. } => "none",
    }
}

/// Who it claims to be. An assertion's own word is read before it is verified only to find the keys it is verified with.
fn claimed_client_id(credentials: &Credentials) -> Option<String> {
    match credentials {
        Credentials::Basic { client_id, .. }
        | Credentials::Post { client_id, .. }
        | Credentials::Public { client_id }
        | Credentials::Assertion {
            client_id: Some(client_id),
            ..
        } => Some(client_id.clone()),
        Credentials::Assertion {
            client_id: None,
            assertion,
        } => jose::peek_unverified_issuer(assertion).ok()?.subject,
    }
}

/// Nobody is checked at the same cost as somebody.
fn judge_nobody(credentials: &Credentials) -> Result<(), &'static str> {
    if let Credentials::Basic { secret, .. } | Credentials::Post { secret, .. } = credentials {
        secret_matches(secret, &[], Timestamp::default());
    }
    Err("client_unknown")
}

async fn judge(
    provider: &Provider,
    call: &Call,
    client: &Client,
    credentials: &Credentials,
    endpoint: &str,
) -> Result<Result<(), &'static str>, Error> {
    let registered = client.metadata.token_endpoint_auth_method;
    let judged = match credentials {
        Credentials::Basic { secret, .. } => judge_secret(
            call,
            client,
            secret,
            registered == TokenEndpointAuthMethod::ClientSecretBasic,
        ),
        Credentials::Post { secret, .. } => judge_secret(
            call,
            client,
            secret,
            registered == TokenEndpointAuthMethod::ClientSecretPost,
        ),
        Credentials::Assertion { assertion, .. } => {
            if registered.uses_assertion() {
                judge_jwt(provider, call, client, assertion, endpoint).await?
            } else {
                Err("client_method")
            }
        }
        Credentials::Public { .. } if registered == TokenEndpointAuthMethod::None => Ok(()),
        Credentials::Public { .. } => Err("client_proof_missing"),
    };
    if client.disabled_at.is_some() {
        return Ok(Err("client_disabled"));
    }
    Ok(judged)
}

/// The secret is compared whatever the method, so that a wrong method looks like a wrong secret.
fn judge_secret(call: &Call, client: &Client, secret: &Secret, of_this_method: bool) -> Result<(), &'static str> {
    let matches = secret_matches(secret, &client.secrets, call.now);
    match (of_this_method, matches) {
        (true, true) => Ok(()),
        (true, false) => Err("client_secret"),
        (false, _) => Err("client_method"),
    }
}

/// Compares with every secret that counts, and with one more that is nobody's: the time says nothing about which matched.
fn secret_matches(secret: &Secret, known: &[ClientSecret], now: Timestamp) -> bool {
    let presented = secret.digest();
    let nobodys = presented.matches(&Digest::of(b""));
    let matches = known
        .iter()
        .filter(|known| counts(known, now))
        .fold(false, |matched, known| matched | known.digest.matches(&presented));
    matches & !nobodys
}

fn counts(secret: &ClientSecret, now: Timestamp) -> bool {
    secret.expires_at.is_none_or(|expires| now < expires)
}

async fn judge_jwt(
    provider: &Provider,
    call: &Call,
    client: &Client,
    assertion: &str,
    endpoint: &str,
) -> Result<Result<(), &'static str>, Error> {
    provider.counts.signatures.of("client").count();
    let verified = match client.metadata.token_endpoint_auth_method {
        TokenEndpointAuthMethod::ClientSecretJwt => verify_by_secret(provider, call, client, assertion)?,
        _ => verify_by_key(provider, call, client, assertion).await,
    };
    let claims = match verified {
        Ok(verified) => verified.claims,
        Err(rule) => return Ok(Err(rule)),
    };
    let token_endpoint = provider.issuer.path("/oauth2/token");
    let audiences = [provider.issuer.as_str(), token_endpoint.as_str(), endpoint];
    let jti = match judge_assertion(&claims, &client.client_id, &audiences) {
        Ok(jti) => jti,
        Err(rule) => return Ok(Err(rule)),
    };
    let limits = TimeLimits {
        max_life: Some(LONGEST_ASSERTION),
        ..TimeLimits::default()
    };
    let Ok(times) = jose::check_times(&claims, call.now, limits) else {
        return Ok(Err("assertion_times"));
    };
    // the last step: an assertion that is refused for another reason is not used up
    let digest = Digest::of(format!("{} {jti}", client.id).as_bytes());
    let mut store = provider.store.write().await?;
    // whoever does not say when it was made may have made it as early as that
    let issued = times.issued.unwrap_or_else(|| times.expires.before(LONGEST_ASSERTION));
    let first = store
        .spend_proof_of_epoch("client_assertion", &digest, times.expires, issued)
        .await?;
    store.commit().await?;
    Ok(if first { Ok(()) } else { Err("assertion_replayed") })
}

/// The algorithms a client's assertions may have: the registered one, else any of its method.
fn algorithms(client: &Client, of_method: &'static [ClientSigningAlgorithm]) -> Vec<ClientSigningAlgorithm> {
    match &client.metadata.token_endpoint_auth_signing_alg {
        None => of_method.to_vec(),
        Some(name) => name
            .parse()
            .ok()
            .into_iter()
            .filter(|known| of_method.contains(known))
            .collect(),
    }
}

fn verify_by_secret(
    provider: &Provider,
    call: &Call,
    client: &Client,
    assertion: &str,
) -> Result<Result<Verified, &'static str>, Error> {
    let allowed = algorithms(client, ClientSigningAlgorithm::SYMMETRIC);
    let mut refused = "client_secret";
    let mut closed = None;
    for known in client.secrets.iter().filter(|known| counts(known, call.now)) {
        let Some(sealed) = &known.sealed else { continue };
        let secret = match provider.master.open(SECRET_PURPOSE, sealed) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(client = %client.id, "a client secret opens with no master key of this node");
                closed = Some(error);
                continue;
            }
        };
        match jose::verify_assertion(assertion, AssertionKeys::Secret(&secret), &allowed) {
            Ok(verified) => return Ok(Ok(verified)),
            Err(error) => refused = rule_of(error),
        }
    }
    // what can't be read is no wrong guess
    match closed {
        Some(error) => Err(Error::Unavailable(Box::new(error))),
        None => Ok(Err(refused)),
    }
}

async fn verify_by_key(
    provider: &Provider,
    call: &Call,
    client: &Client,
    assertion: &str,
) -> Result<Verified, &'static str> {
    let allowed = algorithms(client, ClientSigningAlgorithm::ASYMMETRIC);
    let no_keys = |reason: NoKeys| match reason {
        NoKeys::None => "client_keys_missing",
        NoKeys::Unreadable => "client_keys_unreadable",
        NoKeys::Unreachable => "client_keys_unreachable",
    };
    let keys = provider
        .remote_keys
        .get(&provider.egress, client, call.now)
        .await
        .map_err(no_keys)?;
    match jose::verify_assertion(assertion, AssertionKeys::Keys(&keys), &allowed) {
        Err(jose::Error::UnknownKey) => {}
        judged => return judged.map_err(rule_of),
    }
    let keys = provider
        .remote_keys
        .get_newer(&provider.egress, client, call.now)
        .await
        .map_err(no_keys)?;
    jose::verify_assertion(assertion, AssertionKeys::Keys(&keys), &allowed).map_err(rule_of)
}

fn rule_of(error: jose::Error) -> &'static str {
    match error {
        jose::Error::AlgorithmNotAllowed | jose::Error::AlgorithmNotTheKeys => "assertion_algorithm",
        jose::Error::UnknownKey | jose::Error::KeyIdRequired => "assertion_key",
        jose::Error::Signature => "assertion_signature",
        _ => "assertion_unreadable",
    }
}

fn refused(call: &Call, client: Option<&Client>, rule: &'static str, method: &'static str) -> Event {
    let event = call
        .event(EventKind::ClientAuthentication)
        .refused(rule)
        .fact("method", Fact::Word(method));
    match client {
        Some(client) => event.client(client.id),
        None => event,
    }
}
