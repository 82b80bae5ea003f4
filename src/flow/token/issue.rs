//! Minting: the only file that makes tokens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Audiences, Error, Provider};
use crate::crypto;
use crate::flow::memory::Person;
use crate::jose;
use crate::model::setting::{self, Settings};
use crate::model::{
    AccessToken, AccessTokenFormat, Client, Grant, Id, Property, RefreshToken, Scopes, Secret, SigningAlgorithm,
    Timestamp,
};
use crate::protocol::access_token::{self, AccessTokenClaims};
use crate::protocol::audience::{self, Target};
use crate::protocol::claims;
use crate::protocol::id_token::{self, IdToken};
use crate::protocol::subject;
use crate::store::Write;
use crate::{flow::operations::keyring::Keyring, random};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What signs our access tokens: the cheapest that every resource server knows.
const ACCESS_TOKEN_ALGORITHM: SigningAlgorithm = SigningAlgorithm::Es256;

/// A successful answer of the token endpoint (RFC 6749 section 5.1, OpenID Connect Core section 3.1.3.3).
pub struct TokenResponse {
    access_token: Secret,
    expires_in: u64,
    scope: Scopes,
    refresh_token: Option<Secret>,
    id_token: Option<String>,
}

impl TokenResponse {
    /// The answer's JSON.
    pub fn to_json(&self) -> Value {
        let mut answer = json!({
            "access_token": self.access_token.expose(),
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "scope": self.scope.to_string(),
        });
        if let Some(members) = answer.as_object_mut() {
            if let Some(refresh_token) = &self.refresh_token {
                members.insert("refresh_token".to_owned(), refresh_token.expose().into());
            }
            if let Some(id_token) = &self.id_token {
                members.insert("id_token".to_owned(), id_token.as_str().into());
            }
        }
        answer
    }
}

/// A person's part of a minting.
pub struct Behalf {
    /// The family.
    pub grant: Arc<Grant>,
    /// The person.
    pub person: Arc<Person>,
}

/// A minting, prepared: what is stored of it is known, nothing is signed yet.
///
/// Two steps, because signing costs more than storing and waits until the store has agreed: [`Minting::store`] inside the
/// transaction, [`Minting::finish`] after its commit.
pub struct Minting {
    client: Arc<Client>,
    behalf: Option<Behalf>,
    settings: Arc<Settings>,
    properties: Arc<Vec<Property>>,
    keyring: Arc<Keyring>,
    target: Target,
    issuer: String,
    pairwise_key: [u8; 32],
    now: Timestamp,
    opaque: Option<Secret>,
    refresh_token: Option<Secret>,
    echo_nonce: bool,
}

impl Minting {
    /// Prepares tokens of these scopes for a client, on behalf of a person if there is one.
    pub async fn prepare(
        provider: &Provider,
        now: Timestamp,
        client: &Arc<Client>,
        behalf: Option<Behalf>,
        scope: &Scopes,
        resources: &[String],
    ) -> Result<Self, Error> {
        let audiences = Audiences::load(provider).await?;
        let surroundings = audiences.surroundings();
        // never beyond what the client may have today (SEC-022)
        let scope = scope.within(&audience::grantable(client, &surroundings));
        let target = audience::settle(client, &scope, resources, &surroundings)?;
        let opaque = (target.format == AccessTokenFormat::Opaque).then(Secret::generate);
        Ok(Self {
            client: client.clone(),
            behalf,
            settings: provider.settings().await?,
            properties: provider.properties().await?,
            keyring: provider.keyring().await?,
            target,
            issuer: provider.issuer.as_str().to_owned(),
            pairwise_key: provider.pairwise_key(),
            now,
            opaque,
            refresh_token: None,
            echo_nonce: false,
        })
    }

    /// The nonce of the authorization request goes into the ID token: at the code's exchange.
    #[must_use]
    pub fn echoing_nonce(mut self) -> Self {
        self.echo_nonce = true;
        self
    }

    /// This refresh token is part of the answer.
    #[must_use]
    pub fn with_refresh_token(mut self, token: Secret) -> Self {
        self.refresh_token = Some(token);
        self
    }

    /// What the tokens allow.
    pub fn scope(&self) -> &Scopes {
        &self.target.scope
    }

    /// Whether something has to be stored of the access token: of opaque ones.
    pub fn is_stored(&self) -> bool {
        self.opaque.is_some()
    }

    /// Stores what has to be stored of the access token.
    pub async fn store(&self, store: &mut Write) -> Result<(), Error> {
        let Some(opaque) = &self.opaque else {
            return Ok(());
        };
        store
            .add_access_token(&AccessToken {
                digest: opaque.digest(),
                grant: self.behalf.as_ref().map(|behalf| behalf.grant.id),
                client: self.client.id,
                scope: self.target.scope.clone(),
                audience: self.target.audience.clone(),
                issued_at: self.now,
                expires_at: self.access_token_end(),
            })
            .await?;
        Ok(())
    }

    /// Signs, and gives the answer.
    pub fn finish(self) -> Result<TokenResponse, Error> {
        let expires_at = self.access_token_end();
        let access_token = match &self.opaque {
            Some(opaque) => opaque.clone(),
            None => self.sign_access_token(expires_at)?,
        };
        let id_token = self.sign_id_token(&access_token)?;
        Ok(TokenResponse {
            access_token,
            expires_in: expires_at.since(self.now).as_secs(),
            scope: self.target.scope,
            refresh_token: self.refresh_token,
            id_token,
        })
    }

    fn access_token_end(&self) -> Timestamp {
        let lifetime = self.settings.duration(setting::ACCESS_TOKEN_LIFETIME);
        // a resource may want them to end sooner, never later
        self.end_after(self.target.lifetime.map_or(lifetime, |shorter| shorter.min(lifetime)))
    }

    /// When a token ends that is good for so long: no later than the account, so that those who look at nothing but the token see it.
    fn end_after(&self, lifetime: Duration) -> Timestamp {
        let end = self.now.after(lifetime);
        let account = self.behalf.as_ref().and_then(|behalf| behalf.person.user.expires_at);
        account.map_or(end, |account| account.min(end))
    }

    fn sign_access_token(&self, expires_at: Timestamp) -> Result<Secret, Error> {
        let grant = self.behalf.as_ref().map(|behalf| &behalf.grant);
        let token = AccessTokenClaims {
            subject: self.subject(),
            client_id: self.client.client_id.clone(),
            scope: self.target.scope.clone(),
            audience: self.target.audience.clone(),
            grant: grant.map(|grant| grant.id),
            issued_at: self.now,
            expires_at,
            id: access_token::token_id(grant.map(|grant| grant.id), &random::token()),
            authentication: grant
                .map(|grant| (grant.terms.auth_time, grant.terms.acr.clone(), grant.terms.amr.clone())),
        };
        let claims = access_token::to_claims(&token, &self.issuer);
        let signed = self
            .keyring
            .signer(ACCESS_TOKEN_ALGORITHM)?
            .sign(access_token::TYP, &claims)?;
        Ok(Secret::new(signed))
    }

    fn sign_id_token(&self, access_token: &Secret) -> Result<Option<String>, Error> {
        let Some(behalf) = self
            .behalf
            .as_ref()
            .filter(|behalf| behalf.grant.terms.scope.contains("openid"))
        else {
            return Ok(None);
        };
        let algorithm = self.client.metadata.id_token_signed_response_alg;
        let user = &behalf.person.user;
        let properties = claims::of_properties(&self.properties, &self.client.client_id, user);
        let person = claims::Person {
            user,
            groups: &behalf.person.groups,
            properties: &properties,
        };
        let terms = &behalf.grant.terms;
        let subject = self.subject();
        let token = IdToken {
            issuer: &self.issuer,
            subject: &subject,
            client_id: &self.client.client_id,
            session: behalf.grant.session.to_string(),
            terms,
            person: &person,
            at_hash: Some(jose::half_hash(algorithm, access_token.expose())),
            nonce: terms.nonce.as_deref().filter(|_| self.echo_nonce),
        };
        let ends = self.end_after(self.settings.duration(setting::ID_TOKEN_LIFETIME));
        let claims = id_token::claims(&token, self.now, ends.since(self.now));
        Ok(Some(self.keyring.signer(algorithm)?.sign(id_token::TYP, &claims)?))
    }

    fn subject(&self) -> String {
        match &self.behalf {
            Some(behalf) => subject::of(&behalf.person.user, &self.client, &self.pairwise_key),
            None => subject::of_client(&self.client),
        }
    }
}

/// The first refresh token of a family.
pub fn first_refresh_token(grant: Id<Grant>, now: Timestamp, expires_at: Timestamp) -> (Secret, RefreshToken) {
    let token = Secret::generate();
    let row = refresh_row(&token, grant, now, expires_at);
    (token, row)
}

/// The successor of a refresh token: derived, so that a repeated answer is the same one although only digests are stored.
pub fn successor(provider: &Provider, presented: &Secret, nonce: &[u8; 32]) -> Secret {
    let key = provider.master.derive("refresh successor");
    Secret::new(URL_SAFE_NO_PAD.encode(crypto::mac(&key, &[presented.expose().as_bytes(), nonce])))
}

/// What is stored of a refresh token.
pub fn refresh_row(token: &Secret, grant: Id<Grant>, now: Timestamp, expires_at: Timestamp) -> RefreshToken {
    RefreshToken {
        digest: token.digest(),
        grant,
        nonce: random::bytes(),
        issued_at: now,
        expires_at,
        spent_at: None,
    }
}

impl Provider {
    /// What pairwise subjects are derived with.
    pub fn pairwise_key(&self) -> [u8; 32] {
        self.master.derive("pairwise subjects")
    }
}
