//! Roughly where network addresses are, by a file that the operator brings; and where people see it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ostiary::clock;
use ostiary::flow::operations::outbox;
use ostiary::geo::Geo;
use ostiary::view::Views;

use crate::api::conversation::Caller;
use crate::login::sign_in;
use crate::support::backend::backends;
use crate::support::browser::Browser;
use crate::support::places::database;
use crate::support::server::Server;

const PARIS: (Ipv4Addr, u8, &str, &str) = (Ipv4Addr::new(192, 0, 2, 0), 24, "Paris", "France");
const HERE: (Ipv4Addr, u8, &str, &str) = (Ipv4Addr::new(127, 0, 0, 0), 8, "Home", "Nowhere");
const COUNTRY: (Ipv4Addr, u8, &str, &str) = (Ipv4Addr::new(198, 51, 100, 0), 25, "", "Fr\nance");

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn an_address_of_a_network_in_the_file_has_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("places.mmdb");
    std::fs::write(&file, database(&[PARIS, COUNTRY])).unwrap();
    let geo = Geo::open(&file).unwrap();
    let start = clock::monotonic();
    for (text, place) in [
        ("192.0.2.7", Some("Paris, France")),
        ("::ffff:192.0.2.255", Some("Paris, France")),
        ("192.0.3.1", None),
        ("198.51.100.1", Some("France")),
        ("198.51.100.200", None),
        ("2001:db8::1", None),
    ] {
        assert_eq!(geo.place(address(text), start).await.as_deref(), place, "{text}");
    }
    assert_eq!(Geo::default().place(address("192.0.2.7"), start).await, None);

    // another file takes its place within a minute; one that is broken does not
    std::fs::write(&file, database(&[(PARIS.0, 24, "Lyon", "France"), COUNTRY, HERE])).unwrap();
    let place = async |after: u64| {
        geo.place(address("192.0.2.7"), start + Duration::from_secs(after))
            .await
            .unwrap()
    };
    assert_eq!(place(59).await, "Paris, France");
    assert_eq!(place(61).await, "Lyon, France");
    std::fs::write(&file, "nothing").unwrap();
    assert_eq!(place(200).await, "Lyon, France");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(place(300).await, "Lyon, France");
}

/// Whatever a file holds: it is refused, or says something or nothing.
#[tokio::test]
async fn a_broken_file_is_refused_or_knows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("places.mmdb");
    assert!(Geo::open(&file).is_err(), "it is not there");
    let whole = database(&[PARIS]);
    let now = clock::monotonic();
    for length in 0..whole.len() {
        std::fs::write(&file, &whole[..length]).unwrap();
        if let Ok(geo) = Geo::open(&file) {
            geo.place(address("192.0.2.7"), now).await;
        }
    }
    for at in 0..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        std::fs::write(&file, &broken).unwrap();
        if let Ok(geo) = Geo::open(&file) {
            geo.place(address("192.0.2.7"), now).await;
        }
    }
}

#[tokio::test]
async fn a_sign_in_shows_its_place() {
    for backend in backends() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("places.mmdb");
        std::fs::write(&file, database(&[HERE])).unwrap();
        let server = Server::start_configured(backend, |config| config.geoip_database = Some(file.clone())).await;
        let ada = server.user("ada").await;
        let browser = Browser::new();
        for browser in [&Browser::new(), &browser] {
            sign_in(&server, browser, &ada).await;
        }
        let page = browser.get(&server.url("/account")).await;
        assert_eq!(
            page.body.matches("Home, Nowhere (127.0.0.1)").count(),
            4,
            "{}",
            page.body
        );
        let caller = Caller::client(&server, "admin:sessions.read").await;
        for list in ["sessions", "devices"] {
            let listed = caller.get(&format!("/users/{}/{list}", ada.id)).await.json();
            assert_eq!(listed["items"][0]["place"], "Home, Nowhere", "{listed}");
        }
        let mails = outbox::list(server.provider(), &Views::new().unwrap(), 5)
            .await
            .unwrap();
        assert!(
            mails[0].content.text.contains("Roughly where: Home, Nowhere"),
            "{}",
            mails[0].content.text
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_server_does_not_start_with_a_file_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::support::server::configuration(folder.path());
    config.geoip_database = Some(folder.path().join("missing.mmdb"));
    let started = ostiary::server::Application::start(config, Default::default(), Default::default()).await;
    let said = started.err().unwrap().to_string();
    assert!(said.contains("missing.mmdb is no database of places"), "{said}");
}
