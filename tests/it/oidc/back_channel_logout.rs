//! OpenID Connect Back-Channel Logout 1.0: applications are told of the end of a session, however it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use ostiary::clock;
use ostiary::flow::clients::logouts::{self, LogoutRow};
use ostiary::flow::operations::{self, cleaning};
use ostiary::flow::people::{self, ChangeSource, NewPassword, OfflineGrants, WeakPasswords};
use ostiary::flow::session;
use ostiary::model::{
    Client, Id, LogoutOutcome, Session, SigningAlgorithm, SubjectType, Timestamp, TokenEndpointAuthMethod,
};
use serde_json::json;

use crate::support::browser::Browser;
use crate::support::cli::Terminal;
use crate::support::logout_receiver::{LogoutReceiver, Manner, verified};
use crate::support::relying_party::{RelyingParty, claims, jwt_header};
use crate::support::server::{Server, TestClient, TestUser, each_backend};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SOURCE: ChangeSource = ChangeSource::Command;

async fn listening(server: &Server, uri: &str, change: impl FnOnce(&mut Client)) -> TestClient {
    server
        .client(|client| {
            client.metadata.backchannel_logout_uri = Some(uri.to_owned());
            change(client);
        })
        .await
}

/// A person who signed in to an application.
struct SignedIn {
    user: TestUser,
    browser: Browser,
    id_token: String,
    refresh_token: String,
    session: Id<Session>,
}

async fn signed_in(server: &Server, client: &TestClient) -> SignedIn {
    let user = server.user(&format!("person-{}", ostiary::random::hex_id())).await;
    let browser = Browser::new();
    let mut party = RelyingParty::new(server, client);
    party.scope = "openid profile".to_owned();
    let arrival = party.sign_in(&browser, &user).await;
    let answer = party.redeem(arrival.code()).await.ok();
    let id_token = answer.get("id_token");
    SignedIn {
        session: claims(&id_token)["sid"].as_str().unwrap().parse().unwrap(),
        refresh_token: answer.get("refresh_token"),
        user,
        browser,
        id_token,
    }
}

/// The person signs out on the server's own page.
async fn sign_out(server: &Server, browser: &Browser) {
    let page = browser.get(&server.url("/logout")).await;
    let form = page.form_with_button("decision", "sign_out");
    let answer = browser.submit(&page, form, &[("decision", "sign_out")]).await;
    assert!(
        answer.status.is_success() || answer.status.is_redirection(),
        "{}",
        answer.body
    );
}

/// Tells whoever is to be told by now, as the timer does.
async fn deliver(server: &Server) {
    let provider = server.provider();
    while operations::logouts::deliver_due(provider, &server.call())
        .await
        .unwrap()
    {}
}

async fn deliveries(server: &Server, client: &TestClient) -> Vec<LogoutRow> {
    logouts::list(server.provider(), client.id, None, 100)
        .await
        .unwrap()
        .items
}

/// Waits until the newest delivery stands so.
async fn becomes(server: &Server, client: &TestClient, wanted: impl Fn(&LogoutRow) -> bool) -> LogoutRow {
    for _ in 0..600 {
        if let Some(row) = deliveries(server, client)
            .await
            .into_iter()
            .next()
            .filter(|row| wanted(row))
        {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", deliveries(server, client).await);
}

/// Every way in which a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Page,
    Application,
    Administrator,
    AdministratorAll,
    Password,
    Deactivated,
    Deleted,
    PushedOut,
    Idle,
    Expired,
    Everybody,
}

const WAYS: [Way; 11] = [
    Way::Page,
    Way::Application,
    Way::Administrator,
    Way::AdministratorAll,
    Way::Password,
    Way::Deactivated,
    Way::Deleted,
    Way::PushedOut,
    Way::Idle,
    Way::Expired,
    Way::Everybody,
];

async fn end(server: &Server, way: Way, who: &SignedIn) {
    let provider = server.provider();
    let call = server.call();
    match way {
        Way::Page => sign_out(server, &who.browser).await,
        Way::Application => {
            let url = server.url(&format!("/oauth2/end_session?id_token_hint={}", who.id_token));
            who.browser.get(&url).await;
        }
        Way::Administrator => people::end_session(provider, &call, &SOURCE, who.session)
            .await
            .unwrap(),
        Way::AdministratorAll => {
            people::end_sessions(provider, &call, &SOURCE, who.user.id, people::OfflineGrants::End)
                .await
                .unwrap();
        }
        Way::Password => {
            let (new, weak) = (NewPassword::Generated, WeakPasswords::Refuse);
            people::set_password(provider, &call, &SOURCE, who.user.id, new, weak)
                .await
                .unwrap();
        }
        Way::Deactivated => {
            people::deactivate_user(provider, &call, &SOURCE, who.user.id, None)
                .await
                .unwrap();
        }
        Way::Deleted => {
            people::delete_user(provider, &call, &SOURCE, who.user.id, None)
                .await
                .unwrap();
        }
        Way::PushedOut => {
            server
                .settings(json!({"session.max_concurrent": 1, "session.at_limit": "end_oldest"}))
                .await;
            crate::login::sign_in(server, &Browser::new(), &who.user).await;
            server
                .settings(json!({"session.max_concurrent": null, "session.at_limit": null}))
                .await;
        }
        Way::Idle => {
            server.advance(9 * HOUR);
            while session::end_lapsed(provider, &server.call()).await.unwrap() {}
        }
        Way::Expired => {
            server.advance(2 * DAY);
            while session::end_lapsed(provider, &server.call()).await.unwrap() {}
        }
        Way::Everybody => {
            people::end_every_session(provider, &call, &SOURCE, OfflineGrants::Stay)
                .await
                .unwrap();
            while session::end_lapsed(provider, &server.call()).await.unwrap() {}
        }
    }
}

/// SEC-107: typed, with the event, a unique id, session and subject, no nonce, two minutes at most; and neither an ID token passes
/// for one, nor one for another token.
#[tokio::test(flavor = "multi_thread")]
async fn logout_token_profile() {
    let server = Server::start().await;
    let receiver = LogoutReceiver::start().await;
    let client = listening(&server, &receiver.uri, |_| ()).await;
    let who = signed_in(&server, &client).await;
    sign_out(&server, &who.browser).await;
    let token = receiver.told(1).await;
    let claims = verified(&server, &client.client_id, &token).await;
    let names: BTreeSet<&str> = claims.keys().map(String::as_str).collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"]
    );
    let header = jwt_header(&token);
    let names: BTreeSet<&str> = header.keys().map(String::as_str).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["alg", "kid", "typ"]);
    let keyring = server.provider().keyring().await.unwrap();
    let as_typ = |token: &str, typ: &str| keyring.set().verify(token, &[typ], SigningAlgorithm::ALL).is_ok();
    assert!(as_typ(&token, "logout+jwt") && as_typ(&who.id_token, "JWT"));
    assert!(!as_typ(&who.id_token, "logout+jwt"));
    assert!(!as_typ(&token, "JWT") && !as_typ(&token, "at+jwt"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_session_ends_its_applications_are_told() {
    each_backend(async |server| {
        let receiver = LogoutReceiver::start().await;
        let client = listening(server, &receiver.uri, |_| ()).await;
        let party = RelyingParty::new(server, &client);
        let mut ids = Vec::new();
        for (round, way) in WAYS.into_iter().enumerate() {
            let who = signed_in(server, &client).await;
            assert_eq!(receiver.tokens().len(), round, "{way:?}");
            end(server, way, &who).await;
            deliver(server).await;
            let token = receiver.told(round + 1).await;
            let told = verified(server, &client.client_id, &token).await;
            assert_eq!(told["sid"], who.session.to_string(), "{way:?}");
            assert_eq!(told["sub"], claims(&who.id_token)["sub"], "{way:?}");
            ids.push(told["jti"].clone());
            let row = becomes(server, &client, |row| row.outcome == LogoutOutcome::Delivered).await;
            // who it was about is not kept
            assert_eq!(
                (row.session, row.subject, row.attempts),
                (who.session, None, 1),
                "{way:?}"
            );
            let refused = party.refresh(&who.refresh_token).await;
            assert_eq!(
                (refused.status.as_u16(), refused.error()),
                (400, "invalid_grant".to_owned()),
                "{way:?}"
            );
        }
        ids.dedup();
        assert_eq!(ids.len(), WAYS.len());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_used_goes_on() {
    let server = Server::start().await;
    let receiver = LogoutReceiver::start().await;
    let client = listening(&server, &receiver.uri, |_| ()).await;
    let who = signed_in(&server, &client).await;
    for _ in 0..2 {
        server.advance(7 * HOUR);
        who.browser.get(&server.url("/")).await;
        while session::end_lapsed(server.provider(), &server.call()).await.unwrap() {}
    }
    assert!(crate::login::is_signed_in(&server, &who.browser).await);
    assert!(deliveries(&server, &client).await.is_empty());
    server.stop().await;
}

/// Each application by the subject that it knows, under the algorithm of its ID tokens; one that has no address, or was not
/// signed in to in this session, not at all.
#[tokio::test(flavor = "multi_thread")]
async fn each_application_is_told_in_its_own_words() {
    let server = Server::start().await;
    let (first, second, third) = (
        LogoutReceiver::start().await,
        LogoutReceiver::start().await,
        LogoutReceiver::start().await,
    );
    let pairwise = listening(&server, &first.uri, |client| {
        client.metadata.subject_type = SubjectType::Pairwise;
        client.metadata.id_token_signed_response_alg = SigningAlgorithm::Es256;
    })
    .await;
    let public = listening(&server, &second.uri, |client| {
        client.metadata.token_endpoint_auth_method = TokenEndpointAuthMethod::None;
    })
    .await;
    let unused = listening(&server, &third.uri, |_| ()).await;
    let silent = server.client(|_| ()).await;
    let who = signed_in(&server, &pairwise).await;
    let mut subjects = vec![claims(&who.id_token)["sub"].clone()];
    for client in [&public, &silent] {
        let mut party = RelyingParty::new(&server, client);
        party.scope = "openid".to_owned();
        let arrival = party.sign_in(&who.browser, &who.user).await;
        let id_token = party.redeem(arrival.code()).await.ok().get("id_token");
        assert_eq!(claims(&id_token)["sid"], who.session.to_string());
        subjects.push(claims(&id_token)["sub"].clone());
    }
    assert_ne!(subjects[0], subjects[1]);
    sign_out(&server, &who.browser).await;
    let told = first.told(1).await;
    assert_eq!(jwt_header(&told)["alg"], "ES256");
    assert_eq!(verified(&server, &pairwise.client_id, &told).await["sub"], subjects[0]);
    let told = second.told(1).await;
    assert_eq!(verified(&server, &public.client_id, &told).await["sub"], subjects[1]);
    assert!(deliveries(&server, &unused).await.is_empty() && third.tokens().is_empty());
    assert!(deliveries(&server, &silent).await.is_empty());
    // a logout token is no hint, and no access token
    let hinted = Browser::new()
        .get(&server.url(&format!("/oauth2/end_session?id_token_hint={told}")))
        .await;
    assert_eq!(hinted.status, 400);
    let party = RelyingParty::new(&server, &pairwise);
    assert_eq!(party.userinfo(&told).await.status, 401);
    server.stop().await;
}

/// Section 2.8: what the application can't do is not asked again; whatever else goes wrong is, five times, then given up.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_until_it_is_given_up() {
    each_backend(async |server| {
        let receiver = LogoutReceiver::start().await;
        let client = listening(server, &receiver.uri, |_| ()).await;
        receiver.answer(Manner::Answers(503));
        let who = signed_in(server, &client).await;
        sign_out(server, &who.browser).await;
        for (attempt, pause) in [0, 15, 45, 120, 420].into_iter().enumerate() {
            if attempt > 0 {
                server.advance(Duration::from_secs(pause / 3));
                deliver(server).await;
                assert_eq!(receiver.tokens().len(), attempt, "too early");
                server.advance(Duration::from_secs(pause));
            }
            deliver(server).await;
            receiver.told(attempt + 1).await;
            let tried = i64::try_from(attempt).unwrap() + 1;
            let row = becomes(server, &client, |row| row.attempts == tried && row.error.is_some()).await;
            assert_eq!(row.error.as_deref(), Some("the application answered 503"));
        }
        let row = becomes(server, &client, |row| row.outcome != LogoutOutcome::Waiting).await;
        assert_eq!(
            (row.outcome, row.next_at, row.subject),
            (LogoutOutcome::GivenUp, None, None)
        );
        // each attempt was a token of its own, that was fresh, of one and the same notice
        let mut tokens = receiver.tokens();
        tokens.dedup();
        assert_eq!(tokens.len(), 5);
        let ids: BTreeSet<String> = tokens.iter().map(|token| claims(token)["jti"].to_string()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");

        receiver.answer(Manner::Answers(400));
        let who = signed_in(server, &client).await;
        sign_out(server, &who.browser).await;
        deliver(server).await;
        let row = becomes(server, &client, |row| row.outcome == LogoutOutcome::Refused).await;
        assert_eq!((row.attempts, row.next_at), (1, None));

        // what comes back is told the rest
        receiver.answer(Manner::Answers(500));
        let who = signed_in(server, &client).await;
        sign_out(server, &who.browser).await;
        deliver(server).await;
        becomes(server, &client, |row| {
            row.error.is_some() && row.outcome == LogoutOutcome::Waiting
        })
        .await;
        receiver.answer(Manner::Takes);
        server.advance(Duration::from_secs(16));
        deliver(server).await;
        let row = becomes(server, &client, |row| row.outcome == LogoutOutcome::Delivered).await;
        assert_eq!((row.attempts, row.error), (2, None));
    })
    .await;
}

/// SEC-179
#[tokio::test(flavor = "multi_thread")]
async fn backchannel_logout_bounded() {
    let server = Server::start().await;
    let (slow, good) = (LogoutReceiver::start().await, LogoutReceiver::start().await);
    slow.answer(Manner::Keeps);
    let dead = {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        format!("http://{port}/backchannel")
    };
    let inside = [
        "http://10.1.2.3/backchannel",
        "http://169.254.169.254/latest",
        "https://192.168.1.1/backchannel",
    ];
    let mut clients = Vec::new();
    for uri in [dead.as_str(), slow.uri.as_str()]
        .into_iter()
        .chain(inside)
        .chain([good.uri.as_str()])
    {
        clients.push(listening(&server, uri, |_| ()).await);
    }
    // several people, so that the bad ones have more to be told than the good one waits for
    let mut people = Vec::new();
    for _ in 0..4 {
        let who = signed_in(&server, &clients[0]).await;
        for client in &clients[1..] {
            let party = RelyingParty::new(&server, client);
            let arrival = party.sign_in(&who.browser, &who.user).await;
            party.redeem(arrival.code()).await.ok();
        }
        people.push(who);
    }
    let began = clock::monotonic();
    for who in &people {
        sign_out(&server, &who.browser).await;
    }
    let longest = began.elapsed();
    assert!(longest < 5 * SECOND, "somebody was waited for: {longest:?}");
    good.told(people.len()).await;
    let found = began.elapsed();
    assert!(found < 30 * SECOND, "told late: {found:?}");
    // nobody is tried more often than is due, whoever does not answer
    for client in &clients[..5] {
        let row = becomes(&server, client, |row| row.error.is_some()).await;
        assert_eq!((row.outcome, row.attempts), (LogoutOutcome::Waiting, 1));
    }
    for client in &clients[2..5] {
        let row = becomes(&server, client, |row| row.error.is_some()).await;
        assert_eq!(
            row.error.as_deref(),
            Some("the address is not one that this server may ask")
        );
    }
    // a port that refuses and one that says nothing look the same
    for client in &clients[..2] {
        let rows = deliveries(&server, client).await;
        let told: Vec<_> = rows.iter().filter_map(|row| row.error.as_deref()).collect();
        assert!(
            !told.is_empty() && told.iter().all(|error| *error == "the application was not reached"),
            "{told:?}"
        );
    }
    server.stop().await;
}

/// The log of deliveries goes back for a week; what nobody took is given up before, however much of it there is.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_deliveries_is_kept_bounded() {
    let server = Server::start().await;
    let receiver = LogoutReceiver::start().await;
    receiver.answer(Manner::Answers(500));
    let client = listening(&server, &receiver.uri, |_| ()).await;
    let who = signed_in(&server, &client).await;
    sign_out(&server, &who.browser).await;
    becomes(&server, &client, |row| row.attempts == 1 && row.error.is_some()).await;
    server.advance(8 * DAY);
    let mut tx = server.provider().store.write().await.unwrap();
    let given_up = tx
        .give_up_logouts(server.call().now.before(HOUR), server.call().now, 100)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let rows = deliveries(&server, &client).await;
    assert_eq!(rows.len(), 1);
    assert!(given_up == 1 || rows[0].attempts > 1);
    cleaning::sweep(server.provider(), &server.call()).await.unwrap();
    assert!(deliveries(&server, &client).await.is_empty());
    server.stop().await;
}

/// A page of the log at a time, by API; and on the command line.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_newest_first() {
    let commands = |options: &mut ostiary::server::Options| options.commands = Some(ostiary::cli::commands());
    let server = Server::start_fully(crate::support::server::Backend::Embedded, |_| (), commands).await;
    let receiver = LogoutReceiver::start().await;
    let client = listening(&server, &receiver.uri, |_| ()).await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let who = signed_in(&server, &client).await;
        sign_out(&server, &who.browser).await;
        becomes(&server, &client, |row| {
            row.session == who.session && row.outcome == LogoutOutcome::Delivered
        })
        .await;
        sessions.insert(0, who.session);
    }
    let provider = server.provider();
    let page = logouts::list(provider, client.id, None, 2).await.unwrap();
    let rest = logouts::list(provider, client.id, page.next.as_deref(), 2)
        .await
        .unwrap();
    let listed: Vec<_> = page.items.iter().chain(&rest.items).map(|row| row.session).collect();
    assert_eq!((listed, rest.next), (sessions.clone(), None));
    assert!(logouts::list(provider, client.id, Some("nonsense"), 2).await.is_err());

    let terminal = Terminal::at(server.folder());
    let shown = terminal.run(&["clients", "logouts", &client.client_id]).await.ok();
    assert!(
        shown.contains("delivered") && shown.contains(&sessions[0].to_string()),
        "{shown}"
    );
    let rows = terminal
        .run(&["clients", "logouts", &client.client_id, "--json"])
        .await
        .json();
    assert_eq!(rows[2]["session"], sessions[2].to_string());
    assert!(Timestamp::parse(rows[0]["finished_at"].as_str().unwrap()).is_some());
    let made = terminal
        .run(&[
            "clients",
            "create",
            "--redirect-uri",
            "https://shop.example/callback",
            "--backchannel-logout-uri",
            &receiver.uri,
            "--frontchannel-logout-uri",
            "https://shop.example/bye",
            "--json",
        ])
        .await;
    // this command reads its own configuration, where nothing on this machine is asked
    assert!(made.code == 1 || made.code == 0, "{made:?}");
    server.stop().await;
}
