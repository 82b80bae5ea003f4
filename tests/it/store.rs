//! The store by contract: every method does the same on both engines. What must happen once happens once, whatever the
//! engine counts.

mod contract;
mod epoch;
mod equivalence;
mod logouts;
mod people;
mod single_use;

use std::time::Duration;

use ostiary::config::Config;
use ostiary::model::{
    AccessToken, Client, ClientMetadata, ClientOrigin, ClientPolicy, ClientSecret, Digest, Grant, GrantTerms, Group,
    Id, PasswordHash, Profile, RefreshToken, Scopes, Session, Timestamp, User, UserKind, UserStatus,
};
use ostiary::store::{SessionRow, Store, Write};

use crate::support::backend::{Backend, Place, backends};
use crate::support::server::configuration;

/// When everything here begins.
const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// A store of a test's own, and what has to be held and removed with it.
struct Opened {
    store: Store,
    place: Place,
    config: Config,
    _folder: tempfile::TempDir,
}

impl Opened {
    async fn on(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = configuration(folder.path());
        std::fs::create_dir_all(&config.data_dir).unwrap();
        let place = Place::make(backend, &mut config).await;
        let store = Store::open(config.database_url.expose()).await.unwrap();
        store.migrate().await.unwrap();
        Self {
            store,
            place,
            config,
            _folder: folder,
        }
    }

    async fn close(self) {
        self.store.close().await;
        self.place.remove().await;
    }
}

/// Runs a test on an empty store of each engine.
async fn each_store(test: impl AsyncFn(&Store)) {
    for backend in backends() {
        let opened = Opened::on(backend).await;
        test(&opened.store).await;
        opened.close().await;
    }
}

/// Does one thing in a transaction of its own.
macro_rules! write {
    ($store:expr, $tx:ident => $act:expr) => {{
        let mut $tx = $store.write().await.unwrap();
        let done = $act;
        $tx.commit().await.unwrap();
        done
    }};
}
use write;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn sample_user(name: &str) -> User {
    User {
        id: Id::new(NOW),
        subject: format!("subject-{name}"),
        username: name.to_owned(),
        kind: UserKind::Default,
        client: None,
        version: 1,
        status: UserStatus::Active,
        profile: Profile {
            email: Some(format!("{name}@example.com")),
            given_name: Some("Zoë \u{1f99c} \"'\\".to_owned()),
            ..Profile::default()
        },
        password: Some(PasswordHash::new("$argon2id$one")),
        password_changed_at: Some(NOW),
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

fn sample_group(name: &str, permissions: &[&str]) -> Group {
    Group {
        id: Id::new(NOW),
        name: name.to_owned(),
        external_id: Some(format!("ou={name}")),
        description: None,
        permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn sample_client(name: &str) -> Client {
    Client {
        id: Id::new(NOW),
        client_id: name.to_owned(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
        disabled_at: None,
        origin: ClientOrigin::Operator,
        trusted: true,
        metadata: ClientMetadata {
            redirect_uris: vec!["https://client.example/callback".to_owned()],
            scope: Scopes::from_tokens(["openid", "email"]),
            ..ClientMetadata::default()
        },
        policy: ClientPolicy::default(),
        settings: ostiary::model::Layer::new(),
        secrets: Vec::new(),
        registration_token: None,
        unused_until: None,
    }
}

fn sample_secret(text: &str, at: Timestamp) -> ClientSecret {
    ClientSecret {
        id: Id::new(at),
        digest: digest(text),
        sealed: None,
        created_at: at,
        expires_at: None,
    }
}

fn sample_session(user: Id<User>) -> SessionRow {
    SessionRow {
        id: Id::new(NOW),
        user,
        started_at: NOW,
        expires_at: NOW.after(60 * MINUTE),
        address: Some("2001:db8::1".to_owned()),
        user_agent: Some("Browser".to_owned()),
        device: None,
        place: None,
        remember: true,
        ended_at: None,
    }
}

fn terms(scope: &str) -> GrantTerms {
    GrantTerms {
        scope: Scopes::parse(scope).unwrap(),
        resources: vec!["https://orders.example".to_owned()],
        claims: Default::default(),
        nonce: Some("n\u{e9}".to_owned()),
        auth_time: NOW,
        acr: "urn:example".to_owned(),
        amr: vec!["pwd".to_owned()],
        journey: None,
    }
}

fn sample_grant(client: Id<Client>, user: Id<User>, session: Id<Session>, code: &str, scope: &str) -> Grant {
    Grant {
        id: Id::new(NOW),
        client,
        user,
        session,
        code: digest(code),
        created_at: NOW,
        expires_at: NOW.after(60 * MINUTE),
        ended_at: None,
        terms: terms(scope),
    }
}

fn sample_refresh(grant: Id<Grant>, text: &str) -> RefreshToken {
    RefreshToken {
        digest: digest(text),
        grant,
        issued_at: NOW,
        expires_at: NOW.after(30 * MINUTE),
        nonce: [7; 32],
        spent_at: None,
    }
}

fn sample_access(client: Id<Client>, grant: Option<Id<Grant>>, text: &str) -> AccessToken {
    AccessToken {
        digest: digest(text),
        grant,
        client,
        scope: Scopes::from_tokens(["openid"]),
        audience: vec!["https://one.example".to_owned(), "https://two.example".to_owned()],
        issued_at: NOW,
        expires_at: NOW.after(10 * MINUTE),
    }
}

/// A user, a client and a session that grants can hang on.
struct Ground {
    user: User,
    client: Client,
    session: SessionRow,
}

impl Ground {
    async fn laid(tx: &mut Write, name: &str) -> Self {
        let ground = {
            let user = sample_user(name);
            Self {
                session: sample_session(user.id),
                client: sample_client(&format!("client-{name}")),
                user,
            }
        };
        tx.add_user(&ground.user).await.unwrap();
        tx.add_client(&ground.client).await.unwrap();
        tx.add_session(&ground.session).await.unwrap();
        ground
    }

    fn grant(&self, code: &str, scope: &str) -> Grant {
        sample_grant(self.client.id, self.user.id, self.session.id, code, scope)
    }
}
