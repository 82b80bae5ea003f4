//! Setting passwords. They are hashed before the transaction begins; a new one ends what the old one let in.

use super::departure::{self, Departure};
use super::news::{News, PostedLink};
use super::{ChangeSource, NewUser, PasswordRules, breach_service, server_account, standing};
use crate::credential::{self, Pattern, Policy, Verdict, Weakness};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, FieldError, Provider, letter};
use crate::model::setting::Settings;
use crate::model::{EventKind, Id, PasswordHash, PasswordSetter, Profile, Secret, Session, User};
use crate::store::Write;
use crate::view;

/// What a user's password becomes.
#[derive(Clone, Debug, Default)]
pub enum NewPassword {
    /// None: the account can't be signed in to by password.
    #[default]
    None,
    /// This one.
    Given(Secret),
    /// One that is made up here and told once; where nobody else may see one, a link is mailed in its place.
    Generated,
    /// The person sets it, by a link that is mailed.
    Mailed,
    /// The one this hash was made of, for moving in.
    Hash(PasswordHash),
}

impl PasswordRules {
    /// What becomes of a password that somebody else sets: where nobody may see one, a link is mailed in the place of one that would be
    /// made up.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that is given or brought along there.
    pub(super) fn admit(&self, password: NewPassword) -> Result<NewPassword, Error> {
        let pointer = match (&password, self.generated_only) {
            (NewPassword::Given(_), true) => "/password",
            (NewPassword::Hash(_), true) => "/password_hash",
            (NewPassword::Generated, true) => return Ok(NewPassword::Mailed),
            _ => return Ok(password),
        };
        let detail = "here nobody sets a password for somebody else (password.generated_only): have a link mailed";
        Err(Error::field(pointer, "generated_only", detail))
    }
}

/// Whether passwords are taken that the policy calls weak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeakPasswords {
    /// They are refused.
    #[default]
    Refuse,
    /// They are taken: whoever says so knows why.
    Accept,
    /// They are taken, and the person has to replace them at the first sign-in.
    AcceptForNow,
}

/// A password ready to be stored.
pub(super) struct Prepared {
    /// What is stored.
    pub hash: Option<PasswordHash>,
    /// What is told once.
    pub told: Option<Secret>,
}

/// Which of somebody's sessions end with their password. What applications were granted before ends in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// All of them.
    EndAll,
    /// All but this one.
    EndOthers(Id<Session>),
    /// None.
    Keep,
}

/// Sets the password of a user and ends the user's sessions and grants. Gives a generated password, to be told once.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Forbidden`] if the user holds rights of administration that the caller lacks,
/// [`Error::Invalid`] for a password that can't be taken or an unusable hash, [`Error::Busy`].
pub async fn set_password(
    provider: &Provider,
    call: &Call,
    source: &ChangeSource,
    id: Id<User>,
    password: NewPassword,
    weak: WeakPasswords,
) -> Result<Option<Secret>, Error> {
    let user = super::get_user(provider, id).await?;
    source.must_outrank(&provider.store.read().await?.list_permissions_of(id).await?)?;
    server_account::must_be_a_persons(&user)?;
    standing::must_not_be_binned(&user)?;
    let password = match setter(source) {
        PasswordSetter::Person => password,
        PasswordSetter::Other => super::password_rules_of(provider, call, id).await?.admit(password)?,
    };
    if matches!(password, NewPassword::Mailed) {
        super::password_link::mail(provider, call, source, &user).await?;
        return Ok(None);
    }
    let judged = Judged::of(provider, call, &user, (password, weak), setter(source)).await?;
    let mut tx = provider.store.write().await?;
    let done = set_in(&mut tx, call, source, (id, &judged)).await;
    settle(tx, done).await?;
    departure::end_browsers(provider, call, id).await;
    Ok(judged.told)
}

const fn setter(source: &ChangeSource) -> PasswordSetter {
    match source {
        ChangeSource::Person | ChangeSource::Setup => PasswordSetter::Person,
        ChangeSource::Api(_) | ChangeSource::Apply | ChangeSource::Command | ChangeSource::Term => {
            PasswordSetter::Other
        }
    }
}

async fn set_in(
    tx: &mut Write,
    call: &Call,
    source: &ChangeSource,
    (id, judged): (Id<User>, &Judged),
) -> Result<(), Error> {
    // rights may have changed while the hash was made
    source.must_outrank(&tx.list_permissions_of(id).await?)?;
    if tx.find_user(id).await?.is_none() {
        return Err(Error::NotFound);
    }
    tx.set_password(id, &judged.hash, setter(source), call.now).await?;
    tx.trim_password_history(id, judged.history).await?;
    departure::end_everything(tx, call, id, Departure::PasswordChanged).await?;
    let event = call.event(EventKind::PasswordChanged).user(id);
    tx.add_event(&event.fact("source", source.fact())).await?;
    // whoever it was, the person learns of it
    if let Some(mail) = &judged.mail {
        mail.write(tx, call).await?;
    }
    Ok(())
}

/// Sets a person's own password, as a part of a transaction in which it was shown who they are, and tells them by mail. Gives which
/// single sessions ended: what lies in the session store is cleared afterwards.
pub(super) async fn set_own_in(
    tx: &mut Write,
    call: &Call,
    (user, judged): (&User, &Judged),
    sessions: Sessions,
    because: &'static str,
) -> Result<Vec<Id<Session>>, Error> {
    tx.set_password(user.id, &judged.hash, PasswordSetter::Person, call.now)
        .await?;
    tx.trim_password_history(user.id, judged.history).await?;
    let ended = match sessions {
        Sessions::EndAll => {
            departure::end_everything(tx, call, user.id, Departure::PasswordChanged).await?;
            Vec::new()
        }
        Sessions::EndOthers(session) => departure::end_all_but(tx, call, user.id, session).await?,
        Sessions::Keep => {
            tx.end_grants_of_user(user.id, call.now, "password_changed").await?;
            Vec::new()
        }
    };
    let event = call.event(EventKind::PasswordChanged).because(because).user(user.id);
    tx.add_event(&event.fact("source", ChangeSource::Person.fact())).await?;
    if let Some(mail) = &judged.mail {
        mail.write(tx, call).await?;
    }
    Ok(ended)
}

/// A new password of somebody that was judged and hashed: nothing is left to do but to store it.
pub(in crate::flow) struct Judged {
    hash: PasswordHash,
    told: Option<Secret>,
    /// So many former ones are remembered.
    history: u32,
    /// What tells the person.
    mail: Option<News>,
}

impl Judged {
    /// Judges a new password by the rules that count for the person.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a password that can't be taken or an unusable hash, [`Error::Busy`].
    pub(super) async fn of(
        provider: &Provider,
        call: &Call,
        user: &User,
        (password, weak): (NewPassword, WeakPasswords),
        setter: PasswordSetter,
    ) -> Result<Self, Error> {
        let rules = super::password_rules_of(provider, call, user.id).await?;
        let given = match &password {
            NewPassword::Given(secret) if weak == WeakPasswords::Refuse => Some(secret.clone()),
            _ => None,
        };
        if let Some(secret) = &given {
            judge(provider, rules, &user.username, &user.profile, (secret, weak))?;
            must_be_new(provider, user, secret, rules.history).await?;
        }
        let prepared = prepare(provider, rules, &user.username, &user.profile, (password, weak)).await?;
        let Some(hash) = prepared.hash else {
            return Err(Error::field("/password", "required", "expected a password"));
        };
        Ok(Self {
            hash,
            told: prepared.told,
            history: rules.history,
            mail: changed_mail(provider, call, user, setter).await?,
        })
    }
}

/// Refuses a password that the person has, or had a while ago. Each comparison costs a hash.
async fn must_be_new(provider: &Provider, user: &User, password: &Secret, history: u32) -> Result<(), Error> {
    if history == 0 {
        return Ok(());
    }
    let former = {
        let mut store = provider.store.read().await?;
        store.list_former_passwords(user.id, history.saturating_sub(1)).await?
    };
    for hash in user.password.iter().chain(&former) {
        let Ok(stored) = credential::PasswordHash::parse(hash.expose()) else {
            continue;
        };
        let verdict = provider.passwords.verify(password.clone(), Some(stored)).await?;
        if matches!(verdict, Verdict::Right { .. }) {
            return Err(Error::field("/password", "used_before", "the password was used before"));
        }
    }
    Ok(())
}

/// The mail that tells of a password that was set, by the person or for them.
async fn changed_mail(
    provider: &Provider,
    call: &Call,
    user: &User,
    setter: PasswordSetter,
) -> Result<Option<News>, Error> {
    let Some(recipient) = user.profile.email.clone() else {
        return Ok(None);
    };
    let lock = PostedLink::locking(provider, user.id, &recipient)?;
    let link = |path: &str| letter::link(provider, path);
    let mail = view::Mail::PasswordChanged(view::PasswordChanged {
        name: user.full_name(),
        username: user.username.clone(),
        at: call.now.micros(),
        // where an administrator sits is nothing to the person
        address: match setter {
            PasswordSetter::Person => call.origin.address.map(|address| address.to_string()),
            PasswordSetter::Other => None,
        },
        by_administrator: setter == PasswordSetter::Other,
        sign_in: link("/login")?,
        recovery: match super::is_recovery_enabled(provider).await? {
            true => Some(link("/login/forgot")?),
            false => None,
        },
        lock: lock.page.clone(),
    });
    let mail = letter::to(provider, user, recipient, ("password_changed", &mail))?;
    Ok(Some(News::with(mail, lock)))
}

/// Judges a password and makes its hash.
pub(super) async fn prepare(
    provider: &Provider,
    rules: PasswordRules,
    username: &str,
    profile: &Profile,
    (password, weak): (NewPassword, WeakPasswords),
) -> Result<Prepared, Error> {
    let (secret, told) = match password {
        NewPassword::None | NewPassword::Mailed => return Ok(Prepared { hash: None, told: None }),
        NewPassword::Hash(hash) => {
            // what can't be verified would lock the person out without a word
            judge_hash(&hash)?;
            return Ok(Prepared {
                hash: Some(hash),
                told: None,
            });
        }
        NewPassword::Given(secret) => {
            judge(provider, rules, username, profile, (&secret, weak))?;
            if weak == WeakPasswords::Refuse && breach_service::lists(provider, &secret).await? {
                return Err(weakness(Weakness::Breached));
            }
            (secret, None)
        }
        NewPassword::Generated => {
            let secret = credential::generate_password();
            (secret.clone(), Some(secret))
        }
    };
    let hash = match provider.passwords.hash(secret).await {
        Ok(hash) => hash,
        Err(credential::Error::Length) => return Err(weakness(Weakness::TooLong)),
        Err(error) => return Err(error.into()),
    };
    Ok(Prepared {
        hash: Some(PasswordHash::new(hash.expose())),
        told,
    })
}

/// Whether a password is taken for now, and would not be otherwise: the person has to replace it.
pub(super) fn is_for_now(provider: &Provider, rules: PasswordRules, new: &NewUser) -> bool {
    let NewPassword::Given(secret) = &new.password else {
        return false;
    };
    let judged = judge(
        provider,
        rules,
        &new.username,
        &new.profile,
        (secret, WeakPasswords::Refuse),
    );
    new.weak == WeakPasswords::AcceptForNow && judged.is_err()
}

/// Judges the password of a user to be by the rules for everyone, without the work of hashing it; those of the groups follow.
pub(super) fn judge_new(provider: &Provider, settings: &Settings, new: &NewUser) -> Result<(), Error> {
    if new.link.is_none() {
        PasswordRules::of_everyone(settings).admit(new.password.clone())?;
    }
    match &new.password {
        NewPassword::None | NewPassword::Generated | NewPassword::Mailed => Ok(()),
        NewPassword::Hash(hash) => judge_hash(hash),
        NewPassword::Given(secret) => {
            let rules = PasswordRules::of_everyone(settings);
            judge(provider, rules, &new.username, &new.profile, (secret, new.weak))
        }
    }
}

fn judge_hash(hash: &PasswordHash) -> Result<(), Error> {
    match credential::PasswordHash::parse(hash.expose()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::field(
            "/password_hash",
            "unsupported",
            "expected a password hash of a known kind (Argon2, bcrypt, scrypt, PBKDF2, SHA-crypt, salted SHA of a directory), within this server's bounds",
        )),
    }
}

fn judge(
    provider: &Provider,
    rules: PasswordRules,
    username: &str,
    profile: &Profile,
    (secret, weak): (&Secret, WeakPasswords),
) -> Result<(), Error> {
    if secret.expose().is_empty() {
        return Err(Error::field("/password", "required", "expected a password"));
    }
    if weak != WeakPasswords::Refuse {
        return Ok(());
    }
    let length = |count| usize::try_from(count).unwrap_or(usize::MAX);
    let policy = Policy {
        minimum_length: length(rules.least),
        maximum_length: length(rules.most),
        minimum_strength: rules.strength,
    };
    let host = provider.issuer.url().host_str().unwrap_or_default();
    let mut personal = vec![username, host];
    let names = [
        &profile.email,
        &profile.given_name,
        &profile.family_name,
        &profile.nickname,
        &profile.company,
    ];
    personal.extend(names.into_iter().filter_map(|name| name.as_deref()));
    credential::judge(secret.expose(), &policy, &personal, &provider.breached).map_err(weakness)
}

fn weakness(weakness: Weakness) -> Error {
    let code = match weakness {
        Weakness::TooShort => "too_short",
        Weakness::TooLong => "too_long",
        Weakness::Personal => "personal",
        Weakness::Sequence => "sequence",
        Weakness::Common => "common",
        Weakness::Breached => "breached",
        Weakness::Guessable(Pattern::Date) => "guessable_date",
        Weakness::Guessable(Pattern::Name) => "guessable_name",
        Weakness::Guessable(Pattern::Word) => "guessable_word",
        Weakness::Guessable(Pattern::Row) => "guessable_row",
        Weakness::Guessable(Pattern::Simple) => "guessable",
    };
    Error::Invalid(vec![FieldError {
        pointer: "/password".to_owned(),
        code,
        detail: weakness.to_string(),
    }])
}
