//! Every page, from its sample, in every language: structure, forms, fields, scripts, assets.

use std::collections::BTreeSet;
use std::fs;

use ostiary::view::{
    Account, AccountNotice, Client, DemoClock, Devices, DevicesPlace, DevicesProblem, Ending, EndingStage, ErrorPage,
    Forgot, ForgotError, Frame, Home, Locale, Login, LoginError, LoginStep, Mail, NewPassword, NewPasswordStage, NotMe,
    NotMeError, NotMeField, NotMeProblem, NotMeStage, OwnAccount, OwnPassword, Page, Recover, Setup, SetupError,
    SetupField, SetupProblem, Trouble, Views,
};

use super::document::{Node, read};

/// The samples, and what else changes how a page is built.
fn all() -> Vec<Page> {
    let mut pages = Page::samples();
    pages.extend(super::sent_codes::states());
    for error in [
        LoginError::Nobody,
        LoginError::Passkey,
        LoginError::Credentials,
        LoginError::Throttled { seconds: 61 },
        LoginError::Busy,
        LoginError::Inactive,
        LoginError::Locked,
        LoginError::NotStarted {
            at: 1_800_000_000_000_000,
        },
        LoginError::AccountExpired {
            at: 1_800_000_000_000_000,
        },
        LoginError::DeviceBlocked,
        LoginError::Network,
        LoginError::DeviceUnknown,
        LoginError::Expired,
    ] {
        for account in [None, Some(Account::sample())] {
            pages.push(Page::Login(Login {
                error: Some(error.clone()),
                account,
                ..Login::sample()
            }));
        }
        for (step, account) in [
            (LoginStep::Identifier, None),
            (LoginStep::Proof, Some(Account::sample())),
        ] {
            pages.push(Page::Login(Login {
                error: Some(error.clone()),
                step,
                account,
                ..Login::sample()
            }));
        }
    }
    pages.push(Page::Login(Login {
        client: None,
        error: None,
        identifier: String::new(),
        ..Login::sample()
    }));
    pages.extend(Trouble::ALL.map(|trouble| Page::Error(ErrorPage::of(trouble))));
    for problem in SetupProblem::ALL {
        pages.push(Page::Setup(Setup {
            errors: vec![SetupError {
                field: SetupField::Password,
                problem,
            }],
            ..Setup::sample()
        }));
    }
    pages.push(Page::Setup(Setup {
        errors: Vec::new(),
        ..Setup::sample()
    }));
    pages.push(Page::Home(Home {
        account: None,
        ..Home::sample()
    }));
    for notice in AccountNotice::ALL {
        pages.push(Page::OwnAccount(OwnAccount {
            notice: Some(notice),
            ..OwnAccount::sample()
        }));
    }
    for mut page in Page::samples() {
        match &mut page {
            Page::OwnAccount(own) => {
                own.notice = None;
                own.sessions.truncate(1);
                own.applications.clear();
                own.devices.clear();
                own.others.clear();
            }
            _ => continue,
        }
        pages.push(page);
    }
    for stage in EndingStage::ALL {
        for can_stay in [false, true] {
            pages.push(Page::Ending(Ending {
                stage,
                can_stay,
                ..Ending::sample()
            }));
        }
    }
    for stage in NewPasswordStage::ALL {
        for client in [None, NewPassword::sample().client] {
            pages.push(Page::NewPassword(NewPassword {
                stage,
                client,
                ..NewPassword::sample()
            }));
        }
    }
    for stage in [NotMeStage::Open, NotMeStage::Done] {
        pages.push(Page::NotMe(NotMe {
            stage,
            place: None,
            errors: Vec::new(),
            wait: Some(240),
            ..NotMe::sample()
        }));
    }
    pages.push(Page::NotMe(NotMe {
        errors: vec![NotMeError {
            field: NotMeField::Password,
            problem: NotMeProblem::Same,
        }],
        ..NotMe::sample()
    }));
    for error in [
        None,
        Some(ForgotError::Expired),
        Some(ForgotError::Throttled { seconds: 61 }),
    ] {
        for sent in [false, true] {
            pages.push(Page::Forgot(Forgot {
                client: None,
                error: error.filter(|_| !sent),
                sent,
                ..Forgot::sample()
            }));
        }
    }
    for (expired, wait) in [(true, None), (false, Some(5)), (false, None)] {
        pages.push(Page::Recover(Recover {
            errors: Vec::new(),
            expired,
            wait,
            ..Recover::sample()
        }));
        pages.push(Page::OwnPassword(OwnPassword {
            errors: Vec::new(),
            expired,
            wait,
            forgot: None,
            ..OwnPassword::sample()
        }));
    }
    pages.push(Page::Login(Login {
        error: None,
        replaced: true,
        forgot: None,
        ..Login::sample()
    }));
    pages.push(Page::NotMe(NotMe {
        forgot: None,
        ..NotMe::sample()
    }));
    for place in DevicesPlace::ALL {
        for needed in [0, 1, 2] {
            let problem = DevicesProblem::ALL.get(usize::try_from(needed).unwrap()).copied();
            pages.push(Page::Devices(Devices {
                place,
                needed,
                problem,
                live: needed,
                ..Devices::sample()
            }));
        }
    }
    for mut page in Page::samples() {
        match &mut page {
            Page::Devices(devices) => devices.client = None,
            Page::Consent(consent) => consent.asked.truncate(1),
            Page::ChooseAccount(choose) => choose.client = None,
            Page::SignOut(sign_out) => {
                sign_out.client = None;
                sign_out.accounts.truncate(1);
            }
            Page::SignedOut(signed_out) => signed_out.client = None,
            Page::ApiDocs(docs) => docs.document = None,
            Page::DemoMessages(demo) => demo.messages.clear(),
            Page::DemoClock(demo) => demo.ahead = 0,
            _ => continue,
        }
        pages.push(page);
    }
    pages
}

/// All pages in all languages, read.
fn documents() -> Vec<(Page, Vec<Node>)> {
    let views = Views::new().unwrap();
    let mut documents = Vec::new();
    for page in all() {
        for locale in views.locales() {
            let html = views.page(&page, &Frame::sample(locale)).unwrap();
            documents.push((page.clone(), read(&html)));
        }
    }
    documents
}

#[test]
fn every_page_draws_in_every_language() {
    let views = Views::new().unwrap();
    for page in all() {
        for locale in views.locales() {
            let nodes = read(&views.page(&page, &Frame::sample(locale)).unwrap());
            let html = nodes.iter().find(|node| node.is("html")).unwrap();
            assert_eq!(html.attribute("lang"), Some(locale.tag()));
            assert_eq!(html.attribute("dir"), Some("ltr"));
            assert_eq!(nodes.iter().filter(|node| node.is("h1")).count(), 1, "{page:?}");
            assert_eq!(nodes.iter().filter(|node| node.is("main")).count(), 1);
        }
    }
}

#[test]
fn every_context_has_a_sample() {
    let listed: BTreeSet<String> = Page::samples()
        .iter()
        .map(|page| {
            let value = serde_json::to_value(page).unwrap();
            value.as_object().unwrap().keys().next().unwrap().clone()
        })
        .collect();
    let source = fs::read_to_string("src/view/page/mod.rs").unwrap();
    let (_, variants) = source.split_once("pub enum Page {").unwrap();
    let declared: BTreeSet<String> = variants
        .split_once("\n}")
        .unwrap()
        .0
        .lines()
        .filter_map(|line| line.trim().split_once('(').map(|(name, _)| name.to_owned()))
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .collect();
    assert_eq!(listed, declared);
}

#[test]
fn start_and_end_tags_match() {
    const VOID: [&str; 11] = [
        "meta", "link", "input", "img", "br", "path", "circle", "rect", "hr", "col", "wbr",
    ];
    for (page, nodes) in documents() {
        let mut open = Vec::new();
        for node in &nodes {
            match node {
                Node::Start(name, _) if !VOID.contains(&name.as_str()) => open.push(name),
                Node::End(name) => assert_eq!(open.pop(), Some(name), "{page:?}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{page:?}");
    }
}

#[test]
fn no_page_carries_an_inline_style_script_or_handler() {
    for (page, nodes) in documents() {
        let mut nodes = nodes.iter().peekable();
        let mut scripts = 0;
        while let Some(node) = nodes.next() {
            let Node::Start(name, attributes) = node else { continue };
            assert!(
                !matches!(name.as_str(), "style" | "object" | "embed" | "base"),
                "{page:?}"
            );
            if name == "iframe" {
                // what applications registered, where the person can't take it for ours
                assert!(matches!(page, Page::SigningOut(_)), "{page:?}");
                assert!(node.attribute("hidden").is_some() && node.attribute("srcdoc").is_none());
            }
            for (attribute, _) in attributes {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{attribute} in {page:?}"
                );
            }
            if name == "script" {
                scripts += 1;
                let src = node.attribute("src");
                assert!(src.is_some_and(|src| src.starts_with("/assets/")) || src == widget(&page));
                assert_eq!(node.attribute("nonce"), Some("bm9uY2U"));
                assert_eq!(nodes.peek(), Some(&&Node::End("script".to_owned())));
            }
            if name == "meta" {
                // without scripts a page goes on to where it says that the session is about to end
                let goes_on = node.attribute("http-equiv") == Some("refresh");
                let to = node
                    .attribute("content")
                    .and_then(|content| content.split_once(";url="));
                assert!(
                    node.attribute("http-equiv").is_none()
                        || goes_on && to.is_some_and(|(_, to)| to.starts_with("/login/ending?")),
                    "{page:?}"
                );
            }
        }
        // its own, and the one that says that the session is about to end
        let most = 3 + usize::from(widget(&page).is_some());
        assert!(scripts <= most, "{page:?}");
    }
}

/// The script of a service that tells people from programs, on the one page where the operator wants it.
fn widget(page: &Page) -> Option<&str> {
    match page {
        Page::Register(page) => page.captcha.as_ref().map(|widget| widget.script.as_str()),
        _ => None,
    }
}

/// SEC-528, for what templates name: only an application's logo may come from elsewhere, and it says nothing to its host; and the widget
/// that the operator has named.
#[test]
fn no_third_party_assets() {
    for (page, nodes) in documents() {
        for node in &nodes {
            let Node::Start(name, _) = node else { continue };
            let loaded = match name.as_str() {
                "link" => node.attribute("href"),
                "script" | "img" | "source" | "video" | "audio" | "use" => node.attribute("src"),
                _ => None,
            };
            let Some(address) = loaded.filter(|address| name != "script" || Some(*address) != widget(&page)) else {
                continue;
            };
            if node.attribute("class") == Some("logo") {
                assert_eq!(node.attribute("referrerpolicy"), Some("no-referrer"));
                assert_eq!(node.attribute("alt"), Some(""));
                continue;
            }
            // somebody's own picture, given out by this server as a picture and nothing else
            if name == "img" && address.starts_with("/picture/") {
                assert_eq!(node.attribute("alt"), Some(""));
                continue;
            }
            let file = address.strip_prefix("/assets/").and_then(|rest| rest.split('?').next());
            assert!(
                file.is_some_and(|file| Views::asset(file).is_some()),
                "{address} in {page:?}"
            );
        }
    }
    for name in ostiary::view::Asset::names() {
        let asset = Views::asset(name).unwrap();
        // what the page says, which is a path of this server
        let text = std::str::from_utf8(asset.bytes)
            .unwrap()
            .replace("fetch(form.dataset.ask,", "");
        for outside in ["url(", "@import", "@font-face", "import(", "fetch(", "https://"] {
            assert!(!text.contains(outside), "{outside} in {name}");
        }
        assert!(asset.etag.starts_with('"') && asset.etag.ends_with('"'));
    }
    assert!(Views::asset("../locale/en.toml").is_none());
}

#[test]
fn every_form_of_ours_posts_with_its_anti_forgery_token() {
    for (page, nodes) in documents() {
        let mut token = None;
        for node in &nodes {
            if node.is("form") {
                token = Some((node.clone(), 0));
            }
            if let (Some((_, count)), Some("csrf")) = (&mut token, node.attribute("name")) {
                assert_eq!(node.attribute("type"), Some("hidden"));
                assert_eq!(node.attribute("value"), Some("Y3NyZg"));
                *count += 1;
            }
            if *node == Node::End("form".to_owned()) {
                let (form, count) = token.take().unwrap();
                let method = form.attribute("method");
                let leaves = !form.attribute("action").unwrap().starts_with('/');
                match page {
                    // It leaves for another site, which is not to learn the token.
                    Page::FormPost(_) if leaves => assert_eq!((count, method), (0, Some("post"))),
                    _ => {
                        assert_eq!((count, method), (1, Some("post")), "{page:?}");
                        assert!(form.attribute("action").unwrap().starts_with('/'));
                    }
                }
            }
        }
    }
}

#[test]
fn every_input_has_a_label_and_every_reference_a_target() {
    for (page, nodes) in documents() {
        let ids: Vec<_> = nodes.iter().filter_map(|node| node.attribute("id")).collect();
        assert_eq!(
            ids.len(),
            ids.iter().collect::<BTreeSet<_>>().len(),
            "ids twice in {page:?}"
        );
        let labelled: BTreeSet<_> = nodes.iter().filter_map(|node| node.attribute("for")).collect();
        for node in &nodes {
            if node.is("input") && node.attribute("type") != Some("hidden") {
                assert!(labelled.contains(node.attribute("id").unwrap()), "{node:?}");
            }
            for reference in ["aria-describedby", "aria-labelledby", "aria-controls", "for"] {
                for id in node.attribute(reference).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(&id), "{reference} {id} in {page:?}");
                }
            }
            if let Some(id) = node.attribute("href").and_then(|href| href.strip_prefix('#')) {
                assert!(ids.contains(&id), "a link to #{id} in {page:?}");
            }
            if node.attribute("aria-invalid").is_some() {
                assert!(node.attribute("aria-describedby").is_some());
            }
        }
        let focused = nodes
            .iter()
            .filter(|node| node.attribute("autofocus").is_some())
            .count();
        assert!(focused <= 1, "{focused} places for the focus in {page:?}");
    }
}

/// SEC-224: password fields mask, take pasted text and name themselves to password managers.
#[test]
fn password_field_ux() {
    for (page, nodes) in documents() {
        for node in nodes.iter().filter(|node| node.attribute("type") == Some("password")) {
            let expected = match (&page, node.attribute("name")) {
                (Page::Login(_), _) | (_, Some("old_password")) => "current-password",
                _ => "new-password",
            };
            assert_eq!(node.attribute("autocomplete"), Some(expected));
            assert_eq!(node.attribute("value"), None, "a password is never sent back");
        }
        if matches!(page, Page::Login(_)) {
            let username = nodes
                .iter()
                .find(|node| node.attribute("name") == Some("username"))
                .unwrap();
            // and passkeys to browsers, where they are offered
            let autocomplete = username.attribute("autocomplete").unwrap();
            assert!(["username", "username webauthn"].contains(&autocomplete));
            // but on the first of two pages
            let is_first = matches!(&page, Page::Login(login) if login.step == LoginStep::Identifier);
            let has_password = nodes.iter().any(|node| node.attribute("name") == Some("password"));
            assert_eq!(has_password, !is_first, "{page:?}");
        }
    }
}

#[test]
fn the_language_switch_keeps_the_query_and_knows_where_it_is() {
    let views = Views::new().unwrap();
    let page = Page::Login(Login::sample());
    let nodes = read(&views.page(&page, &Frame::sample(Locale::German)).unwrap());
    let switch: Vec<_> = nodes
        .iter()
        .filter(|node| node.attribute("hreflang").is_some())
        .collect();
    assert_eq!(switch.len(), 3);
    assert_eq!(
        switch[2].attribute("href"),
        Some("/login?interaction=Zm9v&ui_locales=fr")
    );
    assert_eq!(switch[1].attribute("aria-current"), Some("true"));
    let nowhere = Frame {
        path: None,
        ..Frame::sample(Locale::German)
    };
    assert!(!views.page(&page, &nowhere).unwrap().contains("hreflang"));
}

#[test]
fn an_account_that_signs_in_again_cannot_be_retyped() {
    let views = Views::new().unwrap();
    let page = Page::Login(Login {
        account: Some(Account::sample()),
        error: None,
        ..Login::sample()
    });
    let nodes = read(&views.page(&page, &Frame::sample(Locale::English)).unwrap());
    let username = nodes
        .iter()
        .find(|node| node.attribute("name") == Some("username"))
        .unwrap();
    assert!(username.attribute("readonly").is_some());
    assert_eq!(username.attribute("value"), Some("ada@example.com"));
    assert!(
        nodes
            .iter()
            .any(|node| node.attribute("value") == Some("other_account"))
    );
}

#[test]
fn the_clock_offers_each_step_once() {
    let views = Views::new().unwrap();
    let page = Page::DemoClock(DemoClock::sample());
    let nodes = read(&views.page(&page, &Frame::sample(Locale::English)).unwrap());
    let offered: Vec<_> = nodes
        .iter()
        .filter(|node| node.attribute("name") == Some("advance"))
        .filter_map(|node| node.attribute("value"))
        .collect();
    assert_eq!(offered, DemoClock::STEPS.map(|(step, _)| step));
}

#[test]
fn an_application_without_a_logo_shows_its_first_letter() {
    let views = Views::new().unwrap();
    let draw = |client| {
        let page = Page::Login(Login {
            client: Some(client),
            ..Login::sample()
        });
        views.page(&page, &Frame::sample(Locale::English)).unwrap()
    };
    assert!(draw(Client::sample()).contains("<span class=\"logo\" aria-hidden=\"true\">S</span>"));
    let logo = ostiary::view::Logo::parse("https://shop.example/logo.png");
    assert!(
        draw(Client {
            logo,
            ..Client::sample()
        })
        .contains("<img class=\"logo\"")
    );
}

#[test]
fn every_mail_draws_in_every_language_and_loads_nothing() {
    let views = Views::new().unwrap();
    for mail in Mail::samples() {
        for locale in views.locales() {
            let drawn = views.mail(&mail, locale).unwrap();
            assert!(!drawn.subject.is_empty() && !drawn.text.trim().is_empty());
            // a code is all that its mail brings, and a refusal brings nothing: nothing to follow
            let leads_somewhere = drawn.text.contains("https://shop.example/");
            let is_all = match &mail {
                Mail::Code(_) => true,
                Mail::Access(mail) => mail.link.is_none(),
                _ => false,
            };
            assert_eq!(leads_somewhere, !is_all);
            for node in read(&drawn.html) {
                let loads = ["img", "link", "script"].iter().any(|tag| node.is(tag));
                assert!(!loads, "{node:?}");
            }
            assert!(!drawn.html.contains("url(") && !drawn.html.contains("@import"));
        }
    }
}

#[test]
fn lengths_of_time_are_whole_and_never_too_short() {
    let views = Views::new().unwrap();
    for (seconds, words) in [
        (0, "1 minute"),
        (61, "2 minutes"),
        (3600, "1 hour"),
        (3601, "61 minutes"),
        (7201, "3 hours"),
        (86_400, "1 day"),
        (172_801, "3 days"),
    ] {
        let page = Page::Login(Login {
            error: Some(LoginError::Throttled { seconds }),
            ..Login::sample()
        });
        let html = views.page(&page, &Frame::sample(Locale::English)).unwrap();
        assert!(html.contains(&format!("Try again in {words}.")), "{seconds}");
    }
}
