//! Where a browser goes after signing out: RP-Initiated Logout 1.0 sections 2 and 3.

use ostiary::protocol::logout::{ReturnAddress, return_address};

use super::{NOW, client_with, code, parameters};

const GOODBYE: &str = "https://shop.example/goodbye";

fn client() -> ostiary::model::Client {
    client_with(|client| {
        client.metadata.post_logout_redirect_uris = vec![GOODBYE.to_owned(), "https://shop.example/bye?a=b".to_owned()];
    })
}

#[test]
fn without_an_address_nobody_is_sent_anywhere() {
    assert_eq!(
        return_address(&parameters(&[("state", "x")]), Some(&client())),
        Ok(None)
    );
    assert_eq!(return_address(&parameters(&[]), None), Ok(None));
}

#[test]
fn a_registered_address_is_taken_as_it_is_spelled_with_its_state() {
    let asked = parameters(&[("post_logout_redirect_uri", GOODBYE), ("state", "a b&c=d#e")]);
    let address = return_address(&asked, Some(&client())).unwrap().unwrap();
    assert_eq!(address.uri, GOODBYE);
    assert_eq!(address.location(), "https://shop.example/goodbye?state=a+b%26c%3Dd%23e");
    let plain = ReturnAddress {
        uri: GOODBYE.to_owned(),
        state: None,
    };
    assert_eq!(plain.location(), GOODBYE);
    let with_query = ReturnAddress {
        uri: "https://shop.example/bye?a=b".to_owned(),
        state: Some("x".to_owned()),
    };
    assert_eq!(with_query.location(), "https://shop.example/bye?a=b&state=x");
}

#[test]
fn other_spellings_are_refused() {
    for uri in [
        "https://shop.example/goodbye/",
        "https://shop.example/Goodbye",
        "https://SHOP.example/goodbye",
        "https://shop.example:443/goodbye",
        "https://shop.example/goodbye?",
        "https://shop.example/goodbye#",
        "https://shop.example/x/../goodbye",
        "http://shop.example/goodbye",
        "https://evil.example/goodbye",
        "https://shop.example/callback",
        "//shop.example/goodbye",
        "/goodbye",
        "javascript:alert(1)",
    ] {
        let asked = parameters(&[("post_logout_redirect_uri", uri)]);
        assert_eq!(
            code(return_address(&asked, Some(&client()))),
            "invalid_request",
            "{uri}"
        );
    }
}

#[test]
fn an_address_of_nobody_known_or_of_a_disabled_client_is_refused() {
    let asked = parameters(&[("post_logout_redirect_uri", GOODBYE)]);
    assert_eq!(code(return_address(&asked, None)), "invalid_request");
    let mut disabled = client();
    disabled.disabled_at = Some(NOW);
    assert_eq!(code(return_address(&asked, Some(&disabled))), "invalid_request");
}
