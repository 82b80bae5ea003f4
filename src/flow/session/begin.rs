//! How a session begins: always under a new token, so that nobody can have planted it (session fixation).

use super::browser::MOST_ACCOUNTS;
use super::remains::forget_ended;
use super::{Account, Browser, Proof, SessionFacts, SessionToken, end, pushed_out};
use crate::flow::again::again;
use crate::flow::effective::{LoginLimit, SessionTimes};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, Event, EventKind, Fact, Id, Session, User};
use crate::sessions::{Admission, Limit};
use crate::store::SessionRow;

/// Signs a person in who has just proved who they are. The account stands first in the browser afterwards.
///
/// Who was signed in there already keeps the session and gets a new token; the old one is dead.
///
/// # Errors
/// [`Error::Unavailable`]: the person is not signed in.
pub async fn begin(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    user: &User,
    proof: Proof,
) -> Result<Account, Error> {
    let earlier = browser.account(user.id).cloned();
    let renewed = match earlier {
        Some(earlier) => renew(provider, call, earlier, user, proof.clone()).await?,
        None => None,
    };
    let account = match renewed {
        Some(account) => account,
        None => start(provider, call, user, proof).await?,
    };
    browser.accounts.retain(|other| other.user.id != user.id);
    browser.accounts.insert(0, account.clone());
    browser.is_changed = true;
    if browser.accounts.len() > MOST_ACCOUNTS
        && let Some(last) = browser.accounts.pop()
    {
        end(provider, call, browser, &last).await?;
    }
    Ok(account)
}

/// The same session under a new token and with a new proof. `None`: it has ended meanwhile.
async fn renew(
    provider: &Provider,
    call: &Call,
    earlier: Account,
    user: &User,
    proof: Proof,
) -> Result<Option<Account>, Error> {
    let token = SessionToken::generate(user.id);
    let digest = token.digest();
    let sessions = &provider.sessions;
    if !sessions
        .rotate(user.id, &earlier.token.digest(), &digest, call.now)
        .await?
    {
        return Ok(None);
    }
    // its absolute end stays, and with it what the person asked for at the beginning
    let facts = SessionFacts {
        remember: earlier.facts.remember,
        ..SessionFacts::of(proof, call.now)
    };
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
            return Err(error.into());
        }
    }
    // the old token is dead already: the answer with the new one does not hang on the record
    provider.note(event(call, user, earlier.session.id, "again")).await;
    Ok(Some(Account {
        token,
        session: Session {
            seen: call.now,
            data: facts.write(),
            ..earlier.session
        },
        user: user.clone(),
        facts,
    }))
}

/// A new session: admitted by the session store at last, then written down; taken back if that fails.
async fn start(provider: &Provider, call: &Call, user: &User, proof: Proof) -> Result<Account, Error> {
    let settings = provider.settings().await?;
    let person = provider.person(user.id, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, None);
    let times = SessionTimes::of(&layers, proof.remember);
    let most = LoginLimit::of(&layers);
    let token = SessionToken::generate(user.id);
    let facts = SessionFacts::of(proof, call.now);
    let session = Session {
        id: Id::new(call.now),
        user: user.id,
        started: call.now,
        seen: call.now,
        expires: call.now.after(times.lifetime),
        idle_timeout: times.idle,
        data: facts.write(),
    };
    let limit = Limit {
        max: Some(most.max),
        at_limit: most.strict(),
    };
    let digest = token.digest();
    let admit = || provider.sessions.admit(&digest, &session, limit, call.now);
    let mut admission = admit().await?;
    if matches!(admission, Admission::Refused { .. }) && forget_ended(provider, call, user.id).await? {
        admission = admit().await?;
    }
    let Admission::Admitted { ended } = admission else {
        return Err(Error::Conflict("session limit"));
    };
    if let Err(error) = again(|| write_down(provider, call, user, &session, &facts, &ended)).await {
        // what stays here all the same is not in the store and therefore not live
        drop(provider.sessions.end(user.id, session.id).await);
        pushed_out::end_later(provider, call, user.id, ended);
        return Err(error);
    }
    Ok(Account {
        token,
        session,
        user: user.clone(),
        facts,
    })
}

async fn write_down(
    provider: &Provider,
    call: &Call,
    user: &User,
    session: &Session,
    facts: &SessionFacts,
    pushed_out: &[Id<Session>],
) -> Result<(), Error> {
    let mut store = provider.store.write().await?;
    pushed_out::end(&mut store, call, user.id, pushed_out).await?;
    store
        .add_session(&SessionRow {
            id: session.id,
            user: user.id,
            started_at: session.started,
            expires_at: session.expires,
            address: call.origin.address.map(|address| address.to_string()),
            user_agent: call.origin.user_agent.clone(),
            remember: facts.remember,
            ended_at: None,
        })
        .await?;
    store.add_event(&event(call, user, session.id, "first")).await?;
    Ok(store.commit().await?)
}

fn event(call: &Call, user: &User, session: Id<Session>, proof: &'static str) -> Event {
    call.by(Actor::User(user.id))
        .event(EventKind::SignIn)
        .user(user.id)
        .fact("session", Fact::Id(session.uuid()))
        .fact("proof", Fact::Word(proof))
}
