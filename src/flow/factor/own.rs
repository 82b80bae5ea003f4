//! A person's own second factors: begun, confirmed by a code, renamed, removed; and their recovery codes.
//!
//! Each change needs a proof of a moment ago, and once there is a factor, one that it was part of: a session that a password
//! alone has begun takes nothing away (SEC-256). Changes of one person's factors come one after another: they hold the account.

use super::check::open;
use super::kept_codes::prepare_codes;
use super::news::{self, What};
use super::{LIFETIME, MOST, SEALED_FOR};
use crate::credential::{PasskeyFault, Totp, Unsuitable, digest_recovery_code, generate_recovery_codes};
use crate::flow::again::again;
use crate::flow::session::{Asker, Browser, PROOF_GOOD_FOR, first_factor};
use crate::flow::settle::refuse;
use crate::flow::{Call, Error, Provider};
use crate::model::{
    Actor, Channel, Digest, Event, EventKind, Fact, Factor, FactorMeans, Id, OtpSecret, OtpShape, Secret, Timestamp,
    User,
};
use crate::store::{self, Write};

/// No name is longer, in characters.
const LONGEST_NAME: usize = 60;
/// What authenticators show above the codes of an installation without another name.
const ISSUER: &str = "Ostiary";

/// Somebody's second factors.
#[derive(Clone, Debug)]
pub struct OwnFactors {
    /// Those that count, in the order in which they came.
    pub factors: Vec<Factor>,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

/// An authenticator to be.
#[derive(Clone, Debug)]
pub struct NewFactor {
    /// What the person calls it.
    pub name: String,
    /// How its codes are made.
    pub shape: OtpShape,
}

/// An authenticator that was begun, as the person has to see it once.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What is confirmed.
    pub id: Id<Factor>,
    /// What the person calls it.
    pub name: String,
    /// The secret, in base32.
    pub secret: Secret,
    /// The same for an authenticator: an `otpauth` address.
    pub address: Secret,
    /// How its codes are made.
    pub shape: OtpShape,
    /// Until when it can be confirmed.
    pub until: Timestamp,
}

/// A factor that counts from now on.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// Which.
    pub id: Id<Factor>,
    /// The recovery codes that came with the first one: never to be seen again.
    pub recovery_codes: Option<Vec<Secret>>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// The person has to prove once more who they are.
    #[error("the person has to prove once more who they are")]
    ProofTooOld,
    /// The person has a second factor, and did not prove it in this session.
    #[error("the person has to prove once more who they are, with a second factor")]
    ProofTooWeak,
    /// The code is not the authenticator's.
    #[error("the code is wrong")]
    Wrong,
    /// What the browser answered is no passkey that can be taken.
    #[error(transparent)]
    Passkey(PasskeyFault),
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<store::Error> for NotChanged {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The factors of whoever asks.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn own_factors(provider: &Provider, user: Id<User>) -> Result<OwnFactors, Error> {
    let mut store = provider.store.read().await?;
    let factors = store.list_factors_of(user).await?;
    let left = store.count_recovery_codes_of(user).await?;
    Ok(OwnFactors {
        factors,
        recovery_codes: u64::try_from(left).unwrap_or_default(),
    })
}

/// Begins an authenticator, in the place of one that was begun before and not confirmed. It does not count yet.
///
/// # Errors
/// [`NotChanged`].
pub async fn begin(provider: &Provider, call: &Call, asker: Asker, new: NewFactor) -> Result<Begun, NotChanged> {
    let name = name_of(&new.name)?;
    let totp = Totp::generate(new.shape).map_err(unsuitable)?;
    let factor = Factor {
        id: Id::new(call.now),
        user: asker.user,
        name,
        means: FactorMeans::Totp(OtpSecret {
            sealed: provider.master.seal(SEALED_FOR, totp.secret()),
            shape: new.shape,
            last_step: 0,
        }),
        created_at: call.now,
        confirmed_at: None,
        used_at: None,
    };
    let held = make(provider, call, asker, &Change::Begin(&factor)).await?;
    Ok(shown(provider, &held.user, &factor)?)
}

/// What was begun, to be seen until it is confirmed: by whoever was let begin it.
///
/// # Errors
/// [`NotChanged`]; [`Error::NotFound`] if nothing was begun, or too long ago.
pub async fn look_at_begun(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    id: Id<Factor>,
) -> Result<Begun, NotChanged> {
    let (user, factor, others) = async {
        let mut store = provider.store.read().await?;
        let since = call.now.before(LIFETIME);
        let factor = store.find_unconfirmed_factor(asker.user, id, since).await?;
        let user = store.find_user(asker.user).await?;
        let others = store.list_factors_of(asker.user).await?;
        let found = user.zip(factor).ok_or(Error::NotFound)?;
        Ok::<_, Error>((found.0, found.1, others))
    }
    .await?;
    // set up at leisure: the proof has to have been fresh when it was begun
    judge(asker, factor.created_at.min(call.now), !others.is_empty())?;
    Ok(shown(provider, &user, &factor)?)
}

/// Lets an authenticator count, by a code of it. The first one comes with recovery codes.
///
/// Wrong codes are not counted: whoever may confirm it has been shown the secret.
///
/// # Errors
/// [`NotChanged`]: it does not count.
pub async fn confirm(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    id: Id<Factor>,
    code: &Secret,
) -> Result<Confirmed, NotChanged> {
    confirm_with(provider, call, asker, (id, code), RecoveryCodes::new()).await
}

/// The same for a browser, which may send its form twice: the codes are the same each time
/// ([`codes_that_came_with`](super::codes_that_came_with)).
///
/// # Errors
/// [`NotChanged`]: it does not count.
pub async fn confirm_in(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    asker: Asker,
    id: Id<Factor>,
    code: &Secret,
) -> Result<Confirmed, NotChanged> {
    let codes = prepare_codes(provider, call, browser, id).await?;
    confirm_with(provider, call, asker, (id, code), RecoveryCodes::of(codes)).await
}

async fn confirm_with(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    (id, code): (Id<Factor>, &Secret),
    codes: RecoveryCodes,
) -> Result<Confirmed, NotChanged> {
    let digests = &codes.digests;
    let held = make(provider, call, asker, &Change::Confirm { id, code, digests }).await?;
    Ok(confirmed(provider, call, asker, (id, &held, codes)).await)
}

/// What is told of a factor that counts from now on.
pub(super) async fn confirmed(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    (id, held, codes): (Id<Factor>, &Held, RecoveryCodes),
) -> Confirmed {
    let is_first = held.factors.is_empty();
    if is_first {
        first_factor::note(provider, call, asker).await;
    }
    Confirmed {
        id,
        recovery_codes: is_first.then_some(codes.plain),
    }
}

/// Calls a factor otherwise.
///
/// # Errors
/// [`NotChanged`].
pub async fn rename(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    id: Id<Factor>,
    name: &str,
) -> Result<(), NotChanged> {
    let name = &name_of(name)?;
    make(provider, call, asker, &Change::Rename { id, name })
        .await
        .map(drop)
}

/// Removes a factor; with the last one go the recovery codes.
///
/// # Errors
/// [`NotChanged`].
pub async fn remove(provider: &Provider, call: &Call, asker: Asker, id: Id<Factor>) -> Result<(), NotChanged> {
    make(provider, call, asker, &Change::Remove(id)).await.map(drop)
}

/// Has the second factor asked for on every device again. Needs no proof: whoever does it loses nothing but that.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn ask_everywhere(provider: &Provider, call: &Call, asker: Asker) -> Result<u64, Error> {
    let by = call.by(Actor::User(asker.user));
    super::remembered::forget(provider, &by, asker.user, |_| Ok(()), |event| event).await
}

/// Puts a new set of recovery codes in the place of the old one, of which none counts any more.
///
/// # Errors
/// [`NotChanged`]; [`Error::Conflict`] `no_factor` for somebody who has no factor.
pub async fn renew_recovery_codes(provider: &Provider, call: &Call, asker: Asker) -> Result<Vec<Secret>, NotChanged> {
    let codes = RecoveryCodes::new();
    make(provider, call, asker, &Change::RenewCodes(&codes.digests)).await?;
    Ok(codes.plain)
}

/// What is to become of somebody's factors.
pub(super) enum Change<'a> {
    Begin(&'a Factor),
    Confirm {
        id: Id<Factor>,
        code: &'a Secret,
        digests: &'a [Digest],
    },
    /// One that counts at once.
    Add {
        factor: &'a Factor,
        begun: Timestamp,
        digests: &'a [Digest],
    },
    Rename {
        id: Id<Factor>,
        name: &'a str,
    },
    Remove(Id<Factor>),
    RenewCodes(&'a [Digest]),
}

/// Makes a change, if whoever asks may. Gives what there was before.
pub(super) async fn make(
    provider: &Provider,
    call: &Call,
    asker: Asker,
    change: &Change<'_>,
) -> Result<Held, NotChanged> {
    let made = again(|| async {
        let mut tx = provider.store.write().await?;
        match make_in(provider, &mut tx, call, asker, change).await {
            Ok(held) => {
                tx.commit().await?;
                Ok(Ok(held))
            }
            Err(NotChanged::Failed(error)) => refuse(tx, error).await,
            Err(refused) => {
                tx.abandon().await?;
                Ok(Err(refused))
            }
        }
    });
    made.await?
}

async fn make_in(
    provider: &Provider,
    tx: &mut Write,
    call: &Call,
    asker: Asker,
    change: &Change<'_>,
) -> Result<Held, NotChanged> {
    let held = Held::of(tx, call, asker.user).await?;
    let has_factor = !held.factors.is_empty();
    let has_room = held.factors.len() < MOST;
    let (user, by) = (asker.user, call.by(Actor::User(asker.user)));
    if let Change::Confirm { id, code, digests } = change {
        let since = call.now.before(LIFETIME);
        let found = tx.find_unconfirmed_factor(user, *id, since).await?;
        let factor = found.ok_or(Error::NotFound)?;
        judge(asker, factor.created_at.min(call.now), has_factor)?;
        let otp = factor.otp().ok_or(Error::NotFound)?;
        let step = open(provider, otp)?.step_of(code, call.now, otp.last_step);
        let step = step.ok_or(NotChanged::Wrong)?;
        if !has_room {
            return Err(Error::Conflict("too_many_factors").into());
        }
        if !tx.confirm_factor(user, *id, step, call.now).await? {
            return Err(Error::NotFound.into());
        }
        added(provider, tx, call, &held, (&factor, digests)).await?;
        return Ok(held);
    }
    if let Change::Add { factor, begun, digests } = change {
        judge(asker, (*begun).min(call.now), has_factor)?;
        if let Some(channel) = factor.sent_by() {
            must_be_sendable(&held, channel)?;
        }
        if !has_room {
            return Err(Error::Conflict("too_many_factors").into());
        }
        tx.add_factor(factor).await.map_err(taken)?;
        added(provider, tx, call, &held, (factor, digests)).await?;
        return Ok(held);
    }
    judge(asker, call.now, has_factor)?;
    match change {
        Change::Begin(_) if !has_room => return Err(Error::Conflict("too_many_factors").into()),
        Change::Begin(factor) => {
            tx.forget_unconfirmed_factors_of(user).await?;
            tx.add_factor(factor).await?;
        }
        Change::Rename { id, name } => {
            let factor = held.find(*id)?;
            if factor.name != *name {
                tx.rename_factor(user, *id, name).await?;
                tx.add_event(&event(&by, EventKind::FactorRenamed, factor)).await?;
            }
        }
        Change::Remove(id) => {
            let factor = held.find(*id)?;
            tx.remove_factor(user, *id).await?;
            if held.factors.len() == 1 {
                tx.forget_recovery_codes_of(user).await?;
            }
            tx.add_event(&event(&by, EventKind::FactorRemoved, factor)).await?;
            let what = What::Removed {
                by_administrator: false,
            };
            news::write(provider, tx, call, &held.user, (what, Some(factor))).await?;
        }
        Change::RenewCodes(_) if !has_factor => return Err(Error::Conflict("no_factor").into()),
        Change::RenewCodes(digests) => {
            tx.replace_recovery_codes(user, digests, call.now).await?;
            tx.add_event(&by.event(EventKind::RecoveryCodesRenewed).user(user))
                .await?;
            news::write(provider, tx, call, &held.user, (What::CodesRenewed, None)).await?;
        }
        Change::Confirm { .. } | Change::Add { .. } => {}
    }
    Ok(held)
}

/// A factor counts from now on. `held`: what there was before.
async fn added(
    provider: &Provider,
    tx: &mut Write,
    call: &Call,
    held: &Held,
    (factor, digests): (&Factor, &[Digest]),
) -> Result<(), Error> {
    if held.factors.is_empty() {
        tx.replace_recovery_codes(factor.user, digests, call.now).await?;
    }
    let by = call.by(Actor::User(factor.user));
    tx.add_event(&event(&by, EventKind::FactorAdded, factor)).await?;
    news::write(provider, tx, call, &held.user, (What::Added, Some(factor))).await
}

/// Codes by one way are one factor, and go where the person is shown to be reached.
fn must_be_sendable(held: &Held, channel: Channel) -> Result<(), Error> {
    if held.factors.iter().any(|other| other.sent_by() == Some(channel)) {
        return Err(Error::Conflict("factor_there"));
    }
    match held.user.confirmed(channel) {
        Some(_) => Ok(()),
        None => Err(Error::Conflict("not_confirmed")),
    }
}

pub(super) fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Taken(_) => Error::Conflict("passkey_known"),
        other => other.into(),
    }
}

/// What a change begins with: the account, held, and its factors.
pub(super) struct Held {
    user: User,
    pub(super) factors: Vec<Factor>,
}

impl Held {
    async fn of(tx: &mut Write, call: &Call, user: Id<User>) -> Result<Self, Error> {
        tx.hold_user(user).await?;
        let found = tx.find_user(user).await?.filter(|user| user.is_active(call.now));
        Ok(Self {
            user: found.ok_or(Error::NotFound)?,
            factors: tx.list_factors_of(user).await?,
        })
    }

    fn find(&self, id: Id<Factor>) -> Result<&Factor, Error> {
        self.factors
            .iter()
            .find(|factor| factor.id == id)
            .ok_or(Error::NotFound)
    }
}

pub(super) fn judge(asker: Asker, at: Timestamp, has_factor: bool) -> Result<(), NotChanged> {
    if at >= asker.proved.after(PROOF_GOOD_FOR) {
        return Err(NotChanged::ProofTooOld);
    }
    if has_factor && !asker.is_multiple {
        return Err(NotChanged::ProofTooWeak);
    }
    Ok(())
}

fn shown(provider: &Provider, user: &User, factor: &Factor) -> Result<Begun, Error> {
    let otp = factor.otp().ok_or(Error::NotFound)?;
    let totp = open(provider, otp)?;
    let address = address(provider, user, &totp);
    Ok(Begun {
        id: factor.id,
        name: factor.name.clone(),
        secret: totp.base32(),
        address: address.ok_or_else(|| Error::defect("an authenticator has no address"))?,
        shape: otp.shape,
        until: factor.created_at.after(LIFETIME),
    })
}

/// What a person's authenticator reads.
pub(super) fn address(provider: &Provider, user: &User, totp: &Totp) -> Option<Secret> {
    let account = user.profile.email.as_deref().unwrap_or(&user.username);
    let issuer = provider.issuer.url().host_str().unwrap_or(ISSUER);
    totp.address(issuer, account)
}

/// A name as it is kept.
pub(super) fn name_of(name: &str) -> Result<String, Error> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::field("/name", "required", "expected a name"));
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let detail = "expected at most 60 characters, and none that control";
        return Err(Error::field("/name", "malformed", detail));
    }
    Ok(name.to_owned())
}

pub(super) fn unsuitable(unsuitable: Unsuitable) -> Error {
    let pointer = match unsuitable {
        Unsuitable::Spelling | Unsuitable::Secret => "/secret",
        Unsuitable::Digits => "/digits",
        Unsuitable::Period => "/period",
    };
    Error::field(pointer, "unsupported", unsuitable.to_string())
}

pub(super) fn event(call: &Call, kind: EventKind, factor: &Factor) -> Event {
    call.event(kind)
        .user(factor.user)
        .fact("factor", Fact::Id(factor.id.uuid()))
        .fact("kind", Fact::Word(factor.kind().as_str()))
}

/// A set of recovery codes, and what is kept of it.
pub(super) struct RecoveryCodes {
    pub(super) plain: Vec<Secret>,
    pub(super) digests: Vec<Digest>,
}

impl RecoveryCodes {
    pub(super) fn new() -> Self {
        Self::of(generate_recovery_codes())
    }

    pub(super) fn of(plain: Vec<Secret>) -> Self {
        let digests = plain.iter().filter_map(digest_recovery_code).collect();
        Self { plain, digests }
    }
}
