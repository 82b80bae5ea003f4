//! `/console/doctor`: how the installation stands, for administrators; and what answers the doctor's own question.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::shown;
use crate::flow::Call;
use crate::flow::operations::doctor::{self, Finding, Seen, Wish};
use crate::flow::people;
use crate::http::answer::next::see_other;
use crate::http::extract::{Query, Visit};
use crate::http::{Http, Refusal};
use crate::view::{self, OwnPath, Page};

/// What whoever looks must hold.
const PERMISSION: &str = "admin:operations.read";

/// GET /console/doctor
pub(super) async fn show(visit: Visit, seen: Seen) -> Result<Response, Refusal> {
    let Some(account) = visit.browser.accounts.first() else {
        return Ok(visit.keep(see_other("/login?return_to=/console/doctor")));
    };
    let user = &account.user;
    if !people::rights_of(visit.provider(), user.id).await?.allow(PERMISSION) {
        return Err(Refusal::forbidden());
    }
    let wish = Wish {
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
    axum::Extension(call): axum::Extension<Call>,
    Query(question): Query<Question>,
    seen: Seen,
) -> Result<Response, Refusal> {
    if !doctor::is_ours(
        &http.provider.master,
        &question.probe,
        call.now.before(http.provider.clock.offset()),
    ) {
        return Err(Refusal::not_found());
    }
    Ok(Json(seen).into_response())
}
