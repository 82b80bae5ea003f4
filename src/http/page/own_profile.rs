//! `/account/profile`: a person's own data and their picture.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::owner::Owner;
use super::{profile_form, property_form, shown};
use crate::flow::Error;
use crate::flow::people::{self, NotEdited, PictureFault as Fault, PictureNotTaken, ProfileRules, PropertiesChange};
use crate::http::Refusal;
use crate::http::answer::next::see_other;
use crate::http::extract::{Forgery, Form, Multipart, Query, Visit};
use crate::model::{Id, User};
use crate::view::{OwnPath, OwnPicture, OwnProfile, Page, PictureProblem, ProfileField, ProfileNotice, PropertyInput};

const HERE: &str = "/account/profile";

/// What the address says.
#[derive(Deserialize)]
pub(super) struct Wish {
    /// Whose it is, where several people are signed in.
    account: Option<Id<User>>,
    notice: Option<String>,
}

/// What the forms send.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    given: BTreeMap<String, String>,
}

/// GET /account/profile
pub(super) async fn show(visit: Visit, Query(wish): Query<Wish>) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish).await? else {
        return Ok(visit.keep(sign_in()));
    };
    let notice = ProfileNotice::ALL
        .iter()
        .find(|known| wish.notice.as_deref() == Some(known.as_str()));
    let said = Said {
        notice: notice.copied(),
        ..Said::default()
    };
    Ok(own.page(&visit, own.fields(), said, StatusCode::OK))
}

/// POST /account/profile
pub(super) async fn change(
    mut visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish).await? else {
        return Ok(visit.keep(sign_in()));
    };
    let user = &own.owner.account.user.clone();
    let mut filled = own.fields();
    profile_form::fill(&mut filled, &fields.given);
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(own.page(&visit, filled, Said::expired(), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    let mut inputs = own.inputs.clone();
    property_form::fill(&mut inputs, &fields.given);
    let mut change = profile_form::change(&filled, user);
    change.properties = Some(PropertiesChange::Patch(property_form::entered(&inputs)));
    let asker = (&own.owner.account).into();
    match people::change_own_profile(visit.provider(), &visit.call, asker, change).await {
        Ok(changed) => {
            if changed.profile.locale != user.profile.locale {
                // the person's own language counts from here on
                visit.forget_language();
            }
            let saved = own.owner.at(HERE, Some(ProfileNotice::Saved.as_str()));
            Ok(visit.keep(see_other(&saved)))
        }
        Err(NotEdited::ProofTooOld) => Ok(visit.keep(see_other(&own.owner.proving(HERE)))),
        Err(NotEdited::Failed(Error::Invalid(errors))) => {
            profile_form::mark(&mut filled, &errors);
            property_form::mark(&mut inputs, &errors);
            let own = Own { inputs, ..own };
            Ok(own.page(&visit, filled, Said::default(), StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(NotEdited::Failed(error)) => Err(error.into()),
    }
}

/// POST /account/picture
pub(super) async fn set_picture(visit: Visit, Query(wish): Query<Wish>, form: Multipart) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish).await? else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &form.text("csrf")) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(own.page(&visit, own.fields(), Said::expired(), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    let refused = |problem| {
        let said = Said {
            picture: Some(problem),
            ..Said::default()
        };
        Ok(own.page(&visit, own.fields(), said, StatusCode::UNPROCESSABLE_ENTITY))
    };
    let Some(file) = form.part("picture").filter(|file| !file.is_empty()) else {
        return refused(PictureProblem::Missing);
    };
    match people::set_own_picture(visit.provider(), &visit.call, own.owner.account.user.id, file).await {
        Ok(_) => {
            let saved = own.owner.at(HERE, Some(ProfileNotice::Picture.as_str()));
            Ok(visit.keep(see_other(&saved)))
        }
        Err(PictureNotTaken::Fault(fault)) => refused(problem(fault)),
        Err(PictureNotTaken::Failed(error)) => Err(error.into()),
    }
}

/// POST /account/picture/remove
pub(super) async fn remove_picture(
    visit: Visit,
    Query(wish): Query<Wish>,
    Form(fields): Form<Fields>,
) -> Result<Response, Refusal> {
    let Some(own) = Own::of(&visit, &wish).await? else {
        return Ok(visit.keep(sign_in()));
    };
    match visit.check(&own.purpose(), &fields.csrf) {
        Ok(()) => {}
        Err(Forgery::Token) => return Ok(own.page(&visit, own.fields(), Said::expired(), StatusCode::FORBIDDEN)),
        Err(forgery) => return Err(forgery.into()),
    }
    people::remove_own_picture(visit.provider(), &visit.call, own.owner.account.user.id).await?;
    let removed = own.owner.at(HERE, Some(ProfileNotice::NoPicture.as_str()));
    Ok(visit.keep(see_other(&removed)))
}

const fn problem(fault: Fault) -> PictureProblem {
    match fault {
        Fault::TooLong => PictureProblem::TooLong,
        Fault::TooLarge => PictureProblem::TooLarge,
        Fault::Unknown => PictureProblem::Unknown,
        Fault::Moving => PictureProblem::Moving,
        Fault::Damaged => PictureProblem::Damaged,
    }
}

/// What there is to say first.
#[derive(Default)]
struct Said {
    notice: Option<ProfileNotice>,
    picture: Option<PictureProblem>,
    expired: bool,
}

impl Said {
    fn expired() -> Self {
        Self {
            expired: true,
            ..Self::default()
        }
    }
}

/// Whose page it is.
struct Own {
    owner: Owner,
    rules: ProfileRules,
    /// What an administrator has defined beside.
    inputs: Vec<PropertyInput>,
}

impl Own {
    async fn of(visit: &Visit, wish: &Wish) -> Result<Option<Self>, Refusal> {
        let Some(owner) = Owner::of(visit, wish.account) else {
            return Ok(None);
        };
        let rules = people::profile_rules_of(visit.provider(), &visit.call, owner.account.user.id).await?;
        let user = &owner.account.user;
        let properties = visit.provider().properties().await?;
        let locale = visit.locale(&[], Some(user));
        let inputs = property_form::of_person(&properties, &user.profile.properties, locale.tag());
        Ok(Some(Self { owner, rules, inputs }))
    }

    /// Bound to the session that the page shows (SEC-017).
    fn purpose(&self) -> String {
        format!("own profile {}", self.owner.account.session.id)
    }

    fn fields(&self) -> Vec<ProfileField> {
        profile_form::fields(&self.owner.account.user, &self.rules.editable, &self.rules.required)
    }

    fn page(&self, visit: &Visit, fields: Vec<ProfileField>, said: Said, status: StatusCode) -> Response {
        let user = &self.owner.account.user;
        let at = |path: &str| OwnPath::or_home(&self.owner.at(path, None));
        let page = Page::OwnProfile(OwnProfile {
            account: shown::account(user),
            action: at(HERE),
            fields,
            properties: self.inputs.clone(),
            languages: profile_form::languages(user),
            picture: self.rules.editable.contains(&"picture").then(|| OwnPicture {
                shown: people::picture_path(visit.provider(), user).map(|path| OwnPath::or_home(&path)),
                action: at("/account/picture"),
                remove: at("/account/picture/remove"),
                problem: said.picture,
            }),
            expired: said.expired,
            notice: said.notice,
            back: at("/account"),
        });
        let locale = visit.locale(&[], Some(user));
        let sheet = visit.sheet(page, locale, &self.purpose());
        visit.show(sheet.warns(visit.warning(&self.owner.account)).status(status))
    }
}

fn sign_in() -> Response {
    see_other("/login?return_to=%2Faccount%2Fprofile")
}
