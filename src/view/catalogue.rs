//! The texts of one language: flat `key = "text {name}"`, embedded from `templates/locale/`.

use std::collections::BTreeMap;

use super::{Error, Locale};

/// All texts of one language.
pub(super) struct Catalogue(BTreeMap<String, String>);

/// What stands between two braces of a text.
pub(super) enum Piece<'a> {
    /// Words.
    Text(&'a str),
    /// The name of a value.
    Value(&'a str),
}

impl Catalogue {
    /// The texts of this locale.
    pub(super) fn read(locale: Locale) -> Result<Self, Error> {
        let file = match locale {
            Locale::English => include_str!("../../templates/locale/en.toml"),
            Locale::German => include_str!("../../templates/locale/de.toml"),
            Locale::French => include_str!("../../templates/locale/fr.toml"),
        };
        toml::from_str(file).map(Self).map_err(|source| Error::Texts {
            locale: locale.tag(),
            source: Box::new(source),
        })
    }

    /// The text of a key, in pieces.
    pub(super) fn pieces(&self, key: &str) -> Option<Vec<Piece<'_>>> {
        let mut rest = self.0.get(key)?.as_str();
        let mut pieces = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}')?;
            pieces.push(Piece::Text(before));
            pieces.push(Piece::Value(name));
            rest = behind;
        }
        pieces.push(Piece::Text(rest));
        Some(pieces)
    }
}
