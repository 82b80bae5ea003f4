//! A browser and the device it runs on, in the words that people use, as far as the browser's description of itself says.

use serde::{Deserialize, Serialize};

/// A browser on a device. Nothing vouches for either.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `Firefox`; nothing if it is none of those that people know by name.
    pub browser: Option<String>,
    /// `Windows`, `iPhone`; nothing if it is none of those that people know by name.
    pub system: Option<String>,
}

/// What a description holds, and whose it is then. The first that fits: newer browsers name older ones to be treated alike.
const BROWSERS: &[(&str, &str)] = &[
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("OPX/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
];

const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

impl Device {
    /// Reads a `User-Agent` (RFC 9110 section 10.1.5).
    pub fn read(user_agent: &str) -> Self {
        let named = |names: &[(&str, &str)]| {
            let found = names.iter().find(|(mark, _)| user_agent.contains(mark));
            found.map(|(_, name)| (*name).to_owned())
        };
        Self {
            // Safari alone is told by what many others say too
            browser: named(BROWSERS).filter(|name| name != "Safari" || user_agent.contains("Safari/")),
            system: named(SYSTEMS),
        }
    }
}
