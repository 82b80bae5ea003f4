//! OpenID Connect, as relying parties meet it.

mod relying_party;
