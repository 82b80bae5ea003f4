//! The languages Ostiary speaks: a fixed list.

/// A language with a file of texts in `templates/locale/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locale {
    /// `en`, what is used when nothing else fits.
    #[default]
    English,
    /// `de`
    German,
    /// `fr`
    French,
}

impl Locale {
    /// Every one, in the order in which the language switch shows them.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// The language tag (RFC 5646), as in `lang`, `ui_locales` and a user's `locale`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// What the language calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
        }
    }

    /// The value of `dir`.
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German | Self::French => "ltr",
        }
    }

    /// The locale for a tag such as `de`, `de-AT` or `de_CH`: its primary subtag decides, in any letter case.
    pub fn from_tag(tag: &str) -> Option<Self> {
        // The longest tag anyone needs is 35 octets (RFC 5646 section 4.4.1).
        if tag.len() > 35 {
            return None;
        }
        let primary = tag.split(['-', '_']).next()?.trim();
        Self::ALL
            .into_iter()
            .find(|locale| locale.tag().eq_ignore_ascii_case(primary))
    }
}
