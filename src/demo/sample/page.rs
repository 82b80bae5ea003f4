//! The application's one page. Everything that comes from elsewhere is escaped.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Map, Value};

use super::Registration;
use super::session::{Notice, Session, SignedIn};

/// A page with its policy: no script, styles from here, forms to here (and by redirect to the server).
pub(super) fn show(body: &str) -> Response {
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(body.to_owned())).into_response()
}

/// The home page, signed in or not.
pub(super) fn home(registration: &Registration, session: &Session) -> String {
    let notice = session.notice.as_ref().map(notice).unwrap_or_default();
    let inside = match &session.signed_in {
        None => stranger(registration),
        Some(signed_in) => person(signed_in),
    };
    let issuer = escaped(&registration.issuer);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sample application</title>
<link rel="stylesheet" href="/style/tokens.css">
<link rel="stylesheet" href="/style/sample.css">
</head>
<body>
<header class="bar"><a class="name" href="/"><span class="tile" aria-hidden="true">S</span>Sample application</a></header>
<main>
{notice}{inside}
</main>
<footer>
<p>A relying party on the <code>openidconnect</code> package. It knows <code>{issuer}</code> by its public addresses alone.</p>
<nav aria-label="Sandbox"><a href="{issuer}/">Server</a> <a href="{issuer}/demo/messages">Messages</a> <a href="{issuer}/demo/clock">Clock</a></nav>
</footer>
</body>
</html>
"#
    )
}

fn stranger(registration: &Registration) -> String {
    format!(
        r#"<section class="card hero">
<h1>Welcome to the sample application</h1>
<p class="lead">It keeps no passwords. Signing in happens at <code>{}</code>, and it learns who you are from a signed ID token.</p>
<a class="button primary" href="/sign-in">Sign in</a>
</section>
"#,
        escaped(&registration.issuer)
    )
}

fn person(signed_in: &SignedIn) -> String {
    let text = |name: &str| {
        let told = signed_in.userinfo.get(name).or_else(|| signed_in.claims.get(name));
        told.and_then(Value::as_str).map(escaped)
    };
    let name = text("name")
        .or_else(|| text("preferred_username"))
        .unwrap_or_else(|| "somebody".to_owned());
    let email = text("email").unwrap_or_default();
    let refreshed = match signed_in.refreshed {
        0 => String::new(),
        1 => " Refreshed once.".to_owned(),
        times => format!(" Refreshed {times} times."),
    };
    let refresh = if signed_in.refresh_token.is_some() {
        r#"<form method="post" action="/refresh"><button class="button secondary">Refresh the tokens</button></form>"#
    } else {
        ""
    };
    format!(
        r#"<section class="card">
<h1>Hello, {name}</h1>
<p class="lead">{email}</p>
<div class="actions">
<form method="post" action="/call-api"><button class="button primary">Call the API</button></form>
{refresh}
<form method="post" action="/sign-out"><button class="button secondary">Sign out</button></form>
</div>
<p class="second">Granted: <code>{scope}</code>.{refreshed}</p>
</section>
<section class="card">
<h2>ID token</h2>
<p class="second">Verified: signature, issuer, audience, times, nonce.</p>
{claims}
</section>
<section class="card">
<h2>Userinfo</h2>
<p class="second">Asked with the access token.</p>
{userinfo}
</section>
"#,
        scope = escaped(&signed_in.scope),
        claims = table(&signed_in.claims),
        userinfo = table(&signed_in.userinfo),
    )
}

fn notice(notice: &Notice) -> String {
    let (class, role) = if notice.good {
        ("good", "status")
    } else {
        ("bad", "alert")
    };
    format!(
        "<section class=\"notice {class}\" role=\"{role}\">\n<h2>{}</h2>\n<p>{}</p>\n</section>\n",
        escaped(&notice.title),
        escaped(&notice.text)
    )
}

fn table(members: &Map<String, Value>) -> String {
    let rows: String = members
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(&value))
        })
        .collect();
    format!("<dl>\n{rows}</dl>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
