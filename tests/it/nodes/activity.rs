//! Whoever works at one node is not idle at another.

use std::time::Duration;

use serde_json::json;

use super::at_node::AtNode;
use crate::login;
use crate::oauth::steps::{outcome, skips};
use crate::support::backend::quick;
use crate::support::browser::Browser;
use crate::support::html::unescape;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Backend, Server};

const MINUTE: Duration = Duration::from_secs(60);

async fn knows(node: AtNode<'_>, browser: &Browser) -> bool {
    let page = node.get(browser, "/").await;
    assert_eq!(page.status, 200, "{}", page.body);
    unescape(&page.body).contains("href=\"/logout\"")
}

/// SEC-172: an idle timeout of ten minutes, and half an hour in which only one node sees the person: by a page, or by the sign-on to an
/// application. Then the other one goes on with the session, and the other way round. Nobody's use is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn activity_on_one_node_counts_on_all() {
    if quick() {
        return;
    }
    let first = Server::start_with(Backend::PostgresRedis).await;
    let second = first.node().await;
    first
        .settings(json!({"session.idle_timeout": "10m", "session.lifetime": "12h"}))
        .await;
    second.provider().refresh_memory().await.unwrap();
    let (here, there) = (AtNode::new(&first, &first), AtNode::new(&first, &second));
    let client = first.client(skips).await;
    second.provider().refresh_memory().await.unwrap();
    let mut party = RelyingParty::new(&first, &client);
    party.scope = "openid".to_owned();
    let sign_on = party.authorization_url_with(&[("prompt", "none")]);
    let sign_on = sign_on.strip_prefix(&first.url("")).unwrap();
    let (ada, grace) = (first.user("ada").await, first.user("grace").await);
    let (browser, resting) = (Browser::new(), Browser::new());
    login::sign_in(&first, &browser, &ada).await;
    login::sign_in(&first, &resting, &grace).await;
    for (used, judging) in [(here, there), (there, here)] {
        // it remembers when it saw the session last
        assert!(knows(judging, &browser).await);
        for round in 0..5 {
            first.advance(6 * MINUTE);
            if round % 2 == 0 {
                assert!(knows(used, &browser).await, "{round}");
            } else {
                assert_eq!(outcome(&used.get(&browser, sign_on).await), "code", "{round}");
            }
        }
        first.advance(6 * MINUTE);
        assert!(knows(judging, &browser).await, "used at the other node six minutes ago");
        assert_eq!(outcome(&judging.get(&browser, sign_on).await), "code");
        assert!(!knows(judging, &resting).await, "used nowhere");
    }
    let call = second.call();
    let live = second.provider().sessions.list(ada.id, call.now).await.unwrap();
    assert_eq!(live.len(), 1, "the same session all the time");
    first.advance(10 * MINUTE);
    for node in [there, here] {
        assert!(!knows(node, &browser).await, "unused at both");
        assert_eq!(outcome(&node.get(&browser, sign_on).await), "login_required");
    }
    second.stop().await;
    first.stop().await;
}
