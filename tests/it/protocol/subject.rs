//! Subject identifiers: OpenID Connect Core section 8.

use std::collections::BTreeSet;

use ostiary::model::{Client, SubjectType};
use ostiary::protocol::subject::{of, of_client};
use proptest::prelude::*;

use super::{client, client_with, user};

const KEY: [u8; 32] = [7; 32];

fn pairwise(redirect_uris: &[&str]) -> Client {
    client_with(|client| {
        client.metadata.subject_type = SubjectType::Pairwise;
        client.metadata.redirect_uris = redirect_uris.iter().map(|&uri| uri.to_owned()).collect();
    })
}

#[test]
fn a_public_subject_is_the_same_for_everyone() {
    let ada = user();
    assert_eq!(of(&ada, &client(), &KEY), ada.subject);
    let other = client_with(|client| client.client_id = "other".to_owned());
    assert_eq!(of(&ada, &other, &KEY), ada.subject);
}

#[test]
fn a_pairwise_subject_is_the_same_within_a_sector_and_another_elsewhere() {
    let ada = user();
    let shop = of(&ada, &pairwise(&["https://shop.example/callback"]), &KEY);
    assert_eq!(
        shop,
        of(
            &ada,
            &pairwise(&["https://shop.example/other", "https://SHOP.example:8443/x"]),
            &KEY
        )
    );
    let bank = of(&ada, &pairwise(&["https://bank.example/callback"]), &KEY);
    let by_uri = client_with(|client| {
        client.metadata.subject_type = SubjectType::Pairwise;
        client.metadata.redirect_uris = vec!["https://a.example/".to_owned(), "https://b.example/".to_owned()];
        client.metadata.sector_identifier_uri = Some("https://bank.example/sector.json".to_owned());
    });
    assert_eq!(bank, of(&ada, &by_uri, &KEY));
    let other_key = of(&ada, &pairwise(&["https://shop.example/callback"]), &[8; 32]);
    let all: BTreeSet<_> = [&shop, &bank, &other_key, &ada.subject].into_iter().collect();
    assert_eq!(all.len(), 4);
    assert!(shop.len() <= 255 && shop.is_ascii() && !shop.contains(&ada.subject));
}

#[test]
fn pairwise_subjects_of_two_people_differ() {
    let sector = pairwise(&["https://shop.example/callback"]);
    let mut ben = user();
    ben.subject = "77aa".to_owned();
    assert_ne!(of(&user(), &sector, &KEY), of(&ben, &sector, &KEY));
}

#[test]
fn clients_without_a_sector_share_nothing() {
    let of_two_hosts = |client_id: &str| {
        let mut client = pairwise(&["https://a.example/", "https://b.example/"]);
        client.client_id = client_id.to_owned();
        client
    };
    assert_ne!(
        of(&user(), &of_two_hosts("one"), &KEY),
        of(&user(), &of_two_hosts("two"), &KEY)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// SEC-057: a person's subject never holds a colon, a client's always does.
    #[test]
    fn client_credentials_subject_in_the_rule(client_id in "[!-~]{1,60}", host in "[a-z]{1,12}") {
        let mut service = client();
        service.client_id = client_id;
        prop_assert!(of_client(&service).contains(':'));
        let sector = format!("https://{host}.example/callback");
        prop_assert!(!of(&user(), &pairwise(&[&sector]), &KEY).contains(':'));
    }
}
