//! Mail domains as an operator names them: `example.com` is that one alone, `.example.com` or `*.example.com` every one below it.
//! They are compared in the form that mail goes by: lower case, and other scripts as RFC 5891 spells them in ASCII.

use url::Host;

/// RFC 1035 section 3.1.
const LONGEST: usize = 253;

/// One domain, or all that are below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailDomain {
    /// In its canonical form.
    name: String,
    reach: Reach,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Itself,
    Below,
}

impl MailDomain {
    /// Reads `example.com`, `.example.com` or `*.example.com`, in any script.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        let reach = if below.is_some() { Reach::Below } else { Reach::Itself };
        let name = canonical(below.unwrap_or(text))?;
        Some(Self { name, reach })
    }

    /// Whether an address at this canonical domain is meant.
    pub fn covers(&self, domain: &str) -> bool {
        match self.reach {
            Reach::Itself => domain == self.name,
            Reach::Below => domain
                .strip_suffix(&self.name)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|below| !below.is_empty()),
        }
    }
}

impl std::fmt::Display for MailDomain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.reach {
            Reach::Itself => formatter.write_str(&self.name),
            Reach::Below => write!(formatter, "*.{}", self.name),
        }
    }
}

/// The canonical form of a domain; none of what is no domain that gets mail.
pub fn canonical(domain: &str) -> Option<String> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let Ok(Host::Domain(name)) = Host::parse(domain) else {
        return None;
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= LONGEST && name.split('.').all(is_label)).then_some(name)
}

/// The canonical domain of a mail address.
pub fn domain_of(email: &str) -> Option<String> {
    email.rsplit_once('@').and_then(|(_, domain)| canonical(domain))
}
