//! What memory holds is bounded, however many different things are asked for that all count.

use ostiary::flow::clients::create;
use ostiary::flow::memory::{Memory, Room};
use ostiary::flow::token::client_authentication::authenticate;
use ostiary::flow::token::verify;
use ostiary::flow::{Call, token};
use ostiary::model::{AccessTokenFormat, ClientPolicy, Secret};
use ostiary::protocol::parameters::Parameters;
use serde_json::json;

use super::documented;
use crate::oauth::client_secrets::{TOKEN_ENDPOINT, basic, new_client};
use crate::support::rooms::Rooms;
use crate::support::seed;

const HALF: usize = 16;
const CLIENTS: usize = 24;
const FLOOD: usize = 100;

fn size(rooms: &Rooms, kind: &str) -> usize {
    let sizes = rooms.provider.memory.sizes();
    sizes.iter().find(|(known, _)| *known == kind).unwrap().1
}

/// SEC-642: a flood of clients, secrets, tokens, people, sessions and families, all of them good, fills no more than what memory may
/// hold of each; what is asked for again and again stays.
#[tokio::test]
async fn cache_bounds() {
    let room = Room {
        clients: CLIENTS,
        half: HALF,
    };
    let rooms = Rooms::remembering(&[], Memory::with(room)).await;
    let provider = &rooms.provider;
    ostiary::flow::operations::keys::step(provider, &rooms.operator())
        .await
        .unwrap();
    provider.refresh_memory().await.unwrap();
    let call = rooms.call_from("203.0.113.7");
    let form = Parameters::parse(&[b"grant_type=client_credentials"]).unwrap();
    let mut tokens = Vec::new();
    for _ in 0..FLOOD {
        let mut new = new_client(json!({"grant_types": ["client_credentials"]}));
        new.policy = ClientPolicy {
            access_token_format: AccessTokenFormat::Opaque,
            ..ClientPolicy::default()
        };
        let created = create(provider, &rooms.operator(), new).await.unwrap();
        let secret = created.secret.unwrap();
        let presented = basic(&created.client.client_id, secret.expose());
        let client = authenticate(provider, &call, presented, TOKEN_ENDPOINT).await.unwrap();
        let answer = token::grant(provider, &call, &client, &form).await.unwrap();
        let token = answer.to_json()["access_token"].as_str().unwrap().to_owned();
        tokens.push(Secret::new(token));
    }
    // each change of a client forgets all of them: they are asked for anew
    for token in &tokens {
        assert!(verify::find(provider, &call, token).await.unwrap().is_some());
        assert!(verify::find(provider, &call, &tokens[0]).await.unwrap().is_some());
        assert!((1..=2 * HALF).contains(&size(&rooms, "tokens")));
        assert!(size(&rooms, "clients") <= CLIENTS);
        assert!(size(&rooms, "secrets") <= 2 * HALF);
    }
    assert!(size(&rooms, "tokens") >= HALF, "it was full");
    people(&rooms, &call).await;
    assert!(size(&rooms, "people") >= HALF, "it was full");
}

async fn people(rooms: &Rooms, call: &Call) {
    let provider = &rooms.provider;
    for number in 0..FLOOD {
        let name = format!("person-{number}");
        let person = seed::user(&provider.store, call.now, &name, (String::new(), "*"), |_| ()).await;
        assert!(provider.person(person.id, call.now).await.unwrap().is_some());
        for kind in ["people", "sessions", "grants"] {
            assert!(size(rooms, kind) <= 2 * HALF, "{kind}");
        }
    }
}

/// SEC-642: the built-in room is what the page says, and nothing that is remembered is missing there.
#[test]
fn everything_that_is_remembered_is_listed_with_its_bound() {
    let rows = documented("What memory holds");
    let told: Vec<&str> = rows.iter().map(|row| row[1].as_str()).collect();
    let room = Room::default();
    assert!(told.iter().any(|cell| cell.contains(&separated(room.clients))));
    assert!(told.iter().any(|cell| cell.contains(&separated(2 * room.half))));
    // what is behind a lock, or in it, lasts longer than a request
    for (file, text) in crate::support::sources::texts("src", &["rs"]) {
        let locks = text.split("Mutex<").skip(1).chain(text.split("RwLock<").skip(1));
        let holds = locks.filter(|rest| !rest.starts_with("()>")).count() > 0;
        if file.starts_with("src/demo/") || !holds {
            continue;
        }
        assert!(
            rows.iter().any(|row| row[3].contains(&format!("`{file}`"))),
            "docs/limits.md does not say how much {file} remembers"
        );
    }
    for row in rows {
        for file in super::quoted(&row[3]) {
            assert!(std::path::Path::new(&file).exists(), "{file}");
        }
    }
}

fn separated(number: usize) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{},{:03}", number / 1000, number % 1000)
}
