//! What was decided about a sign-in, kept for whoever asks why.

use super::factor::NotProved;
use super::password::Refused;
use crate::credential::PasskeyFault;
use crate::flow::session::{Account, Answered, Full};
use crate::flow::trace::Kept;
use crate::flow::{Call, Error, Provider};
use crate::model::setting::{SESSION_AT_LIMIT, SESSION_LIFETIME, SESSION_REMEMBER_LIFETIME};
use crate::model::{Fact, Part, Reason, Step, Trace, User, Verdict};

/// By what somebody proves who they are.
#[derive(Clone, Copy)]
pub(super) enum By {
    Password,
    Code,
    /// With what was wrong with it, if something was.
    Passkey(Option<PasskeyFault>),
}

impl By {
    const fn passed(self) -> &'static str {
        match self {
            Self::Password => "sign_in.password",
            Self::Code => "sign_in.code",
            Self::Passkey(_) => "sign_in.passkey",
        }
    }

    /// What the answer does not say.
    fn wrong(self, user: Option<&User>) -> Reason {
        match self {
            Self::Password => Reason::new(wrong(user)),
            Self::Code => Reason::new("sign_in.wrong_code"),
            Self::Passkey(fault) => {
                let fault = fault.map_or("unknown", PasskeyFault::as_str);
                Reason::new("sign_in.wrong_passkey").fact("fault", Fact::Word(fault))
            }
        }
    }
}

/// How a sign-in ended, and by what.
pub(super) fn keep(
    provider: &Provider,
    call: &Call,
    user: Option<&User>,
    by: By,
    signed_in: &Result<Account, Refused>,
) {
    let refusal = |reason: Reason| {
        provider.keep_trace(call, Kept::Refusal, || of_user(call, user).refused(reason, None));
    };
    match signed_in {
        Ok(account) => provider.keep_trace(call, Kept::SignIn, || {
            let lifetime = if account.facts.remember {
                SESSION_REMEMBER_LIFETIME
            } else {
                SESSION_LIFETIME
            };
            of_user(call, user).step(Step::passed(by.passed())).step(
                Step::passed("sign_in.session")
                    .fact("session", Fact::Id(account.session.id.uuid()))
                    .fact("ends", Fact::Time(account.session.ends()))
                    .setting(lifetime),
            )
        }),
        Err(Refused::Wrong) => refusal(by.wrong(user)),
        Err(Refused::Inactive) => refusal(Reason::new("sign_in.inactive")),
        Err(Refused::Locked) => refusal(Reason::new("sign_in.locked")),
        Err(Refused::NotStarted(at)) => refusal(Reason::new("sign_in.not_started").fact("starts", Fact::Time(*at))),
        Err(Refused::AccountExpired(at)) => {
            refusal(Reason::new("sign_in.account_expired").fact("expired", Fact::Time(*at)));
        }
        Err(Refused::Expired(_)) => refusal(Reason::new("sign_in.password_expired")),
        Err(Refused::Device(refused)) => refusal(Reason::new(refused.rule())),
        Err(Refused::Full(no_room)) => refusal(limit(&no_room.full)),
        Err(Refused::Factor(_, risk)) => provider.keep_trace(call, Kept::SignIn, || {
            let step = Step::new("sign_in.factor", Verdict::Asked);
            let step = match risk {
                Some(risk) => step.fact("because", Fact::Word(risk.word())).setting(risk.setting()),
                None => step,
            };
            of_user(call, user).step(Step::passed(by.passed())).step(step)
        }),
        Err(Refused::Required(missing, _)) => provider.keep_trace(call, Kept::SignIn, || {
            let asked = of_user(call, user).step(Step::passed(by.passed()));
            let step = Step::new("sign_in.required", Verdict::Asked);
            asked.step(
                step.fact("action", Fact::Word(missing.action.as_str()))
                    .fact("because", Fact::Word(missing.because.word())),
            )
        }),
        Err(Refused::Asked(full, _)) => provider.keep_trace(call, Kept::SignIn, || {
            let asked = limit(full);
            let mut step = Step::new(asked.rule, Verdict::Asked).setting(SESSION_AT_LIMIT);
            step.facts = asked.facts;
            of_user(call, user).step(Step::passed(by.passed())).step(step)
        }),
        Err(Refused::Failed(error @ (Error::Throttled { .. } | Error::Busy { .. }))) => refusal(error.reason()),
        // drawn as a page of its own, and kept with it
        Err(Refused::Failed(_)) => {}
    }
}

fn limit(full: &Full) -> Reason {
    Reason::new("sign_in.limit")
        .fact("logins", Fact::Number(full.live.into()))
        .fact("most", Fact::Number(full.max.into()))
}

/// How a second factor was answered.
pub(super) fn keep_factor(provider: &Provider, call: &Call, user: &User, answered: &Result<Answered, NotProved>) {
    let refusal = |reason: Reason| {
        provider.keep_trace(call, Kept::Refusal, || of_user(call, Some(user)).refused(reason, None));
    };
    match answered {
        Ok(answered) => keep_answered(provider, call, user, ("sign_in.factor_proved", answered)),
        Err(NotProved::Wrong) => refusal(Reason::new("sign_in.wrong_factor")),
        Err(NotProved::Failed(error @ (Error::Throttled { .. } | Error::Busy { .. }))) => refusal(error.reason()),
        Err(NotProved::Failed(_)) => {}
    }
}

/// What came of something that was done right.
pub(super) fn keep_answered(
    provider: &Provider,
    call: &Call,
    user: &User,
    (done, answered): (&'static str, &Answered),
) {
    let step = |step: Step| {
        provider.keep_trace(call, Kept::SignIn, || {
            of_user(call, Some(user)).step(Step::passed(done)).step(step)
        });
    };
    let refusal = |reason: Reason| {
        provider.keep_trace(call, Kept::Refusal, || of_user(call, Some(user)).refused(reason, None));
    };
    match answered {
        Answered::SignedIn(account) => step(
            Step::passed("sign_in.session")
                .fact("session", Fact::Id(account.session.id.uuid()))
                .fact("ends", Fact::Time(account.session.ends())),
        ),
        Answered::Asked(Some(full), _) => {
            let asked = limit(full);
            let mut put = Step::new(asked.rule, Verdict::Asked).setting(SESSION_AT_LIMIT);
            put.facts = asked.facts;
            step(put);
        }
        // the same form once more
        Answered::Asked(None, _) => {}
        Answered::Required(_) => step(Step::new("sign_in.required", Verdict::Asked)),
        Answered::Full(full) => refusal(limit(full)),
        Answered::Refused(refused) => refusal(Reason::new(refused.rule())),
    }
}

/// What the answer does not say about a wrong pair.
pub(super) const fn wrong(user: Option<&User>) -> &'static str {
    match user {
        None => "sign_in.unknown",
        Some(user) if user.password.is_none() => "sign_in.no_password",
        Some(_) => "sign_in.wrong_password",
    }
}

fn of_user(call: &Call, user: Option<&User>) -> Trace {
    let trace = call.trace(Part::SignIn);
    match user {
        None => trace,
        Some(user) => trace.user(user.id).step(
            Step::passed("sign_in.account")
                .fact("active", Fact::Bool(user.is_active(call.now)))
                .fact("password", Fact::Bool(user.password.is_some())),
        ),
    }
}
