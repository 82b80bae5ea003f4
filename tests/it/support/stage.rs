//! A person who is signed in at an installation of processes, a client that nobody has to allow anything, and the prepared
//! bytes of what the client asks.

use std::net::SocketAddr;

use ostiary::model::{Client, ConsentMode};
use ostiary::random;

use super::browser::Browser;
use super::ledger::token_request;
use super::process::Installation;
use super::relying_party::{RelyingParty, basic};
use super::seed::{TestClient, TestUser};
use super::wire::{Wire, form, request};

/// A person, signed in; a client.
pub struct Stage {
    pub user: TestUser,
    pub client: TestClient,
    pub host: String,
    authorize: String,
    cookies: String,
    verifier: String,
}

impl Stage {
    /// Signs a new person in. A node has to answer at the installation's own address.
    pub async fn set(installation: &Installation) -> Self {
        Self::set_with(installation, |_| ()).await
    }

    /// The same with a client after a change of it.
    pub async fn set_with(installation: &Installation, change: impl FnOnce(&mut Client)) -> Self {
        let user = installation.user(&format!("person-{}", random::hex_id())).await;
        let client = installation
            .client(|client| {
                client.policy.consent = ConsentMode::Skip;
                change(client);
            })
            .await;
        Self::of(installation, user, client).await
    }

    /// Signs this person in for this client.
    pub async fn of(installation: &Installation, user: TestUser, client: TestClient) -> Self {
        let party = RelyingParty::at(&installation.issuer(), &installation.host(), &client);
        let browser = Browser::new();
        party.sign_in(&browser, &user).await;
        let cookie = |name: &str| format!("{name}={}", browser.cookie(name).unwrap());
        let url: url::Url = party.authorization_url().parse().unwrap();
        Self {
            cookies: format!("{}; {}", cookie("ostiary_session"), cookie("ostiary_browser")),
            authorize: format!("{}?{}", url.path(), url.query().unwrap()),
            verifier: party.code_verifier.clone(),
            host: installation.host(),
            user,
            client,
        }
    }

    /// A new code of a silent sign-on at a node.
    pub async fn code(&self, wire: &mut Wire) -> String {
        self.code_unless_lost(wire).await.unwrap()
    }

    /// The same.
    ///
    /// # Errors
    /// The answer did not come.
    pub async fn code_unless_lost(&self, wire: &mut Wire) -> std::io::Result<String> {
        let answer = wire.exchange(&self.silent()).await?;
        let location = answer.header("location");
        let url: url::Url = location
            .parse()
            .unwrap_or_else(|_| panic!("no code: {} {}", answer.status, answer.body));
        let code = url.query_pairs().find(|(name, _)| name == "code");
        Ok(code.unwrap_or_else(|| panic!("no code: {url}")).1.into_owned())
    }

    /// Asks for a code, without a word to the person.
    pub fn silent(&self) -> Vec<u8> {
        request("GET", &self.host, &self.authorize, &[("cookie", &self.cookies)], "")
    }

    /// A new code at the node of this address.
    pub async fn code_at(&self, address: SocketAddr) -> String {
        self.code(&mut Wire::to(address)).await
    }

    /// Redeems a code.
    pub fn redeem(&self, code: &str) -> Vec<u8> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.client.redirect_uri.as_str()),
            ("code_verifier", self.verifier.as_str()),
        ];
        token_request(&self.host, &self.client, &fields)
    }

    /// Exchanges a refresh token.
    pub fn refresh(&self, token: &str) -> Vec<u8> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        token_request(&self.host, &self.client, &fields)
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str) -> Vec<u8> {
        let authorization = basic(&self.client.client_id, &self.client.secret);
        form(
            &self.host,
            "/oauth2/revoke",
            &[("token", token)],
            &[("authorization", &authorization)],
        )
    }

    /// Asks whose an access token is.
    pub fn userinfo(&self, token: &str) -> Vec<u8> {
        let authorization = format!("Bearer {token}");
        request(
            "GET",
            &self.host,
            "/oauth2/userinfo",
            &[("authorization", &authorization)],
            "",
        )
    }

    /// Asks whether a token counts.
    pub fn introspect(&self, token: &str) -> Vec<u8> {
        let authorization = basic(&self.client.client_id, &self.client.secret);
        form(
            &self.host,
            "/oauth2/introspect",
            &[("token", token)],
            &[("authorization", &authorization)],
        )
    }
}
