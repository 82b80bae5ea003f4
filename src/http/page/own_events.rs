//! `/account/activity`: what happened to a person's account.

use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::owner::Owner;
use super::shown;
use crate::flow::people::{self, DoneBy, OwnEvent};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Query, Visit};
use crate::model::{EventKind, Id, Outcome, User};
use crate::view::{Device, Doer, Happened, OwnEvents, OwnPath, Page, ToldEvent};

const HERE: &str = "/account/activity";
/// So many stand on a page.
const PAGE: u32 = 25;

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
    /// The last event of the page before.
    after: Option<String>,
}

/// GET /account/activity
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(owner) = Owner::of(&visit, wish.account) else {
        return Ok(visit.keep(see_other("/login?return_to=%2Faccount%2Factivity")));
    };
    let user = &owner.account.user;
    let listed = people::own_events(visit.provider(), user.id, wish.after.as_deref(), PAGE).await?;
    let first = owner.at(HERE, None);
    let older = listed.next.map(|position| {
        let after = form_urlencoded::Serializer::new(String::new())
            .append_pair("after", &position)
            .finish();
        let mark = if first.contains('?') { '&' } else { '?' };
        OwnPath::or_home(&format!("{first}{mark}{after}"))
    });
    let page = Page::OwnEvents(OwnEvents {
        account: shown::account(user),
        events: listed.items.into_iter().map(told).collect(),
        older,
        newest: wish.after.is_some().then(|| OwnPath::or_home(&first)),
        lock: OwnPath::or_home(&owner.at("/account/lock", None)),
        back: OwnPath::or_home(&owner.at("/account", None)),
    });
    let locale = visit.locale(&[], Some(user));
    let purpose = format!("own events {}", owner.account.session.id);
    let sheet = visit.sheet(page, locale, &purpose);
    Ok(visit.show(sheet.warns(visit.warning(&owner.account))))
}

fn told(event: OwnEvent) -> ToldEvent {
    ToldEvent {
        what: happened(&event),
        refused: event.outcome == Outcome::Refused,
        at: event.at.micros(),
        by: match event.by {
            DoneBy::Person => None,
            DoneBy::Administrator => Some(Doer::Administrator),
            DoneBy::Application => Some(Doer::Application),
            DoneBy::Server => Some(Doer::Server),
            DoneBy::Unknown => Some(Doer::Unknown),
        },
        application: event.application,
        device: event
            .user_agent
            .as_deref()
            .map(Device::read)
            .filter(|device| *device != Device::default()),
        place: shown::whereabouts(event.place, event.address),
    }
}

fn happened(event: &OwnEvent) -> Happened {
    let reason = event.reason.as_deref();
    match event.kind {
        EventKind::SignIn if event.outcome == Outcome::Refused => Happened::SignInRefused,
        EventKind::SignIn if event.is_again => Happened::SignInAgain,
        EventKind::SignIn => Happened::SignIn,
        EventKind::SignOut => Happened::SignOut,
        EventKind::DeviceBlocked => Happened::DeviceBlocked,
        EventKind::DeviceUnblocked => Happened::DeviceUnblocked,
        EventKind::DeviceAdmitted => Happened::DeviceAdmitted,
        EventKind::DeviceForgotten => Happened::DeviceForgotten,
        EventKind::DeviceRemembered => Happened::DeviceRemembered,
        EventKind::DevicesNotRemembered => Happened::DevicesNotRemembered,
        EventKind::FactorAdded => Happened::FactorAdded,
        EventKind::FactorRenamed => Happened::FactorRenamed,
        EventKind::FactorRemoved => Happened::FactorRemoved,
        EventKind::PasskeyCloned => Happened::PasskeyCloned,
        EventKind::RecoveryCodesRenewed => Happened::RecoveryCodesRenewed,
        EventKind::RecoveryCodeUsed => Happened::RecoveryCodeUsed,
        EventKind::Consent => match reason {
            Some("withdrawn") => Happened::Withdrawn,
            Some("narrowed") => Happened::Narrowed,
            _ => Happened::Allowed,
        },
        EventKind::CodeReplayed | EventKind::RefreshReplayed => Happened::Replayed,
        EventKind::UserCreated => Happened::Created,
        EventKind::UserChanged => Happened::Changed,
        EventKind::UserDeactivated => Happened::Deactivated,
        EventKind::UserReactivated => Happened::Reactivated,
        EventKind::UserBinned => Happened::Binned,
        EventKind::UserRestored => Happened::Restored,
        EventKind::UserInvited => Happened::Invited,
        EventKind::UserActivated => Happened::Activated,
        EventKind::UserExpired => Happened::Expired,
        EventKind::UserLocked => Happened::Locked,
        EventKind::UserUnlocked => Happened::Unlocked,
        EventKind::UserLeaving => Happened::Leaving,
        EventKind::UserStayed => Happened::Stayed,
        EventKind::UserExported => Happened::Exported,
        EventKind::PasswordExpired => Happened::PasswordExpired,
        EventKind::PasswordLinkMailed => Happened::PasswordLinkMailed,
        EventKind::PasswordChanged => Happened::PasswordChanged,
        EventKind::EmailChangeAsked => Happened::EmailAsked,
        EventKind::EmailConfirmed => Happened::EmailConfirmed,
        EventKind::PhoneChangeAsked => Happened::PhoneAsked,
        EventKind::PhoneConfirmed => Happened::PhoneConfirmed,
        EventKind::PhoneRemoved => Happened::PhoneRemoved,
        EventKind::TermsAccepted => Happened::Terms,
        EventKind::GroupChanged => Happened::Groups,
        _ => Happened::Other,
    }
}
