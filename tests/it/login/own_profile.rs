//! A person's own data and picture: changed by themselves, as far as the installation lets them.

use ostiary::picture::{Fault, clean};
use serde_json::json;

use super::own_account::prove;
use super::recovery::mails;
use super::{MINUTE, is_signed_in, sign_in};
use crate::api::conversation::{Caller, user_token};
use crate::support::browser::{Browser, Page};
use crate::support::html::unescape;
use crate::support::http::plain_http;
use crate::support::pictures::{HIDDEN, jpeg, moving_png, png, webp};
use crate::support::relying_party::RelyingParty;
use crate::support::server::{Server, each_backend};

async fn profile(server: &Server, browser: &Browser) -> Page {
    browser.get(&server.url("/account/profile")).await
}

async fn save(browser: &Browser, page: &Page, values: &[(&str, &str)]) -> Page {
    browser.submit(page, page.form_with("nickname"), values).await
}

#[tokio::test]
async fn a_person_changes_their_own_data_and_the_language_at_once() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        let asked = profile(server, &browser).await;
        assert_eq!(
            asked.location().unwrap().query(),
            Some("return_to=%2Faccount%2Fprofile")
        );
        sign_in(server, &browser, &ada).await;
        let page = profile(server, &browser).await;
        assert!(!page.body.contains("name=\"username\""), "nobody lets her change that");
        let wrong = [
            ("given_name", "Ada"),
            ("nickname", "Countess \u{202e}"),
            ("birthdate", "10 December"),
            ("zoneinfo", "London"),
            ("website", "javascript:alert(1)"),
            ("locale", "de"),
            ("locality", "London"),
        ];
        let refused = save(&browser, &page, &wrong).await;
        assert_eq!(refused.status, 422);
        let told = unescape(&refused.body);
        for text in [
            "This is no date",
            "This has characters that cannot be seen",
            "This is no address of a page",
        ] {
            assert!(told.contains(text), "{text}: {told}");
        }
        // nothing is lost, and nothing is done
        for typed in [
            "value=\"Ada\"",
            "value=\"10 December\"",
            "value=\"London\"",
            "<option value=\"de\" lang=\"de\" selected>",
        ] {
            assert!(told.contains(typed), "{typed}: {told}");
        }
        assert_eq!(server.account(&ada).await.profile.given_name, None);
        let right = [
            ("given_name", " Ada "),
            ("nickname", "Countess"),
            ("birthdate", "1815-12-10"),
            ("zoneinfo", "Europe/London"),
            ("website", "https://ada.example/"),
            ("locale", "de"),
            ("street_address", "12 St James's Square\r\nSecond floor"),
            ("locality", "London"),
        ];
        let saved = save(&browser, &refused, &right).await;
        assert_eq!(saved.status, 303, "{}", saved.body);
        let shown = browser.follow(saved).await;
        assert!(
            unescape(&shown.body).contains("Ihre Angaben sind gespeichert"),
            "{}",
            shown.body
        );
        let user = server.account(&ada).await;
        assert_eq!(user.profile.given_name.as_deref(), Some("Ada"));
        assert_eq!(user.profile.birthdate.as_deref(), Some("1815-12-10"));
        let address = user.profile.address.clone().unwrap();
        assert_eq!(
            address.street_address.as_deref(),
            Some("12 St James's Square\nSecond floor")
        );
        assert_eq!((address.locality.as_deref(), address.formatted), (Some("London"), None));
        assert_eq!(
            user.profile.email.as_deref(),
            Some(ada.email.as_str()),
            "that has a page of its own"
        );
        // what is cleared is gone; the language is the browser's again, whatever was chosen before
        let page = profile(server, &browser).await;
        browser.get(&server.url("/account/profile?ui_locales=fr")).await;
        let cleared = save(&browser, &page, &[("nickname", ""), ("locale", "")]).await;
        let shown = browser.follow(cleared).await;
        assert!(unescape(&shown.body).contains("Your data are saved"), "{}", shown.body);
        let user = server.account(&ada).await;
        assert_eq!((user.profile.nickname, user.profile.locale), (None, None));
        // a form that is too old keeps what was typed
        let old = Page {
            url: shown.url.clone(),
            ..shown
        };
        let mut form = old.form_with("nickname");
        for (name, value) in &mut form.inputs {
            if name == "csrf" {
                value.push('x');
            }
        }
        let expired = browser.submit(&old, form, &[("nickname", "Enchantress")]).await;
        assert_eq!(expired.status, 403);
        assert!(expired.body.contains("value=\"Enchantress\""), "{}", expired.body);
    })
    .await;
}

/// SEC-296, SEC-412: nobody gives themselves what is not theirs to give, by page or interface; a username is theirs where that is said,
/// with a proof of a moment ago, and a mail says so.
#[tokio::test]
async fn what_is_not_theirs_people_do_not_change() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        server.user("grace").await;
        let token = user_token(server, &ada, "openid account").await;
        let api = Caller::with_token(server, &token).await;
        for body in [
            json!({"email": "other@example.com"}),
            json!({"email_verified": true}),
            json!({"required_actions": []}),
            json!({"status": "active"}),
            json!({"picture": "https://elsewhere.example/a.png"}),
            json!({"username": "countess"}),
        ] {
            let answer = api.patch("/me", body.clone()).await;
            assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        }
        let changed = api
            .patch(
                "/me",
                json!({"nickname": "Countess", "address": {"country": "England"}}),
            )
            .await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!(changed.json()["nickname"], "Countess");
        assert_eq!(api.get("/me").await.json()["address"]["country"], "England");
        server
            .settings(json!({"account": {"editable": "username, nickname", "required": "nickname"}}))
            .await;
        let refused = api.patch("/me", json!({"given_name": "Ada", "nickname": null})).await;
        assert_eq!(refused.status, 422);
        let codes: Vec<String> = refused.json()["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                format!(
                    "{} {}",
                    error["pointer"].as_str().unwrap(),
                    error["code"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(codes, ["/given_name not_editable", "/nickname required"]);

        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        let page = profile(server, &browser).await;
        assert!(!page.body.contains("name=\"given_name\"") && !page.body.contains("type=\"file\""));
        let taken = save(&browser, &page, &[("username", "GRACE")]).await;
        assert_eq!(taken.status, 422);
        assert!(
            unescape(&taken.body).contains("Somebody else has this one"),
            "{}",
            taken.body
        );
        server.advance(MINUTE * 6);
        let page = profile(server, &browser).await;
        let asked = save(&browser, &page, &[("username", "countess")]).await;
        assert_eq!(asked.location().unwrap().path(), "/login", "an older proof will not do");
        prove(&browser, &asked, &ada).await;
        let page = profile(server, &browser).await;
        let renamed = save(&browser, &page, &[("username", "countess")]).await;
        assert_eq!(renamed.status, 303, "{}", renamed.body);
        let (to, text) = mails(server).await.remove(0);
        assert_eq!(to, ada.email);
        assert!(
            text.contains("Your username was changed") && text.contains("countess"),
            "{text}"
        );
        assert!(is_signed_in(server, &browser).await);
        let by_new = super::sign_in_with(server, &Browser::new(), "countess", &ada.password).await;
        assert_eq!(by_new.status, 303);
    })
    .await;
}

/// Sends a file as a picture, as a browser does.
async fn upload(server: &Server, browser: &Browser, file: &[u8]) -> (u16, String) {
    let page = profile(server, browser).await;
    let form = page.form_with("nickname");
    let csrf = form.inputs.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let mut body = format!("--limit\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n").into_bytes();
    let head = "Content-Disposition: form-data; name=\"picture\"; filename=\"../../etc/passwd.svg\"\r\nContent-Type: image/svg+xml";
    body.extend(format!("--limit\r\n{head}\r\n\r\n").into_bytes());
    body.extend(file);
    body.extend(b"\r\n--limit--\r\n");
    let cookie = |name: &str| format!("{name}={}", browser.cookie(name).unwrap());
    let answer = plain_http()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .post(server.url("/account/picture"))
        .header(
            "cookie",
            format!("{}; {}", cookie("ostiary_session"), cookie("ostiary_browser")),
        )
        .header("origin", server.issuer())
        .header("content-type", "multipart/form-data; boundary=limit")
        .body(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// SEC-467: a picture has a name of the server's own, is told in the claim, and is given out as a picture and nothing else, to any page;
/// one that takes its place, is removed, or loses its owner is gone.
#[tokio::test]
async fn upload_storage_rules() {
    each_backend(async |server| {
        let ada = server.user("ada").await;
        let browser = Browser::new();
        sign_in(server, &browser, &ada).await;
        for (file, told) in [
            (vec![], "Choose a file first"),
            (
                b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec(),
                "This is no PNG",
            ),
            (b"GIF89a".to_vec(), "This is no PNG"),
            (moving_png(), "This picture moves"),
            (png(8, 8)[..60].to_vec(), "The file is damaged"),
            (png(2_049, 8), "more than 2048 points"),
            (vec![0; 512 * 1024 + 1], "larger than 512 KB"),
        ] {
            let (status, body) = upload(server, &browser, &file).await;
            assert_eq!(status, 422, "{told}: {body}");
            assert!(unescape(&body).contains(told), "{told}: {body}");
        }
        assert_eq!(server.account(&ada).await.profile.picture, None);
        assert_eq!(upload(server, &browser, &png(8, 8)).await.0, 303);
        let first = server.account(&ada).await.profile.picture.unwrap();
        let name = first.strip_prefix(&server.url("/picture/")).unwrap().to_owned();
        assert_eq!(name.len(), 43, "256 bits: {name}");
        let shown = plain_http().build().unwrap().get(&first).send().await.unwrap();
        assert_eq!(shown.status(), 200);
        for (header, value) in [
            ("content-type", "image/png"),
            ("x-content-type-options", "nosniff"),
            ("content-disposition", "attachment; filename=\"picture\""),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"),
        ] {
            assert_eq!(shown.headers()[header], value);
        }
        assert!(!shown.headers().contains_key("set-cookie"));
        let page = browser.get(&server.url("/account")).await;
        assert!(page.body.contains(&format!("src=\"/picture/{name}\"")), "{}", page.body);
        let client = server.client(|client| client.trusted = true).await;
        let party = RelyingParty::new(server, &client);
        let arrival = party.sign_in(&Browser::new(), &ada).await;
        let tokens = party.redeem(arrival.code()).await.ok();
        assert_eq!(
            party.userinfo(&tokens.get("access_token")).await.json()["picture"],
            first.as_str()
        );

        // by the interface
        let api = Caller::with_token(server, &user_token(server, &ada, "openid account").await).await;
        let put = async |file: Vec<u8>, kind: &str| {
            let request = plain_http().build().unwrap().put(server.url("/api/v1/me/picture"));
            let request = request.bearer_auth(&api.token).header("content-type", kind);
            request.body(file).send().await.unwrap().status().as_u16()
        };
        assert_eq!(put(webp(8, 8), "text/plain").await, 415);
        assert_eq!(put(moving_png(), "image/png").await, 422);
        assert_eq!(put(jpeg(8, 8, 6), "image/webp").await, 200, "what it is, its bytes say");
        let second = server.account(&ada).await.profile.picture.unwrap();
        let status = async |url: &str| plain_http().build().unwrap().get(url).send().await.unwrap().status();
        assert_eq!(
            (status(&first).await, status(&second).await),
            (404.try_into().unwrap(), 200.try_into().unwrap())
        );
        let page = profile(server, &browser).await;
        let remove = page
            .forms()
            .into_iter()
            .find(|form| form.action.ends_with("/remove"))
            .unwrap();
        assert_eq!(browser.submit(&page, remove, &[]).await.status, 303);
        assert_eq!(server.account(&ada).await.profile.picture, None);
        assert_eq!(status(&second).await, 404);
        // an administrator takes one away by its address
        assert_eq!(put(webp(8, 8), "image/webp").await, 200);
        let third = server.account(&ada).await.profile.picture.unwrap();
        let admin = Caller::client(server, "admin:users").await;
        admin
            .patch(&format!("/users/{}", ada.id), json!({"picture": null}))
            .await;
        assert_eq!(status(&third).await, 404);
        assert_eq!(put(webp(8, 8), "image/webp").await, 200);
        let fourth = server.account(&ada).await.profile.picture.unwrap();
        admin.post(&format!("/users/{}/deactivate", ada.id), json!({})).await;
        assert_eq!(status(&fourth).await, 404);
        admin.delete(&format!("/users/{}", ada.id)).await;
        server.settings(json!({"account.editable": "name"})).await;
        let eve = server.user("eve").await;
        let browser = Browser::new();
        sign_in(server, &browser, &eve).await;
        assert!(!profile(server, &browser).await.body.contains("type=\"file\""));
    })
    .await;
}

/// SEC-454: what a file is, its content says; what comes out of it is a picture alone, and whatever is cut off or made up ends in a
/// refusal.
#[test]
fn image_upload_safe() {
    let pictures = [png(8, 8), jpeg(8, 4, 6), webp(8, 8)];
    for file in &pictures {
        let made = clean(file).unwrap();
        assert!(made.width == 8 && made.bytes.len() < file.len());
        let holds = |text: &str| made.bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds(HIDDEN) && !holds("script") && !holds("PK\u{3}") && !holds("JFIF") && !holds("Cam"));
        assert_eq!(clean(&made.bytes).unwrap(), made, "made once, it is as it is");
        for length in 0..file.len().min(made.bytes.len()) {
            if let Ok(shorter) = clean(&file[..length]) {
                assert_eq!(shorter, made, "the rest was no part of it");
            }
        }
        // one bit or another
        for at in 0..file.len() {
            for bit in [1, 0x80] {
                let mut other = file.clone();
                other[at] ^= bit;
                if let Ok(made) = clean(&other) {
                    let holds = |text: &str| made.bytes.windows(text.len()).any(|window| window == text.as_bytes());
                    assert!(!holds("GPS 48") && !holds("script"), "{at}");
                }
            }
        }
    }
    // which side is up is told, and nothing beside it
    let upright = clean(&jpeg(8, 4, 1)).unwrap();
    assert!(!upright.bytes.windows(4).any(|window| window == b"Exif"));
    let turned = clean(&jpeg(8, 4, 6)).unwrap();
    let at = turned.bytes.windows(4).position(|window| window == b"Exif").unwrap();
    assert_eq!(turned.bytes[at + 25], 6);
    assert_eq!(turned.bytes.len(), upright.bytes.len() + 36);
    for (file, fault) in [
        (vec![], Fault::Unknown),
        (b"RIFF\x04\0\0\0WEBP".to_vec(), Fault::Damaged),
        (b"\xff\xd8\xff".to_vec(), Fault::Damaged),
        (png(0, 8), Fault::Damaged),
        (png(4_000_000_000, 8), Fault::TooLarge),
        (jpeg(65_535, 1, 1), Fault::TooLarge),
        (webp(16_384, 1), Fault::TooLarge),
        (moving_png(), Fault::Moving),
        (vec![0; 512 * 1024 + 1], Fault::TooLong),
    ] {
        assert_eq!(clean(&file), Err(fault), "{}", file.len());
    }
}
