//! Signing in with a link that is mailed: in the browser that asked for it. Whoever follows it elsewhere is signed in nowhere there, and
//! may say that the sign-in which waits is theirs; then it goes on, where it waits (SEC-303).

use super::code::{self, Attempt, method};
use super::decisions::{self, By};
use super::entrance;
use super::password::Refused;
use crate::clock;
use crate::flow::session::landing::{self, Landed, PAUSE};
use crate::flow::session::{self, Account, Browser};
use crate::flow::sign_in_link::{self, SignInLink};
use crate::flow::{Call, Error, Provider, guess};
use crate::model::{Channel, EventKind, Secret, User};

/// How often is looked whether a link that is used was answered for elsewhere this moment.
const LOOKS: u32 = 4;

/// A link that was followed.
#[derive(Debug)]
pub struct Followed {
    /// What it is.
    pub link: SignInLink,
    /// Whom it lets in.
    pub user: User,
    /// The sign-in that waits for it, if it waits in this browser.
    pub attempt: Option<Attempt>,
    /// Whether it was used a moment ago.
    pub is_used: bool,
}

/// Looks at a link. It changes nothing. Secrets that lead nowhere are counted as guesses.
///
/// # Errors
/// [`Error::NotFound`] if it is unknown, used, replaced or too old; [`Error::Throttled`].
pub async fn look(provider: &Provider, call: &Call, browser: &Browser, token: &Secret) -> Result<Followed, Error> {
    guess::look(provider, call, guess::Account::RecoveryLink).await?;
    let live = sign_in_link::find(provider, call, token).await?;
    let is_used = live.is_none();
    let known = match live {
        Some(link) => Some(link),
        None => find_used(provider, call, token).await?,
    };
    let found = match known {
        Some(link) => whose(provider, &link).await?.map(|user| (link, user)),
        None => None,
    };
    let Some((link, user)) = found else {
        guess::wrong(provider, call, guess::Account::RecoveryLink).await?;
        return Err(Error::NotFound);
    };
    guess::right(provider, call, guess::Account::RecoveryLink).await?;
    let attempt = match code::load(provider, call, browser, &link.attempt).await {
        Ok(attempt) => Some(attempt),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    Ok(Followed {
        link,
        user,
        attempt,
        is_used,
    })
}

/// A link that was used a moment ago, or is being used this moment.
async fn find_used(provider: &Provider, call: &Call, token: &Secret) -> Result<Option<SignInLink>, Error> {
    let used = sign_in_link::find_used(provider, call, token).await?;
    if used.is_some() {
        return Ok(used);
    }
    clock::sleep(PAUSE).await;
    sign_in_link::find_used(provider, call, token).await
}

/// The person, if they still are reached where it was mailed to.
async fn whose(provider: &Provider, link: &SignInLink) -> Result<Option<User>, Error> {
    let user = provider.store.read().await?.find_user(link.user).await?;
    Ok(user.filter(|user| user.confirmed(Channel::Mail) == Some(&link.recipient)))
}

/// Signs the person in, in the browser that asked. The account stands first there afterwards. The same form sent twice leads to one session.
///
/// # Errors
/// [`Refused`]; [`Refused::Wrong`] if somebody was faster.
pub async fn enter(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    token: &Secret,
) -> Result<Account, Refused> {
    let of_attempt = |link: &SignInLink| link.attempt == attempt.id;
    if let Some(link) = sign_in_link::take(provider, call, token).await? {
        let link = Some(link).filter(of_attempt);
        return go_in(provider, call, browser, attempt, link).await;
    }
    let used = find_used(provider, call, token).await?.filter(of_attempt);
    go_on_by(provider, call, browser, attempt, used).await
}

/// Says, in another browser, that the sign-in which waits is one's own. Nobody is signed in here.
///
/// # Errors
/// [`Error::NotFound`] if it has ended meanwhile.
pub async fn confirm(provider: &Provider, call: &Call, token: &Secret) -> Result<(), Error> {
    let Some(link) = sign_in_link::take(provider, call, token).await? else {
        // said twice is said
        let used = find_used(provider, call, token).await?;
        return used.map(drop).ok_or(Error::NotFound);
    };
    sign_in_link::answered_for(provider, call, &link).await?;
    provider
        .note(call.event(EventKind::SignInLinkConfirmed).user(link.user))
        .await;
    Ok(())
}

/// Goes on with a sign-in whose link was answered for in another browser.
///
/// # Errors
/// [`Refused`]; [`Refused::Wrong`] if it was not.
pub async fn go_on(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
) -> Result<Account, Refused> {
    if let Some(link) = sign_in_link::take_answered(provider, call, &attempt.id).await? {
        return go_in(provider, call, browser, attempt, Some(link)).await;
    }
    let mut went_on = sign_in_link::find_went_on(provider, call, &attempt.id).await?;
    if went_on.is_none() {
        // whoever was faster with the same form says so in a moment
        clock::sleep(PAUSE).await;
        went_on = sign_in_link::find_went_on(provider, call, &attempt.id).await?;
    }
    go_on_by(provider, call, browser, attempt, went_on).await
}

/// Goes on by a link that is used, if it was answered for elsewhere, and otherwise leads where the form has led that used it.
async fn go_on_by(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    used: Option<SignInLink>,
) -> Result<Account, Refused> {
    for _ in 0..LOOKS {
        if let Some(link) = sign_in_link::take_answered(provider, call, &attempt.id).await? {
            return go_in(provider, call, browser, attempt, Some(link)).await;
        }
        let Some(link) = &used else { break };
        match Landed::wait(|| sign_in_link::landed(provider, call, link)).await? {
            Some(Landed::In { device }) => {
                let token = landing::token_of_form(provider, browser, link.user, &link.form());
                return match landing::land(provider, call, browser, token, device.as_deref()).await {
                    Ok(account) => Ok(account),
                    // the session has ended since
                    Err(Error::NotFound) => Err(Refused::Wrong),
                    Err(error) => Err(error.into()),
                };
            }
            Some(Landed::Elsewhere) => return go_in(provider, call, browser, attempt, Some(link.clone())).await,
            // whoever used it says so in a moment, here or elsewhere
            Some(Landed::Enters) | None => clock::sleep(PAUSE).await,
        }
    }
    go_in(provider, call, browser, attempt, None).await
}

/// Signs the person in by a link that nobody else has.
async fn go_in(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    link: Option<SignInLink>,
) -> Result<Account, Refused> {
    if let Some(link) = &link {
        sign_in_link::say(provider, call, link, &Landed::Enters).await?;
    }
    let entered = judge(provider, call, browser, attempt, link.as_ref()).await;
    if let Some(link) = &link {
        let landed = Landed::of(browser, entered.as_ref().ok());
        if let Err(error) = sign_in_link::say(provider, call, link, &landed).await {
            tracing::warn!(%error, "the same form sent twice leads nowhere the second time");
        }
    }
    let word = entered.as_ref().map_or_else(Refused::word, |_| "success");
    provider.counts.sign_ins.of(word).count();
    entered
}

async fn judge(
    provider: &Provider,
    call: &Call,
    browser: &mut Browser,
    attempt: Attempt,
    link: Option<&SignInLink>,
) -> Result<Account, Refused> {
    let Attempt { wanted, .. } = attempt;
    let method = method(wanted.means);
    if let Some(network) = session::judge_network(provider, call).await? {
        let event = entrance::refused(call, network.rule(), method, None);
        provider.note_refusals(call, event, network.rule()).await;
        return Err(Refused::Device(network));
    }
    let known = match link {
        Some(link) => whose(provider, link).await?.map(|user| (link, user)),
        None => None,
    };
    let is_expected = |(_, user): &(&SignInLink, User)| wanted.expected.is_none_or(|expected| expected == user.id);
    let Some((link, user)) = known.filter(is_expected) else {
        provider
            .note(entrance::refused(call, "sign_in.link_unanswered", method, None))
            .await;
        return Err(Refused::Wrong);
    };
    let token = landing::token_of_form(provider, browser, user.id, &link.form());
    let entered = code::enter(provider, call, browser, &user, (wanted, token)).await;
    decisions::keep(provider, call, Some(&user), By::Code, &entered);
    entered
}
