//! Room for what a code is redeemed for: a family that outlives its session is a login of its own, and a client may let people
//! in less often than everybody else does. Decided here for good, whatever was asked before the code was made.

use super::{Call, Error, Provider};
use crate::clock;
use crate::flow::effective::LoginLimit;
use crate::flow::session::at_client::AtClient;
use crate::flow::session::logins::Families;
use crate::flow::session::pushed_out::{self, PushedOut};
use crate::flow::session::remains;
use crate::model::{Client, Digest, Grant, GrantType};
use crate::protocol::{ErrorCode, OAuthError};
use crate::sessions::{Admission, AtLimit, Limit, MadeRoom, NOTE, Room};
use crate::store::Write;

/// A place that is kept for a family until it is written down, and who goes for it.
pub(super) struct Place {
    /// The family's place in the session store, if it counts there.
    kept: Option<KeptPlace>,
    pushed_out: PushedOut,
    at_client: Option<(AtClient, LoginLimit)>,
}

/// A place in the session store.
struct KeptPlace {
    code: Digest,
    /// What it was found in, if others were looked at for it.
    beside: Option<Beside>,
}

/// Who made room for a place, and what for.
struct Beside {
    made_room: MadeRoom,
    families: Families,
    limit: LoginLimit,
}

impl Place {
    /// Keeps a place, before the transaction of the redemption.
    ///
    /// # Errors
    /// [`Error::OAuth`] if there is none.
    pub(super) async fn keep(provider: &Provider, call: &Call, client: &Client, grant: &Grant) -> Result<Self, Error> {
        let settings = provider.settings().await?;
        let person = provider.person(grant.user, call.now).await?.ok_or(Error::NotFound)?;
        let mut place = Self {
            kept: None,
            pushed_out: PushedOut::default(),
            at_client: None,
        };
        if let Some(limit) = LoginLimit::of_client(&person.layers(&settings, Some(client)), client) {
            place.at_client = Some((AtClient::of(provider, call, grant.user, client.id).await?, limit));
        }
        if !grant.terms.is_offline() || !client.may_use(GrantType::RefreshToken) {
            return Ok(place);
        }
        let limit = LoginLimit::of(&person.layers(&settings, None));
        if has_room_by_far(provider, call, grant, limit).await? {
            place.kept = Some(KeptPlace {
                code: grant.code,
                beside: None,
            });
            return Ok(place);
        }
        let families = Families::of(provider, call, grant.user).await?;
        // the same application in the same browser once more: it takes its own place
        let own = families.of_session(grant.session, client.id);
        let room = Room {
            begun_in: Some(grant.session),
            ..families.room(limit, limit.strict(), &own)
        };
        let until = call.now.after(NOTE);
        let reserve = |room| {
            provider
                .sessions
                .reserve(grant.user, &grant.code, until, room, call.now)
        };
        let admission = remains::admit(provider, call, grant.user, room, reserve).await?;
        let Admission::Admitted(made_room) = admission else {
            let why = "the person has as many logins as they may have";
            return Err(OAuthError::new(ErrorCode::InvalidGrant, "code.limit", why).into());
        };
        place.pushed_out = PushedOut::from(&made_room);
        place.kept = Some(KeptPlace {
            code: grant.code,
            beside: Some(Beside {
                made_room,
                families,
                limit,
            }),
        });
        Ok(place)
    }

    /// Whether nobody has to go, and nothing remains to be asked.
    pub(super) const fn is_settled(&self) -> bool {
        self.pushed_out.is_empty() && self.at_client.is_none()
    }

    /// Ends who goes, in the transaction of the redemption.
    ///
    /// # Errors
    /// [`Error::OAuth`] if there is no room at the client: the transaction is to be abandoned.
    pub(super) async fn take(&self, store: &mut Write, call: &Call, grant: &Grant) -> Result<(), Error> {
        pushed_out::end(store, call, grant.user, &self.pushed_out).await?;
        match &self.at_client {
            Some((at_client, limit)) if !at_client.make_room(store, call, grant.session, *limit).await? => {
                let why = "the person is signed in to the client as often as it allows";
                Err(OAuthError::new(ErrorCode::InvalidGrant, "code.client_limit", why).into())
            }
            _ => Ok(()),
        }
    }

    /// The family is written down.
    pub(super) async fn written(&self, provider: &Provider, grant: &Grant) {
        if let Some(place) = &self.kept {
            provider.sessions.written(grant.user, &place.code).await;
        }
    }

    /// Nothing came of the redemption: whoever made room comes back. Whether it was written down is unknown after an outage: then
    /// the place is kept until it lapses, and they are back beside it, because one or the other has ended in SQL.
    pub(super) async fn give_back(self, provider: &Provider, call: &Call, grant: &Grant, because: Option<&Error>) {
        let Some(place) = self.kept else { return };
        let is_unknown = matches!(because, Some(Error::Unavailable(_)));
        if !is_unknown && let Err(error) = provider.sessions.release(grant.user, &place.code).await {
            tracing::warn!(trace = %call.trace, %error, "a place for a family is kept for a minute in vain");
        }
        let Some(mut beside) = place.beside else { return };
        if is_unknown {
            beside.limit.max = beside.limit.max.saturating_add(1);
        }
        let room = beside.families.room(beside.limit, AtLimit::Refuse, &[]);
        pushed_out::come_back(provider, call, grant.user, room, &beside.made_room).await;
    }
}

/// Keeps a place where the person has so few logins that it need not be looked which they are, however coarsely they are
/// counted. False: that is to be looked at.
async fn has_room_by_far(provider: &Provider, call: &Call, grant: &Grant, limit: LoginLimit) -> Result<bool, Error> {
    let asked = clock::monotonic();
    let mut store = provider.store.read().await?;
    let families = store.count_offline_families_of(grant.user, limit.max).await?;
    drop(store);
    let beside = limit.max.saturating_sub(families);
    if beside == 0 {
        return Ok(false);
    }
    let room = Room {
        asked: Some(asked),
        ..Room::from(Limit {
            max: Some(beside),
            at_limit: AtLimit::Refuse,
        })
    };
    let until = call.now.after(NOTE);
    let admission = provider
        .sessions
        .reserve(grant.user, &grant.code, until, room, call.now)
        .await?;
    // those that were let go a moment ago were counted: nobody relies on their end
    Ok(matches!(admission, Admission::Admitted(_)))
}
