//! The first administrator: by a link that works once, for an hour.

use std::time::Duration;

use ostiary::flow::Error;
use ostiary::flow::operations::setup::{NewAdministrator, follow_link, is_link_open, is_needed, make_first, new_link};
use ostiary::model::Secret;

use crate::support::browser::Browser;
use crate::support::server::{Server, each_backend};

fn administrator(name: &str, password: &str) -> NewAdministrator {
    NewAdministrator {
        username: name.to_owned(),
        email: format!("{name}@example.com"),
        password: Secret::new(password),
    }
}

const STRONG: &str = "Correct-Horse-Battery-1729";

async fn token(server: &Server) -> Secret {
    let link = new_link(server.provider(), &server.call()).await.unwrap();
    let (address, token) = link.url.expose().split_once("?token=").unwrap();
    assert_eq!(address, server.url("/setup"));
    Secret::new(token)
}

/// SEC-222: of many who follow a link at once one becomes administrator, and that was it: not for the second, not later, not when the
/// administrator is gone, and not without a link.
#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_once() {
    each_backend(async |server| {
        let (provider, call) = (server.provider(), server.call());
        assert!(is_needed(provider).await.unwrap());
        let token = token(server).await;
        let followed = (0..8).map(|index| {
            let new = administrator(&format!("root{index}"), STRONG);
            follow_link(provider, &call, &token, new)
        });
        let followed = futures_util::future::join_all(followed).await;
        assert_eq!(followed.iter().filter(|made| made.is_ok()).count(), 1);
        let told = |made: &&Result<_, Error>| matches!(made, Err(Error::NotFound));
        assert_eq!(
            followed.iter().filter(told).count(),
            7,
            "the link decides, not who made the group"
        );
        assert!(!is_needed(provider).await.unwrap());
        assert!(!is_link_open(provider, &call, &token).await.unwrap());
        let again = follow_link(provider, &call, &token, administrator("late", STRONG)).await;
        assert!(matches!(again, Err(Error::NotFound)));
        // nobody can take the last one away, but for somebody in the database
        server.behind("delete from group_members").await;
        assert!(is_needed(provider).await.unwrap());
        let browser = Browser::new();
        for path in ["/setup", "/setup?token=", &format!("/setup?token={}", token.expose())] {
            let url = server.url(path);
            let page = browser.get(&url).await;
            assert_eq!(page.status, 404, "{path}");
            let fields = [
                ("email", "root@example.com"),
                ("username", "root"),
                ("password", STRONG),
                ("password_again", STRONG),
            ];
            let posted = browser.post(&url, &fields).await;
            assert!(
                [403, 404].contains(&posted.status.as_u16()),
                "{path}: {}",
                posted.status
            );
        }
        let mut store = provider.store.read().await.unwrap();
        assert!(store.find_user_by_username("root").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weak_password_leaves_the_link_open() {
    let server = Server::start().await;
    let (provider, call) = (server.provider(), server.call());
    let token = token(&server).await;
    let weak = follow_link(provider, &call, &token, administrator("root", "password")).await;
    assert!(matches!(weak, Err(Error::Invalid(_))));
    follow_link(provider, &call, &token, administrator("root", STRONG))
        .await
        .unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_after_an_hour_and_with_the_next_one() {
    let server = Server::start().await;
    let first = token(&server).await;
    let second = token(&server).await;
    assert!(!is_link_open(server.provider(), &server.call(), &first).await.unwrap());
    server.advance(Duration::from_secs(3599));
    assert!(is_link_open(server.provider(), &server.call(), &second).await.unwrap());
    server.advance(Duration::from_secs(2));
    assert!(!is_link_open(server.provider(), &server.call(), &second).await.unwrap());
    let late = follow_link(
        server.provider(),
        &server.call(),
        &second,
        administrator("root", STRONG),
    )
    .await;
    assert!(matches!(late, Err(Error::NotFound)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configurations_administrator_is_made_on_an_empty_store_only() {
    let server = Server::start().await;
    let (provider, call) = (server.provider(), server.call());
    assert!(
        make_first(provider, &call, administrator("root", STRONG))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        make_first(provider, &call, administrator("second", STRONG))
            .await
            .unwrap()
            .is_none()
    );
    server.stop().await;
}
