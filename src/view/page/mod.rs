//! One file a page: what it shows. A page knows neither what came before it nor what comes after.

mod api_docs;
mod busy;
mod choose_account;
mod consent;
mod demo;
mod devices;
mod doctor;
mod ending;
mod error;
mod forgot;
mod form_post;
mod home;
mod leave;
mod login;
mod login_code;
mod login_link;
mod new_passkey;
mod new_password;
mod not_me;
mod own_account;
mod own_email;
mod own_events;
mod own_factors;
mod own_password;
mod own_phone;
mod own_profile;
mod own_step;
mod property_input;
mod recover;
mod register;
mod request_access;
mod required;
mod second_factor;
mod setup;
mod sign_out;
mod terms;
mod wait;

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Deserialize, Serialize};

pub use api_docs::{ApiDocs, Operation, OperationGroup, Parameter};
pub use busy::Busy;
pub use choose_account::{Choice, ChooseAccount};
pub use consent::{Asked, Consent, ProfileClaim};
pub use demo::{DemoClock, DemoMessage, DemoMessages, DemoPaths, MessageKind};
pub use devices::{Devices, DevicesPlace, DevicesProblem, KnownDevice};
pub use doctor::{Doctor, DoctorFinding, DoctorSeen};
pub use ending::{Ending, EndingStage};
pub use error::{ErrorPage, Trouble};
pub use forgot::{Forgot, ForgotError};
pub use form_post::FormPost;
pub use home::Home;
pub use leave::{Leave, LeaveCause};
pub use login::{Identifiers, Login, LoginError, LoginStep};
pub use login_code::{LoginCode, SentToSignIn};
pub use login_link::{LoginLink, LoginLinkStage};
pub use new_passkey::NewPasskey;
pub use new_password::{NewPassword, NewPasswordStage};
pub use not_me::{NotMe, NotMeError, NotMeField, NotMeProblem, NotMeStage};
pub use own_account::{
    AccountNotice, AllowedApplication, AllowedThing, OtherAccount, OwnAccount, OwnDevice, OwnSession,
};
pub use own_email::{ConfirmEmail, ConfirmStep, OwnEmail, OwnEmailError};
pub use own_events::{Doer, Happened, OwnEvents, ToldEvent};
pub use own_factors::{
    FactorNotice, NewAuthenticator, NewAuthenticatorError, OwnFactor, OwnFactors, RecoveryCodes, Sendable,
};
pub use own_password::OwnPassword;
pub use own_phone::{OwnPhone, OwnPhoneError, OwnPhoneNotice};
pub use own_profile::{
    OwnPicture, OwnProfile, PictureProblem, ProfileField, ProfileName, ProfileNotice, ProfileProblem, RequiredProfile,
};
pub use own_step::{AccountDoor, AccountDoorStage, OwnStep, OwnStepKind, OwnStepProblem, Stay};
pub use property_input::{PropertyInput, PropertyInputKind, PropertyProblem};
pub use recover::Recover;
pub use register::{
    AskedInput, NewAccount, NewAccountError, NewAccountField, NewAccountPassword, Register, RegisterCaptcha,
    RegisterError, RegisterFor, RegisterHelp, RegisterWork,
};
pub use request_access::{RequestAccess, RequestAccessError};
pub use required::{
    EnrolError, EnrolFactor, RequiredBy, RequiredEmail, RequiredEmailProblem, RequiredPassword, RequiredPhone,
};
pub use second_factor::{OtherFactor, SecondFactor, SecondFactorError, SecondFactorWith};
pub use setup::{Setup, SetupDone, SetupError, SetupField, SetupProblem};
pub use sign_out::{SignOut, SignedOut, SigningOut};
pub use terms::{
    AcceptedTerms, OwnTerms, RequiredTerms, TermsAddress, TermsBlock, TermsLine, TermsList, TermsPage, TermsToAccept,
};
pub use wait::Wait;

/// Everything that can be shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Page {
    /// Identifier and password.
    Login(Login),
    /// A code that was sent in the place of a password.
    LoginCode(LoginCode),
    /// A mailed link was followed.
    LoginLink(LoginLink),
    /// May this application have this?
    Consent(Consent),
    /// Which of the signed-in accounts?
    ChooseAccount(ChooseAccount),
    /// Which login ends for this one?
    Devices(Devices),
    /// Go along with an error to an application that nobody vouches for?
    Leave(Leave),
    /// Sign out?
    SignOut(SignOut),
    /// You are signed out, and applications are being told.
    SigningOut(SigningOut),
    /// You are signed out.
    SignedOut(SignedOut),
    /// What went wrong and what to do.
    Error(ErrorPage),
    /// Too many sign in at once.
    Busy(Busy),
    /// An authorization response on its way to the application (OAuth 2.0 Form Post Response Mode).
    FormPost(FormPost),
    /// The first administrator's account.
    Setup(Setup),
    /// The first administrator exists.
    SetupDone(SetupDone),
    /// What stands at `/`.
    Home(Home),
    /// Where the person is signed in, and what they have allowed.
    OwnAccount(OwnAccount),
    /// The person's mail address.
    OwnEmail(OwnEmail),
    /// The person's telephone number.
    OwnPhone(OwnPhone),
    /// A mail about it is answered.
    ConfirmEmail(ConfirmEmail),
    /// The person's second factors.
    OwnFactors(OwnFactors),
    /// An authenticator to be.
    NewAuthenticator(NewAuthenticator),
    /// A passkey to be.
    NewPasskey(NewPasskey),
    /// Recovery codes, shown once.
    RecoveryCodes(RecoveryCodes),
    /// The second step of a sign-in.
    SecondFactor(SecondFactor),
    /// Another password is required.
    RequiredPassword(RequiredPassword),
    /// A second factor is required.
    EnrolFactor(EnrolFactor),
    /// Terms of use are to be accepted.
    RequiredTerms(RequiredTerms),
    /// The terms of use that count.
    TermsList(TermsList),
    /// Terms of use, to read.
    Terms(TermsPage),
    /// What the person has accepted.
    OwnTerms(OwnTerms),
    /// A session that is about to end, goes on, or has ended.
    Ending(Ending),
    /// A sign-in with a new device: was it them?
    NotMe(NotMe),
    /// A password that has to be replaced: the way to a new one is mailed.
    NewPassword(NewPassword),
    /// Who forgot their password?
    Forgot(Forgot),
    /// A new password in place of a forgotten one.
    Recover(Recover),
    /// Which address is to have an account?
    Register(Register),
    /// Somebody asks for an account.
    RequestAccess(RequestAccess),
    /// An account to be, behind the mailed link.
    NewAccount(NewAccount),
    /// A new password of one's own.
    OwnPassword(OwnPassword),
    /// The way out of a wait.
    Wait(Wait),
    /// A person's own data.
    OwnProfile(OwnProfile),
    /// What happened to an account.
    OwnEvents(OwnEvents),
    /// What a person does with the whole of their account.
    OwnStep(OwnStep),
    /// A link that locks or unlocks, and what has come of it.
    AccountDoor(AccountDoor),
    /// Data are missing.
    RequiredProfile(RequiredProfile),
    /// A confirmed mail address is missing.
    RequiredEmail(RequiredEmail),
    /// Which telephone number, which is required?
    RequiredPhone(RequiredPhone),
    /// The account is about to be deleted: shall it stay?
    Stay(Stay),
    /// The administration API, readable.
    ApiDocs(ApiDocs),
    /// How the installation stands.
    Doctor(Doctor),
    /// What the sandbox would have sent.
    DemoMessages(DemoMessages),
    /// What time the sandbox thinks it is.
    DemoClock(DemoClock),
}

/// The script that asks the browser for passkeys.
const PASSKEY: &str = "passkey.js";

/// How wide a page is and what stands around it.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// One card.
    Door,
    /// One wider card.
    DoorWide,
    /// A top bar and a column of text.
    Read,
    /// A top bar and as much as fits.
    Wide,
}

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Door => "door",
            Self::DoorWide => "door-wide",
            Self::Read => "read",
            Self::Wide => "wide",
        }
    }
}

/// How a page is drawn.
pub(super) struct Drawing {
    pub(super) template: &'static str,
    pub(super) shape: Shape,
    /// The page's scripts, assets; every page works without them.
    pub(super) scripts: Vec<&'static str>,
    pub(super) context: Value,
}

impl Drawing {
    fn of(template: &'static str, shape: Shape, context: &impl Serialize) -> Self {
        Self {
            template,
            shape,
            scripts: Vec::new(),
            context: Value::from(Serde(context)),
        }
    }

    fn with(mut self, script: &'static str) -> Self {
        self.scripts.push(script);
        self
    }
}

impl Page {
    /// One of each, with every field filled: what the tests draw.
    pub fn samples() -> Vec<Self> {
        vec![
            Self::Login(Login::sample()),
            Self::LoginCode(LoginCode::sample()),
            Self::LoginLink(LoginLink::sample()),
            Self::Consent(Consent::sample()),
            Self::ChooseAccount(ChooseAccount::sample()),
            Self::Devices(Devices::sample()),
            Self::Leave(Leave::sample()),
            Self::SignOut(SignOut::sample()),
            Self::SigningOut(SigningOut::sample()),
            Self::SignedOut(SignedOut::sample()),
            Self::Error(ErrorPage::sample()),
            Self::Busy(Busy {}),
            Self::FormPost(FormPost::sample()),
            Self::Setup(Setup::sample()),
            Self::SetupDone(SetupDone::sample()),
            Self::Home(Home::sample()),
            Self::OwnAccount(OwnAccount::sample()),
            Self::OwnEmail(OwnEmail::sample()),
            Self::OwnPhone(OwnPhone::sample()),
            Self::ConfirmEmail(ConfirmEmail::sample()),
            Self::OwnFactors(OwnFactors::sample()),
            Self::NewAuthenticator(NewAuthenticator::sample()),
            Self::NewPasskey(NewPasskey::sample()),
            Self::RecoveryCodes(RecoveryCodes::sample()),
            Self::SecondFactor(SecondFactor::sample()),
            Self::RequiredPassword(RequiredPassword::sample()),
            Self::EnrolFactor(EnrolFactor::sample()),
            Self::Ending(Ending::sample()),
            Self::NotMe(NotMe::sample()),
            Self::NewPassword(NewPassword::sample()),
            Self::Forgot(Forgot::sample()),
            Self::Recover(Recover::sample()),
            Self::Register(Register::sample()),
            Self::RequiredTerms(RequiredTerms::sample()),
            Self::TermsList(TermsList::sample()),
            Self::Terms(TermsPage::sample()),
            Self::OwnTerms(OwnTerms::sample()),
            Self::RequestAccess(RequestAccess::sample()),
            Self::NewAccount(NewAccount::sample()),
            Self::OwnPassword(OwnPassword::sample()),
            Self::Wait(Wait::sample()),
            Self::OwnProfile(OwnProfile::sample()),
            Self::OwnEvents(OwnEvents::sample()),
            Self::OwnStep(OwnStep::sample()),
            Self::AccountDoor(AccountDoor::sample()),
            Self::RequiredProfile(RequiredProfile::sample()),
            Self::RequiredEmail(RequiredEmail::sample()),
            Self::RequiredPhone(RequiredPhone::sample()),
            Self::Stay(Stay::sample()),
            Self::ApiDocs(ApiDocs::sample()),
            Self::Doctor(Doctor::sample()),
            Self::DemoMessages(DemoMessages::sample()),
            Self::DemoClock(DemoClock::sample()),
        ]
    }

    /// Whether a script of the page asks this server for something.
    pub const fn asks(&self) -> bool {
        match self {
            Self::Login(page) => page.ask.is_some(),
            Self::SecondFactor(page) => page.ask.is_some(),
            Self::EnrolFactor(page) => page.ask.is_some(),
            _ => false,
        }
    }

    pub(super) fn drawing(&self) -> Drawing {
        use Shape::{Door, DoorWide, Read, Wide};
        match self {
            Self::Login(page) => Drawing::of("page/login.html", Door, page)
                .with("show-password.js")
                .with(PASSKEY),
            Self::LoginCode(page) => Drawing::of("page/login_code.html", Door, page),
            Self::LoginLink(page) => Drawing::of("page/login_link.html", Door, page),
            Self::Consent(page) => Drawing::of("page/consent.html", DoorWide, page),
            Self::ChooseAccount(page) => Drawing::of("page/choose_account.html", Door, page),
            Self::Devices(page) => Drawing::of("page/devices.html", DoorWide, page),
            Self::Leave(page) => Drawing::of("page/leave.html", DoorWide, page),
            Self::SignOut(page) => Drawing::of("page/sign_out.html", Door, page),
            Self::SigningOut(page) => Drawing::of("page/signing_out.html", Door, page).with("signing-out.js"),
            Self::SignedOut(page) => Drawing::of("page/signed_out.html", Door, page),
            Self::Error(page) => Drawing::of("page/error.html", DoorWide, page),
            Self::Busy(page) => Drawing::of("page/busy.html", Door, page),
            Self::FormPost(page) => Drawing::of("page/form_post.html", Door, page).with("submit.js"),
            Self::Setup(page) => Drawing::of("page/setup.html", Door, page).with("show-password.js"),
            Self::SetupDone(page) => Drawing::of("page/setup_done.html", Door, page),
            Self::Home(page) => Drawing::of("page/home.html", Door, page),
            Self::OwnAccount(page) => Drawing::of("page/own_account.html", Read, page),
            Self::OwnEmail(page) => Drawing::of("page/own_email.html", Read, page),
            Self::OwnPhone(page) => Drawing::of("page/own_phone.html", Read, page),
            Self::ConfirmEmail(page) => Drawing::of("page/confirm_email.html", Door, page),
            Self::OwnFactors(page) => Drawing::of("page/own_factors.html", Read, page),
            Self::NewAuthenticator(page) => Drawing::of("page/new_authenticator.html", DoorWide, page),
            Self::NewPasskey(page) => Drawing::of("page/new_passkey.html", DoorWide, page).with(PASSKEY),
            Self::RecoveryCodes(page) => Drawing::of("page/recovery_codes.html", DoorWide, page),
            Self::SecondFactor(page) => Drawing::of("page/second_factor.html", Door, page).with(PASSKEY),
            Self::RequiredPassword(page) => {
                Drawing::of("page/required_password.html", Door, page).with("show-password.js")
            }
            Self::EnrolFactor(page) => Drawing::of("page/enrol_factor.html", DoorWide, page).with(PASSKEY),
            Self::RequiredTerms(page) => Drawing::of("page/required_terms.html", DoorWide, page),
            Self::TermsList(page) => Drawing::of("page/terms_list.html", Read, page),
            Self::Terms(page) => Drawing::of("page/terms.html", Read, page),
            Self::OwnTerms(page) => Drawing::of("page/own_terms.html", Read, page),
            Self::Ending(page) => Drawing::of("page/ending.html", Door, page),
            Self::NotMe(page) => Drawing::of("page/not_me.html", DoorWide, page).with("show-password.js"),
            Self::NewPassword(page) => Drawing::of("page/new_password.html", Door, page),
            Self::Forgot(page) => Drawing::of("page/forgot.html", Door, page),
            Self::Recover(page) => Drawing::of("page/recover.html", Door, page).with("show-password.js"),
            Self::Register(page) => Drawing::of("page/register.html", Door, page).with("proof-of-work.js"),
            Self::RequestAccess(page) => Drawing::of("page/request_access.html", Door, page),
            Self::NewAccount(page) => Drawing::of("page/new_account.html", Door, page).with("show-password.js"),
            Self::OwnPassword(page) => Drawing::of("page/own_password.html", Read, page).with("show-password.js"),
            Self::Wait(page) => Drawing::of("page/wait.html", Door, page),
            Self::OwnProfile(page) => Drawing::of("page/own_profile.html", Read, page).with("picture.js"),
            Self::OwnEvents(page) => Drawing::of("page/own_events.html", Read, page),
            Self::OwnStep(page) => Drawing::of("page/own_step.html", Read, page),
            Self::AccountDoor(page) => Drawing::of("page/account_door.html", Door, page).with("show-password.js"),
            Self::RequiredProfile(page) => Drawing::of("page/required_profile.html", Door, page),
            Self::RequiredEmail(page) => Drawing::of("page/required_email.html", Door, page),
            Self::RequiredPhone(page) => Drawing::of("page/required_phone.html", Door, page),
            Self::Stay(page) => Drawing::of("page/stay.html", Door, page),
            Self::ApiDocs(page) => Drawing::of("page/api_docs.html", Wide, page),
            Self::Doctor(page) => Drawing::of("page/doctor.html", Read, page).with("browser-clock.js"),
            Self::DemoMessages(page) => Drawing::of("page/demo_messages.html", Read, page),
            Self::DemoClock(page) => Drawing::of("page/demo_clock.html", Read, page),
        }
    }
}
