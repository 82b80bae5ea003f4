//! What was decided about an authorization request, kept for whoever asks why.

use super::Interaction;
use crate::flow::effective::{DecidedTime, idle_setting, lifetime_setting};
use crate::flow::session::{Account, Browser, Lapse, Lapsed, kept, term};
use crate::flow::trace::Kept;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::SESSION_MAX_CONCURRENT;
use crate::model::{Client, Consent, ConsentMode, Fact, Part, Reason, Scopes, Step, Verdict, scope};
use crate::protocol::OAuthError;
use crate::protocol::authorization_request::{AuthorizationRequest, Untrusted};
use crate::protocol::parameters::Parameters;
use crate::protocol::prompt::{Because, Decision};
use crate::protocol::redirect_uri;

/// Sessions of a person that are looked through for the one that a browser still names.
const SESSIONS: u32 = 20;

/// Nobody may be redirected.
pub(super) fn keep_untrusted(
    provider: &Provider,
    call: &Call,
    parameters: &Parameters,
    client: Option<&Client>,
    untrusted: Untrusted,
) {
    provider.keep_trace(call, Kept::Refusal, || {
        let mut reason = Reason::new(untrusted.rule());
        if let Some(client) = client {
            reason = reason
                .fact("client", Fact::Id(client.id.uuid()))
                .fact("disabled", Fact::Bool(client.disabled_at.is_some()));
        }
        if let (Untrusted::RedirectUriUnregistered, Some(client)) = (untrusted, client) {
            let requested = parameters.get("redirect_uri").unwrap_or_default();
            let registered = &client.metadata.redirect_uris;
            reason = reason
                .fact("registered", Fact::count(registered.len()))
                .fact("length", Fact::count(requested.len()))
                .fact(
                    "differs_in",
                    Fact::Word(redirect_uri::difference(requested, registered)),
                );
        }
        call.trace(Part::Authorization).refused(reason, None)
    });
}

/// The request itself was refused, and the client is told.
pub(super) fn keep_refused(provider: &Provider, call: &Call, client: &Client, error: &OAuthError) {
    provider.keep_trace(call, Kept::Refusal, || {
        call.trace(Part::Authorization)
            .client(client.id)
            .step(trusted(client))
            .refused(error.reason(), None)
    });
}

/// Scopes that were asked for and that the client may not have. No news if there are none.
pub(super) fn keep_narrowed(
    provider: &Provider,
    call: &Call,
    client: &Client,
    parameters: &Parameters,
    request: &AuthorizationRequest,
) {
    let asked = parameters.get("scope").and_then(|scope| Scopes::parse(scope).ok());
    let Some(asked) = asked.filter(|asked| !asked.is_within(&request.scope)) else {
        return;
    };
    provider.keep_trace(call, Kept::SignIn, || {
        let left_out = asked.filter(|token| !request.scope.contains(token));
        let mut step = Step::passed("authorization.scope_narrowed")
            .fact("asked", Fact::count(asked.iter().count()))
            .fact("left", Fact::count(request.scope.iter().count()));
        for token in scope::STANDARD.iter().filter(|token| left_out.contains(token)) {
            step = step.fact("left_out", Fact::Word(token));
        }
        call.trace(Part::Authorization).client(client.id).step(step)
    });
}

/// What comes next, and why.
pub(super) async fn keep_decision(
    provider: &Provider,
    call: &Call,
    browser: &Browser,
    interaction: &Interaction,
    account: Option<&Account>,
    consent: Option<&Consent>,
    decision: &Decision,
) {
    let kept = match decision {
        Decision::Refuse(_) => Kept::Refusal,
        _ => Kept::SignIn,
    };
    if !provider.keeps_traces(call, kept) {
        return;
    }
    let session = match (account, browser.lapsed.first()) {
        (Some(account), _) => signed_in(account),
        (None, Some(lapsed)) => lapse(provider, call, lapsed).await,
        (None, None) => Step::passed("session.none"),
    };
    let client = &interaction.client;
    let call = call.within(Some(interaction.trace));
    provider.keep_trace(&call, kept, || {
        let mut trace = call
            .trace(Part::Authorization)
            .client(client.id)
            .step(trusted(client))
            .step(session.fact("accounts", Fact::count(browser.accounts.len())));
        if let Some(account) = account {
            trace = trace.user(account.user.id);
        }
        match decision {
            Decision::Login(because) => trace.step(asked("prompt.login", *because)),
            Decision::Reauthenticate(because) => {
                let step = asked("prompt.reauthenticate", *because);
                trace.step(match interaction.request.max_age {
                    Some(seconds) => step.fact("max_age", Fact::Duration(std::time::Duration::from_secs(seconds))),
                    None => step,
                })
            }
            Decision::StepUp(because) => trace.step(asked("prompt.step_up", *because)),
            Decision::SelectAccount(because) => trace.step(asked("prompt.select_account", *because)),
            Decision::MakeRoom(because) => {
                trace.step(asked("prompt.make_room", *because).setting(SESSION_MAX_CONCURRENT))
            }
            Decision::Consent(because) => trace.step(consent_question(interaction, consent, *because)),
            Decision::Refuse(error) => trace.refused(error.reason(), None),
            Decision::Issue => trace
                .step(Step::passed(consented(interaction)))
                .step(Step::passed("authorization.code").setting(crate::model::setting::CODE_LIFETIME)),
        }
    });
}

/// The person said no.
pub(super) fn keep_denied(provider: &Provider, call: &Call, interaction: &Interaction, error: &OAuthError) {
    let call = call.within(Some(interaction.trace));
    provider.keep_trace(&call, Kept::Refusal, || {
        call.trace(Part::Authorization)
            .client(interaction.client.id)
            .refused(error.reason(), None)
    });
}

fn trusted(client: &Client) -> Step {
    Step::passed("authorization.trusted").fact("public", Fact::Bool(client.is_public()))
}

fn signed_in(account: &Account) -> Step {
    Step::passed("session.reused")
        .fact("session", Fact::Id(account.session.id.uuid()))
        .fact("auth_time", Fact::Time(account.facts.auth_time))
        .fact("ends", Fact::Time(account.session.ends()))
}

fn asked(rule: &'static str, because: Because) -> Step {
    Step::new(rule, Verdict::Asked).fact("because", Fact::Word(because.word()))
}

fn consent_question(interaction: &Interaction, consent: Option<&Consent>, because: Because) -> Step {
    let wanted = &interaction.request.scope;
    let known = consent.map(|consent| wanted.within(&consent.scope)).unwrap_or_default();
    let mut step = asked("prompt.consent", because)
        .fact("scopes", Fact::count(wanted.iter().count()))
        .fact("allowed_before", Fact::count(known.iter().count()));
    let new = |token: &&&str| wanted.contains(token) && !known.contains(token);
    for token in scope::STANDARD.iter().filter(new) {
        step = step.fact("new", Fact::Word(token));
    }
    step
}

fn consented(interaction: &Interaction) -> &'static str {
    if interaction.client.policy.consent == ConsentMode::Skip {
        "consent.skipped"
    } else if interaction.answers.consented {
        "consent.given"
    } else {
        "consent.covered"
    }
}

/// Why a session that the browser still names does not count any more.
async fn lapse(provider: &Provider, call: &Call, lapsed: &Lapsed) -> Step {
    match lapsed.why {
        Lapse::Expired(decided) => decided.onto(Step::passed("session.expired")),
        Lapse::Idle(decided) => decided.onto(Step::passed("session.idle")),
        Lapse::Ended => Step::passed("session.ended"),
        Lapse::Inactive => Step::passed("session.inactive"),
        Lapse::AccountExpired => Step::passed("session.account_expired"),
        // an explanation that can't be had is no reason to fail
        Lapse::NotHeld => forgotten(provider, call, lapsed)
            .await
            .unwrap_or(Step::passed("session.lapsed")),
    }
}

/// The session store has forgotten it; the store's slow row says why: the newest session of the person that is not held.
async fn forgotten(provider: &Provider, call: &Call, lapsed: &Lapsed) -> Result<Step, Error> {
    let rows = provider
        .store
        .read()
        .await?
        .list_sessions_of(lapsed.user, SESSIONS)
        .await?;
    let held = kept::list(provider, call, lapsed.user).await?;
    let gone = rows.iter().find(|row| !held.iter().any(|session| session.id == row.id));
    let (row, person) = match (gone, provider.person(lapsed.user, call.now).await?) {
        (Some(row), _) if row.ended_at.is_some() => return Ok(Step::passed("session.ended")),
        (Some(row), Some(person)) => (row, person),
        _ => return Ok(Step::passed("session.lapsed")),
    };
    let settings = provider.settings().await?;
    let layers = person.layers(&settings, None);
    let (rule, setting) = if term::end_of_row(row, (&person.user, &layers)) <= call.now {
        ("session.expired", lifetime_setting(row.remember))
    } else {
        ("session.idle", idle_setting(row.remember))
    };
    let step = Step::passed(rule).fact("began", Fact::Time(row.started_at));
    Ok(DecidedTime::of(&layers, setting).onto(step))
}
