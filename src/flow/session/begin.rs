//! How a session begins: always under a new token, so that nobody can have planted it (session fixation).

use std::time::Duration;

use super::browser::MOST_ACCOUNTS;
use super::device::{Arrival, DeviceRefused, judge_network};
use super::logins::Families;
use super::news::{News, Told};
use super::pushed_out::{self, PushedOut};
use super::risk::{self, Risk};
use super::state::BrowserMark;
use super::{Account, Browser, Ending, OnDevice, Proof, Purpose, SessionFacts, SessionToken, end, kept, remains};
use crate::flow::again::again;
use crate::flow::effective::{LoginLimit, SessionTimes, WhenFull};
use crate::flow::needs::{self, HasFactor, Missing, Needed};
use crate::flow::terms;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{MFA_REMEMBER_FOR, SESSION_KNOWN_DEVICES_ONLY};
use crate::model::{Actor, Channel, Event, EventKind, Fact, Id, Session, Timestamp, User, UserStatus};
use crate::sessions::{Admission, Login};
use crate::store::{self, KeptSession, SessionRow};

/// Why no session has begun.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// The person has as many logins as they may have.
    #[error("{live} of {max} logins are there already", live = .0.live, max = .0.max)]
    Full(Full),
    /// The person may not sign in with this device.
    #[error("the device may not be signed in with")]
    Device(DeviceRefused),
    /// The person has a second factor, and has not proved it. The only way around it is to have none.
    #[error("a second factor is missing")]
    ///
    /// What is unusual about the sign-in, if that is why it is asked for: then a code that is mailed does, for who has none.
    Factor(Option<Risk>),
    /// Something has to be done first.
    #[error("the person has to do something first: {}", .0.action.as_str())]
    Action(Missing),
    /// The account was deactivated, has got another password, or has to do something else since the person proved who they are.
    #[error("the account is not what it was")]
    Changed,
    /// It could not be completed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// That a person has as many logins as they may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many there are.
    pub live: u32,
    /// How many there may be.
    pub max: u32,
    /// What happens now.
    pub at_limit: WhenFull,
}

/// How somebody proved who they are, and when; and who has to go for them.
pub(super) struct Entry<'a> {
    pub(super) proof: Proof,
    pub(super) proved_at: Timestamp,
    pub(super) first: &'a [Login],
    /// What the browser is to hold.
    pub(super) token: SessionToken,
    /// Which browser it is.
    pub(super) browser: BrowserMark,
    /// Whom the person signs in for, by `client_id`: what that client wants counts too.
    pub(super) client: Option<&'a str>,
    /// The session that goes on, if the proof is of one: then none begins.
    pub(super) session: Option<Id<Session>>,
}

/// Signs a person in who has just proved who they are. The account stands first in the browser afterwards.
///
/// Who was signed in there already keeps the session and gets a new token; the old one is dead.
///
/// # Errors
/// [`NotBegun`]: the person is not signed in.
pub async fn begin(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    proof: Proof,
) -> Result<Account, NotBegun> {
    let token = SessionToken::generate(user.id);
    begin_for(provider, call, browser, user, proof, (&Purpose::default(), token)).await
}

/// The same for whatever the person signs in for. The session goes under `token`, which nobody has had before.
///
/// # Errors
/// As [`begin`].
pub async fn begin_for(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    proof: Proof,
    (purpose, token): (&Purpose, SessionToken),
) -> Result<Account, NotBegun> {
    let entry = Entry {
        proof,
        proved_at: call.now,
        first: &[],
        token,
        browser: BrowserMark::of(provider, browser, user.id),
        client: purpose.client.as_deref(),
        session: None,
    };
    // large: what begins a session is no part of every future that may
    Box::pin(enter(provider, call, browser, user, entry)).await
}

/// The same for somebody who proved it a while ago, and has chosen who has to go.
pub(super) async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    mut entry: Entry<'_>,
) -> Result<Account, NotBegun> {
    if let Some(refused) = judge_network(provider, call).await? {
        return Err(NotBegun::Device(refused));
    }
    let arrival = Arrival::of(provider, call, browser, user.id, entry.proof.factor).await?;
    let risk = match entry.session {
        None if !entry.proof.is_multiple() => risk::judge(provider, call, user, &arrival).await?,
        _ => None,
    };
    // before anything else is told of the account: a password alone is not enough of a proof, but on a device that is remembered
    if arrival.has_factor() == HasFactor::Yes && !entry.proof.is_multiple() {
        // one that is proved anew, or added to, is proved whole
        let is_fresh = entry.session.is_none() && browser.account(user.id).is_none();
        let lasts = remembers_for(provider, call, user).await?;
        if !is_fresh || risk.is_some() || !arrival.is_remembered(lasts, call.now) {
            return Err(NotBegun::Factor(risk));
        }
        entry.proof.device = OnDevice::Remembered;
    }
    // nobody sets up a factor of their own where they are least likely to be who they say, if they can be asked otherwise
    let has_factor = match (arrival.has_factor(), risk) {
        (HasFactor::No, Some(_)) if user.confirmed(Channel::Mail).is_some() && !entry.proof.is_by(Channel::Mail) => {
            return Err(NotBegun::Factor(risk));
        }
        (HasFactor::No, Some(_)) => HasFactor::Lacks,
        (has_factor, _) => has_factor,
    };
    if !arrival.is_factor_held() {
        return Err(NotBegun::Changed);
    }
    if arrival.is_blocked() {
        return Err(NotBegun::Device(DeviceRefused::Blocked));
    }
    let earlier = browser.account(user.id);
    // a session that was chosen ends, and another begins in its place
    let earlier = earlier
        .filter(|account| !entry.first.contains(&Login::Session(account.session.id)))
        .cloned();
    if entry.session.is_some() && entry.session != earlier.as_ref().map(|account| account.session.id) {
        return Err(NotBegun::Changed);
    }
    if let Some(missing) = missing(provider, call, user, &entry, has_factor).await? {
        if earlier.is_none() {
            // nobody changes anything about an account that they could not enter with this device afterwards
            let known_only = knows_devices_only(provider, call, user).await?;
            must_be_let_in(provider, call, user, &arrival, known_only).await?;
        }
        // a number that may stand in for a factor takes the factor, on a device that is remembered too (SEC-176)
        if missing.action == Needed::ConfirmPhone && !entry.proof.is_multiple() {
            return Err(NotBegun::Factor(risk));
        }
        return Err(NotBegun::Action(missing));
    }
    let remembered = match (entry.proof.device, entry.proof.factor) {
        (OnDevice::Remember, Some(factor)) if !remembers_for(provider, call, user).await?.is_zero() => Some(factor),
        _ => None,
    };
    let renewed = match earlier {
        Some(earlier) => renew(provider, call, earlier, user, &entry).await?,
        None => None,
    };
    let account = match renewed {
        Some(account) => {
            // there was room without those that were chosen, and they end all the same
            let chosen = PushedOut::default().with(entry.first);
            if !chosen.is_empty() {
                pushed_out::end_now(provider, call, user.id, chosen).await;
                pushed_out::let_go(provider, user.id, entry.first).await;
            }
            account
        }
        None if entry.session.is_some() => return Err(NotBegun::Changed),
        None => {
            // the cookie lasts from now on, whether the person is let in or has to wait for that
            browser.is_device_told = true;
            Box::pin(start(provider, call, user, entry, &arrival)).await?
        }
    };
    if let Some(factor) = remembered {
        arrival.remember(provider, call, user, factor).await;
    }
    browser.accounts.retain(|other| other.user.id != user.id);
    browser.accounts.insert(0, account.clone());
    browser.is_changed = true;
    if browser.accounts.len() > MOST_ACCOUNTS
        && let Some(last) = browser.accounts.pop()
    {
        // the person is signed in, and the browser has forgotten the other one in any case
        if let Err(error) = end(provider, call, browser, &last).await {
            tracing::warn!(session = %last.session.id, %error, "a session that its browser has forgotten goes on until it lapses");
        }
    }
    Ok(account)
}

/// What the person has to do before they are in.
async fn missing(
    provider: &Provider,
    call: &Call,
    user: &User,
    entry: &Entry<'_>,
    has_factor: HasFactor,
) -> Result<Option<Missing>, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    let client = match entry.client {
        Some(client_id) => provider.client(client_id).await?,
        None => None,
    };
    let layers = person.layers(&settings, client.as_deref());
    let terms = terms::missing_of(provider, user, call.now).await?;
    let properties = provider.properties().await?;
    Ok(needs::missing(
        user,
        &layers,
        &entry.proof,
        has_factor,
        (&terms, &properties),
        (provider.texts, call.now),
    ))
}

/// How long the second factor is not asked for on a device where the person wishes so.
async fn remembers_for(provider: &Provider, call: &Call, user: &User) -> Result<Duration, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    Ok(person.layers(&settings, None).duration(MFA_REMEMBER_FOR))
}

async fn knows_devices_only(provider: &Provider, call: &Call, user: &User) -> Result<bool, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    Ok(person.layers(&settings, None).flag(SESSION_KNOWN_DEVICES_ONLY))
}

/// Turns somebody away whose device may not be signed in with; one that is not known waits from then on to be let in.
async fn must_be_let_in(
    provider: &Provider,
    call: &Call,
    user: &User,
    arrival: &Arrival,
    known_only: bool,
) -> Result<(), NotBegun> {
    let Err(refused) = arrival.judge(known_only) else {
        return Ok(());
    };
    if refused == DeviceRefused::Unknown {
        let news = news(provider, call, user, arrival, Told::Waits).await?;
        arrival.wait(provider, call, news.as_ref()).await?;
    }
    Err(NotBegun::Device(refused))
}

/// The same session under a new token and with a new proof. `None`: it has ended meanwhile.
async fn renew(
    provider: &Provider,
    call: &Call,
    earlier: Account,
    user: &User,
    entry: &Entry<'_>,
) -> Result<Option<Account>, Error> {
    let token = entry.token.clone();
    let digest = token.digest();
    let sessions = &provider.sessions;
    // its absolute end stays, and with it what the person asked for at the beginning
    let facts = SessionFacts {
        remember: earlier.facts.remember,
        ..SessionFacts::of(entry.proof.clone(), entry.proved_at, entry.browser.clone())
    };
    let renewed = Session {
        seen: call.now,
        data: facts.write(),
        ..earlier.session.clone()
    };
    // first where it is kept: the old token brings nothing back from there once it is dead
    kept::renew(provider, digest, &renewed).await?;
    match sessions
        .rotate(user.id, &earlier.token.digest(), &digest, call.now)
        .await
    {
        Ok(true) => (),
        Ok(false) => {
            kept::let_go(provider, earlier.session.id).await;
            return Ok(None);
        }
        Err(error) => {
            kept::keep_as_before(provider, &earlier).await;
            return Err(error.into());
        }
    }
    match sessions.replace_data(user.id, &digest, &facts.write(), call.now).await {
        Ok(true) => (),
        Ok(false) => return Ok(None),
        Err(error) => {
            // the browser has the old token alone
            drop(
                sessions
                    .rotate(user.id, &digest, &earlier.token.digest(), call.now)
                    .await,
            );
            kept::keep_as_before(provider, &earlier).await;
            return Err(error.into());
        }
    }
    // the old token is dead already: the answer with the new one does not hang on the record
    let method = facts.method();
    provider
        .note(event(call, user, earlier.session.id, ("again", method)))
        .await;
    Ok(Some(Account {
        token,
        ending: Ending::of(&renewed),
        session: renewed,
        user: user.clone(),
        facts,
    }))
}

/// A new session: admitted by the session store at last, then written down; taken back if that fails.
async fn start(
    provider: &Provider,
    call: &Call,
    user: &User,
    entry: Entry<'_>,
    arrival: &Arrival,
) -> Result<Account, NotBegun> {
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    let times = SessionTimes::of(&layers, entry.proof.remember);
    let limit = LoginLimit::of(&layers);
    let known_only = layers.flag(SESSION_KNOWN_DEVICES_ONLY);
    must_be_let_in(provider, call, user, arrival, known_only).await?;
    let token = entry.token;
    let facts = SessionFacts::of(entry.proof, entry.proved_at, entry.browser);
    let session = Session {
        id: Id::new(call.now),
        user: user.id,
        started: call.now,
        seen: call.now,
        expires: call.now.after(times.lifetime),
        idle_timeout: times.idle,
        data: facts.write(),
    };
    let news = news(provider, call, user, arrival, Told::SignedIn).await?;
    kept::bring_all_back(provider, call, user.id).await?;
    let left_behind = left_behind(provider, call, user.id, &facts).await?;
    let mut first: Vec<Login> = left_behind.iter().copied().map(Login::Session).collect();
    first.extend(entry.first);
    let families = Families::of(provider, call, user.id).await?;
    let room = families.room(limit, limit.strict(), &first);
    let digest = token.digest();
    let admit = |room| provider.sessions.admit(&digest, &session, room, call.now);
    let made_room = match remains::admit(provider, call, user.id, room, admit).await? {
        Admission::Refused { live } => {
            let full = Full {
                live,
                max: limit.max,
                at_limit: limit.at_limit,
            };
            return Err(NotBegun::Full(full));
        }
        Admission::Admitted(made_room) => made_room,
    };
    let pushed_out = PushedOut {
        begun_again: left_behind,
        ..PushedOut::from(&made_room).with(entry.first)
    };
    let kept = kept::is_on(provider).await?.then(|| KeptSession {
        token: digest,
        session: session.clone(),
    });
    let row = Row {
        session: &session,
        kept: kept.as_ref(),
        news: news.as_ref(),
        remember: facts.remember,
        method: facts.method(),
        arrival,
        known_only,
        pushed_out: &pushed_out,
    };
    let written = again(|| write_down(provider, call, user, &row)).await;
    if !matches!(written, Ok(Written::Down)) {
        // what stays here all the same is not in the store and therefore not live
        drop(provider.sessions.end(user.id, session.id).await);
        pushed_out::come_back(provider, call, user.id, room, &made_room).await;
        written?;
        return Err(why_refused(provider, call, user).await?);
    }
    if let Ok(None) = provider.sessions.get(user.id, &digest, call.now).await {
        // somebody who came in between has pushed it out before its row was there to say so
        let itself = PushedOut {
            sessions: vec![session.id],
            ..PushedOut::default()
        };
        pushed_out::end_now(provider, call, user.id, itself).await;
    }
    pushed_out::let_go(provider, user.id, &first).await;
    arrival.make_room(provider).await;
    let mut user = user.clone();
    user.signed_in_at = Some(call.now);
    if user.status == UserStatus::Invited {
        user.status = UserStatus::Active;
    }
    Ok(Account {
        token,
        ending: Ending::of(&session),
        session,
        user,
        facts,
    })
}

/// The sessions of the person that this very browser has begun and does not know of: it had none to show, or it would go on with
/// it. The answer to a sign-in was lost, or its cookie was. It is one login all the same, so the one that begins takes its place.
async fn left_behind(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    facts: &SessionFacts,
) -> Result<Vec<Id<Session>>, Error> {
    let held = kept::list_as_kept(provider, call, user).await?;
    let of_this_browser = held.iter().filter(|session| {
        // of two requests at once the later one counts: its answer is the one that the browser waits for
        session.started < call.now
            && SessionFacts::read(&session.data)
                .is_some_and(|other| other.browser.is_some() && other.browser == facts.browser)
    });
    Ok(of_this_browser.map(|session| session.id).collect())
}

/// Why nothing was written down, although the store answers: the account has changed since it was proved, or the device was
/// blocked or forgotten since it was looked at.
async fn why_refused(provider: &Provider, call: &Call, proved: &User) -> Result<NotBegun, Error> {
    let now = provider.store.read().await?.find_user(proved.id).await?;
    let is_same = now.is_some_and(|now| {
        now.is_active(call.now)
            && (now.starts_at, now.expires_at) == (proved.starts_at, proved.expires_at)
            && now.password_changed_at == proved.password_changed_at
            && now.password_expired_at.is_none()
            && now.required_actions == proved.required_actions
    });
    Ok(if is_same {
        NotBegun::Device(DeviceRefused::Blocked)
    } else {
        NotBegun::Changed
    })
}

/// What there is to tell the person, if the device is new to them.
async fn news(
    provider: &Provider,
    call: &Call,
    user: &User,
    arrival: &Arrival,
    told: Told,
) -> Result<Option<News>, Error> {
    if !arrival.is_news() {
        return Ok(None);
    }
    News::of(provider, call, user, arrival.device(), told).await
}

/// What is written down of a session that begins.
struct Row<'a> {
    session: &'a Session,
    /// What brings it back if the session store loses it.
    kept: Option<&'a KeptSession>,
    remember: bool,
    method: &'static str,
    arrival: &'a Arrival,
    known_only: bool,
    pushed_out: &'a PushedOut,
    /// What the person is told of it by mail.
    news: Option<&'a News>,
}

/// What became of it.
enum Written {
    /// It is there.
    Down,
    /// It is not: the device may not be signed in with, after all.
    Refused,
}

async fn write_down(provider: &Provider, call: &Call, user: &User, row: &Row<'_>) -> Result<Written, Error> {
    let session = row.session;
    let since = provider.since().await?;
    let slow = SessionRow {
        id: session.id,
        user: user.id,
        started_at: session.started,
        expires_at: session.expires,
        address: call.origin.address.map(|address| address.to_string()),
        user_agent: call.origin.user_agent.clone(),
        device: Some(row.arrival.id()),
        place: row.arrival.place().cloned(),
        remember: row.remember,
        ended_at: None,
    };
    let mut store = provider.store.write().await?;
    // of two who come in for the first time at once, one makes the account active, and both are in
    if user.status == UserStatus::Invited && store.activate_user(user.id, call.now).await? {
        let event = call.by(Actor::User(user.id)).event(EventKind::UserActivated);
        store.add_event(&event.user(user.id)).await?;
    }
    // whoever sets another password or deactivates the account right now was first, or ends this session too; they take the
    // account before its sessions
    if !row.pushed_out.is_empty() && !store.hold_user_as(user).await? {
        store.abandon().await?;
        return Ok(Written::Refused);
    }
    pushed_out::end(&mut store, call, user.id, row.pushed_out).await?;
    store.add_session(&slow).await?;
    if let Some(kept) = row.kept {
        store.keep_session(kept);
    }
    store
        .add_event(&event(call, user, session.id, ("first", row.method)))
        .await?;
    if let Some(news) = row.news {
        news.write(&mut store, call).await?;
    }
    // a device that is being blocked is blocked before this, or ends this session too
    row.arrival.enter(&mut store, row.known_only).await?;
    store.must_sign_in_as(user, call.now);
    match store.commit().await {
        Ok(()) => {
            provider.remember_session_row(since, slow, call.now);
            Ok(Written::Down)
        }
        Err(store::Error::Missing) => Ok(Written::Refused),
        Err(error) => Err(error.into()),
    }
}

fn event(call: &Call, user: &User, session: Id<Session>, (proof, method): (&'static str, &'static str)) -> Event {
    call.by(Actor::User(user.id))
        .event(EventKind::SignIn)
        .user(user.id)
        .fact("session", Fact::Id(session.uuid()))
        .fact("proof", Fact::Word(proof))
        .fact("method", Fact::Word(method))
}
