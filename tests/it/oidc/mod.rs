//! OpenID Connect, as relying parties meet it.

mod back_channel_logout;
mod front_channel_logout;
mod relying_party;
mod session_management;
