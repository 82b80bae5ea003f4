//! `/account/terms`: what a person has accepted, and when.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::{shown, terms as documents};
use crate::flow::terms;
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Query, Visit};
use crate::model::{Id, User};
use crate::view::{AcceptedTerms, OwnPath, OwnTerms, Page};

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
}

/// GET /account/terms
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account) else {
        return Ok(visit.keep(see_other("/login?return_to=%2Faccount%2Fterms")));
    };
    let user = &own.account.user;
    let locale = visit.locale(&[], Some(user));
    let published = terms::list(visit.provider()).await?;
    let accepted = terms::accepted_by(visit.provider(), user.id).await?;
    let accepted = accepted.into_iter().map(|one| {
        let document = published.iter().find(|terms| terms.id == one.terms);
        AcceptedTerms {
            title: document.map_or_else(|| one.name.clone(), |terms| documents::title(&visit, terms, locale)),
            address: documents::reading(&one.name, &one.version),
            version: one.version,
            at: one.accepted_at.micros(),
        }
    });
    let page = Page::OwnTerms(OwnTerms {
        account: shown::account(user),
        accepted: accepted.collect(),
        back: OwnPath::or_home(&own.at("/account", None)),
    });
    let purpose = format!("own terms {}", own.account.session.id);
    let sheet = visit.sheet(page, locale, &purpose).status(StatusCode::OK);
    Ok(visit.show(sheet.warns(visit.warning(&own.account))))
}
