//! People and clients, put straight into a store.

use ostiary::flow::clients::SECRET_PURPOSE;
use ostiary::model::{
    Client, ClientMetadata, ClientOrigin, ClientPolicy, ClientSecret, GrantType, Id, PasswordHash, Profile, Scopes,
    Secret, Timestamp, TokenEndpointAuthMethod, User, UserKind, UserStatus,
};
use ostiary::random;
use ostiary::store::Store;
use ostiary::vault::Vault;

/// A person with a password that the test knows.
#[derive(Clone, Debug)]
pub struct TestUser {
    pub id: Id<User>,
    pub username: String,
    pub subject: String,
    pub email: String,
    pub password: String,
}

/// A client with a secret that the test knows.
#[derive(Clone, Debug)]
pub struct TestClient {
    pub id: Id<Client>,
    pub client_id: String,
    /// Empty for a client without one.
    pub secret: String,
    pub redirect_uri: String,
    pub client: Client,
}

/// A user with a verified mail address and this password, whose hash is made already.
pub async fn user(
    store: &Store,
    now: Timestamp,
    username: &str,
    (password, hash): (String, &str),
    change: impl FnOnce(&mut Profile),
) -> TestUser {
    let email = format!("{username}@example.com");
    let mut profile = Profile {
        email: Some(email.clone()),
        email_verified: true,
        ..Profile::default()
    };
    change(&mut profile);
    let user = User {
        id: Id::new(now),
        subject: random::hex_id(),
        username: username.to_owned(),
        kind: UserKind::Default,
        client: None,
        version: 1,
        status: UserStatus::Active,
        profile,
        password: Some(PasswordHash::new(hash)),
        password_changed_at: Some(now),
        password_expired_at: None,
        password_initial: false,
        required_actions: Vec::new(),
        deletion_at: None,
        status_before: None,
        starts_at: None,
        expires_at: None,
        invited_at: None,
        signed_in_at: None,
        created_at: now,
        updated_at: now,
    };
    let mut tx = store.write().await.unwrap();
    tx.add_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    TestUser {
        id: user.id,
        username: user.username,
        subject: user.subject,
        email: user.profile.email.unwrap_or_default(),
        password,
    }
}

/// A confidential client that may do the code flow with refresh tokens and asks for consent, after a change of it.
pub async fn client(store: &Store, master: &Vault, now: Timestamp, change: impl FnOnce(&mut Client)) -> TestClient {
    let secret = Secret::generate();
    let mut client = Client {
        id: Id::new(now),
        client_id: format!("client-{}", random::hex_id()),
        version: 1,
        created_at: now,
        updated_at: now,
        disabled_at: None,
        origin: ClientOrigin::Operator,
        trusted: true,
        metadata: ClientMetadata {
            redirect_uris: vec!["https://client.example/callback".to_owned()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            client_name: Some("Sample client".to_owned()),
            scope: Scopes::from_tokens(ostiary::model::scope::STANDARD.iter().copied()),
            ..ClientMetadata::default()
        },
        policy: ClientPolicy::default(),
        settings: ostiary::model::Layer::new(),
        secrets: Vec::new(),
        registration_token: None,
        unused_until: None,
    };
    change(&mut client);
    let method = client.metadata.token_endpoint_auth_method;
    if method.uses_secret() && client.secrets.is_empty() {
        client.secrets.push(ClientSecret {
            id: Id::new(now),
            digest: secret.digest(),
            sealed: (method == TokenEndpointAuthMethod::ClientSecretJwt)
                .then(|| master.seal(SECRET_PURPOSE, secret.expose().as_bytes())),
            created_at: now,
            expires_at: None,
        });
    }
    let mut tx = store.write().await.unwrap();
    tx.add_client(&client).await.unwrap();
    tx.raise_client_generation().await.unwrap();
    tx.commit().await.unwrap();
    TestClient {
        id: client.id,
        client_id: client.client_id.clone(),
        secret: if method.uses_secret() {
            secret.expose().to_owned()
        } else {
            String::new()
        },
        redirect_uri: client.metadata.redirect_uris.first().cloned().unwrap_or_default(),
        client,
    }
}
