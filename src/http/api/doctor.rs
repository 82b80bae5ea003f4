//! `/doctor`: how the installation stands.

use schemars::JsonSchema;
use serde::Serialize;

use super::route::{Method, Route, handler};
use super::{Answer, Asked, Problem};
use crate::flow::operations::doctor::{self, Finding, Wish};
use crate::view::Locale;

const READ: &str = "admin:operations.read";

/// How the installation stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Doctor")]
struct DoctorBody {
    /// The worst of the findings: `good`, `warning` or `wrong`.
    verdict: &'static str,
    /// One or more for each check.
    findings: Vec<FindingBody>,
}

/// One thing that was found.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DoctorFinding")]
struct FindingBody {
    /// What it is about: `configuration`, `public_url`, `proxy`, `cookies`, `clock`, `database`, `redis`, `mail`, `disk`,
    /// `keys` or `tls`.
    check: &'static str,
    /// `good`; `warning`: it works, and should be otherwise; `wrong`: it has to be changed.
    verdict: &'static str,
    /// Which finding, the same in every version.
    code: &'static str,
    /// A sentence in English.
    detail: String,
    /// The line to change or the command to run; null where none would help.
    line: Option<String>,
}

pub(super) fn table() -> Vec<Route> {
    vec![
        Route::new(
            Method::Get,
            "/doctor",
            READ,
            "Looks at configuration, public address, proxy, clock, database, Redis, mail, text messages, disk, keys and certificates.",
            handler!(get),
        )
        .gives::<DoctorBody>(),
    ]
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let report = doctor::examine(&asked.http.doctor, &Wish::default()).await;
    Answer::of(&DoctorBody {
        verdict: report.verdict().as_str(),
        findings: report
            .findings
            .into_iter()
            .map(|finding| body(&asked, finding))
            .collect(),
    })
}

fn body(asked: &Asked, finding: Finding) -> FindingBody {
    let key = format!("doctor_{}", finding.said);
    FindingBody {
        check: finding.check.as_str(),
        verdict: finding.verdict.as_str(),
        code: finding.said.as_str(),
        detail: asked.http.views.sentence(Locale::English, &key, &finding.values),
        line: finding.line,
    }
}
