//! `/terms`: the terms of use that count, and each of them to read. For everybody, without an account.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use crate::flow::terms;
use crate::http::Refusal;
use crate::http::extract::{Query, Visit};
use crate::model::setting::LOCALE;
use crate::model::user::comparison_key;
use crate::model::{Terms, TermsText};
use crate::view::{
    Link, Locale, OwnPath, Page, TermsAddress, TermsBlock, TermsLine, TermsList, TermsPage, TermsToAccept,
};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Which one; the one that counts if unset.
    version: Option<String>,
}

/// GET /terms
pub(super) async fn list(visit: Visit) -> Result<Response, Refusal> {
    let locale = visit.locale(&[], None);
    let counting = terms::counting(visit.provider(), visit.call.now).await?;
    let documents = counting.iter().map(|terms| TermsLine {
        title: title(&visit, terms, locale),
        version: terms.version.clone(),
        effective: terms.effective_at.micros(),
        address: address(terms),
    });
    let page = Page::TermsList(TermsList {
        documents: documents.collect(),
    });
    Ok(visit.show(visit.sheet(page, locale, "terms").status(StatusCode::OK)))
}

/// GET /terms/{name}
pub(super) async fn show(
    visit: Visit,
    Path(name): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, Refusal> {
    let locale = visit.locale(&[], None);
    let name = comparison_key(&name);
    let counting = terms::counting(visit.provider(), visit.call.now).await?;
    let current = counting.into_iter().find(|terms| terms.name == name);
    let shown = match wish.version {
        None => current.clone(),
        Some(version) => {
            let all = terms::list(visit.provider()).await?;
            let is_meant = |terms: &Terms| terms.name == name && terms.version == version;
            all.into_iter().find(is_meant)
        }
    };
    let shown = shown.ok_or_else(Refusal::not_found)?;
    let (language, text) = text(&visit, &shown, locale).ok_or_else(Refusal::not_found)?;
    let page = Page::Terms(TermsPage {
        title: text.title.clone(),
        version: shown.version.clone(),
        effective: shown.effective_at.micros(),
        superseded: current.is_none_or(|current| current.id != shown.id),
        language: language.to_owned(),
        blocks: text.text.as_deref().map(TermsBlock::read).unwrap_or_default(),
        elsewhere: text.url.as_deref().and_then(Link::parse),
        all: OwnPath::or_home("/terms"),
    });
    Ok(visit.show(visit.sheet(page, locale, "terms").status(StatusCode::OK)))
}

/// A document that somebody has to accept. `ticked`: what they have, where a form was sent.
pub(super) fn to_accept(visit: &Visit, terms: &Terms, locale: Locale, ticked: Option<&[String]>) -> TermsToAccept {
    let id = terms.id.to_string();
    let accepted = ticked.is_some_and(|ticked| ticked.contains(&id));
    TermsToAccept {
        title: title(visit, terms, locale),
        version: terms.version.clone(),
        address: address(terms),
        accepted,
        missing: ticked.is_some() && !accepted,
        id,
    }
}

/// What it is called in this language.
pub(super) fn title(visit: &Visit, terms: &Terms, locale: Locale) -> String {
    text(visit, terms, locale).map_or_else(|| terms.name.clone(), |(_, text)| text.title.clone())
}

fn text<'a>(visit: &Visit, terms: &'a Terms, locale: Locale) -> Option<(&'a str, &'a TermsText)> {
    terms.text_in(locale.tag(), visit.settings.word(LOCALE))
}

/// Where this very version is read: here in every case, and from there where it is kept elsewhere.
pub(super) fn address(terms: &Terms) -> TermsAddress {
    reading(&terms.name, &terms.version)
}

/// The same by name and version.
pub(super) fn reading(name: &str, version: &str) -> TermsAddress {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("version", version)
        .finish();
    TermsAddress::Own(OwnPath::or_home(&format!("/terms/{name}?{query}")))
}
