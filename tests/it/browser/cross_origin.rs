//! The client at another site than the server: what the browser lets through, and what comes along.

use ostiary::model::ResponseMode;
use url::Url;

use super::client_site::ClientSite;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient, TestUser};
use crate::support::webdriver::{Chromium, wanted};

/// A server, a client at another site, and a browser before which somebody sits.
struct Scene {
    server: Server,
    site: ClientSite,
    user: TestUser,
    client: TestClient,
    browser: Chromium,
}

impl Scene {
    async fn start() -> Self {
        let server = Server::start().await;
        let site = ClientSite::start().await;
        let callback = format!("{}/callback", site.origin);
        let client = server.client(|client| {
            client.metadata.redirect_uris = vec![callback];
            client.policy.response_modes.push(ResponseMode::FormPost);
        });
        Self {
            client: client.await,
            user: server.user("ada").await,
            browser: Chromium::start().await,
            server,
            site,
        }
    }
}

/// The client, asking for more than who it is.
fn asking<'a>(server: &Server, client: &'a TestClient) -> RelyingParty<'a> {
    let mut party = RelyingParty::new(server, client);
    party.scope = "openid profile".to_owned();
    party
}

async fn sign_in(browser: &Chromium, server: &Server, user: &TestUser) {
    browser.arrives_at(&server.url("/login")).await;
    browser.type_into("#username", &user.username).await;
    browser.type_into("#password", &user.password).await;
    browser.click("button.primary").await;
}

async fn sign_in_and_allow(browser: &Chromium, server: &Server, user: &TestUser) {
    sign_in(browser, server, user).await;
    browser.arrives_at(&server.url("/login/consent")).await;
    browser.click("button[value=allow]").await;
}

/// The page's policy lets a form's POST go on by redirect to the client (Chromium holds redirects against `form-action`),
/// with and without the page of consent between, and to nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn form_action_lets_the_redirect_reach_the_client() {
    if !wanted() {
        return;
    }
    let Scene {
        server,
        site,
        user,
        client,
        browser,
    } = Scene::start().await;
    let party = asking(&server, &client);

    // login -> consent -> client
    browser.open(&party.authorization_url()).await;
    sign_in_and_allow(&browser, &server, &user).await;
    let arrived = browser.arrives_at(&format!("{}/callback?", site.origin)).await;
    let issuer = arrived
        .query_pairs()
        .find(|(name, _)| name == "iss")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(issuer, server.issuer());
    assert!(site.callbacks()[0].parameter("code").is_some());

    // login -> client
    browser
        .open(&party.authorization_url_with(&[("prompt", "login")]))
        .await;
    browser.arrives_at(&server.url("/login")).await;
    browser.type_into("#password", &user.password).await;
    browser.click("form:has(#password) button.primary").await;
    browser.arrives_at(&format!("{}/callback?", site.origin)).await;
    assert!(site.callbacks()[1].parameter("code").is_some());

    // consent, refused -> client
    browser
        .open(&party.authorization_url_with(&[("prompt", "consent")]))
        .await;
    browser.arrives_at(&server.url("/login/consent")).await;
    browser.click("button[value=deny]").await;
    browser.arrives_at(&format!("{}/callback?", site.origin)).await;
    assert_eq!(site.callbacks()[2].parameter("error").unwrap(), "access_denied");
    assert_eq!(troubles(&browser).await, Vec::<String>::new());

    // the same form, bent to somebody else, is not sent
    let other = ClientSite::start().await;
    browser.open(&server.url("/login?return_to=%2F")).await;
    browser
        .execute(&format!(
            "document.querySelector('form').action = '{}/steal'",
            other.origin
        ))
        .await;
    browser.type_into("#username", "ada").await;
    browser.type_into("#password", "in the clear").await;
    browser.click("button.primary").await;
    browser.complains_of("form-action").await;
    assert!(other.received().is_empty());
    server.stop().await;
}

/// What the console complains of.
async fn troubles(browser: &Chromium) -> Vec<String> {
    let lines = browser.console().await.into_iter();
    lines
        .filter(|line| line.level == "SEVERE" || line.text.contains("Content Security Policy"))
        .map(|line| line.text)
        .collect()
}

/// A POST from another site comes without the Lax cookies of the session; a GET of our own brings them along, so that
/// whoever is signed in goes straight on.
#[tokio::test(flavor = "multi_thread")]
async fn a_cross_site_post_is_turned_into_a_get_of_our_own() {
    if !wanted() {
        return;
    }
    let Scene {
        server,
        site,
        user,
        client,
        browser,
    } = Scene::start().await;
    let party = asking(&server, &client);
    let url = Url::parse(&party.authorization_url()).unwrap();
    let inputs: String = url
        .query_pairs()
        .map(|(name, value)| format!("<input type=hidden name={name} value='{value}'>"))
        .collect();
    site.show(&format!(
        "<form method=post action='{}'>{inputs}<button>Go</button></form>",
        server.url("/oauth2/authorize")
    ));

    // a stranger is asked who it is, and for consent
    browser.open(&site.origin).await;
    browser.click("button").await;
    sign_in_and_allow(&browser, &server, &user).await;
    browser.arrives_at(&format!("{}/callback?", site.origin)).await;

    // whoever is signed in is not
    browser.open(&site.origin).await;
    browser.click("button").await;
    browser.arrives_at(&format!("{}/callback?", site.origin)).await;
    let callbacks = site.callbacks();
    assert_eq!(callbacks.len(), 2);
    let code = callbacks[1].parameter("code").unwrap();
    assert_ne!(Some(&code), callbacks[0].parameter("code").as_ref());
    assert_eq!(callbacks[1].parameter("state").unwrap(), party.state);
    assert_eq!(troubles(&browser).await, Vec::<String>::new());
    server.stop().await;
}

/// OAuth 2.0 Form Post Response Mode: the page sends itself with a script, and by a button without.
#[tokio::test(flavor = "multi_thread")]
async fn form_post_reaches_the_client_with_and_without_scripts() {
    if !wanted() {
        return;
    }
    let Scene {
        server,
        site,
        user,
        client,
        browser,
    } = Scene::start().await;
    let mut party = asking(&server, &client);
    // markup stays a value, on the page as well as at the client (SEC-008)
    party.state = "\"><script>document.title='broken'</script>&amp;".to_owned();
    let url = party.authorization_url_with(&[("response_mode", "form_post")]);

    browser.open(&url).await;
    sign_in_and_allow(&browser, &server, &user).await;
    browser.arrives_at(&format!("{}/callback", site.origin)).await;
    assert_eq!(troubles(&browser).await, Vec::<String>::new());

    browser.without_scripts().await;
    browser.open(&url).await;
    browser.click("form[data-submit] button").await;
    browser.arrives_at(&format!("{}/callback", site.origin)).await;

    let callbacks = site.callbacks();
    assert_eq!(callbacks.len(), 2);
    for callback in callbacks {
        assert_eq!(callback.method, "POST");
        assert_eq!(callback.query, "");
        assert!(callback.parameter("code").is_some());
        assert_eq!(callback.parameter("state").unwrap(), party.state);
        assert_eq!(callback.parameter("iss").unwrap(), server.issuer());
    }
    server.stop().await;
}
