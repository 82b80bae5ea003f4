//! The file of `apply` and `export`, version 1, once it is read: every key known, every member of its kind.

use serde_json::{Map, Value};

use super::reader::{Mistakes, Reader};
use super::sealing::{Opener, Sealing};
use super::{clients, groups, message_templates, properties, resources, roles, segments, terms, users, webhooks};
use crate::flow::Error;
use crate::model::Secret;

/// The file, read.
pub struct Document {
    pub(super) settings: Map<String, Value>,
    pub(super) resources: Vec<resources::Entry>,
    pub(super) permissions: Vec<roles::Entry>,
    pub(super) roles: Vec<roles::Entry>,
    pub(super) clients: Vec<clients::Entry>,
    pub(super) groups: Vec<groups::Entry>,
    pub(super) users: Vec<users::Entry>,
    pub(super) terms: Vec<terms::Entry>,
    pub(super) properties: Vec<properties::Entry>,
    pub(super) message_templates: Vec<message_templates::Entry>,
    pub(super) webhooks: Vec<webhooks::Entry>,
    pub(super) segments: Vec<segments::Entry>,
    pub(super) prune: Vec<Section>,
}

/// A section that can be pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Resources,
    Permissions,
    Roles,
    Clients,
    Groups,
    Users,
    Webhooks,
    Segments,
}

impl Section {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "resources" => Some(Self::Resources),
            "permissions" => Some(Self::Permissions),
            "roles" => Some(Self::Roles),
            "clients" => Some(Self::Clients),
            "groups" => Some(Self::Groups),
            "users" => Some(Self::Users),
            "webhooks" => Some(Self::Webhooks),
            "segments" => Some(Self::Segments),
            _ => None,
        }
    }
}

impl Document {
    /// Reads a file. References to environment and files must have been replaced by what they refer to. `passphrase` opens
    /// what `export --with-secrets` sealed.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong.
    pub fn read(file: &Value, passphrase: Option<&Secret>) -> Result<Self, Error> {
        let mut mistakes = Mistakes::default();
        let document = read(file, passphrase, &mut mistakes);
        match document {
            Some(document) if mistakes.0.is_empty() => Ok(document),
            _ => Err(Error::Invalid(mistakes.0)),
        }
    }
}

fn read(file: &Value, passphrase: Option<&Secret>, mistakes: &mut Mistakes) -> Option<Document> {
    let mut reader = Reader::open(file, String::new(), mistakes)?;
    match reader.value("version") {
        Some(Value::Number(number)) if number.as_u64() == Some(1) => (),
        Some(_) => mistakes.add("/version", "unsupported", "this program reads version 1"),
        None => mistakes.add("/version", "required", "expected \"version\": 1 at the top"),
    }
    let settings = match reader.value("settings") {
        None => Map::new(),
        Some(Value::Object(table)) => table.clone(),
        Some(_) => {
            mistakes.add("/settings", "type", "expected an object");
            Map::new()
        }
    };
    let opener = match reader.value("sealing") {
        None => Opener::without(),
        Some(value) => match (Sealing::read(value), passphrase) {
            (Some(sealing), Some(passphrase)) => Opener::with(&sealing, passphrase, mistakes),
            (Some(_), None) => {
                mistakes.add(
                    "/sealing",
                    "passphrase",
                    "the file holds sealed secrets; their passphrase is needed",
                );
                Opener::without()
            }
            (None, _) => {
                mistakes.add(
                    "/sealing",
                    "invalid",
                    "this program can't read the way the secrets are sealed",
                );
                Opener::without()
            }
        },
    };
    let resources = each(&mut reader, "resources", mistakes, resources::Entry::read);
    let permissions = each(&mut reader, roles::PERMISSIONS, mistakes, roles::Entry::read_permission);
    twice(
        permissions.iter().map(|entry| (&entry.pointer, entry.name.clone())),
        mistakes,
    );
    let roles = each(&mut reader, roles::ROLES, mistakes, roles::Entry::read_role);
    twice(roles.iter().map(|entry| (&entry.pointer, entry.key())), mistakes);
    let clients = each(&mut reader, "clients", mistakes, |entry, mistakes| {
        clients::Entry::read(entry, &opener, mistakes)
    });
    let groups = each(&mut reader, "groups", mistakes, groups::Entry::read);
    let users = each(&mut reader, "users", mistakes, |entry, mistakes| {
        users::Entry::read(entry, &opener, mistakes)
    });
    let message_templates = each(
        &mut reader,
        message_templates::SECTION,
        mistakes,
        message_templates::Entry::read,
    );
    twice(
        message_templates.iter().map(|entry| (&entry.pointer, entry.name())),
        mistakes,
    );
    twice(
        resources.iter().map(|entry| (&entry.pointer, entry.identifier.clone())),
        mistakes,
    );
    twice(
        clients.iter().map(|entry| (&entry.pointer, entry.client_id.clone())),
        mistakes,
    );
    twice(groups.iter().map(|entry| (&entry.pointer, entry.key())), mistakes);
    twice(users.iter().map(|entry| (&entry.pointer, entry.key())), mistakes);
    let terms = each(&mut reader, "terms", mistakes, terms::Entry::read);
    twice(terms.iter().map(|entry| (&entry.pointer, entry.key())), mistakes);
    let properties = each(&mut reader, properties::SECTION, mistakes, properties::Entry::read);
    twice(
        properties.iter().map(|entry| (&entry.pointer, entry.name.clone())),
        mistakes,
    );
    let webhooks = each(&mut reader, webhooks::SECTION, mistakes, |entry, mistakes| {
        webhooks::Entry::read(entry, &opener, mistakes)
    });
    twice(
        webhooks.iter().map(|entry| (&entry.pointer, entry.name.clone())),
        mistakes,
    );
    let segments = each(&mut reader, segments::SECTION, mistakes, segments::Entry::read);
    twice(segments.iter().map(|entry| (&entry.pointer, entry.key())), mistakes);
    let prune = prune(&mut reader, mistakes);
    reader.finish(mistakes);
    Some(Document {
        settings,
        resources,
        permissions,
        roles,
        clients,
        groups,
        users,
        terms,
        properties,
        message_templates,
        webhooks,
        segments,
        prune,
    })
}

fn each<'a, T>(
    reader: &mut Reader<'a>,
    section: &'static str,
    mistakes: &mut Mistakes,
    read: impl Fn(Reader<'a>, &mut Mistakes) -> Option<T>,
) -> Vec<T> {
    reader
        .entries(section, mistakes)
        .into_iter()
        .filter_map(|entry| read(entry, mistakes))
        .collect()
}

/// Two entries of one name would each undo the other, again and again.
fn twice<'a>(named: impl Iterator<Item = (&'a String, String)>, mistakes: &mut Mistakes) {
    let mut seen = std::collections::BTreeSet::new();
    for (pointer, name) in named {
        if !seen.insert(name) {
            mistakes.add(pointer, "twice", "this name stands in the file twice");
        }
    }
}

fn prune(reader: &mut Reader<'_>, mistakes: &mut Mistakes) -> Vec<Section> {
    let named = reader.texts("prune", mistakes).unwrap_or_default();
    let mut sections = Vec::new();
    for (index, name) in named.iter().enumerate() {
        match Section::parse(name) {
            Some(section) => sections.push(section),
            None => mistakes.add(
                &format!("/prune/{index}"),
                "unknown",
                "expected resources, permissions, roles, clients, groups, users, segments or webhooks",
            ),
        }
    }
    sections
}
