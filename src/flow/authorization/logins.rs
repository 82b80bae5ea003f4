//! Whether there is room for the login that an authorization request would make: at a client that lets people in less often,
//! and for an application that stays connected, which counts as a login of its own.
//!
//! Asked last, when nothing else stands in the way; decided once more, and for good, when the code is redeemed.

use super::answer::advance;
use super::interaction::{Interaction, account_of};
use super::{Next, code};
use crate::flow::effective::{LoginLimit, WhenFull};
use crate::flow::session::at_client::AtClient;
use crate::flow::session::logins::{self, Families, KnownLogin};
use crate::flow::session::pushed_out::{self, PushedOut};
use crate::flow::session::{Account, Browser, remains};
use crate::flow::{Call, Error, Provider};
use crate::model::{Actor, GrantType, User};
use crate::protocol::prompt::{self, Because, Decision, Full};
use crate::sessions::{Admission, AtLimit, Login, Room};

/// What a person without room is told or asked.
#[derive(Clone, Debug)]
pub struct RoomQuestion {
    /// Who it is.
    pub user: User,
    /// Where there is no room.
    pub because: Because,
    /// How many logins there may be.
    pub max: u32,
    /// How many of them have to end; nobody is asked if it is none.
    pub needed: usize,
    /// Those that count, without the one in this browser.
    pub logins: Vec<KnownLogin>,
}

/// There is no room: where, and how many there may be.
struct NoRoom {
    because: Because,
    limit: LoginLimit,
}

/// What comes of a request that nothing else stands in the way of.
pub(super) async fn decide(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
) -> Result<Decision, Error> {
    Ok(match judge(provider, call, interaction, account).await? {
        None => Decision::Issue,
        Some(no_room) => {
            let full = match no_room.limit.at_limit {
                WhenFull::Ask => Full::Asked,
                WhenFull::Settled(_) => Full::Refused,
            };
            prompt::without_room(&interaction.request, no_room.because, full)
        }
    })
}

async fn judge(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
) -> Result<Option<NoRoom>, Error> {
    let settings = provider.settings().await?;
    let user = account.user.id;
    let client = &interaction.client;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let layers = person.layers(&settings, Some(client));
    if let Some(limit) = LoginLimit::of_client(&layers, client)
        && !limit.makes_room()
    {
        let at_client = AtClient::of(provider, call, user, client.id).await?;
        let others = at_client.others(provider, account.session.id).await?;
        if others.is_some_and(|others| limit.over(others.len()).is_some()) {
            let because = Because::ClientLimit;
            return Ok(Some(NoRoom { because, limit }));
        }
    }
    let limit = LoginLimit::of(&person.layers(&settings, None));
    if !stays_connected(interaction) || limit.makes_room() {
        return Ok(None);
    }
    let families = Families::of(provider, call, user).await?;
    // the same application in the same browser once more takes its own place when the code is redeemed, and not before: whoever
    // began this request may not be the application
    if !families.of_session(account.session.id, client.id).is_empty() {
        return Ok(None);
    }
    let reserved = reserve(provider, call, interaction, account, (&families, limit, &[])).await?;
    let because = Because::LoginLimit;
    Ok(reserved.is_none().then_some(NoRoom { because, limit }))
}

/// Whether the code would be redeemed for a family that outlives the session.
fn stays_connected(interaction: &Interaction) -> bool {
    interaction.request.scope.contains("offline_access") && interaction.client.may_use(GrantType::RefreshToken)
}

/// Keeps a place for the family until its code expires, and ends who went for it. Nothing if there is none.
async fn reserve(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
    (families, limit, first): (&Families, LoginLimit, &[Login]),
) -> Result<Option<()>, Error> {
    let user = account.user.id;
    let digest = code::code_of(provider, interaction, account).digest();
    let until = code::expiry(provider, call).await?;
    let room = Room {
        begun_in: Some(account.session.id),
        ..families.room(limit, AtLimit::Refuse, first)
    };
    let reserve = |room| provider.sessions.reserve(user, &digest, until, room, call.now);
    let admission = remains::admit(provider, call, user, room, reserve).await?;
    let Admission::Admitted(made_room) = admission else {
        return Ok(None);
    };
    let written = end(provider, call, account, PushedOut::from(&made_room)).await;
    if written.is_err() {
        // nobody gets the code
        if provider.sessions.release(user, &digest).await.is_ok() {
            pushed_out::come_back(provider, call, user, room, &made_room).await;
        }
        written?;
    }
    Ok(Some(()))
}

async fn end(provider: &Provider, call: &Call, account: &Account, pushed_out: PushedOut) -> Result<(), Error> {
    if pushed_out.is_empty() {
        return Ok(());
    }
    let user = account.user.id;
    let call = &call.by(Actor::User(user));
    let mut store = provider.store.write().await?;
    pushed_out::end(&mut store, call, user, &pushed_out).await?;
    Ok(store.commit().await?)
}

/// What the person is told or asked. Nothing: there is room now, and [`make_room`] goes on.
///
/// # Errors
/// [`Error::NotFound`] if nobody is signed in any more.
pub async fn question(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: &Interaction,
) -> Result<Option<RoomQuestion>, Error> {
    let account = account_of(provider, browser, interaction).ok_or(Error::NotFound)?;
    let Some(no_room) = judge(provider, call, interaction, account).await? else {
        return Ok(None);
    };
    let logins = choices(provider, call, interaction, account, no_room.because).await?;
    let counted = match no_room.because {
        // the one in this browser counts as well
        Because::LoginLimit => logins.len().saturating_add(1),
        _ => logins.len(),
    };
    let over = no_room.limit.over(counted).unwrap_or(1);
    let needed = match no_room.limit.at_limit {
        WhenFull::Ask if over <= logins.len() => over,
        // nobody else could make room
        _ => 0,
    };
    Ok(Some(RoomQuestion {
        user: account.user.clone(),
        because: no_room.because,
        max: no_room.limit.max,
        needed,
        logins,
    }))
}

/// The logins that could make room.
async fn choices(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
    because: Because,
) -> Result<Vec<KnownLogin>, Error> {
    let user = account.user.id;
    let own = account.session.id;
    let all = logins::list(provider, call, user).await?;
    if because == Because::LoginLimit {
        let others = all.into_iter().filter(|known| known.login != Login::Session(own));
        return Ok(others.collect());
    }
    let at_client = AtClient::of(provider, call, user, interaction.client.id).await?;
    let others = at_client.others(provider, own).await?.unwrap_or_default();
    let families = Families::of(provider, call, user).await?;
    let mut choices = Vec::new();
    for login in others {
        let of_session = all.iter().find(|known| known.login == Login::Session(login.session));
        // a session that is over is shown by what it left behind
        let left = families.of_session(login.session, interaction.client.id);
        let shown = of_session.or_else(|| all.iter().find(|known| left.contains(&known.login)));
        choices.extend(shown.cloned());
    }
    Ok(choices)
}

/// Ends what the person has chosen by the keys of the logins, if that makes room, and goes on. Where others came in between they are asked again.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn make_room(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: Interaction,
    keys: &[String],
) -> Result<Next, Error> {
    if let Some(next) = interaction.finished() {
        return Ok(next);
    }
    let Some(account) = account_of(provider, browser, &interaction).cloned() else {
        return advance(provider, call, browser, interaction).await;
    };
    if let Some(question) = question(provider, call, browser, &interaction).await? {
        let chosen = logins::chosen(&question.logins, keys);
        if question.needed > 0 && chosen.len() >= question.needed {
            match question.because {
                Because::LoginLimit => end_logins(provider, call, &interaction, &account, &chosen).await?,
                _ => end_at_client(provider, call, &interaction, &account, &chosen).await?,
            }
        }
    }
    advance(provider, call, browser, interaction).await
}

async fn end_logins(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
    chosen: &[Login],
) -> Result<(), Error> {
    let settings = provider.settings().await?;
    let user = account.user.id;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    let limit = LoginLimit::of(&person.layers(&settings, None));
    let families = Families::of(provider, call, user).await?;
    let reserved = reserve(provider, call, interaction, account, (&families, limit, chosen)).await?;
    if reserved.is_some() {
        end(provider, call, account, PushedOut::default().with(chosen)).await?;
        pushed_out::let_go(provider, user, chosen).await;
    }
    Ok(())
}

async fn end_at_client(
    provider: &Provider,
    call: &Call,
    interaction: &Interaction,
    account: &Account,
    chosen: &[Login],
) -> Result<(), Error> {
    let user = account.user.id;
    let client = interaction.client.id;
    let at_client = AtClient::of(provider, call, user, client).await?;
    let families = Families::of(provider, call, user).await?;
    let mut store = provider.store.write().await?;
    let call = &call.by(Actor::User(user));
    for login in chosen {
        let session = match login {
            Login::Session(session) => Some(*session),
            Login::Family(code) => families
                .of_client(client)
                .find(|family| family.code == *code)
                .map(|family| family.session),
        };
        if let Some(session) = session {
            at_client.end(&mut store, call, session).await?;
        }
    }
    Ok(store.commit().await?)
}
