//! What a browser gets once nobody is signed in any more.

use axum::response::Response;

use super::next::see_other;
use crate::flow::sign_out::Farewell;
use crate::http::extract::Visit;
use crate::view::{Link, OwnPath, Page, SigningOut};

/// Where a browser that goes to no client ends.
const DONE: &str = "/logout/done";

/// On to the client or to our good-bye; before that, where applications want it, a page that tells them.
pub fn farewell(visit: &Visit, farewell: &Farewell) -> Response {
    let Some(told) = &farewell.told else {
        let back = farewell.return_address.as_ref();
        let location = back.map_or(DONE.to_owned(), |address| address.location());
        return visit.keep(see_other(&location));
    };
    let next = match &told.onward {
        Some(id) => OwnPath::or_home(&format!("/logout/onward?flow={id}")),
        None => OwnPath::or_home(DONE),
    };
    let frames: Vec<Link> = told
        .addresses
        .iter()
        .filter_map(|address| Link::parse(address))
        .collect();
    let page = Page::SigningOut(SigningOut {
        frames: frames.clone(),
        next: next.clone(),
    });
    let sheet = visit.plain_sheet(page, visit.locale(&[], None));
    visit.show(sheet.framing(&frames).goes_on_to(&next))
}
