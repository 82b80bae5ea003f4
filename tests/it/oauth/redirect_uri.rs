//! Redirect URIs: RFC 6749 section 3.1.2, RFC 8252 section 7, RFC 9700 sections 2.1 and 4.1.

use ostiary::model::ApplicationType::{Native, Web};
use ostiary::model::ClientMetadata;
use ostiary::protocol::client_registration::{judge, read_metadata};
use ostiary::protocol::redirect_uri::{judge_document, judge_link, judge_origin, judge_registration, matches};
use serde_json::json;

/// Spellings that a careless comparison, a parser or a browser takes for `https://client.example/callback`.
pub const NEAR_MISSES: &[&str] = &[
    "",
    "/",
    "callback",
    "//client.example/callback",
    "https:",
    "https://",
    "https:///callback",
    "https:/client.example/callback",
    "https:client.example/callback",
    "https:\\\\client.example\\callback",
    "https://client.example",
    "https://client.example/",
    "https://client.example/callback/",
    "https://client.example//callback",
    "https://client.example/callback//",
    "https://client.example/Callback",
    "https://client.example/CALLBACK",
    "https://Client.example/callback",
    "https://CLIENT.EXAMPLE/callback",
    "HTTPS://client.example/callback",
    "Https://client.example/callback",
    "http://client.example/callback",
    "ftp://client.example/callback",
    "javascript://client.example/callback",
    "https://client.example:443/callback",
    "https://client.example:80/callback",
    "https://client.example:/callback",
    "https://client.example:8443/callback",
    "https://client.example:0443/callback",
    "https://client.example/callback?",
    "https://client.example/callback?a=b",
    "https://client.example/callback&a=b",
    "https://client.example/callback#",
    "https://client.example/callback#fragment",
    "https://client.example/callback;",
    "https://client.example/callback;a=b",
    "https://client.example/callback/extra",
    "https://client.example/callbackextra",
    "https://client.example/callbac",
    "https://client.example/./callback",
    "https://client.example/a/../callback",
    "https://client.example/callback/.",
    "https://client.example/callback/..",
    "https://client.example/callback/%2e%2e",
    "https://client.example/%2e/callback",
    "https://client.example/%63allback",
    "https://client.example/callback%2f",
    "https://client.example%2fcallback",
    "https://client.example/callback%00",
    "https://client.example/callback%0d%0a",
    "https://client.example/callback%20",
    "https://client.example/callback ",
    " https://client.example/callback",
    "https://client.example/callback\t",
    "https://client.example/call\tback",
    "https://client.example/callback\n",
    "https://client.example/callback\r\nSet-Cookie: a=b",
    "https://client.example/callback\0",
    "https://client.example\\callback",
    "https://client.example/\\callback",
    "https://evil.example\\@client.example/callback",
    "https://client.example@evil.example/callback",
    "https://client.example@evil.example@client.example/callback",
    "https://user@client.example/callback",
    "https://user:password@client.example/callback",
    "https://@client.example/callback",
    "https://client.example.evil.example/callback",
    "https://client.example.:443/callback",
    "https://client.example./callback",
    "https://evilclient.example/callback",
    "https://www.client.example/callback",
    "https://client.examp1e/callback",
    "https://client.exarnple/callback",
    "https://cl\u{0456}ent.example/callback",
    "https://client\u{3002}example/callback",
    "https://client.example\u{ff0f}callback",
    "https://client.example\u{200b}/callback",
    "https://client.example/callback\u{feff}",
    "https://%63lient.example/callback",
    "https://[::1]/callback",
    "https://localhost/callback",
    "https://client.example/callback,https://evil.example/",
    "https://evil.example/?https://client.example/callback",
    "https://evil.example/#https://client.example/callback",
];

/// SEC-001: byte for byte; every near miss is another URI.
#[test]
fn authz_redirect_exact_match() {
    assert!(NEAR_MISSES.len() >= 60);
    let registered = ["https://client.example/callback".to_owned()];
    for application in [Web, Native] {
        assert!(matches(&registered[0], &registered, application));
        for near in NEAR_MISSES {
            assert!(
                !matches(near, &registered, application),
                "{near:?} passes for a {application} client"
            );
        }
    }
}

/// SEC-001: the port is free for http on loopback IP literals of native clients, and nothing else is.
#[test]
fn authz_redirect_exact_match_frees_the_port_of_native_loopback_only() {
    let registered = [
        "http://127.0.0.1/callback?a=b".to_owned(),
        "http://[::1]:4000/callback".to_owned(),
    ];
    for free in [
        "http://127.0.0.1/callback?a=b",
        "http://127.0.0.1:1/callback?a=b",
        "http://127.0.0.1:8123/callback?a=b",
        "http://127.0.0.1:65535/callback?a=b",
        "http://[::1]/callback",
        "http://[::1]:4001/callback",
    ] {
        assert!(matches(free, &registered, Native), "{free}");
    }
    for near in [
        "http://127.0.0.1:0/callback?a=b",
        "http://127.0.0.1:65536/callback?a=b",
        "http://127.0.0.1:08123/callback?a=b",
        "http://127.0.0.1:+80/callback?a=b",
        "http://127.0.0.1:/callback?a=b",
        "http://127.0.0.1:80:80/callback?a=b",
        "http://127.0.0.1:8123@evil.example/callback?a=b",
        "http://127.0.0.1:8123.evil.example/callback?a=b",
        "http://127.0.0.1.evil.example/callback?a=b",
        "http://127.0.0.1@evil.example/callback?a=b",
        "http://127.0.0.1:8123/callback",
        "http://127.0.0.1:8123/callback?a=c",
        "http://127.0.0.1:8123/callback/?a=b",
        "http://127.0.0.1:8123\\callback?a=b",
        "http://127.0.0.1:8123",
        "http://127.0.0.2:8123/callback?a=b",
        "http://127.1:8123/callback?a=b",
        "http://2130706433:8123/callback?a=b",
        "http://0x7f.0.0.1:8123/callback?a=b",
        "http://localhost:8123/callback?a=b",
        "https://127.0.0.1:8123/callback?a=b",
        "HTTP://127.0.0.1:8123/callback?a=b",
        "http://[0:0:0:0:0:0:0:1]:4001/callback",
        "http://[::1%25lo]:4001/callback",
        "http://[::ffff:127.0.0.1]:4001/callback?a=b",
    ] {
        assert!(!matches(near, &registered, Native), "{near}");
    }
    assert!(!matches("http://127.0.0.1:8123/callback?a=b", &registered, Web));
    let named = ["http://localhost/callback".to_owned()];
    assert!(!matches("http://localhost:8123/callback", &named, Native));
}

/// SEC-002: what is stored is a URI, not a description of many.
#[test]
fn client_redirect_pattern_refused() {
    for pattern in [
        "*",
        "https://*",
        "https://*/callback",
        "https://*.client.example/callback",
        "https://client.example*/callback",
        "https://client.*/callback",
        "https://client.example/*",
        "https://client.example/%2A",
        "https://client.example/%2a",
        "https://client.example/callback*",
        "https://client.example/callback?*",
        "https://client.example/callback?state=*",
        "https://client.example/.+",
        "https://client.example/.*",
        "https://client.example/(a|b)",
        "https://client.example/[a-z]",
        "https://[a-z].client.example/",
        "https://client.example/a{2}",
        "https://client.example/a$",
        "^https://client.example/",
        "https://client.example/a^",
        "https://client.example/\\d",
        "https://(www.)?client.example/",
        "https://client.example:*/callback",
        "http://localhost:*/callback",
        "http://127.0.0.1:*/callback",
        "client.example",
        ".client.example",
        "https://.client.example/",
        "//client.example",
        "client.example/callback",
        "https://{tenant}.client.example/",
        "com.example.app:/*",
        "com.example.*:/callback",
    ] {
        for application in [Web, Native] {
            assert!(
                judge_registration(pattern, application).is_err(),
                "{pattern} is taken of a {application} client"
            );
        }
        for member in ["redirect_uris", "post_logout_redirect_uris"] {
            let mut request = json!({"redirect_uris": ["https://client.example/"]});
            request[member] = json!([pattern]);
            let errors = read_metadata(request.as_object().unwrap()).unwrap_err();
            assert!(
                errors.iter().any(|error| error.pointer == format!("/{member}/0")),
                "{member}: {pattern}"
            );
        }
        // built in the process, as import and `apply` might
        let metadata = ClientMetadata {
            redirect_uris: vec![pattern.to_owned()],
            ..ClientMetadata::default()
        };
        assert!(!judge(&metadata).is_empty(), "{pattern}");
    }
}

#[test]
fn ordinary_redirect_uris_can_be_registered() {
    for uri in [
        "https://client.example/callback",
        "https://client.example",
        "https://client.example/",
        "https://client.example:8443/callback?tenant=a&b=c+d",
        "https://client.example/~user/call-back_1.html;v=1",
        "https://xn--bcher-kva.example/cb",
        "https://192.0.2.7/cb",
        "https://[2001:db8::1]/cb",
        "https://[2001:db8::1]:8443/cb",
        "https://Client.Example/cb",
        "http://localhost/cb",
        "http://localhost:3000/cb",
        "http://127.0.0.1:3000/cb",
        "http://[::1]:3000/cb",
        "http://[::1]/cb",
    ] {
        assert_eq!(judge_registration(uri, Web), Ok(()), "{uri}");
        assert_eq!(judge_registration(uri, Native), Ok(()), "{uri}");
    }
    for uri in [
        "com.example.app:/oauth2redirect",
        "com.example.app://callback/a?b=c",
        "example.app:/",
    ] {
        assert_eq!(judge_registration(uri, Native), Ok(()), "{uri}");
        assert!(judge_registration(uri, Web).is_err(), "{uri} of a web client");
    }
}

#[test]
fn uris_that_are_not_what_they_look_like_are_refused() {
    let long = format!("https://client.example/{}", "a".repeat(2048));
    for uri in [
        long.as_str(),
        "https://client.example/#",
        "https://client.example/cb#a",
        "https://user@client.example/cb",
        "https://@client.example/cb",
        "http://localhost@evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.2/cb",
        "http://127.1/cb",
        "http://0.0.0.0/cb",
        "http://[::]/cb",
        "http://[0:0:0:0:0:0:0:1]/cb",
        "http://192.168.0.1/cb",
        "https://0x7f.1/cb",
        "https://2130706433/cb",
        "https://client.example:/cb",
        "https://client.example:0/cb",
        "https://client.example:65536/cb",
        "https://client..example/cb",
        "https://cli%65nt.example/cb",
        "https://client.example/%zz",
        "https://client.example/%2",
        "https://client.example/a/../b",
        "https://client.example/a/%2E%2e/b",
        "https://client.example/\u{e4}",
        "https://b\u{fc}cher.example/",
        "https://client.example/a b",
        "https://client.example/a\nb",
        "https://client.example/\"onload",
        "https://client.example/<script>",
        "com.example.app:callback",
        "com..app:/callback",
        ".example:/callback",
        "com.example.app://user@host/callback",
        "app:/callback",
        "myapp://callback",
        "urn:ietf:wg:oauth:2.0:oob",
    ] {
        assert!(judge_registration(uri, Native).is_err(), "{uri}");
    }
}

/// SEC-004: in no URL of a client can a scheme stand that runs, reads or opens something.
#[test]
fn url_scheme_allowlist_everywhere() {
    let spellings = [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "JAVASCRIPT://client.example/%0aalert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "\u{1}javascript:alert(1)",
        "javascript\u{a0}:alert(1)",
        "%6aavascript:alert(1)",
        "&#106;avascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "DATA:text/html;base64,PHNjcmlwdD4=",
        "vbscript:msgbox(1)",
        "file:///etc/passwd",
        "blob:https://client.example/1",
        "filesystem:https://client.example/1",
        "about:blank",
        "view-source:https://client.example/",
        "ws://client.example/",
        "ftp://client.example/",
        "mailto:a@client.example",
        "tel:+15550100",
        "intent://client.example/#Intent;end",
        "jar:https://client.example/a!/b",
        "HTTP://client.example/",
        "http://client.example/",
        "//client.example/",
        "/relative",
        "",
    ];
    let lists = ["redirect_uris", "post_logout_redirect_uris", "allowed_cors_origins"];
    let links = [
        "logo_uri",
        "client_uri",
        "policy_uri",
        "tos_uri",
        "initiate_login_uri",
        "backchannel_logout_uri",
        "frontchannel_logout_uri",
    ];
    let documents = ["jwks_uri", "sector_identifier_uri"];
    for spelling in spellings {
        for application in ["web", "native"] {
            let refused = |member: &str, value: serde_json::Value| {
                let mut request =
                    json!({"redirect_uris": ["https://client.example/"], "application_type": application});
                request[member] = value;
                read_metadata(request.as_object().unwrap()).is_err()
            };
            for member in lists {
                assert!(refused(member, json!([spelling])), "{member}: {spelling:?}");
            }
            for member in links.iter().filter(|_| !spelling.is_empty()) {
                assert!(refused(member, json!(spelling)), "{member}: {spelling:?}");
            }
            // documents are fetched by a client that looks at the scheme again, and are never links
            for member in documents
                .iter()
                .filter(|_| !spelling.is_empty() && !spelling.starts_with("http:"))
            {
                assert!(refused(member, json!(spelling)), "{member}: {spelling:?}");
            }
        }
        assert!(
            judge_link(spelling).is_err() && judge_origin(spelling).is_err(),
            "{spelling:?}"
        );
        assert!(
            judge_document(spelling).is_err() || spelling.starts_with("http:"),
            "{spelling:?}"
        );
    }
}

#[test]
fn an_origin_is_an_origin_and_nothing_more() {
    for origin in [
        "https://client.example",
        "https://client.example:8443",
        "http://localhost:3000",
        "http://[::1]:3000",
    ] {
        assert_eq!(judge_origin(origin), Ok(()), "{origin}");
    }
    for other in [
        "https://client.example/",
        "https://client.example:443",
        "https://Client.example",
        "https://client.example?a",
        "https://client.example#a",
        "http://client.example",
        "https://*.client.example",
        "*",
        "null",
    ] {
        assert!(judge_origin(other).is_err(), "{other}");
    }
}
