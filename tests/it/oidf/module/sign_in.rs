//! When people are asked, and when they are not (Core sections 3.1.2.1, 3.1.2.3, 3.1.2.6).

use std::time::Duration;

use ostiary::model::ResponseMode;

use crate::oidf::run::{Run, Tokens};
use crate::support::browser::Page;

const A_WHILE: Duration = Duration::from_secs(5);

/// A run in which the person has signed in, a while ago.
async fn signed_in(mode: ResponseMode) -> (Run, Tokens) {
    let run = Run::start(mode).await;
    let tokens = run.complete(&run.request()).await;
    run.server.advance(A_WHILE);
    (run, tokens)
}

fn assert_asks_for_password(page: &Page) {
    assert!(page.forms().iter().any(|form| form.has("password")), "{}", page.body);
}

/// A request with this parameter asks although somebody is signed in, and the ID token says when it was answered.
async fn asks_again(mode: ResponseMode, name: &str, value: &str) -> Run {
    let (run, first) = signed_in(mode).await;
    let request = run.request().with(name, value);
    let page = run.asked(&request).await;
    assert_asks_for_password(&page);
    let arrival = run.walk(&request, page).await;
    let second = run.redeem(&request, &arrival).await;
    assert_eq!(second.claim("sub"), first.claim("sub"));
    assert!(second.auth_time() >= first.auth_time() + 5);
    run
}

/// `prompt=login` asks although somebody is signed in, and the ID token says when it was answered.
pub async fn oidcc_prompt_login(mode: ResponseMode) {
    asks_again(mode, "prompt", "login").await;
}

/// `prompt=none` without a session: `login_required`, and no page.
pub async fn oidcc_prompt_none_not_logged_in(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let arrival = run.at_once(&run.request().with("prompt", "none")).await;
    assert_eq!((arrival.get("error"), arrival.get("code")), ("login_required", ""));
}

/// `prompt=none` with a session: a code, and no page.
pub async fn oidcc_prompt_none_logged_in(mode: ResponseMode) {
    let (run, first) = signed_in(mode).await;
    let request = run.request().with("prompt", "none");
    let arrival = run.at_once(&request).await;
    let second = run.redeem(&request, &arrival).await;
    assert_eq!(second.claim("sub"), first.claim("sub"));
    assert_eq!(second.auth_time(), first.auth_time());
}

/// `max_age=1` some seconds after the sign-in asks again; `auth_time` moves.
pub async fn oidcc_max_age_1(mode: ResponseMode) {
    let run = asks_again(mode, "max_age", "1").await;
    // and with prompt=none it is an error
    run.server.advance(A_WHILE);
    let silent = run
        .at_once(&run.request().with("max_age", "1").with("prompt", "none"))
        .await;
    assert_eq!(silent.get("error"), "login_required");
}

/// `max_age=10000` is long enough for nobody to be asked; `auth_time` stays.
pub async fn oidcc_max_age_10000(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let first = run.complete(&run.request().with("max_age", "10000")).await;
    run.server.advance(Duration::from_secs(9_000));
    let request = run.request().with("max_age", "10000");
    let arrival = run.at_once(&request).await;
    let second = run.redeem(&request, &arrival).await;
    assert_eq!(second.claim("sub"), first.claim("sub"));
    assert_eq!(second.auth_time(), first.auth_time());
    run.server.advance(Duration::from_secs(1_001));
    assert_asks_for_password(&run.asked(&run.request().with("max_age", "10000")).await);
}

/// `id_token_hint` of the person who is signed in: a code, and no page. Of somebody else: `login_required`.
pub async fn oidcc_id_token_hint(mode: ResponseMode) {
    let (run, first) = signed_in(mode).await;
    let hinted = |token: &str| run.request().with("prompt", "none").with("id_token_hint", token);
    let request = hinted(&first.id_token);
    let arrival = run.at_once(&request).await;
    let second = run.redeem(&request, &arrival).await;
    assert_eq!(second.claim("sub"), first.claim("sub"));
    assert_eq!(second.auth_time(), first.auth_time());

    let other = run.server.user("bob").await;
    let request = run.request();
    let browser = crate::support::browser::Browser::new();
    let arrival = browser.sign_in(&run.url(&request), &other).await;
    let others = run.redeem(&request, &arrival).await;
    let arrival = run.at_once(&hinted(&others.id_token)).await;
    assert_eq!((arrival.get("error"), arrival.get("code")), ("login_required", ""));
}

/// `login_hint`: the page has the name filled in, and the sign-in goes through.
pub async fn oidcc_login_hint(mode: ResponseMode) {
    let run = Run::start(mode).await;
    let request = run.request().with("login_hint", &run.user.username);
    let page = run.asked(&request).await;
    let form = page.form_with("password");
    let filled = form.inputs.iter().find(|(name, _)| name == "username").unwrap();
    assert_eq!(filled.1, run.user.username);
    let arrival = run.walk(&request, page).await;
    assert_eq!(run.redeem(&request, &arrival).await.claim("sub"), run.user.subject);
}
