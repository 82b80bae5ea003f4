//! `/console/doctor`: how the installation stands, for administrators; and what answers the doctor's own question.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::shown;
use crate::flow::Error;
use crate::flow::operations::doctor::{self, Finding, Seen, Wish};
use crate::flow::people;
use crate::flow::session::Account;
use crate::http::answer::next::see_other;
use crate::http::extract::{Query, Visit};
use crate::http::{Http, Refusal};
use crate::model::{Fact, Timestamp};
use crate::view::{self, OwnPath, Page};

/// What whoever looks must hold.
const PERMISSION: &str = "admin:operations.read";

/// The account of this browser that may look, the most recent sign-in first.
pub(super) async fn allowed(visit: &Visit) -> Result<Option<&Account>, Error> {
    for account in &visit.browser.accounts {
        if people::rights_of(visit.provider(), account.user.id, visit.call.now)
            .await?
            .allow(PERMISSION)
        {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

/// GET /console/doctor
pub(super) async fn show(visit: Visit, seen: Seen) -> Result<Response, Refusal> {
    let Some(first) = visit.browser.accounts.first() else {
        return Ok(visit.keep(see_other("/login?return_to=/console/doctor")));
    };
    let Some(account) = allowed(&visit).await? else {
        let mut refusal = Refusal::from(Error::Forbidden(PERMISSION.to_owned()));
        refusal
            .reason_mut()
            .facts
            .push(("user", Fact::Id(first.user.id.uuid())));
        return Err(refusal);
    };
    let user = &account.user;
    let wish = Wish {
        text_to: None,
        seen: Some(seen.clone()),
        send_to: None,
    };
    let report = doctor::examine(&visit.http.doctor, &wish).await;
    let locale = visit.locale(&[], Some(user));
    let page = Page::Doctor(view::Doctor {
        account: shown::account(user),
        verdict: report.verdict(),
        findings: report.findings.iter().map(finding).collect(),
        seen: arrived(&seen),
        server_millis: seen.micros.div_euclid(1000),
        again: OwnPath::or_home("/console/doctor"),
    });
    Ok(visit.show(visit.sheet(page, locale, "doctor")))
}

fn finding(finding: &Finding) -> view::DoctorFinding {
    view::DoctorFinding {
        check: finding.check,
        verdict: finding.verdict,
        said: finding.said,
        values: finding
            .values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        line: finding.line.clone(),
    }
}

fn arrived(seen: &Seen) -> view::DoctorSeen {
    view::DoctorSeen {
        scheme: if seen.tls { "https" } else { "http" }.to_owned(),
        host: seen.host.clone(),
        peer: seen.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        trusted: seen.trusted,
        address: seen.address.map(|address| address.to_string()).unwrap_or_default(),
        forwarded_for: seen.forwarded_for.join("; "),
        forwarded_proto: seen.forwarded_proto.join("; "),
        ignored: seen.ignored.join(", "),
        cookies: seen.cookies.join(", "),
    }
}

/// What the doctor's question says.
#[derive(Deserialize)]
pub(super) struct Question {
    #[serde(default)]
    probe: String,
}

/// GET /doctor/seen: what arrived, for who has the master key.
pub(super) async fn seen(
    State(http): State<Http>,
    Query(question): Query<Question>,
    seen: Seen,
) -> Result<Response, Refusal> {
    if !doctor::is_ours(
        &http.provider.master,
        &question.probe,
        Timestamp::from_micros(http.provider.clock.system_micros()),
    ) {
        return Err(Refusal::not_found());
    }
    Ok(Json(seen).into_response())
}
