//! Must the person be asked something? One list of reasons, gone through again after every answer (Core section 3.1.2.3).

use super::acr::{self, Demand};
use super::authorization_request::{AuthorizationRequest, Prompt};
use super::oauth_error::{ErrorCode, OAuthError};
use crate::model::{Client, Consent, ConsentMode, Fact, Timestamp};

/// A signed-in account, as far as the decision needs it.
#[derive(Clone, Debug)]
pub struct Account {
    /// What this client knows the person by.
    pub subject: String,
    /// When the person last proved who they are.
    pub auth_time: Timestamp,
    /// How well.
    pub acr: String,
    /// What the classes are called here besides.
    pub acr_names: acr::Names,
    /// Whether the person has a second factor, which that proof was given without.
    pub can_prove_more: bool,
    /// Whether the settings want a second factor here, which that proof was given without.
    pub lacks_factor: bool,
    /// That the session is older than this client allows, or was not used for longer.
    pub outlived: Option<Because>,
}

/// What has been answered since the request came.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Answers {
    /// When the person proved who they are, for this request.
    pub signed_in_at: Option<Timestamp>,
    /// That the person chose the account, for this request.
    pub account_chosen: bool,
    /// That the person allowed it, for this request.
    pub consented: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask who they are.
    Login(Because),
    /// Ask the known person to prove it once more.
    Reauthenticate(Because),
    /// Ask the known person for the second factor alone: the rest of the proof stands.
    StepUp(Because),
    /// Ask which account.
    SelectAccount(Because),
    /// Ask whether they allow it: these scopes and claims are new.
    Consent(Because),
    /// Ask which of the person's logins ends for this one, or say that there is no room: this last, when all else is settled.
    MakeRoom(Because),
    /// Nothing to ask: issue.
    Issue,
    /// Something would have to be asked, and `prompt=none` forbids it.
    Refuse(OAuthError),
}

/// Why somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Nobody is signed in.
    NobodySignedIn,
    /// `prompt=login`.
    PromptLogin,
    /// `max_age` has passed.
    MaxAge,
    /// A stronger `acr` is asked for.
    Acr,
    /// The settings want a second factor.
    Policy,
    /// The request is for somebody else.
    HintedSubject,
    /// `prompt=select_account`.
    PromptSelectAccount,
    /// Several accounts are signed in.
    SeveralAccounts,
    /// `prompt=consent`.
    PromptConsent,
    /// Not everything was allowed before.
    NotConsented,
    /// All of it was allowed before, but whoever asks now may be another program.
    ClientUnproven,
    /// The session lives longer than this client lets it.
    ClientLifetime,
    /// The session was not used for longer than this client lets it.
    ClientIdle,
    /// The person is signed in to this client as often as it lets them.
    ClientLimit,
    /// An application that stays connected is a login of its own, and the person has as many as they may have.
    LoginLimit,
}

impl Because {
    /// In a word, for the traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NobodySignedIn => "nobody_signed_in",
            Self::PromptLogin => "prompt_login",
            Self::MaxAge => "max_age",
            Self::Acr => "acr",
            Self::Policy => "policy",
            Self::HintedSubject => "hinted_subject",
            Self::PromptSelectAccount => "prompt_select_account",
            Self::SeveralAccounts => "several_accounts",
            Self::PromptConsent => "prompt_consent",
            Self::NotConsented => "not_consented",
            Self::ClientUnproven => "client_unproven",
            Self::ClientLifetime => "client_lifetime",
            Self::ClientIdle => "client_idle",
            Self::ClientLimit => "client_limit",
            Self::LoginLimit => "login_limit",
        }
    }
}

/// Decides. `account` is the one the browser would continue with; `others` whether more are signed in.
pub fn decide(
    request: &AuthorizationRequest,
    client: &Client,
    account: Option<&Account>,
    others: bool,
    consent: Option<&Consent>,
    answers: &Answers,
    now: Timestamp,
) -> Decision {
    let decision = next_question(request, client, account, others, consent, answers, now);
    if request.prompt.contains(&Prompt::None) {
        refuse_question(decision)
    } else {
        decision
    }
}

fn next_question(
    request: &AuthorizationRequest,
    client: &Client,
    account: Option<&Account>,
    others: bool,
    consent: Option<&Consent>,
    answers: &Answers,
    now: Timestamp,
) -> Decision {
    let silent = request.prompt.contains(&Prompt::None);
    let Some(account) = account else {
        return Decision::Login(Because::NobodySignedIn);
    };
    if request.prompt.contains(&Prompt::SelectAccount) && !answers.account_chosen && answers.signed_in_at.is_none() {
        return Decision::SelectAccount(Because::PromptSelectAccount);
    }
    if request.expects_somebody() {
        // Core sections 3.1.2.1 and 5.5.1: that person, or an error
        if !request.may_be_for(&account.subject) {
            return if answers.signed_in_at.is_some() || answers.account_chosen {
                Decision::Refuse(OAuthError::new(
                    ErrorCode::LoginRequired,
                    "authorization.hinted_subject",
                    "somebody else signed in than the request expects (id_token_hint or the claim sub)",
                ))
            } else {
                Decision::Login(Because::HintedSubject)
            };
        }
    } else if others && !answers.account_chosen && answers.signed_in_at.is_none() && !silent {
        return Decision::SelectAccount(Because::SeveralAccounts);
    }
    // for this very request, and by this very account: another one that is signed in as well has answered nothing
    let proved_for_this = answers.signed_in_at.is_some_and(|at| account.auth_time >= at);
    if request.prompt.contains(&Prompt::Login) && !proved_for_this {
        return Decision::Reauthenticate(Because::PromptLogin);
    }
    if let Some(max_age) = request.max_age {
        let age = now.since(account.auth_time);
        // an answer to this very request is fresh enough, else max_age=0 would ask for ever
        if age.as_secs() >= max_age && !proved_for_this {
            return Decision::Reauthenticate(Because::MaxAge);
        }
    }
    if let Some(because) = account.outlived
        && !proved_for_this
    {
        return Decision::Reauthenticate(because);
    }
    if account.lacks_factor {
        return if account.can_prove_more {
            Decision::StepUp(Because::Policy)
        } else {
            // who has none sets one up, on the way in
            Decision::Reauthenticate(Because::Policy)
        };
    }
    match acr::demand(request, &account.acr, &account.acr_names) {
        Demand::Met if !acr::wishes_more(request, &account.acr, &account.acr_names) => {}
        // a wish is fulfilled where it can be, and nothing fails for it
        Demand::Met if !account.can_prove_more || silent => {}
        Demand::Met => return Decision::StepUp(Because::Acr),
        // who has what it needs is asked for it, and for nothing else
        Demand::Stronger if account.can_prove_more => return Decision::StepUp(Because::Acr),
        // who came by a code may have a password
        Demand::Stronger if account.acr == acr::CODE && !proved_for_this => {
            return Decision::Reauthenticate(Because::Acr);
        }
        Demand::Stronger | Demand::Unknown => return Decision::Refuse(unmet_acr()),
    }
    if client.policy.consent == ConsentMode::Skip || answers.consented {
        return Decision::Issue;
    }
    if request.prompt.contains(&Prompt::Consent) {
        return Decision::Consent(Because::PromptConsent);
    }
    if !is_covered(request, consent) {
        return Decision::Consent(Because::NotConsented);
    }
    if could_be_another(request, client) {
        return Decision::Consent(Because::ClientUnproven);
    }
    Decision::Issue
}

/// Whether another program could stand in for the client: it neither authenticates nor owns the address that the answer
/// goes to. Then nothing is repeated without asking (RFC 8252 section 8.6, OAuth 2.1 section 7.3).
fn could_be_another(request: &AuthorizationRequest, client: &Client) -> bool {
    client.is_public() && !request.answerable.redirect_uri.starts_with("https://")
}

/// Core section 5.5.1.1: an essential `acr` with values none of which can be met makes the request fail.
fn unmet_acr() -> OAuthError {
    OAuthError::new(
        ErrorCode::UnmetAuthenticationRequirements,
        "authorization.acr",
        "no way to sign in here meets the essential acr",
    )
}

/// Whether everything asked for was allowed before.
pub fn is_covered(request: &AuthorizationRequest, consent: Option<&Consent>) -> bool {
    let allowed = consent.map(|consent| consent.scope.clone()).unwrap_or_default();
    let claims_allowed = claim_names(request)
        .all(|name| consent.is_some_and(|consent| consent.claims.iter().any(|claim| claim == name)));
    request.scope.is_within(&allowed) && claims_allowed
}

/// The single claims about the person that the request names.
pub fn claim_names(request: &AuthorizationRequest) -> impl Iterator<Item = &str> {
    let claims = &request.claims;
    claims
        .userinfo
        .iter()
        .chain(&claims.id_token)
        .map(|claim| claim.name.as_str())
        .filter(|name| super::claims::is_about_the_person(name))
}

/// What becomes of a request that nothing else stands in the way of, where the person has no room for one more login: `asked`
/// if they may choose who ends for it.
pub fn without_room(request: &AuthorizationRequest, because: Because, full: Full) -> Decision {
    if !request.prompt.contains(&Prompt::None) {
        return Decision::MakeRoom(because);
    }
    let (code, rule, description) = match full {
        Full::Asked => (
            ErrorCode::InteractionRequired,
            "prompt_none.room",
            "the person has to choose which login ends",
        ),
        Full::Refused => (
            ErrorCode::AccessDenied,
            "login.limit",
            "the person has as many logins as they may have",
        ),
    };
    Decision::Refuse(OAuthError::new(code, rule, description).fact("because", Fact::Word(because.word())))
}

/// What is to be done where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The person chooses who ends.
    Asked,
    /// It is refused.
    Refused,
}

/// Core section 3.1.2.6: the error for what would have had to be asked.
fn refuse_question(decision: Decision) -> Decision {
    let (code, rule, description, because) = match decision {
        // who has no room is judged after this
        Decision::Issue | Decision::Refuse(_) | Decision::MakeRoom(_) => return decision,
        Decision::Login(because) | Decision::Reauthenticate(because) | Decision::StepUp(because) => (
            ErrorCode::LoginRequired,
            "prompt_none.login",
            "the person has to sign in",
            because,
        ),
        Decision::SelectAccount(because) => (
            ErrorCode::AccountSelectionRequired,
            "prompt_none.account",
            "the person has to choose an account",
            because,
        ),
        Decision::Consent(because) => (
            ErrorCode::ConsentRequired,
            "prompt_none.consent",
            "the person has to allow this",
            because,
        ),
    };
    Decision::Refuse(OAuthError::new(code, rule, description).fact("because", Fact::Word(because.word())))
}
