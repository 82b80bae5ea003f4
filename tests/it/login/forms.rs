//! Forms: whether they were sent from a page of ours, and where they lead.

use super::{HOUR, MINUTE, is_signed_in, sign_in};
use crate::support::browser::{Browser, Page};
use crate::support::relying_party::RelyingParty;
use crate::support::server::Server;

pub fn fields<'a>(form: &'a crate::support::html::Form, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&str, &str)> = form.inputs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

/// What is done, the token in place of the right one, more headers.
type Attack<'a> = (&'a str, Option<&'a str>, &'a [(&'a str, &'a str)]);

/// SEC-525: without token, with another's, with an old one, from another origin or site, each form changes nothing.
/// SEC-183: so nobody is signed in to somebody else's account silently.
#[tokio::test]
async fn csrf_matrix() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let own = server.issuer().to_owned();
    let attacks: [Attack<'_>; 6] = [
        ("no token", Some(""), &[]),
        ("a wrong token", Some("AAAAAAAAAAAAAAAAAAAA"), &[]),
        ("another origin", None, &[("origin", "https://evil.example")]),
        ("another port", None, &[("origin", "http://localhost:1")]),
        ("another site", None, &[("sec-fetch-site", "cross-site")]),
        (
            "a sister site",
            None,
            &[("origin", own.as_str()), ("sec-fetch-site", "same-site")],
        ),
    ];
    for (what, token, headers) in attacks {
        // login
        let browser = Browser::new();
        let login = browser.get(&server.url("/login")).await;
        let form = login.form_with("password");
        let mut values = vec![
            ("username", user.username.as_str()),
            ("password", user.password.as_str()),
        ];
        values.extend(token.map(|token| ("csrf", token)));
        let answer = browser
            .post_with(&server.url("/login"), &fields(&form, &values), headers)
            .await;
        assert_eq!(answer.status, 403, "login with {what}");
        assert!(!answer.body.contains(&user.password), "login with {what}");
        assert!(!is_signed_in(&server, &browser).await, "login with {what}");
        // consent
        let browser = Browser::new();
        let consent = consent_page(&browser, &party, &user).await;
        let form = consent.form_with_button("decision", "allow");
        let mut values = vec![("decision", "allow")];
        values.extend(token.map(|token| ("csrf", token)));
        let url = consent.url.join(&form.action).unwrap();
        let answer = browser.post_with(url.as_str(), &fields(&form, &values), headers).await;
        assert!(answer.location().is_none(), "consent with {what}");
        // sign-out
        let browser = Browser::new();
        sign_in(&server, &browser, &user).await;
        let page = browser.get(&server.url("/logout")).await;
        let form = page.form_with_button("decision", "sign_out");
        let mut values = vec![("decision", "sign_out")];
        values.extend(token.map(|token| ("csrf", token)));
        browser
            .post_with(&server.url("/logout"), &fields(&form, &values), headers)
            .await;
        assert!(is_signed_in(&server, &browser).await, "sign-out with {what}");
    }
    server.stop().await;
}

async fn consent_page(browser: &Browser, party: &RelyingParty<'_>, user: &crate::support::server::TestUser) -> Page {
    let login = browser.open(&party.authorization_url()).await;
    let form = login.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let answer = browser.submit(&login, form, &values).await;
    browser.follow(answer).await
}

/// SEC-112, for forms: a token serves one form of one browser for two hours.
#[tokio::test]
async fn a_token_serves_one_form_of_one_browser_for_two_hours() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let mine = Browser::new();
    let theirs = Browser::new();
    let page = mine.get(&server.url("/login")).await;
    let form = page.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    theirs.get(&server.url("/login")).await;
    let stolen = theirs.post(&server.url("/login"), &fields(&form, &values)).await;
    assert_eq!(stolen.status, 403, "another browser's");

    sign_in(&server, &theirs, &user).await;
    let login = theirs.get(&server.url("/login")).await.form_with("password");
    let token = &login.inputs.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let answer = theirs
        .post(&server.url("/logout"), &[("decision", "sign_out"), ("csrf", token)])
        .await;
    assert!(answer.location().is_none(), "another form's");
    assert!(is_signed_in(&server, &theirs).await);

    server.advance(2 * HOUR + MINUTE);
    let late = mine.submit(&page, form, &values).await;
    assert_eq!(late.status, 403, "too old");
    assert!(late.body.contains("value=\"ada\""), "what was typed is still there");
    assert!(!late.body.contains(&user.password), "but for the password");
    // and the page that came back works
    let again = late.form_with("password");
    let answer = mine.submit(&late, again, &values).await;
    assert_eq!(answer.status, 303);
    server.stop().await;
}

/// A browser that keeps no cookies is told so, and no circle begins.
#[tokio::test]
async fn a_browser_without_cookies_is_told() {
    let server = Server::start().await;
    let page = Browser::new().get(&server.url("/login")).await;
    let form = page.form_with("password");
    let values = [("username", "ada"), ("password", "x")];
    let answer = Browser::new()
        .post(&server.url("/login"), &fields(&form, &values))
        .await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("Your browser keeps no cookies"));
    server.stop().await;
}

/// SEC-032: after a sign-in to the server itself the browser stays on it, whatever the address said.
#[tokio::test]
async fn login_return_to_relative_only() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let own = server.issuer().to_owned();
    let kept = ["/account", "/account?tab=1", "/api/docs#users", "/a/b-c.d/"];
    for target in kept {
        let answer = go_to(&server, &user, target).await;
        let expected = url::Url::parse(&own).unwrap().join(target).unwrap();
        assert_eq!(answer.location().unwrap(), expected, "{target}");
    }
    let hosts = [
        "evil.example",
        "localhost",
        "localhost:1",
        "user@evil.example",
        "evil.example:443",
    ];
    let shapes = [
        "https://{}/",
        "http://{}/",
        "//{}",
        "///{}",
        "////{}",
        "\\\\{}",
        "/\\{}",
        "\\/{}",
        "/\t/{}",
        "/\n/{}",
        "\t//{}",
        " //{}",
        "https:{}",
        "https:/{}",
        "https:\\\\{}",
        "HTTPS://{}",
        "ftp://{}",
        "javascript://{}/%0aalert(1)",
        "data:text/html,{}",
        "{}",
        "/\u{0}/{}",
        "?//{}",
    ];
    let mut tried = 0;
    for host in hosts {
        for shape in shapes {
            let target = shape.replace("{}", host);
            let answer = go_to(&server, &user, &target).await;
            let location = answer.location().unwrap();
            assert_eq!(location.origin().ascii_serialization(), own, "{target:?}");
            assert_eq!(location.path(), "/", "{target:?}");
            tried += 1;
        }
    }
    assert!(tried >= 100, "{tried}");
    // what somebody on the way might read as another host, though browsers don't
    for target in [
        "/.//evil.example",
        "/a/..//evil.example",
        "/%2f/evil.example",
        "/%5c/evil.example",
        "/%09/evil.example",
        "/%0d%0aevil: 1",
    ] {
        let answer = go_to(&server, &user, target).await;
        assert_eq!(answer.header("location"), format!("{own}/"), "{target}");
    }
    // nor does the Referer say where to go
    let browser = Browser::new();
    let page = browser
        .get_with(&server.url("/login"), &[("referer", "https://evil.example/")])
        .await;
    let form = page.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let headers = [("referer", "https://evil.example/")];
    let answer = browser
        .post_with(&server.url("/login"), &fields(&form, &values), &headers)
        .await;
    assert_eq!(answer.location().unwrap().as_str(), format!("{own}/"));
    server.stop().await;
}

async fn go_to(server: &Server, user: &crate::support::server::TestUser, target: &str) -> Page {
    let browser = Browser::new();
    let mut url = url::Url::parse(&server.url("/login")).unwrap();
    url.query_pairs_mut().append_pair("return_to", target);
    let page = browser.get(url.as_str()).await;
    let form = page.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let answer = browser.submit(&page, form, &values).await;
    assert_eq!(answer.status, 303, "{target:?}");
    answer
}

/// SEC-005: whatever a form carried, the browser goes on with GET.
#[tokio::test]
async fn authz_redirect_status_303() {
    let server = Server::start().await;
    let user = server.user("ada").await;
    let client = server.client(|_| ()).await;
    let party = RelyingParty::new(&server, &client);
    let browser = Browser::new();
    let mut statuses = Vec::new();
    let mut note = |page: &Page| statuses.push((page.url.path().to_owned(), page.status.as_u16()));
    let begun = browser.get(&party.authorization_url()).await;
    note(&begun);
    let login = browser.follow(begun).await;
    let form = login.form_with("password");
    let values = [
        ("username", user.username.as_str()),
        ("password", user.password.as_str()),
    ];
    let signed_in = browser.submit(&login, form, &values).await;
    note(&signed_in);
    let consent = browser.follow(signed_in).await;
    let allowed = consent.form_with_button("decision", "allow");
    note(&browser.submit(&consent, allowed, &[("decision", "allow")]).await);
    let posted = browser
        .post(&server.url("/oauth2/authorize"), &[("client_id", &client.client_id)])
        .await;
    assert!(
        !posted.status.is_redirection(),
        "without a redirect_uri there is nowhere to go"
    );
    note(&sign_in(&server, &browser, &user).await);
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "stay");
    note(&browser.submit(&page, form.clone(), &[("decision", "stay")]).await);
    note(&browser.submit(&page, form, &[("decision", "sign_out")]).await);
    assert_eq!(statuses.len(), 6);
    assert!(statuses.iter().all(|(_, status)| *status == 303), "{statuses:?}");
    server.stop().await;
}
