//! Pages for people: signing in, choosing an account, consenting, signing out, the first administrator, home. And what a
//! browser loads beside them.

mod account;
mod account_door;
mod asset;
mod busy;
mod confirm_email;
mod consent;
mod devices;
mod doctor;
mod duty;
mod duty_pages;
mod ending;
mod factor;
mod forgot;
mod home;
mod leave;
mod login;
mod login_code;
mod login_link;
mod logout;
mod mailed;
mod new_account;
mod new_password;
mod not_me;
mod own_account;
mod own_email;
mod own_events;
mod own_factors;
mod own_passkey;
mod own_password;
mod own_phone;
mod own_profile;
mod own_step;
mod own_terms;
mod owner;
mod passkey;
mod pending;
mod picture;
mod profile_form;
mod property_form;
mod recover;
mod register;
mod report;
mod request_access;
mod return_target;
mod security_contact;
mod setup;
mod shown;
mod terms;
mod wait;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use super::Http;

/// A form with a picture, so much above what is taken that whoever sends more is told so on the page.
const PICTURE_BYTES: usize = 1024 * 1024;

/// The routes of this room.
pub fn routes() -> Router<Http> {
    Router::new()
        .route("/", get(home::show))
        .route("/account", get(own_account::show).post(own_account::change))
        .route("/account/email", get(own_email::show).post(own_email::ask))
        .route(
            "/account/email/confirm",
            get(confirm_email::show).post(confirm_email::confirm),
        )
        .route("/account/terms", get(own_terms::show))
        .route("/terms", get(terms::list))
        .route("/terms/{name}", get(terms::show))
        .route("/account/profile", get(own_profile::show).post(own_profile::change))
        .route(
            "/account/picture",
            post(own_profile::set_picture).layer(DefaultBodyLimit::max(PICTURE_BYTES)),
        )
        .route("/account/picture/remove", post(own_profile::remove_picture))
        .route("/account/activity", get(own_events::show))
        .route("/account/export", get(own_step::show_export).post(own_step::export))
        .route("/account/lock", get(own_step::show_lock).post(own_step::lock))
        .route("/account/delete", get(own_step::show_delete).post(own_step::delete))
        .route("/login/lock", get(account_door::show_lock).post(account_door::lock))
        .route(
            "/login/unlock",
            get(account_door::show_unlock).post(account_door::unlock),
        )
        .route("/picture/{name}", get(picture::show))
        .route("/account/password", get(own_password::show).post(own_password::change))
        .route("/account/phone", get(own_phone::show).post(own_phone::change))
        .route("/account/factors", get(own_factors::show).post(own_factors::change))
        .route(
            "/account/factors/new",
            get(own_factors::show_new).post(own_factors::confirm),
        )
        .route(
            "/account/factors/codes",
            get(own_factors::show_codes).post(own_factors::codes_are_kept),
        )
        .route(
            "/account/factors/passkey",
            get(own_passkey::show).post(own_passkey::confirm),
        )
        .route("/login", get(login::show).post(login::sign_in))
        .route("/login/account", get(account::show).post(account::choose))
        .route("/login/consent", get(consent::show).post(consent::decide))
        .route("/login/devices", get(devices::show).post(devices::choose))
        .route("/login/factor", get(factor::show).post(factor::prove))
        .route("/login/action", get(duty::show).post(duty::act))
        .route("/login/action/passkey", post(duty::ask))
        .route("/login/factor/passkey", post(factor::ask))
        .route("/login/passkey", post(login::ask))
        .route("/login/link", get(login_link::show).post(login_link::answer))
        .route("/login/code", get(login_code::show).post(login_code::answer))
        .route("/login/leave", get(leave::show).post(leave::decide))
        .route("/login/ending", get(ending::show).post(ending::stay))
        .route("/login/new-password", get(new_password::show).post(new_password::mail))
        .route("/login/forgot", get(forgot::show).post(forgot::ask))
        .route("/login/recover", get(recover::show).post(recover::set))
        .route("/login/wait", get(wait::show).post(wait::end))
        .route("/register", get(register::show).post(register::ask))
        .route("/request-access", get(register::show).post(register::ask))
        .route(
            "/request-access/new",
            get(request_access::show).post(request_access::ask),
        )
        .route("/register/new", get(new_account::show).post(new_account::make))
        .route("/login/not-me", get(not_me::show).post(not_me::act))
        .route("/logout", get(logout::show).post(logout::decide))
        .route("/logout/onward", get(logout::onward))
        .route("/logout/done", get(logout::done))
        .route("/console/doctor", get(doctor::show))
        .route("/doctor/seen", get(doctor::seen))
        .route("/setup", get(setup::show).post(setup::follow))
        .route("/assets/{*name}", get(asset::file))
        .route("/favicon.ico", get(asset::favicon))
        .route("/csp-report", post(report::take))
        .route("/.well-known/security.txt", get(security_contact::show))
}
