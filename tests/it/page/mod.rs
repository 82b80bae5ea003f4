//! Pages and mails as documents: what stands in them, in every language, with every context, whatever the values.

pub mod document;
pub mod escaping;
mod locales;
mod pages;
mod sent_codes;
