//! What would become of the rows of a file: judged by the same laws as one user, and made of nobody yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::import_heading;
use super::import_row::{ImportedChange, Said};
use super::permissions::is_of_administration;
use super::users::judge_user;
use super::{ChangeSource, GroupRules, fields, property_values};
use crate::credential::FirebaseParameters;
use crate::flow::{Call, Error, FieldError, Provider};
use crate::model::group::ADMIN;
use crate::model::setting::Settings;
use crate::model::user::comparison_key;
use crate::model::{
    Group, Id, Import, ImportOptions, ImportOutcome, ImportPlan, ImportRow, MatchBy, OnExisting, Property, User,
    UserKind, UserStatus,
};
use crate::store::{ImportKeys, Named, NewImportRow, Read};

/// What is shown of a name that can't be taken.
const LONGEST_SHOWN: usize = 150;

/// Why a row is refused: a word and a sentence.
type Refusal = (String, String);
/// What a row is to do, with whom, and what is kept of it until then.
type Judged = Result<(ImportPlan, Option<Id<User>>, Option<String>), Refusal>;

/// Judges rows, with what is known of the installation at this moment.
pub(in crate::flow) struct ImportJudge<'a> {
    pub(super) provider: &'a Provider,
    pub(super) call: &'a Call,
    pub(super) source: &'a ChangeSource,
    pub(super) options: &'a ImportOptions,
    pub(super) properties: Arc<Vec<Property>>,
    pub(super) settings: Arc<Settings>,
    pub(super) firebase: Option<FirebaseParameters>,
    pub(super) group_rules: GroupRules,
    groups: BTreeMap<String, Option<KnownGroup>>,
}

/// A group by its name, and what stands against putting somebody into it.
#[derive(Clone)]
pub(super) struct KnownGroup {
    pub(super) id: Id<Group>,
    missing: Option<String>,
    administers: bool,
}

impl<'a> ImportJudge<'a> {
    pub(in crate::flow) async fn new(
        provider: &'a Provider,
        call: &'a Call,
        source: &'a ChangeSource,
        (options, firebase): (&'a ImportOptions, Option<FirebaseParameters>),
    ) -> Result<Self, Error> {
        let settings = provider.settings().await?;
        Ok(Self {
            provider,
            call,
            source,
            options,
            properties: provider.properties().await?,
            group_rules: GroupRules::of(&settings),
            settings,
            firebase,
            groups: BTreeMap::new(),
        })
    }

    /// What the columns say.
    pub(in crate::flow) fn heading(&self, cells: &[String]) -> Result<Vec<Option<String>>, (&'static str, String)> {
        import_heading::understand(cells, self.options, &self.properties)
    }

    /// Judges rows that follow one another, `first` being the number of the first.
    pub(in crate::flow) async fn judge(
        &mut self,
        import: Id<Import>,
        heading: &[Option<String>],
        (first, rows): (i64, &[Vec<String>]),
    ) -> Result<Vec<NewImportRow>, Error> {
        let mut store = self.provider.store.read().await?;
        let said: Vec<Said<'_>> = rows.iter().map(|row| Said::of(heading, row)).collect();
        let keys: BTreeSet<String> = said
            .iter()
            .flat_map(|said| [said.username(), said.email()])
            .flatten()
            .map(comparison_key)
            .collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let there = store.list_users_named(&keys).await?;
        let earlier = store.list_import_keys(import, &keys).await?;
        let mut taken: BTreeSet<String> = earlier.into_iter().flat_map(names_of).collect();
        let named = NamedUsers::of(there);
        let mut judged = Vec::with_capacity(rows.len());
        for said in &said {
            let number = first.saturating_add(i64::try_from(judged.len()).unwrap_or(i64::MAX));
            let new = self.judge_one(&mut store, said, number, (&named, &mut taken)).await?;
            judged.push(new);
        }
        Ok(judged)
    }

    async fn judge_one(
        &mut self,
        store: &mut Read,
        said: &Said<'_>,
        number: i64,
        (named, taken): (&NamedUsers, &mut BTreeSet<String>),
    ) -> Result<NewImportRow, Error> {
        let (username, email) = (said.username().map(comparison_key), said.email().map(comparison_key));
        let mut new = NewImportRow {
            row: ImportRow {
                number,
                plan: ImportPlan::Refuse,
                outcome: ImportOutcome::Planned,
                username: said.username().map(|name| name.chars().take(LONGEST_SHOWN).collect()),
                user: None,
                content: None,
                former: None,
                code: None,
                detail: None,
            },
            username_key: None,
            email_key: None,
        };
        let refuse = |new: NewImportRow, (code, detail): Refusal| {
            let row = ImportRow {
                code: Some(code),
                detail: Some(detail),
                ..new.row
            };
            NewImportRow { row, ..new }
        };
        if said.is_empty() || username.is_none() {
            let detail = "/username: expected a username, or a mail address".to_owned();
            return Ok(refuse(new, ("required".to_owned(), detail)));
        }
        if [&username, &email].into_iter().flatten().any(|key| taken.contains(key)) {
            let detail = "an earlier row has the same username or mail address".to_owned();
            return Ok(refuse(new, ("twice".to_owned(), detail)));
        }
        let existing = match self.options.match_by {
            MatchBy::Username => username.as_ref().and_then(|key| named.by_username.get(key)),
            MatchBy::Email => email.as_ref().and_then(|key| named.by_email.get(key)),
        };
        let done = match (existing, self.options.on_existing) {
            (Some(_), OnExisting::Fail) => Err(("exists".to_owned(), "there is such a user".to_owned())),
            (Some(id), OnExisting::Skip) => Ok((ImportPlan::Skip, Some(*id), None)),
            (Some(id), OnExisting::Update) => self.judge_update(store, said, *id, named).await?,
            (None, _) => self.judge_create(store, said, named).await?,
        };
        Ok(match done {
            Err(refusal) => refuse(new, refusal),
            Ok((plan, user, content)) => {
                taken.extend(username.iter().chain(&email).cloned());
                new.username_key = username;
                new.email_key = email;
                new.row.plan = plan;
                new.row.user = user;
                new.row.content = content;
                new
            }
        })
    }

    async fn judge_create(&mut self, store: &mut Read, said: &Said<'_>, named: &NamedUsers) -> Result<Judged, Error> {
        let user = match said.user(self.options, &self.properties, self.firebase.as_ref()) {
            Ok(user) => user,
            Err(error) => return Ok(Err(told(&error))),
        };
        let new = user.as_new();
        if let Some(refusal) = refused(judge_user(self.provider, &self.settings, &new))? {
            return Ok(Err(refusal));
        }
        if new.status == UserStatus::Invited && new.profile.email.is_none() {
            let detail = "/email: an invitation needs an address to go to".to_owned();
            return Ok(Err(("required".to_owned(), detail)));
        }
        if named.is_taken(&new.username) || new.profile.email.as_deref().is_some_and(|email| named.is_taken(email)) {
            let detail = "somebody else has the username or mail address".to_owned();
            return Ok(Err(("taken".to_owned(), detail)));
        }
        if let Some(subject) = &new.subject
            && (store.is_subject_departed(subject).await? || store.find_user_by_subject(subject).await?.is_some())
        {
            return Ok(Err((
                "taken".to_owned(),
                "/subject: somebody has it, or had".to_owned(),
            )));
        }
        if let Some(refusal) = refused(self.may_make(&user.kind))? {
            return Ok(Err(refusal));
        }
        let mut profile = new.profile.clone();
        let errors = property_values::judge(&self.properties, self.source, None, &mut profile);
        if let Some(error) = errors.first() {
            return Ok(Err(told(error)));
        }
        self.learn(store, &user.groups).await?;
        if let Some(refusal) = self.judge_groups(&user.groups) {
            return Ok(Err(refusal));
        }
        let content = serde_json::to_string(&user).map_err(|error| Error::Failed(Box::new(error)))?;
        Ok(Ok((ImportPlan::Create, Some(Id::new(self.call.now)), Some(content))))
    }

    async fn judge_update(
        &mut self,
        store: &mut Read,
        said: &Said<'_>,
        id: Id<User>,
        named: &NamedUsers,
    ) -> Result<Judged, Error> {
        let Some(before) = store.find_user(id).await? else {
            let detail = "somebody of another import that is not visible yet has it".to_owned();
            return Ok(Err(("taken".to_owned(), detail)));
        };
        let imported = match said.change(&before, self.options, &self.properties) {
            Ok(imported) => imported,
            Err(error) => return Ok(Err(told(&error))),
        };
        let mut user = before.clone();
        imported.change.clone().make(&mut user);
        let mut errors = fields::check_user(&user.username, &user.profile);
        let had = Some(&before.profile);
        errors.extend(property_values::judge(
            &self.properties,
            self.source,
            had,
            &mut user.profile,
        ));
        if let Some(error) = errors.first() {
            return Ok(Err(told(error)));
        }
        let names = [Some(user.username.as_str()), user.profile.email.as_deref()];
        if names.into_iter().flatten().any(|name| named.is_of_another(name, id)) {
            let detail = "somebody else has the username or mail address".to_owned();
            return Ok(Err(("taken".to_owned(), detail)));
        }
        let held = store.list_permissions_of(id).await?;
        let rights = self.source.must_outrank(&held);
        let kind = if user.kind == before.kind {
            Ok(())
        } else {
            self.may_make(&user.kind)
        };
        if let Some(refusal) = refused(rights.and(kind))? {
            return Ok(Err(refusal));
        }
        self.learn(store, &imported.groups).await?;
        if let Some(refusal) = self.judge_groups(&imported.groups) {
            return Ok(Err(refusal));
        }
        let content = serde_json::to_string(&imported).map_err(|error| Error::Failed(Box::new(error)))?;
        Ok(Ok((ImportPlan::Update, Some(id), Some(content))))
    }

    pub(super) fn may_make(&self, kind: &UserKind) -> Result<(), Error> {
        match kind {
            UserKind::Admin => self.source.must_cover([ADMIN]),
            _ => Ok(()),
        }
    }

    /// Looks groups up that are not known yet.
    pub(super) async fn learn(&mut self, store: &mut Read, names: &[String]) -> Result<(), Error> {
        let names: Vec<String> = names.iter().chain(&self.group_rules.default).cloned().collect();
        for name in names {
            let key = comparison_key(&name);
            if self.groups.contains_key(&key) {
                continue;
            }
            let known = match store.find_group_by_name(&name).await? {
                None => None,
                Some(group) => {
                    let carried = store.list_permissions_by(group.id).await?;
                    let covered = self.source.must_cover(carried.iter().map(String::as_str));
                    Some(KnownGroup {
                        id: group.id,
                        missing: match covered {
                            Err(Error::Forbidden(permission)) => Some(permission),
                            _ => None,
                        },
                        administers: carried.iter().any(|permission| is_of_administration(permission)),
                    })
                }
            };
            self.groups.insert(key, known);
        }
        Ok(())
    }

    pub(super) fn group(&self, name: &str) -> Option<&KnownGroup> {
        self.groups.get(&comparison_key(name))?.as_ref()
    }

    /// The group of whoever has none: one that carries a right of administration is none.
    pub(super) fn default_group(&self) -> Option<Id<Group>> {
        let group = self.group(self.group_rules.default.as_deref()?)?;
        (!group.administers).then_some(group.id)
    }

    pub(super) fn judge_groups(&self, names: &[String]) -> Option<Refusal> {
        for name in names {
            match self.group(name) {
                None => {
                    let shown: String = name.chars().take(60).collect();
                    return Some(("unknown".to_owned(), format!("/groups: there is no group {shown:?}")));
                }
                Some(KnownGroup {
                    missing: Some(permission),
                    ..
                }) => {
                    let detail = format!("/groups: it takes the permission {permission}");
                    return Some(("forbidden".to_owned(), detail));
                }
                Some(_) => {}
            }
        }
        if names.is_empty() && self.group_rules.mandatory && self.default_group().is_none() {
            return Some((
                "required".to_owned(),
                "/groups: everybody has to be in a group".to_owned(),
            ));
        }
        None
    }
}

/// Whoever is there with the names of some rows.
pub(super) struct NamedUsers {
    by_username: BTreeMap<String, Id<User>>,
    by_email: BTreeMap<String, Id<User>>,
}

impl NamedUsers {
    pub(super) fn of(there: Vec<Named>) -> Self {
        let mut named = Self {
            by_username: BTreeMap::new(),
            by_email: BTreeMap::new(),
        };
        for user in there {
            if let Some(email) = user.email {
                named.by_email.insert(email, user.user);
            }
            named.by_username.insert(user.username, user.user);
        }
        named
    }

    pub(super) fn is_taken(&self, name: &str) -> bool {
        let key = comparison_key(name);
        self.by_username.contains_key(&key) || self.by_email.contains_key(&key)
    }

    fn is_of_another(&self, name: &str, id: Id<User>) -> bool {
        let key = comparison_key(name);
        let holders = [self.by_username.get(&key), self.by_email.get(&key)];
        holders.into_iter().flatten().any(|holder| *holder != id)
    }
}

fn names_of(keys: ImportKeys) -> impl Iterator<Item = String> {
    keys.username.into_iter().chain(keys.email)
}

fn told(error: &FieldError) -> Refusal {
    (error.code.to_owned(), format!("{}: {}", error.pointer, error.detail))
}

/// Why it is refused; an error where nobody can tell now.
pub(super) fn refused<T>(judged: Result<T, Error>) -> Result<Option<Refusal>, Error> {
    match judged {
        Ok(_) => Ok(None),
        Err(error) => match super::bulk::refusal(&error) {
            Some(refusal) => Ok(Some(refusal)),
            None => Err(error),
        },
    }
}

/// What a row changes, of what was kept of it.
pub(in crate::flow) fn read_change(content: &str) -> Result<ImportedChange, Error> {
    serde_json::from_str(content).map_err(|error| Error::Failed(Box::new(error)))
}
