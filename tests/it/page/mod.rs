//! Pages and mails as documents: what stands in them, in every language, with every context, whatever the values.

mod document;
mod escaping;
mod locales;
mod pages;
