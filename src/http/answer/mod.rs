//! Answers that several rooms give.

pub mod next;
pub mod oauth;

pub use next::next;
pub use oauth::oauth_error;
