//! Clients that register themselves where anyone may: so many, for so long, and so often.

use std::time::Duration;

use futures_util::future::join_all;
use ostiary::flow::clients::registration::register;
use ostiary::flow::clients::registration_management::replace;
use ostiary::flow::clients::{Authority, ClientChange, change, delete};
use ostiary::flow::operations::cleaning;
use ostiary::flow::token::client_authentication::authenticate;
use ostiary::flow::{Call, Error};
use ostiary::model::{Actor, Client, Secret};
use reqwest::StatusCode;
use serde_json::{Map, Value, json};

use super::client_secrets::basic;
use crate::support::browser::Browser;
use crate::support::http::plain_http;
use crate::support::relying_party::RelyingParty;
use crate::support::seed::TestClient;
use crate::support::server::{Server, each_backend};

const MOST: usize = 5;
const HOUR: Duration = Duration::from_secs(3600);
const BODY: &str = r#"{"redirect_uris": ["https://client.example/callback"]}"#;

async fn open(server: &Server) {
    let settings =
        json!({"mode": "open", "most_open": MOST, "unused_lifetime": "1h", "confirm_error_redirects": false});
    server.settings(json!({"client_registration": settings})).await;
}

fn stranger(server: &Server) -> Call {
    let mut call = server.call().by(Actor::Anonymous);
    call.origin.address = Some("203.0.113.7".parse().unwrap());
    call
}

async fn registered(server: &Server) -> Result<Map<String, Value>, Error> {
    register(server.provider(), &stranger(server), None, BODY.as_bytes()).await
}

fn text(information: &Map<String, Value>, member: &str) -> String {
    information[member].as_str().unwrap().to_owned()
}

async fn find(server: &Server, information: &Map<String, Value>) -> Option<Client> {
    let mut store = server.provider().store.read().await.unwrap();
    let found = store.find_client_by_client_id(&text(information, "client_id")).await;
    found.unwrap()
}

async fn number(server: &Server) -> i64 {
    server
        .provider()
        .store
        .read()
        .await
        .unwrap()
        .open_clients()
        .await
        .unwrap()
}

/// SEC-643, SEC-647: of many who register at once as many do as may; the others are told when to come again. Whoever is vouched for, is
/// deleted, or was made by somebody else takes no place.
#[tokio::test(flavor = "multi_thread")]
async fn past_their_number_nobody_registers_without_a_token() {
    each_backend(async |server| {
        open(server).await;
        server.client(|_| ()).await;
        let all = join_all((0..4 * MOST).map(|_| registered(server))).await;
        let (made, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        let made: Vec<Map<String, Value>> = made.into_iter().map(Result::unwrap).collect();
        assert_eq!((made.len(), refused.len()), (MOST, 3 * MOST));
        for refusal in refused {
            let Err(Error::OAuth(error)) = refusal else {
                panic!("{refusal:?}")
            };
            assert_eq!(error.rule, "client_registration.full");
        }
        let request = plain_http().build().unwrap().post(server.url("/oauth2/register"));
        let answer = request.header("content-type", "application/json").body(BODY);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()["retry-after"], "600");
        let told: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(told["error"], "temporarily_unavailable");
        assert!(
            told["error_description"]
                .as_str()
                .unwrap()
                .contains("initial access token")
        );

        let vouched = find(server, &made[0]).await.unwrap();
        assert!(vouched.unused_until.is_some());
        let trust = ClientChange {
            metadata: None,
            policy: None,
            trusted: Some(true),
            expected_version: None,
            authority: Authority::Operator,
        };
        let vouched = change(server.provider(), &server.call(), vouched.id, trust)
            .await
            .unwrap();
        assert_eq!(vouched.client.unused_until, None, "who is vouched for stays");
        registered(server).await.unwrap();
        assert!(registered(server).await.is_err());
        let gone = find(server, &made[1]).await.unwrap();
        delete(server.provider(), &server.call(), &Authority::Operator, gone.id, None)
            .await
            .unwrap();
        registered(server).await.unwrap();
        assert!(registered(server).await.is_err());
        assert_eq!(number(server).await, i64::try_from(MOST).unwrap());
    })
    .await;
}

/// SEC-643: a client that nobody signs in to goes when its time is over, and gives its place back; one that somebody has signed in to
/// stays.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_used_goes_and_who_is_used_stays() {
    each_backend(async |server| {
        open(server).await;
        let user = server.user("ada").await;
        let (used, unused) = (registered(server).await.unwrap(), registered(server).await.unwrap());
        let client = find(server, &used).await.unwrap();
        let party = TestClient {
            id: client.id,
            client_id: text(&used, "client_id"),
            secret: text(&used, "client_secret"),
            redirect_uri: "https://client.example/callback".to_owned(),
            client,
        };
        let mut party = RelyingParty::new(server, &party);
        party.scope = "openid".to_owned();
        let arrival = party.sign_in(&Browser::new(), &user).await;
        let sweep = async || {
            let call = Call::system(server.clock());
            cleaning::sweep(server.provider(), &call).await.unwrap();
        };
        // asking for a code is no use yet: whoever signs in redeems it
        assert!(find(server, &used).await.unwrap().unused_until.is_some());
        party.redeem(arrival.code()).await.ok();
        assert_eq!(find(server, &used).await.unwrap().unused_until, None);
        server.advance(HOUR - Duration::from_secs(60));
        sweep().await;
        assert_eq!(number(server).await, 2);
        server.advance(Duration::from_secs(120));
        sweep().await;
        assert!(find(server, &unused).await.is_none());
        assert!(find(server, &used).await.is_some());
        assert_eq!(number(server).await, 1);
        let by_secret = basic(&text(&unused, "client_id"), &text(&unused, "client_secret"));
        let refused = authenticate(server.provider(), &stranger(server), by_secret, "https://x.example").await;
        assert!(refused.is_err(), "nor is it remembered");
    })
    .await;
}

/// SEC-643: a client that nobody vouches for proves who it is no more than 600 times in ten minutes, and changes its registration no
/// more than sixty times an hour; one that somebody vouches for is not counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_nobody_vouches_for_comes_only_so_often() {
    each_backend(async |server| {
        open(server).await;
        let provider = server.provider();
        let call = stranger(server);
        let own = registered(server).await.unwrap();
        let proves = async |information: &Map<String, Value>| {
            let presented = basic(&text(information, "client_id"), &text(information, "client_secret"));
            authenticate(provider, &call, presented, "https://x.example").await
        };
        for _ in 0..600 {
            proves(&own).await.unwrap();
        }
        let refused = proves(&own).await;
        assert!(
            matches!(
                refused,
                Err(Error::Throttled {
                    rule: "client_unvouched",
                    ..
                })
            ),
            "{refused:?}"
        );
        let other = registered(server).await.unwrap();
        proves(&other).await.unwrap();

        let body =
            json!({"client_id": text(&other, "client_id"), "redirect_uris": ["https://client.example/callback"]});
        let changes = async || {
            let token = Secret::new(text(&other, "registration_access_token"));
            let client_id = text(&other, "client_id");
            replace(provider, &call, &client_id, Some(token), body.to_string().as_bytes()).await
        };
        for _ in 0..60 {
            changes().await.unwrap();
        }
        let refused = changes().await;
        assert!(
            matches!(
                refused,
                Err(Error::Throttled {
                    rule: "client_registration.changes",
                    ..
                })
            ),
            "{refused:?}"
        );

        let vouched = server.client(|_| ()).await;
        for _ in 0..700 {
            let presented = basic(&vouched.client_id, &vouched.secret);
            authenticate(provider, &call, presented, "https://x.example")
                .await
                .unwrap();
        }
    })
    .await;
}
