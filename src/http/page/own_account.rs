//! `/account`: where the person is signed in, and what they have allowed which application.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::shown;
use crate::flow::Error;
use crate::flow::authorization::consents;
use crate::flow::people::{self, DeviceAct, OfflineGrants};
use crate::flow::session::{self, NotEnded, OwnEnd};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Query, Visit};
use crate::model::{self, Client, Consent, Id, Resource, Timestamp, User};
use crate::view::{
    AccountNotice, AllowedApplication, AllowedThing, Asked, Device, OtherAccount, OwnAccount, OwnDevice, OwnPath,
    OwnSession, Page,
};

const HERE: &str = "/account";
const FACTORS: &str = "/account/factors";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// What there is to say first.
    notice: Option<AccountNotice>,
    /// Whose page it is, where several people are signed in.
    account: Option<Id<User>>,
}

/// What the form sends: one of these.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    /// A session, or all others.
    end: Option<String>,
    /// An application.
    take_back: Option<String>,
    /// One of the things that an application was allowed: the application, a blank, and what it is called.
    narrow: Option<String>,
    /// A device.
    block: Option<String>,
    /// A device.
    unblock: Option<String>,
    /// A device.
    admit: Option<String>,
}

/// GET /account
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    // that a form was too old is said by the answer to it alone
    let notice = wish.notice.filter(|notice| *notice != AccountNotice::Expired);
    match Owner::of(&visit, wish.account).map(Own) {
        Some(own) => own.page(&visit, notice).await,
        None => Ok(visit.keep(sign_in())),
    }
}

/// POST /account
pub(super) async fn change(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Owner::of(&visit, wish.account).map(Own) else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return own.page(&visit, Some(AccountNotice::Expired)).await,
        Err(forgery) => return Err(forgery.into()),
    }
    let (provider, call, asker) = (visit.provider(), &visit.call, (&own.0.account).into());
    let (done, notice) = match Wanted::of(&fields)? {
        Wanted::Nothing => return Ok(visit.keep(see_other(&own.address(None)))),
        Wanted::End(wish) => {
            let done = match session::end_own(provider, call, asker, wish).await {
                // ended twice is ended
                Err(NotEnded::Failed(Error::NotFound)) => Ok(()),
                done => done,
            };
            (done, AccountNotice::Ended)
        }
        Wanted::TakeBack(client) => {
            let done = match consents::withdraw(provider, call, asker, client).await {
                // taken back twice is taken back
                Err(NotEnded::Failed(Error::NotFound)) => Ok(()),
                done => done,
            };
            (done, AccountNotice::TakenBack)
        }
        Wanted::Narrow(client, thing) => {
            let done = match consents::narrow(provider, call, asker, (client, &[thing])).await {
                // taken back twice is taken back
                Err(NotEnded::Failed(Error::NotFound)) => Ok(()),
                done => done,
            };
            (done, AccountNotice::Narrowed)
        }
        Wanted::Device(device, act, notice) => {
            let done = people::change_own_device(provider, call, asker, device, act).await;
            (done, notice)
        }
    };
    match done {
        Ok(()) => Ok(visit.keep(see_other(&own.address(Some(notice))))),
        Err(NotEnded::ProofTooOld) => Ok(visit.keep(see_other(&own.proving()))),
        // forgotten meanwhile: the page shows what is there
        Err(NotEnded::Failed(Error::NotFound)) => Ok(visit.keep(see_other(&own.address(None)))),
        Err(NotEnded::Failed(error)) => Err(error.into()),
    }
}

/// What is to be done.
enum Wanted {
    Nothing,
    End(OwnEnd),
    TakeBack(Id<Client>),
    Narrow(Id<Client>, String),
    Device(Id<model::Device>, DeviceAct, AccountNotice),
}

impl Wanted {
    fn of(fields: &Fields) -> Result<Self, Refusal> {
        if let Some(client) = fields.take_back.as_deref().and_then(|text| text.parse().ok()) {
            return Ok(Self::TakeBack(client));
        }
        if let Some((client, thing)) = fields.narrow.as_deref().and_then(|text| text.split_once(' ')) {
            let client = client
                .parse()
                .map_err(|_| Refusal::bad_request("this names no application"))?;
            return Ok(Self::Narrow(client, thing.to_owned()));
        }
        let acts = [
            (
                &fields.block,
                DeviceAct::Block(OfflineGrants::End),
                AccountNotice::Blocked,
            ),
            (&fields.unblock, DeviceAct::Unblock, AccountNotice::Unblocked),
            (&fields.admit, DeviceAct::Admit, AccountNotice::Admitted),
        ];
        for (named, act, notice) in acts {
            if let Some(text) = named {
                let device = text.parse().map_err(|_| Refusal::bad_request("this names no device"))?;
                return Ok(Self::Device(device, act, notice));
            }
        }
        match fields.end.as_deref() {
            None => Ok(Self::Nothing),
            Some("others") => Ok(Self::End(OwnEnd::Others)),
            Some(text) => match text.parse() {
                Ok(id) => Ok(Self::End(OwnEnd::One(id))),
                Err(_) => Err(Refusal::bad_request("this names no session")),
            },
        }
    }
}

/// Whose page it is.
struct Own(Owner);

impl Own {
    /// The address of this page.
    fn address(&self, notice: Option<AccountNotice>) -> String {
        self.0.at(HERE, notice.map(AccountNotice::as_str))
    }

    /// The page of the second factors.
    fn factors(&self) -> String {
        self.0.at(FACTORS, None)
    }

    /// Where the person proves once more who they are, and comes back from.
    fn proving(&self) -> String {
        self.0
            .proving(&format!("{HERE}?notice={}", AccountNotice::Proved.as_str()))
    }

    /// Bound to the session that the page shows: another tab may have gone on with another account (SEC-017).
    fn purpose(&self) -> String {
        format!("own account {}", self.0.account.session.id)
    }

    async fn page(&self, visit: &Visit, notice: Option<AccountNotice>) -> Result<Response, Refusal> {
        let (provider, account) = (visit.provider(), &self.0.account);
        let times = session::own_times(provider, &visit.call, account).await?;
        let sessions = session::own_sessions(provider, &visit.call, account.into()).await?;
        let own = people::own_devices(provider, &visit.call, account.into()).await?;
        let allowed = consents::list_with_clients(provider, account.user.id).await?;
        let resources = provider.resources().await?;
        let applications = allowed.iter().map(|(consent, client)| AllowedApplication {
            value: client.id.to_string(),
            client: shown::client(client),
            allowed: things(consent, client, &resources),
            since: consent.given_at.micros(),
        });
        let page = Page::OwnAccount(OwnAccount {
            account: shown::account(&account.user),
            others: others(visit, account),
            action: OwnPath::or_home(&self.address(None)),
            notice,
            ends: account.user.expires_at.map(Timestamp::micros),
            idle_seconds: times.idle.as_secs(),
            lifetime_seconds: times.lifetime.as_secs(),
            sessions: sessions.into_iter().map(entry).collect(),
            devices: own.devices.into_iter().map(|known| device(known, own.here)).collect(),
            applications: applications.collect::<Vec<AllowedApplication>>(),
            picture: people::picture_path(provider, &account.user).map(|path| OwnPath::or_home(&path)),
            profile: OwnPath::or_home(&self.0.at("/account/profile", None)),
            events: OwnPath::or_home(&self.0.at("/account/activity", None)),
            export: OwnPath::or_home(&self.0.at("/account/export", None)),
            lock: OwnPath::or_home(&self.0.at("/account/lock", None)),
            delete: people::deletion_grace(provider, &visit.call, account.user.id)
                .await?
                .map(|_| OwnPath::or_home(&self.0.at("/account/delete", None))),
            email: OwnPath::or_home(&self.0.at("/account/email", None)),
            phone: people::are_texts_sent(provider).then(|| OwnPath::or_home(&self.0.at("/account/phone", None))),
            password: OwnPath::or_home(&self.0.at("/account/password", None)),
            factors: OwnPath::or_home(&self.factors()),
            terms: OwnPath::or_home(&self.0.at("/account/terms", None)),
            sign_out: OwnPath::or_home("/logout"),
        });
        let status = match notice {
            Some(AccountNotice::Expired) => StatusCode::FORBIDDEN,
            _ => StatusCode::OK,
        };
        let locale = visit.locale(&[], Some(&account.user));
        let sheet = visit.sheet(page, locale, &self.purpose()).warns(visit.warning(account));
        Ok(visit.show(sheet.status(status)))
    }
}

/// What an application was allowed, each thing with what takes it back alone. Without `openid` nothing would be left.
fn things(consent: &Consent, client: &Client, resources: &[Resource]) -> Vec<AllowedThing> {
    let all = shown::asked(
        consent.scope.iter().map(ToString::to_string),
        &consent.claims,
        resources,
    );
    let scopes = consent
        .scope
        .iter()
        .map(|scope| (scope.to_owned(), shown::asked([scope.to_owned()], &[], resources)));
    let claims = consent
        .claims
        .iter()
        .map(|claim| (claim.clone(), shown::asked([], std::slice::from_ref(claim), resources)));
    let named: Vec<(String, Vec<Asked>)> = scopes.chain(claims).collect();
    let things = all.into_iter().map(|asked| {
        let found = named.iter().find(|(_, alone)| alone.contains(&asked));
        let name = found.map(|(name, _)| name).filter(|name| *name != "openid");
        AllowedThing {
            value: name.map(|name| format!("{} {name}", client.id)),
            asked,
        }
    });
    things.collect()
}

/// Who else is signed in in this browser.
fn others(visit: &Visit, account: &session::Account) -> Vec<OtherAccount> {
    let accounts = visit.browser.accounts.iter();
    let others = accounts.filter(|other| other.user.id != account.user.id);
    others
        .map(|other| OtherAccount {
            account: shown::account(&other.user),
            page: OwnPath::or_home(&format!("{HERE}?account={}", other.user.id)),
        })
        .collect()
}

fn device(known: model::Device, here: Option<Id<model::Device>>) -> OwnDevice {
    OwnDevice {
        value: known.id.to_string(),
        here: here == Some(known.id),
        device: known.user_agent.as_deref().map(Device::read).unwrap_or_default(),
        place: shown::whereabouts(known.place, known.address),
        first: known.first_at.micros(),
        last: known.last_at.micros(),
        state: known.state,
    }
}

fn entry(session: session::OwnSession) -> OwnSession {
    OwnSession {
        value: session.id.to_string(),
        here: session.is_here,
        device: session.user_agent.as_deref().map(Device::read).unwrap_or_default(),
        place: shown::whereabouts(session.place, session.address),
        started: session.started_at.micros(),
        seen: session.seen_at.micros(),
        applications: session.applications,
    }
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount")
}
