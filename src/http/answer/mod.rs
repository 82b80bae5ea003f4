//! Answers that several rooms give.

pub mod farewell;
pub mod next;
pub mod oauth;

pub use farewell::farewell;
pub use next::next;
pub use oauth::oauth_error;
