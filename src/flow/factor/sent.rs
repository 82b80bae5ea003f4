//! Codes that are sent as a second factor: to the address or number of the account that the person has confirmed, and to no other
//! (SEC-255). The same by text message where an authenticator is lost, if that is allowed.

use super::check::Evidence;
use super::news::{self, What};
use crate::flow::again::again;
use crate::flow::provider::Texts;
use crate::flow::session::{Demand, SecondProof};
use crate::flow::short_code::{self, Place, Waiting};
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{MFA_LOST_BY_TEXT, MFA_MAIL_CODES, MFA_TEXT_CODES};
use crate::model::{Actor, Channel, EventKind, Factor, Id, Secret, User};

/// A way by which somebody can be sent a code at this sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentWay {
    /// Which.
    pub channel: Channel,
    /// The stored address or number.
    pub recipient: String,
    /// The factor that it is; none where it stands in for one that is lost.
    pub factor: Option<Id<Factor>>,
}

impl SentWay {
    /// Where a code goes, for whoever has proved a password alone: enough to know it again by.
    pub fn in_part(&self) -> String {
        let recipient = self.recipient.as_str();
        match self.channel {
            Channel::Mail => {
                let (name, host) = recipient.rsplit_once('@').unwrap_or((recipient, ""));
                let first: String = name.chars().take(1).collect();
                format!("{first}•••@{host}")
            }
            Channel::Sms => {
                let last = recipient.get(recipient.len().saturating_sub(2)..).unwrap_or_default();
                format!("•••{last}")
            }
        }
    }
}

/// Whether a person may confirm sign-ins by codes that are sent by this way.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Unavailable`].
pub async fn may_be_sent(provider: &Provider, call: &Call, user: Id<User>, channel: Channel) -> Result<bool, Error> {
    let key = match channel {
        Channel::Mail => MFA_MAIL_CODES,
        Channel::Sms => MFA_TEXT_CODES,
    };
    allows(provider, call, user, (channel, key)).await
}

async fn allows(
    provider: &Provider,
    call: &Call,
    user: Id<User>,
    (channel, key): (Channel, &'static str),
) -> Result<bool, Error> {
    if channel == Channel::Sms && provider.texts == Texts::Nowhere {
        return Ok(false);
    }
    let settings = provider.settings().await?;
    let person = provider.person(user, call.now).await?.ok_or(Error::NotFound)?;
    Ok(person.layers(&settings, None).flag(key))
}

/// By which ways the person of a demand can be sent a code. None by which they came: one that came the same way proves nothing more.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn sent_ways(provider: &Provider, call: &Call, demand: &Demand) -> Result<Vec<SentWay>, Error> {
    let user = &demand.user;
    let factors = provider.store.read().await?.list_factors_of(user.id).await?;
    let mut ways = Vec::new();
    for channel in [Channel::Sms, Channel::Mail] {
        let Some(recipient) = user.confirmed(channel).filter(|_| !demand.is_by(channel)) else {
            continue;
        };
        let factor = factors.iter().find(|factor| factor.sent_by() == Some(channel));
        let is_open = match (factor, channel) {
            (Some(_), _) => may_be_sent(provider, call, user.id, channel).await?,
            (None, Channel::Sms) if !factors.is_empty() => {
                allows(provider, call, user.id, (channel, MFA_LOST_BY_TEXT)).await?
            }
            // nobody without a factor is asked for one but where their sign-in is unusual
            (None, Channel::Mail) => factors.is_empty(),
            (None, Channel::Sms) => false,
        };
        if is_open {
            ways.push(SentWay {
                channel,
                recipient: recipient.to_owned(),
                factor: factor.map(|factor| factor.id),
            });
        }
    }
    Ok(ways)
}

async fn find_way(
    provider: &Provider,
    call: &Call,
    demand: &Demand,
    channel: Channel,
) -> Result<Option<SentWay>, Error> {
    let ways = sent_ways(provider, call, demand).await?;
    Ok(ways.into_iter().find(|way| way.channel == channel))
}

/// Sends a code, in the place of the one before. What is in the request says no more than by which way.
///
/// # Errors
/// [`Error::NotFound`] if none can be sent by it, [`Error::Throttled`] if enough were.
pub async fn send_code(provider: &Provider, call: &Call, demand: &Demand, channel: Channel) -> Result<(), Error> {
    let way = find_way(provider, call, demand, channel)
        .await?
        .ok_or(Error::NotFound)?;
    short_code::spend(provider, call, channel, &way.recipient).await?;
    let place = Place::factor(provider, demand.user.id, channel, &demand.id);
    let (code, ends) = short_code::make(provider, call, &place, (channel, &way.recipient)).await?;
    let message = short_code::message(provider, call, (&demand.user, way.recipient), (channel, &code, ends))?;
    short_code::write(provider, call, demand.user.id, &message).await
}

/// The code that waits for a demand, if one was sent by this way.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn sent_code(
    provider: &Provider,
    call: &Call,
    demand: &Demand,
    channel: Channel,
) -> Result<Option<Waiting>, Error> {
    let place = Place::factor(provider, demand.user.id, channel, &demand.id);
    short_code::waiting(provider, call, &place).await
}

/// Whether it is the code that was sent to what still is the person's confirmed address or number.
pub(super) async fn judge(
    provider: &Provider,
    call: &Call,
    demand: &Demand,
    (channel, code): (Channel, &Secret),
) -> Result<Option<Evidence>, Error> {
    let Some(way) = find_way(provider, call, demand, channel).await? else {
        return Ok(None);
    };
    let place = Place::factor(provider, demand.user.id, channel, &demand.id);
    let judged = short_code::judge(provider, call, &place, code).await?;
    let is_theirs = judged.is_some_and(|waiting| waiting.recipient == way.recipient);
    Ok(is_theirs.then_some(Evidence::SentCode {
        channel,
        factor: way.factor,
    }))
}

/// Accepts it, unless the factor was removed meanwhile. One that stands in for a factor is told by mail.
pub(super) async fn accept(
    provider: &Provider,
    call: &Call,
    user: &User,
    (channel, factor): (Channel, Option<Id<Factor>>),
) -> Result<Option<SecondProof>, Error> {
    let accepted = again(|| async {
        let mut tx = provider.store.write().await?;
        let accepted = match factor {
            Some(id) => tx.accept_sent_code(user.id, id, call.now).await?,
            None => {
                tx.hold_user(user.id).await?;
                let by = call.by(Actor::User(user.id));
                tx.add_event(&by.event(EventKind::FactorStoodIn).user(user.id)).await?;
                news::write(provider, &mut tx, call, user, (What::StoodIn, None)).await?;
                true
            }
        };
        if accepted {
            tx.commit().await?;
        } else {
            tx.abandon().await?;
        }
        Ok(accepted)
    });
    Ok(accepted.await?.then_some(SecondProof::SentCode { factor, channel }))
}
