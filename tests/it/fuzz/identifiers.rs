//! Names that are nearly the same name.

use std::collections::BTreeMap;

use ostiary::flow::people::ChangeSource::Command;
use ostiary::flow::people::{NewUser, create_user};
use ostiary::model::user::comparison_key;
use ostiary::model::{Id, Profile, User};
use proptest::prelude::*;

use super::{Inputs, holds, pieces};
use crate::support::rooms::Rooms;

const PIECES: &[&str] = &[
    "a",
    "A",
    "ada",
    "ADA",
    "ß",
    "SS",
    "ẞ",
    "İ",
    "i",
    "ı",
    "I",
    "Σ",
    "σ",
    "ς",
    "K",
    "\u{212a}",
    "k",
    "é",
    "e\u{301}",
    "É",
    "Ǆ",
    "ǅ",
    "ǆ",
    "ﬁ",
    "fi",
    "А",
    "а",
    "@example.com",
    "@EXAMPLE.com",
    ".",
    "-",
    " ",
    "\u{a0}",
    "\u{3000}",
    "\u{200b}",
    "\u{202e}",
    "\u{feff}",
    "\t",
];

/// SEC-724, the key: making it again changes nothing, and neither case nor surrounding white space makes another one.
#[test]
fn fuzz_identifier_canon() {
    let text = prop_oneof![
        pieces(PIECES, 8),
        "\\PC{0,20}",
        proptest::collection::vec(any::<char>(), 0..12)
            .prop_map(|characters| characters.into_iter().collect::<String>())
    ];
    holds(8_000, text, |text| {
        let key = comparison_key(&text);
        assert_eq!(comparison_key(&key), key, "{text:?}");
        assert_eq!(comparison_key(&text.to_lowercase()), key, "{text:?}");
        assert_eq!(comparison_key(&format!(" {text}\u{3000}")), key, "{text:?}");
        if text.is_ascii() {
            assert_eq!(comparison_key(&text.to_ascii_uppercase()), key, "{text:?}");
        }
    });
}

/// SEC-724, the accounts: whatever names and addresses are asked for, no two accounts have the same, and each name leads to
/// the one account that has it.
#[tokio::test]
async fn no_two_accounts_share_a_name_or_an_address() {
    let rooms = Rooms::open().await;
    let provider = &rooms.provider;
    let mut inputs = Inputs::new();
    let names = pieces(&PIECES[..18], 3);
    let mut by_name: BTreeMap<String, Id<User>> = BTreeMap::new();
    let mut by_address: BTreeMap<String, Id<User>> = BTreeMap::new();
    let (mut made, mut refused) = (0, 0);
    for _ in 0..250 {
        let name = inputs.draw(&names);
        let local = inputs.draw(&pieces(&["a", "A", "b", "B", ".", "-"], 4));
        let address = format!("{local}@{}", inputs.one(&["example.com", "EXAMPLE.com", "Example.Com"]));
        let new = NewUser {
            profile: Profile {
                email: Some(address.clone()),
                ..Profile::default()
            },
            ..NewUser::named(name.clone())
        };
        match create_user(provider, &rooms.operator(), &Command, new).await {
            Ok(created) => {
                made += 1;
                let id = created.user.id;
                assert_eq!(
                    by_name.insert(comparison_key(&name), id),
                    None,
                    "{name:?} is a second one"
                );
                assert_eq!(
                    by_address.insert(comparison_key(&address), id),
                    None,
                    "{address:?} is a second one"
                );
                assert!(
                    !name
                        .chars()
                        .any(|letter| letter.is_control() || letter == '\u{200b}' || letter == '\u{202e}')
                );
            }
            Err(ostiary::flow::Error::Invalid(_)) => refused += 1,
            Err(other) => panic!("{name:?} {address:?}: {other}"),
        }
    }
    assert!(made > 20 && refused > 20, "{made} made, {refused} refused");
    let mut store = provider.store.read().await.unwrap();
    for (key, id) in &by_name {
        for spelling in [key.clone(), key.to_lowercase(), format!(" {key} ")] {
            let found = store.find_user_by_username(&spelling).await.unwrap();
            assert_eq!(found.map(|user| user.id), Some(*id), "{spelling:?}");
        }
    }
    for (key, id) in &by_address {
        let found = store.find_user_by_email(&key.to_uppercase()).await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(*id), "{key:?}");
    }
}
