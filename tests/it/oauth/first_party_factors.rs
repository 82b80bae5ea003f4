//! OAuth 2.0 for First-Party Applications: codes that are sent, passkeys and telephone numbers, at an application's own screens.

use std::time::Duration;

use ostiary::flow::people::{self, ChangeSource, UserChange};
use ostiary::model::RequiredAction;
use serde_json::{Value, json};

use super::first_party::{amr, application, begin, go_on, next, redeem};
use crate::login::factor_scene::{enrolled, now, press};
use crate::login::own_phone::{code_of, code_to, not};
use crate::login::passkey_scene::keyed;
use crate::login::recovery::mails;
use crate::login::required::require;
use crate::login::sign_in;
use crate::support::authenticator::Device;
use crate::support::browser::Browser;
use crate::support::otp::Authenticator;
use crate::support::relying_party::{Answer, RelyingParty};
use crate::support::server::{Server, TestUser, each_backend};

const NUMBER: &str = "+33612345678";

async fn reachable(server: &Server, username: &str) -> TestUser {
    let change = |profile: &mut ostiary::model::Profile| {
        profile.email_verified = true;
        profile.phone_number = Some(NUMBER.to_owned());
        profile.phone_number_verified = true;
    };
    server.user_with(username, change).await
}

/// The newest code that was mailed to somebody.
async fn mailed(server: &Server, user: &TestUser) -> String {
    let all = mails(server).await;
    let found = all
        .iter()
        .find(|(to, text)| *to == user.email && text.contains("Your code"));
    code_of(&found.unwrap_or_else(|| panic!("{all:?}")).1)
}

/// What an authenticator answers to a question.
async fn sign(party: &RelyingParty<'_>, asked: &Answer, device: &mut Device) -> Answer {
    let question = asked.json();
    assert_eq!(question["next"], "passkey", "{question}");
    let answer = device.sign(&question["public_key"]);
    let name = question["passkey_question"].as_str().unwrap();
    go_on(party, asked, &[("passkey_question", name), ("passkey", &answer)]).await
}

/// SEC-250, SEC-255, at this way in: codes that are sent are a second factor as at the pages, bound to the sign-in, once, and counted with
/// all others.
#[tokio::test]
async fn codes_are_sent_and_count_as_at_the_pages() {
    each_backend(async |server| {
        server
            .settings(json!({"mfa.mail_codes": true, "mfa.text_codes": true, "code.most_sends": 100}))
            .await;
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = reachable(server, "ada").await;
        let home = Browser::new();
        sign_in(server, &home, &ada).await;
        press(server, &home, ("begin", "mail"), &[]).await;
        let asked = begin(&party, &ada, &[]).await;
        let wanted = next(&asked);
        assert_eq!(wanted["methods"], json!(["recovery_code", "mail_code"]));
        assert_eq!(wanted["sent"], Value::Null, "nothing is sent that nobody has asked for");
        let before = mails(server).await.len();
        // by no other way than the person has
        let refused = go_on(&party, &asked, &[("ask", "text_code")]).await;
        assert_eq!(next(&refused)["problem"], "not_offered");
        assert_eq!(mails(server).await.len(), before);
        let sent = go_on(&party, &asked, &[("ask", "mail_code")]).await;
        let told = next(&sent)["sent"]["mail_code"].as_str().unwrap().to_owned();
        assert!(told.contains("•••@") && !told.contains("ada"), "{told}");
        let code = mailed(server, &ada).await;
        let wrong = go_on(&party, &sent, &[("mail_code", &not(&code))]).await;
        assert_eq!(next(&wrong)["problem"], "wrong_code");
        // nothing but one proof at a time, and none of another sign-in
        let both = go_on(&party, &sent, &[("mail_code", &code), ("otp", "000000")]).await;
        assert_eq!(both.error(), "invalid_request");
        let other = begin(&party, &ada, &[]).await;
        assert_eq!(
            next(&go_on(&party, &other, &[("mail_code", &code)]).await)["problem"],
            "wrong_code"
        );
        let done = go_on(&party, &wrong, &[("mail_code", &code)]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "otp", "mfa"]));
        assert_eq!(
            next(&go_on(&party, &other, &[("mail_code", &code)]).await)["problem"],
            "wrong_code",
            "once"
        );
        // guesses are those of the pages
        server.settings(json!({"guess.account_budget": 3})).await;
        let bob = reachable(server, "bob").await;
        let home = Browser::new();
        sign_in(server, &home, &bob).await;
        press(server, &home, ("begin", "sms"), &[]).await;
        let asked = begin(&party, &bob, &[]).await;
        let sent = go_on(&party, &asked, &[("ask", "text_code")]).await;
        assert_eq!(next(&sent)["sent"]["text_code"], "•••78");
        let code = code_to(server, NUMBER).await;
        for _ in 0..3 {
            assert_eq!(
                next(&go_on(&party, &sent, &[("text_code", &not(&code))]).await)["problem"],
                "wrong_code"
            );
        }
        assert_eq!(go_on(&party, &sent, &[("text_code", &code)]).await.status, 429);
        assert_eq!(
            go_on(&party, &sent, &[("text_code", &code)]).await.error(),
            "invalid_session"
        );
        // and so are the messages
        server
            .settings(json!({"code.most_sends": 1, "guess.account_budget": 10}))
            .await;
        let eve = reachable(server, "eve").await;
        let home = Browser::new();
        sign_in(server, &home, &eve).await;
        press(server, &home, ("begin", "mail"), &[]).await;
        let asked = begin(&party, &eve, &[]).await;
        assert_eq!(go_on(&party, &asked, &[("ask", "mail_code")]).await.status, 403);
        assert_eq!(go_on(&party, &asked, &[("ask", "mail_code")]).await.status, 429);
    })
    .await;
}

/// Where a sign-in is unusual, and lost factors, by the same codes.
#[tokio::test]
async fn what_stands_in_for_a_factor_stands_in_here() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = reachable(server, "ada").await;
        let first = begin(&party, &ada, &[]).await;
        redeem(&party, &first).await.ok();
        server.settings(json!({"mfa.on_new_device": true})).await;
        let asked = begin(&party, &ada, &[]).await;
        assert_eq!(next(&asked)["methods"], json!(["mail_code"]));
        let sent = go_on(&party, &asked, &[("ask", "mail_code")]).await;
        let done = go_on(&party, &sent, &[("mail_code", &mailed(server, &ada).await)]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "otp", "mfa"]));

        server
            .settings(json!({"mfa.on_new_device": false, "mfa.lost_by_text": true}))
            .await;
        let eve = enrolled(server, "eve").await;
        let change = UserChange {
            phone_number: Some(Some(NUMBER.to_owned())),
            phone_number_verified: Some(true),
            ..UserChange::default()
        };
        let (provider, call) = (server.provider(), server.call());
        people::change_user(provider, &call, &ChangeSource::Command, eve.user.id, None, change)
            .await
            .unwrap();
        let asked = begin(&party, &eve.user, &[]).await;
        assert_eq!(next(&asked)["methods"], json!(["otp", "recovery_code", "text_code"]));
        let sent = go_on(&party, &asked, &[("ask", "text_code")]).await;
        let done = go_on(&party, &sent, &[("text_code", &code_to(server, NUMBER).await)]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "sms", "mfa"]));
    })
    .await;
}

/// SEC-259, SEC-260, at this way in: a passkey alone and as the second factor; what is asked is bound to `auth_session`, to the origin of
/// the installation, and counts once.
#[tokio::test]
async fn passkeys_sign_in_and_confirm() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let mut ada = keyed(server, "ada").await;
        // alone, from the first request
        let asked = begin(
            &party,
            &ada.user,
            &[("username", ""), ("password", ""), ("ask", "passkey")],
        )
        .await;
        next(&asked);
        let listed = asked.json()["public_key"]["allowCredentials"]
            .as_array()
            .map_or(0, Vec::len);
        assert_eq!(listed, 0, "no keys are listed for strangers");
        let done = sign(&party, &asked, &mut ada.device).await;
        assert_eq!(amr(&party, &done).await, json!(["swk", "user", "mfa"]));
        // once, and in its own session
        let again = begin(
            &party,
            &ada.user,
            &[("username", ""), ("password", ""), ("ask", "passkey")],
        )
        .await;
        let other = begin(&party, &ada.user, &[("username", ""), ("password", "")]).await;
        assert_eq!(next(&other)["methods"], json!(["password", "passkey"]));
        let question = again.json();
        let answer = ada.device.sign(&question["public_key"]);
        let name = question["passkey_question"].as_str().unwrap();
        let brought = [("passkey_question", name), ("passkey", answer.as_str())];
        assert_eq!(next(&go_on(&party, &other, &brought).await)["problem"], "wrong_passkey");
        assert_eq!(go_on(&party, &again, &brought).await.status, 200);
        assert_ne!(go_on(&party, &again, &brought).await.status, 200, "once");
        // as the second factor, and of this origin alone
        let asked = begin(&party, &ada.user, &[]).await;
        assert_eq!(next(&asked)["methods"], json!(["recovery_code", "passkey"]));
        let question = go_on(&party, &asked, &[("ask", "passkey")]).await;
        assert_eq!(
            question.json()["public_key"]["allowCredentials"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let options = question.json()["public_key"].clone();
        let name = question.json()["passkey_question"].as_str().unwrap().to_owned();
        let elsewhere = ada.device.sign_otherwise(&options, |signing| {
            signing.origin = "android:apk-key-hash:bm90IG91cnM".to_owned();
        });
        let refused = go_on(
            &party,
            &question,
            &[("passkey_question", &name), ("passkey", &elsewhere)],
        )
        .await;
        assert_eq!(next(&refused)["problem"], "wrong_passkey");
        let question = go_on(&party, &refused, &[("ask", "passkey")]).await;
        let done = sign(&party, &question, &mut ada.device).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "swk", "user", "mfa"]));
        // who has none is asked for none
        let eve = enrolled(server, "eve").await;
        let asked = begin(&party, &eve.user, &[]).await;
        let refused = go_on(&party, &asked, &[("ask", "passkey")]).await;
        assert_eq!(next(&refused)["problem"], "not_offered");
    })
    .await;
}

/// A number that goes with a factor is asked for at the application's screen too.
#[tokio::test]
async fn a_number_is_confirmed_at_the_applications_screen() {
    each_backend(async |server| {
        server.settings(json!({"mfa.enrolment_asks_phone": true})).await;
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = server.user("ada").await;
        require(server, &ada, &[RequiredAction::EnrolFactor]).await;
        let step = begin(&party, &ada, &[]).await;
        let held = Authenticator::of(next(&step)["secret"].as_str().unwrap());
        let step = go_on(&party, &step, &[("otp", &now(server, &held))]).await;
        assert_eq!(next(&step)["next"], "keep_recovery_codes");
        let step = go_on(&party, &step, &[("kept", "1")]).await;
        let wanted = next(&step);
        assert_eq!(
            (&wanted["next"], &wanted["sent_to"]),
            (&json!("confirm_phone"), &Value::Null)
        );
        assert_eq!(
            next(&go_on(&party, &step, &[("phone_number", "12")]).await)["problem"],
            "invalid_number"
        );
        assert_eq!(
            next(&go_on(&party, &step, &[("text_code", "000000")]).await)["problem"],
            "wrong_code"
        );
        let sent = go_on(&party, &step, &[("phone_number", NUMBER)]).await;
        assert_eq!(next(&sent)["sent_to"], NUMBER);
        server.advance(Duration::from_secs(1));
        let done = go_on(&party, &sent, &[("text_code", &code_to(server, NUMBER).await)]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "otp", "mfa"]));
        assert!(server.account(&ada).await.profile.phone_number_verified);
    })
    .await;
}

/// SEC-221, SEC-255, at this way in: a code that is sent is a first factor as at the pages, whoever is named hears the same, and the code is
/// bound to its `auth_session`, counts once, and is a guess like any other.
#[tokio::test]
async fn a_code_that_is_sent_signs_in_at_the_applications_screen() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let ada = reachable(server, "ada").await;
        let by = async |identifier: &str, way: &str| {
            let named = [("username", identifier), ("password", ""), ("ask", way)];
            begin(&party, &ada, &named).await
        };
        let off = by("ada", "mail_code").await;
        assert_eq!(next(&off)["problem"], "not_offered");
        assert_eq!(next(&off)["methods"], json!(["password", "passkey"]));
        server
            .settings(json!({
                "sign_in.mail_codes": true, "sign_in.text_codes": true, "code.most_sends": 100, "guess.account_budget": 3,
            }))
            .await;
        for (way, amr_of) in [("mail_code", json!(["otp"])), ("text_code", json!(["sms"]))] {
            let asked = by("ada", way).await;
            let nobody = by("nobody", way).await;
            for answer in [&asked, &nobody] {
                let told = next(answer);
                assert_eq!((&told["next"], &told["methods"]), (&json!("sent_code"), &json!([way])));
                assert_eq!((&told["sent"], &told["problem"]), (&Value::Null, &Value::Null));
            }
            people::answer_wishes(server.provider()).await.unwrap();
            let code = match way {
                "mail_code" => mailed(server, &ada).await,
                _ => code_to(server, NUMBER).await,
            };
            // nobody's, and that of another sign-in
            let elsewhere = go_on(&party, &nobody, &[(way, &code)]).await;
            assert_eq!(next(&elsewhere)["problem"], "wrong_code");
            let other = by("ada", way).await;
            assert_eq!(
                next(&go_on(&party, &other, &[(way, &code)]).await)["problem"],
                "wrong_code"
            );
            let wrong = go_on(&party, &asked, &[(way, &not(&code))]).await;
            assert_eq!(
                (&next(&wrong)["problem"], &next(&wrong)["next"]),
                (&json!("wrong_code"), &json!("sent_code"))
            );
            let done = go_on(&party, &wrong, &[(way, &code)]).await;
            assert_eq!(amr(&party, &done).await, amr_of);
            server.advance(Duration::from_secs(61));
            let again = go_on(&party, &wrong, &[(way, &code)]).await;
            assert_eq!(again.error(), "invalid_session", "once");
            server.advance(Duration::from_secs(60 * 60));
        }
        // another code retires the one before, and another way is open all the time
        let asked = by("ada", "mail_code").await;
        people::answer_wishes(server.provider()).await.unwrap();
        let first = mailed(server, &ada).await;
        server.advance(Duration::from_secs(1));
        let again = go_on(&party, &asked, &[("ask", "mail_code")]).await;
        assert_eq!(next(&again)["next"], "sent_code");
        people::answer_wishes(server.provider()).await.unwrap();
        assert_ne!(mailed(server, &ada).await, first);
        let retired = go_on(&party, &again, &[("mail_code", &first)]).await;
        assert_eq!(next(&retired)["problem"], "wrong_code");
        let typed = [("username", "ada"), ("password", ada.password.as_str())];
        let done = go_on(&party, &retired, &typed).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd"]));
        // guesses are those of the account
        let asked = by("ada", "mail_code").await;
        people::answer_wishes(server.provider()).await.unwrap();
        let code = mailed(server, &ada).await;
        let device = begin(&party, &ada, &[("username", "ada"), ("password", "wrong")]).await;
        assert_eq!(next(&device)["problem"], "wrong_credentials");
        for _ in 0..2 {
            assert_eq!(
                next(&go_on(&party, &asked, &[("mail_code", &not(&code))]).await)["problem"],
                "wrong_code"
            );
        }
        assert_eq!(go_on(&party, &asked, &[("mail_code", &code)]).await.status, 429);
        // what has ended is asked for anew
        server.advance(Duration::from_secs(11 * 60));
        let late = go_on(&party, &asked, &[("mail_code", &code)]).await;
        assert_eq!(next(&late)["next"], "password");
    })
    .await;
}

/// SEC-257, SEC-259, at this way in: who has to have a second factor may add a passkey, which an authenticator makes for this sign-in.
#[tokio::test]
async fn a_passkey_is_added_at_the_applications_screen() {
    each_backend(async |server| {
        let client = application(server).await;
        let party = RelyingParty::new(server, &client);
        let (ada, bob) = (server.user("ada").await, server.user("bob").await);
        for user in [&ada, &bob] {
            require(server, user, &[RequiredAction::EnrolFactor]).await;
        }
        let step = begin(&party, &ada, &[]).await;
        assert_eq!(next(&step)["methods"], json!(["otp", "passkey"]));
        let asked = go_on(&party, &step, &[("ask", "passkey")]).await;
        let question = next(&asked);
        assert_eq!(question["next"], "new_passkey");
        let name = question["passkey_question"].as_str().unwrap();
        let mut device = Device::new(server.issuer());
        let made = device.make(&question["public_key"]);
        let brought = [("passkey_question", name), ("passkey", made.as_str())];
        // for this sign-in alone
        let elsewhere = begin(&party, &bob, &[]).await;
        let refused = go_on(&party, &elsewhere, &brought).await;
        assert_eq!(
            (&next(&refused)["problem"], &next(&refused)["next"]),
            (&json!("wrong_passkey"), &json!("enrol_factor"))
        );
        let added = go_on(&party, &asked, &brought).await;
        assert_eq!(next(&added)["next"], "keep_recovery_codes", "{}", added.body);
        assert_eq!(next(&added)["recovery_codes"].as_array().unwrap().len(), 10);
        let done = go_on(&party, &added, &[("kept", "1")]).await;
        assert_eq!(amr(&party, &done).await, json!(["pwd", "swk", "user", "mfa"]));
        // from now on it signs in alone
        let asked = begin(&party, &ada, &[("username", ""), ("password", ""), ("ask", "passkey")]).await;
        let done = sign(&party, &asked, &mut device).await;
        assert_eq!(amr(&party, &done).await, json!(["swk", "user", "mfa"]));
        // an authenticator is as good
        let held = Authenticator::of(next(&refused)["secret"].as_str().unwrap());
        let step = go_on(&party, &refused, &[("otp", &now(server, &held))]).await;
        assert_eq!(next(&step)["next"], "keep_recovery_codes");
    })
    .await;
}
