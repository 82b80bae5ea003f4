//! The administration API: `/api/v1`. One table of routes makes the router, the OpenAPI document, the page to read and the
//! tests of permissions; one file asks every request the same questions before its handler is called.

mod access_requests;
mod answer;
mod api_keys;
mod asked;
mod bearer;
mod body;
mod client_access;
mod client_body;
mod clients;
mod consents;
mod cursor;
mod devices;
mod docs;
mod doctor;
mod entity_tag;
mod events;
mod exports;
mod factor_body;
mod factors;
mod groups;
mod imports;
mod invitations;
mod jobs;
mod keys;
mod layers;
mod limited_roles;
mod list;
mod me;
mod members;
mod message_templates;
mod messages;
pub mod metrics;
mod my_account;
mod my_email;
mod my_factors;
mod my_phone;
mod nesting;
mod openapi;
mod permissions;
mod problem;
mod properties;
mod protected_resource;
mod recovery;
mod registration;
mod registration_tokens;
mod resources;
mod roles;
pub mod route;
mod segments;
mod serve;
mod sessions;
mod settings;
mod terms;
mod traces;
mod user_actions;
mod user_body;
mod user_exports;
mod users;
mod webhooks;
pub mod within;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use self::answer::Answer;
use self::asked::Asked;
use self::problem::Problem;
use self::route::Route;
use super::Http;

/// What every path of the API begins with.
pub const BASE: &str = "/api/v1";
/// Larger than a form: clients bring their keys.
const BODY_BYTES: usize = 512 * 1024;

/// Every route of the API, by resource.
pub fn table() -> Vec<Route> {
    let mut table = vec![openapi::route()];
    table.extend(jobs::table());
    table.extend(user_actions::table());
    table.extend(segments::table());
    table.extend(imports::table());
    table.extend(exports::table());
    table.extend(user_exports::table());
    table.extend(users::table());
    table.extend(groups::table());
    table.extend(members::table());
    table.extend(nesting::table());
    table.extend(roles::table());
    table.extend(limited_roles::table());
    table.extend(permissions::table());
    table.extend(sessions::table());
    table.extend(devices::table());
    table.extend(factors::table());
    table.extend(consents::table());
    table.extend(clients::table());
    table.extend(client_access::table());
    table.extend(registration_tokens::table());
    table.extend(registration::table());
    table.extend(recovery::table());
    table.extend(invitations::table());
    table.extend(access_requests::table());
    table.extend(properties::table());
    table.extend(terms::table());
    table.extend(resources::table());
    table.extend(keys::table());
    table.extend(layers::table());
    table.extend(settings::table());
    table.extend(message_templates::table());
    table.extend(messages::table());
    table.extend(events::table());
    table.extend(traces::table());
    table.extend(doctor::table());
    table.extend(webhooks::table());
    table.extend(api_keys::table());
    table
}

/// The routes of this room.
pub fn routes() -> Router<Http> {
    let mut router = Router::new();
    for route in table() {
        router = router.route(&format!("{BASE}{}", route.path), serve::method_router(route));
    }
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .merge(metrics::public())
        .merge(me::routes())
        .merge(my_account::routes())
        .merge(my_email::routes())
        .merge(my_factors::routes())
        .merge(my_phone::routes())
        .route("/api/docs", get(docs::show))
        .route(
            "/.well-known/oauth-protected-resource",
            get(protected_resource::document),
        )
        // RFC 9728 section 3: where clients look for it that know the resource's identifier alone
        .route(
            "/.well-known/oauth-protected-resource/api/v1",
            get(protected_resource::document),
        )
}
