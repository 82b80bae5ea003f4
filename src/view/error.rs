//! What can go wrong while drawing: only mistakes of ours, never of the request.

/// A template or a text that does not fit its context.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template that does not compile, misses a name, or asks for a text that no locale file has.
    #[error("a template could not be drawn")]
    Template(#[from] minijinja::Error),
    /// A locale file that is not flat `key = "text"` TOML.
    #[error("the texts of locale {locale} could not be read")]
    Texts {
        /// Its language tag.
        locale: &'static str,
        /// What the parser says.
        source: Box<toml::de::Error>,
    },
    /// A page template that does not set `title`.
    #[error("the template {template} sets no title")]
    NoTitle {
        /// Its name.
        template: &'static str,
    },
}
