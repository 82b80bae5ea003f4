//! An hour in which strangers ask for everything that a stranger can ask for, from many networks and from one that does not stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::flow::authorization::{self, Begun, Next};
use ostiary::flow::clients::registration::register;
use ostiary::flow::clients::registration_management::replace;
use ostiary::flow::operations::{cleaning, setup};
use ostiary::flow::people::{Met, Work};
use ostiary::flow::session::{self, Browser};
use ostiary::flow::sign_in::password::{Attempt, sign_in};
use ostiary::flow::token::client_authentication::authenticate;
use ostiary::flow::{Call, Error, people, token};
use ostiary::model::{Actor, Secret};
use ostiary::protocol::ErrorCode;
use ostiary::protocol::client_authentication::Presented;
use ostiary::protocol::parameters::Parameters;
use ostiary::random;
use ostiary::view::Locale;
use serde_json::json;

use super::census::{Census, census, tables, words};
use super::{documented, quoted};
use crate::support::backend::{Backend, backends};
use crate::support::browser::Browser as Person;
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, TestClient};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTES: u32 = 60;
/// Strangers of a minute, each from a network of their own.
const NEW: u32 = 16;
/// How often the one who does not stop asks in a minute.
const SAME: u32 = 20;
const MOST_OPEN: i64 = 25;
const MOST_LINKS: i64 = 30;
const MOST_TRACES: i64 = 200;
const TRACES_A_MINUTE: i64 = 60;
/// Built in.
const PENDING_OF_A_NETWORK: i64 = 1_000;
const WINDOWS: i64 = 1_000;
const EACH_MINUTE: i64 = 600;
const MAILS_A_DAY: i64 = 20;

/// SEC-643: whatever strangers ask for, for an hour, what is kept of it stays under its caps, goes when its time is over, and
/// keeps nobody from signing in.
#[tokio::test(flavor = "multi_thread")]
async fn anonymous_storage_caps() {
    for backend in backends() {
        let server = Server::start_with(backend).await;
        Flood::prepare(&server, backend).await.run().await;
        server.stop().await;
    }
}

/// SEC-643: everything that is kept has a line that says who can make the server keep it, how much, and when it goes.
#[test]
fn everything_that_is_kept_is_listed_with_its_bound() {
    let rows = documented("What is kept");
    let named: Vec<String> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let mut there: Vec<String> = tables().iter().map(|table| format!("sql {table}")).collect();
    there.extend(words("Kind").iter().map(|word| format!("entry {word}")));
    there.extend(words("Counted").iter().map(|word| format!("counter {word}")));
    for name in &there {
        let times = named.iter().filter(|known| *known == name).count();
        assert_eq!(times, 1, "docs/limits.md names {name} {times} times");
    }
    for name in &named {
        assert!(there.contains(name), "docs/limits.md: there is no {name}");
    }
    for row in rows {
        assert!(row.len() == 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

struct Flood<'s> {
    server: &'s Server,
    backend: Backend,
    client: TestClient,
    /// What strangers have registered: `client_id`, secret, and what manages it.
    registered: Vec<(String, String, String)>,
    before: Census,
    addresses: u32,
    full: u32,
}

impl<'s> Flood<'s> {
    async fn prepare(server: &'s Server, backend: Backend) -> Self {
        server
            .settings(json!({
                "client_registration": {"mode": "open", "most_open": MOST_OPEN, "unused_lifetime": "20m"},
                "registration": {"mode": "open", "most_links": MOST_LINKS},
                "trace": {"most": MOST_TRACES, "per_minute": TRACES_A_MINUTE},
            }))
            .await;
        server.user("ada").await;
        let client = server.client(|_| ()).await;
        server.provider().write_noted_events().await.unwrap();
        Self {
            server,
            backend,
            client,
            registered: Vec::new(),
            before: census(server, backend).await,
            addresses: 0,
            full: 0,
        }
    }

    async fn run(mut self) {
        let same = "203.0.113.7".parse().unwrap();
        for minute in 0..MINUTES {
            self.server.advance(MINUTE);
            for number in 0..NEW {
                let address = self.new_address();
                self.everything(address, number == 0).await;
            }
            for _ in 0..SAME {
                self.everything(same, false).await;
            }
            self.jobs().await;
            if minute % 10 == 9 {
                self.sweep().await;
                self.judge(minute).await;
                self.somebody_signs_in().await;
            }
        }
        self.a_burst().await;
        assert!(self.full > 0, "registration was full for a while");
        self.somebody_signs_in().await;
        self.it_goes().await;
        self.somebody_signs_in().await;
    }

    /// Each from a network of its own; every fourth an IPv6 one.
    fn new_address(&mut self) -> IpAddr {
        self.addresses += 1;
        let number = self.addresses;
        if number.is_multiple_of(4) {
            let [.., a, b] = number.to_be_bytes();
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, u16::from(a), u16::from(b), 0, 0, 0, 1))
        } else {
            IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))
        }
    }

    fn call(&self, address: IpAddr) -> Call {
        let mut call = self.server.call().by(Actor::Anonymous);
        call.origin.address = Some(address);
        call
    }

    /// Everything that somebody without an account or a client can ask for.
    async fn everything(&mut self, address: IpAddr, slowly: bool) {
        let call = self.call(address);
        self.authorization(&call).await;
        if slowly {
            self.guess_password(&call).await;
        }
        self.guess_secrets(&call).await;
        self.recovery(&call).await;
        self.registration(&call).await;
        self.own_client(&call).await;
    }

    async fn authorization(&self, call: &Call) {
        let good = RelyingParty::new(self.server, &self.client).authorization_url();
        let good = good.split_once('?').unwrap().1.to_owned();
        let registered = self.registered.last().map_or("nobody", |(id, ..)| id);
        let asked = [
            good.clone(),
            good.replace("code_challenge_method=S256", "code_challenge_method=plain"),
            format!("{good}&prompt=none"),
            good.replace(&self.client.client_id, "unknown"),
            format!(
                "client_id={registered}&redirect_uri=https%3A%2F%2Fclient.example%2Fcallback&response_type=token&state={}",
                random::token()
            ),
        ];
        let browser = self.browser(call).await;
        for query in asked {
            let parameters = Parameters::parse(&[query.as_bytes()]).unwrap();
            let begun = authorization::begin(self.server.provider(), call, &browser, &parameters).await;
            assert!(!matches!(begun.unwrap(), Begun::Next(Next::Consent(_))));
        }
    }

    async fn browser(&self, call: &Call) -> Browser {
        session::recognize(self.server.provider(), call, None, None)
            .await
            .unwrap()
    }

    async fn guess_password(&self, call: &Call) {
        let mut browser = self.browser(call).await;
        for identifier in [random::token(), "ada".to_owned()] {
            let attempt = Attempt {
                known: None,
                identifier,
                password: Secret::new("wrong"),
                remember: false,
                purpose: session::Purpose::default(),
            };
            sign_in(self.server.provider(), call, &mut browser, attempt)
                .await
                .unwrap_err();
        }
    }

    async fn guess_secrets(&self, call: &Call) {
        let provider = self.server.provider();
        for client_id in [random::token(), self.client.client_id.clone()] {
            let wrong = presented(&client_id, "wrong");
            authenticate(provider, call, wrong, "https://elsewhere.example")
                .await
                .unwrap_err();
        }
        let guess = Secret::generate();
        people::look_at_recovery(provider, call, &guess).await.unwrap_err();
        drop(setup::look_at_link(provider, call, &guess).await);
    }

    async fn recovery(&self, call: &Call) {
        for name in ["ada".to_owned(), random::token()] {
            drop(people::ask_for_recovery(self.server.provider(), call, name, None).await);
        }
        let address = format!("{}@elsewhere.example", random::hex_id());
        let nothing = Met {
            work: Work::default(),
            captcha: Secret::new(""),
        };
        drop(
            people::ask_for_account(
                self.server.provider(),
                call,
                (address, Locale::English, None),
                ("", &nothing),
            )
            .await,
        );
    }

    async fn registration(&mut self, call: &Call) {
        let body = json!({
            "redirect_uris": ["https://client.example/callback"],
            "grant_types": ["authorization_code", "client_credentials"],
        });
        match register(self.server.provider(), call, None, body.to_string().as_bytes()).await {
            Ok(information) => {
                let text = |member: &str| information[member].as_str().unwrap().to_owned();
                let token = text("registration_access_token");
                self.registered.push((text("client_id"), text("client_secret"), token));
            }
            Err(Error::OAuth(error)) => {
                assert_eq!(error.code, ErrorCode::TemporarilyUnavailable);
                assert_eq!(error.rule, "client_registration.full");
                self.full += 1;
            }
            Err(Error::Throttled { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    /// What a client does that a stranger has made.
    async fn own_client(&self, call: &Call) {
        let provider = self.server.provider();
        let Some((client_id, secret, management)) = self.registered.last() else {
            return;
        };
        let form = Parameters::parse(&[b"grant_type=client_credentials"]).unwrap();
        if let Ok(client) = authenticate(provider, call, presented(client_id, secret), "https://x.example").await {
            token::grant(provider, call, &client, &form).await.unwrap();
        }
        let body = json!({
            "client_id": client_id,
            "redirect_uris": ["https://client.example/callback"],
            "grant_types": ["authorization_code", "client_credentials"],
        });
        let body = body.to_string();
        drop(
            replace(
                provider,
                call,
                client_id,
                Some(Secret::new(management.clone())),
                body.as_bytes(),
            )
            .await,
        );
    }

    /// What the timers do.
    async fn jobs(&self) {
        let provider = self.server.provider();
        drop(people::answer_wishes(provider).await);
        provider.write_events(self.server.call().now).await.unwrap();
        provider.write_traces().await.unwrap();
    }

    async fn sweep(&self) {
        cleaning::sweep(self.server.provider(), &Call::system(self.server.clock()))
            .await
            .unwrap();
    }

    async fn grown(&self) -> Census {
        let mut now = census(self.server, self.backend).await;
        for (name, count) in &mut now {
            *count -= self.before.get(name).copied().unwrap_or(0);
        }
        now
    }

    async fn judge(&self, minute: u32) {
        let grown = self.grown().await;
        let minutes = i64::from(minute) + 1;
        let networks = i64::from(self.addresses) + 1;
        let one = |name: &str| grown.get(name).copied().unwrap_or(0);
        let at_most = |name: &str, most: i64| {
            assert!(
                one(name) <= most,
                "{:?}, minute {minute}: {} of {name}, {most} may be",
                self.backend,
                one(name)
            );
        };
        at_most("sql clients", MOST_OPEN);
        at_most("sql traces", MOST_TRACES);
        at_most("sql action_links", MAILS_A_DAY + MOST_LINKS);
        // links of strangers end after an hour, and make room for others
        at_most("sql outbox", MAILS_A_DAY + 2 * MOST_LINKS);
        // what is refused in floods: one of a kind from one network in a minute, and one that tells of the rest
        at_most("sql events", minutes * (2 * WINDOWS + EACH_MINUTE));
        at_most("entry interaction", PENDING_OF_A_NETWORK + networks);
        at_most("entry error_redirect", PENDING_OF_A_NETWORK + networks);
        for counter in ["client_authentication", "recovery", "mail", "registration"] {
            // two clients and a network
            at_most(&format!("counter {counter}"), 5 * networks + MOST_OPEN + 300);
        }
        at_most("counter password_user", 2 * networks);
        at_most("counter password_address", networks);
        for table in [
            "users",
            "sessions",
            "devices",
            "grants",
            "consents",
            "access_tokens",
            "refresh_tokens",
            "proofs",
            "logouts",
            "idempotency_keys",
            "registration_tokens",
            "groups",
            "factors",
        ] {
            // but for those who sign in every ten minutes
            at_most(&format!("sql {table}"), 2 * minutes);
        }
    }

    /// More networks in one minute than are told apart.
    async fn a_burst(&mut self) {
        self.server.advance(2 * MINUTE);
        self.jobs().await;
        let before = self.grown().await["sql events"];
        for _ in 0..WINDOWS + 200 {
            let address = self.new_address();
            let call = self.call(address);
            let browser = self.browser(&call).await;
            let parameters = Parameters::parse(&[b"client_id=unknown".as_slice()]).unwrap();
            authorization::begin(self.server.provider(), &call, &browser, &parameters)
                .await
                .unwrap();
        }
        self.server.provider().write_noted_events().await.unwrap();
        let more = self.grown().await["sql events"] - before;
        // those that share lines have a first one, too, and nine more
        assert!((WINDOWS..=WINDOWS + 15).contains(&more), "{more} events");
    }

    /// Nobody asks for anything any more, and time goes by.
    async fn it_goes(&self) {
        self.server.advance(2 * DAY);
        self.jobs().await;
        self.sweep().await;
        let grown = self.grown().await;
        let left = |name: &str| grown.get(name).copied().unwrap_or(0);
        assert_eq!(left("sql clients"), 0, "nobody signed in to any of them");
        for (name, count) in &grown {
            let of_strangers = ["entry interaction", "entry error_redirect"].contains(&name.as_str());
            let counts = name.starts_with("counter ") && !name.ends_with(" mail");
            assert!(!(of_strangers || counts) || *count <= 0, "{count} of {name} are left");
        }
        // the audit log goes back for longer than anything else
        self.server.advance(410 * DAY);
        self.jobs().await;
        self.sweep().await;
        self.sweep().await;
        let grown = self.grown().await;
        for name in ["clients", "traces", "action_links", "outbox", "proofs", "access_tokens"] {
            assert!(grown[&format!("sql {name}")] <= 0, "{name}: {grown:?}");
        }
        assert!(grown["sql events"] <= 0, "the audit log: {}", grown["sql events"]);
    }

    async fn somebody_signs_in(&self) {
        let name = format!("person-{}", random::hex_id());
        let person = self.server.user(&name).await;
        let party = RelyingParty::new(self.server, &self.client);
        let arrival = party.sign_in(&Person::new(), &person).await;
        party.redeem(arrival.code()).await.ok();
    }
}

fn presented(client_id: &str, secret: &str) -> Presented {
    let header = format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")));
    Presented {
        authorization: Some(Secret::new(header)),
        ..Presented::default()
    }
}
