//! What is fetched for a caller tells nothing of the network it was fetched from.

use std::time::{Duration, Instant};

use ostiary::egress::Egress;
use serde_json::json;

use crate::oauth::scene::without_trace;
use crate::support::http::plain_http;
use crate::support::relying_party::Answer;
use crate::support::server::{Backend, Server};

/// SEC-503: whether a port is open, closed, silent or speaks another language, the answer is the same and comes at the same
/// time.
#[tokio::test(flavor = "multi_thread")]
async fn egress_no_oracle() {
    let whole = ostiary::egress::Limits::default().time;
    let server = Server::start_fully(Backend::Embedded, |_| (), |options| options.fetch_within = whole).await;
    server.settings(json!({"client_registration": {"mode": "open"}})).await;
    let bind = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let closed = port(&bind());
    // it answers, and not in HTTP
    let chatty = bind();
    let open = port(&chatty);
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in chatty.incoming() {
            drop(stream.and_then(|mut stream| stream.write_all(b"220 ready\r\n")));
        }
    });
    // it takes the connection and says nothing, as a filter that swallows everything
    let silent = bind();
    let addresses = [
        format!("http://127.0.0.1:{closed}/sector"),
        format!("http://127.0.0.1:{open}/sector"),
        format!("http://127.0.0.1:{}/sector", port(&silent)),
        // an address that no rule admits, behind a name
        "https://localhost.localdomain.invalid/sector".to_owned(),
    ];
    let ask = async |address: &str| {
        let began = Instant::now();
        let answer = plain_http()
            .build()
            .unwrap()
            .post(server.url("/oauth2/register"))
            .header("content-type", "application/json")
            .body(
                json!({
                    "redirect_uris": ["https://one.example/callback", "https://two.example/callback"],
                    "subject_type": "pairwise",
                    "sector_identifier_uri": address,
                })
                .to_string(),
            )
            .send()
            .await
            .unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.unwrap();
        (Answer { status, headers, body }, began.elapsed())
    };
    let asked = addresses.iter().map(|address| ask(address));
    let answers = futures_util::future::join_all(asked).await;
    let (first, _) = &answers[0];
    assert_eq!(first.status, 400, "{}", first.body);
    for (answer, took) in &answers {
        assert_eq!(without_trace(answer), without_trace(first));
        assert!(*took >= whole && *took < whole + Duration::from_secs(4), "{took:?}");
    }
    // what the address alone says is told at once
    let egress = Egress::new(Vec::new());
    let began = Instant::now();
    let url = "https://example.com:8443/".parse().unwrap();
    assert!(egress.get_json(&url, Default::default()).await.is_err());
    assert!(began.elapsed() < whole);
    server.stop().await;
}
