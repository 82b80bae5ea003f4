//! The first administrator, by a one-time link.

use ostiary::flow::operations::setup;

use super::HOUR;
use crate::support::browser::{Browser, Page};
use crate::support::server::{Server, each_backend};

async fn link(server: &Server) -> String {
    let link = setup::new_link(server.provider(), &server.call()).await.unwrap();
    link.url.expose().to_owned()
}

async fn follow(browser: &Browser, page: &Page, password: &str) -> Page {
    follow_as(browser, page, ("ada", "ada@example.com"), password).await
}

async fn follow_as(browser: &Browser, page: &Page, (username, email): (&str, &str), password: &str) -> Page {
    let values = [
        ("email", email),
        ("username", username),
        ("password", password),
        ("password_again", password),
    ];
    browser.submit(page, page.form_with("password_again"), &values).await
}

const GOOD: &str = "sixty lanterns over water";

#[tokio::test]
async fn a_link_makes_an_administrator_once() {
    each_backend(async |server| {
        let url = link(server).await;
        let browser = Browser::new();
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200);
        let done = follow(&browser, &page, GOOD).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert!(super::offers(&done, "/login"));
        assert!(!done.body.contains(GOOD));
        let again = follow(&browser, &page, GOOD).await;
        assert_eq!(again.status, 404, "once");
        assert_eq!(browser.get(&url).await.status, 404);
        let signed_in = super::sign_in_with(server, &browser, "ada", GOOD).await;
        assert_eq!(signed_in.status, 303);
        assert!(!setup::is_needed(server.provider()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_taken_is_told_and_the_link_stays_open() {
    let server = Server::start().await;
    let url = link(&server).await;
    let browser = Browser::new();
    let page = browser.get(&url).await;
    for weak in ["", "short", "password123", "ada@example.com"] {
        let answer = follow(&browser, &page, weak).await;
        assert_eq!(answer.status, 422, "{weak}");
        assert!(
            answer.body.contains("value=\"ada@example.com\""),
            "what was typed is still there"
        );
    }
    let form = page.form_with("password_again");
    let values = [
        ("email", "nonsense"),
        ("username", ""),
        ("password", GOOD),
        ("password_again", "other"),
    ];
    let answer = browser.submit(&page, form, &values).await;
    assert_eq!(answer.status, 422);
    assert_eq!(follow(&browser, &page, GOOD).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_link_ends_after_an_hour_and_when_a_newer_one_is_made() {
    let server = Server::start().await;
    let first = link(&server).await;
    let second = link(&server).await;
    let browser = Browser::new();
    assert_eq!(browser.get(&first).await.status, 404);
    assert_eq!(browser.get(&second).await.status, 200);
    server.advance(HOUR);
    assert_eq!(browser.get(&second).await.status, 404);
    assert_eq!(browser.get(&server.url("/setup?token=guess")).await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn of_many_who_follow_a_link_at_once_one_is_served_and_the_others_are_told() {
    each_backend(async |server| {
        let url = link(server).await;
        let one = async |number: usize| {
            let browser = Browser::new();
            let page = browser.get(&url).await;
            (
                browser,
                page,
                format!("user{number}"),
                format!("user{number}@example.com"),
            )
        };
        let waiting = futures_util::future::join_all((0..6).map(one)).await;
        let answers = waiting
            .iter()
            .map(|(browser, page, username, email)| follow_as(browser, page, (username, email), GOOD));
        let answers = futures_util::future::join_all(answers).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            1,
            "{statuses:?}"
        );
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(answer.status, 404, "{}", answer.body);
            assert!(answer.body.contains("This setup link does not work"), "{}", answer.body);
        }
    })
    .await;
}

#[tokio::test]
async fn who_comes_too_late_is_shown_where_to_sign_in() {
    let server = Server::start().await;
    let url = link(&server).await;
    let browser = Browser::new();
    let page = browser.get(&url).await;
    assert_eq!(follow(&browser, &page, GOOD).await.status, 200);
    for late in [follow(&browser, &page, GOOD).await, browser.get(&url).await] {
        assert_eq!(late.status, 404);
        assert!(
            late.body.contains("If you have just created the account"),
            "{}",
            late.body
        );
        assert!(super::offers(&late, "/login"), "{}", late.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_somebody_else_has_is_said_to_be_taken() {
    each_backend(async |server| {
        server.user("grace").await;
        let browser = Browser::new();
        let page = browser.get(&link(server).await).await;
        for (username, email, label) in [
            ("grace", "ada@example.com", "Username"),
            ("ada", "grace@example.com", "Email"),
        ] {
            let answer = follow_as(&browser, &page, (username, email), GOOD).await;
            assert_eq!(answer.status, 422);
            let told = format!("{label}: Somebody else has this already");
            assert!(answer.body.contains(&told), "{told}: {}", answer.body);
        }
        assert_eq!(follow(&browser, &page, GOOD).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_page_says_of_usernames_what_is_so() {
    let server = Server::start().await;
    let browser = Browser::new();
    let page = browser.get(&link(&server).await).await;
    assert!(
        page.body
            .contains("name=\"username\" type=\"text\" autocomplete=\"username\" maxlength=\"150\"")
    );
    for wrong in ["a".repeat(151), "zero\u{200b}width".to_owned()] {
        let answer = follow_as(&browser, &page, (&wrong, "ada@example.com"), GOOD).await;
        assert_eq!(answer.status, 422);
        assert!(answer.body.contains("at most 150 characters"), "{}", answer.body);
    }
    let long = format!("Ada \u{e9}t\u{e9} & {}", "a".repeat(140));
    let done = follow_as(&browser, &page, (&long, "ada@example.com"), GOOD).await;
    assert_eq!(done.status, 200, "{}", done.body);
    server.stop().await;
}

#[tokio::test]
async fn each_line_of_the_summary_names_its_field() {
    let server = Server::start().await;
    let browser = Browser::new();
    let page = browser.get(&link(&server).await).await;
    let answer = follow_as(&browser, &page, ("", ""), "").await;
    for (field, label) in [("email", "Email"), ("username", "Username"), ("password", "Password")] {
        let line = format!("<a href=\"#{field}\">{label}: Fill in this field.</a>");
        assert!(answer.body.contains(&line), "{line}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn the_language_switch_keeps_the_link() {
    let server = Server::start().await;
    let url = link(&server).await;
    let browser = Browser::new();
    let page = browser.get(&url).await;
    let refused = follow(&browser, &page, "").await;
    assert_eq!(refused.status, 422);
    for page in [&page, &refused] {
        let german = browser.get(super::switch(page, "de").unwrap().as_str()).await;
        assert_eq!(german.status, 200, "{}", german.url);
        assert!(german.body.contains("<html lang=\"de\""));
    }
    let german = browser.get(super::switch(&page, "de").unwrap().as_str()).await;
    let refused = follow(&browser, &german, "").await;
    assert!(refused.body.contains("<html lang=\"de\""), "the choice stays");
    let done = follow(&browser, &refused, GOOD).await;
    assert_eq!(done.status, 200);
    assert!(done.body.contains("<html lang=\"de\""), "to the end");
    assert_eq!(
        super::switch(&done, "en"),
        None,
        "what can't be shown again has no switch"
    );
    // a link that lost its token is told what it is
    let without = browser.get(&server.url("/setup?ui_locales=en")).await;
    assert_eq!(without.status, 404);
    assert!(
        without.body.contains("This setup link does not work"),
        "{}",
        without.body
    );
    server.stop().await;
}
