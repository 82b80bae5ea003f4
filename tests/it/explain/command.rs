//! `ostiary explain`: for people and for programs, beside a running server.

use ostiary::cli;
use serde_json::Value;

use super::shown_id;
use crate::oauth::scene::Scene;
use crate::support::backend::Backend;
use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::http::plain_http;
use crate::support::server::Server;

async fn server() -> (Server, Terminal) {
    let server = Server::start_fully(
        Backend::Embedded,
        |_| (),
        |options| options.commands = Some(cli::commands()),
    )
    .await;
    let terminal = Terminal::at(server.folder());
    (server, terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_characters_of_a_page_are_enough_for_the_command() {
    let (server, terminal) = server().await;
    let scene = Scene::on(&server).await;
    let wrong = format!("{}?x=1", scene.client.redirect_uri);
    let page = Browser::new()
        .get(&scene.party().authorization_url_with(&[("redirect_uri", &wrong)]))
        .await;
    let id = shown_id(&page.body);
    let text = terminal.run(&["explain", &id]).await.ok();
    for part in [
        "The redirect_uri is not one that the client registered",
        "differs from the nearest registered one in its query",
        &format!("client {}", scene.client.client_id),
        "What changes it",
        "PATCH /api/v1/clients/",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = terminal.run(&["explain", &id, "--json"]).await.json();
    assert_eq!(json["rule"], "authorization.redirect_uri_unregistered");
    assert!(json["trace_id"].as_str().unwrap().starts_with(&id));

    // a setting of everyone is named with how it is changed
    let closed = plain_http()
        .build()
        .unwrap()
        .post(server.url("/oauth2/register"))
        .body("{}")
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let closed: Value = serde_json::from_str(&closed).unwrap();
    let text = terminal
        .run(&["explain", closed["trace_id"].as_str().unwrap()])
        .await
        .ok();
    assert!(text.contains("client_registration.mode = closed (built in)"), "{text}");
    assert!(text.contains("PATCH /api/v1/settings"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_id_is_unknown_or_is_not_unique_says_so() {
    let (server, terminal) = server().await;
    assert!(
        terminal
            .run(&["explain", "fffffffff"])
            .await
            .refused()
            .contains("no longer kept")
    );
    assert!(
        terminal
            .run(&["explain", "nobody"])
            .await
            .refused()
            .contains("32 hex digits")
    );
    assert_eq!(terminal.run(&["explain"]).await.code, 2);
    for _ in 0..40 {
        Browser::new().get(&server.url("/nothing")).await;
    }
    let list = server.provider();
    list.write_traces().await.unwrap();
    // of forty ids two begin with the same digit
    let mut several = false;
    for digit in "0123456789abcdef".chars() {
        let ran = terminal.run(&["explain", &digit.to_string()]).await;
        several |= ran.code == 1 && ran.err.contains("several trace ids begin with");
    }
    assert!(several);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_by_standard_input_or_as_an_argument() {
    let (server, terminal) = server().await;
    let scene = Scene::on(&server).await;
    let tokens = scene.tokens_for("openid profile").await;
    let piped = terminal
        .run_with(&["explain", "token", "--json"], &format!("{}\n", tokens.access))
        .await
        .json();
    assert_eq!(
        (&piped["kind"], &piped["counts"]),
        (&"access_token".into(), &true.into())
    );
    let absent = piped["absent"].as_array().unwrap();
    assert!(absent.iter().any(|claim| claim["name"] == "email"), "{absent:?}");
    let text = terminal.run(&["explain", "token", &tokens.id]).await.ok();
    for part in [
        "id token, jwt",
        "auth_time",
        "the session of the browser",
        "What is not there",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let refused = terminal.run_with(&["explain", "token"], "nonsense\n").await.refused();
    assert!(
        refused.contains("no access token or ID token of this server"),
        "{refused}"
    );
    server.stop().await;
}
