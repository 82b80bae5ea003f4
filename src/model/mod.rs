//! What exists: nouns, states, typed ids, secrets, settings, facts. No I/O, no wire shapes.

mod access_request;
pub mod algorithm;
mod channel;
pub mod client;
pub mod consent;
mod device;
pub mod event;
mod event_values;
mod export;
pub mod fact;
mod factor;
mod finding;
pub mod form_field;
pub mod grant;
pub mod group;
pub mod id;
mod import;
mod job;
pub mod layer;
mod logout;
pub mod mail_domain;
pub mod master_key;
pub(crate) mod named;
mod picture;
pub mod property;
pub mod resource;
pub mod role;
pub mod scope;
pub mod search;
mod search_drive;
pub mod secret;
mod segment;
pub mod session;
pub mod setting;
pub mod signing_key;
pub mod strict_json;
pub mod terms;
pub mod timestamp;
pub mod trace;
pub mod user;
mod user_action;
mod webhook;
mod words;

pub use access_request::{AccessRequest, AccessRequestStatus};
pub use algorithm::{ClientSigningAlgorithm, SigningAlgorithm};
pub use channel::Channel;
pub use client::{
    AccessTokenFormat, ApplicationType, Client, ClientMetadata, ClientOrigin, ClientPolicy, ClientSecret, ClientUser,
    ClientUsers, ConsentMode, GrantType, ResponseMode, SubjectType, TokenEndpointAuthMethod,
};
pub use consent::Consent;
pub use device::{Device, DeviceState};
pub use event::{Actor, Event, EventKind, Outcome};
pub use event_values::{EventValues, FieldValues, members_of};
pub use export::Export;
pub use fact::{Fact, Facts};
pub use factor::{Factor, FactorKind, FactorMeans, OtpAlgorithm, OtpSecret, OtpShape, Passkey};
pub use finding::{Check, Health, Said};
pub use form_field::{AskedField, FormField};
pub use grant::{AccessToken, ClaimsRequest, Grant, GrantTerms, RefreshToken, RequestedClaim};
pub use group::{Group, MembershipTerm};
pub use id::Id;
pub use import::{
    Import, ImportFormat, ImportOptions, ImportOutcome, ImportPlan, ImportRow, ImportState, MatchBy, OnExisting,
};
pub use job::{ItemOutcome, Job, JobItem, JobState};
pub use layer::{GroupLayer, Layer, LayerOwner, Layers, Settled, Speaker};
pub use logout::LogoutOutcome;
pub use mail_domain::MailDomain;
pub use master_key::{MasterKeyRecord, MasterKeyState};
pub use named::UnknownName;
pub use picture::{Picture, PictureFormat};
pub use property::{
    Property, PropertyAccess, PropertyChoice, PropertyDefinition, PropertyFormat, PropertyState, PropertyType,
};
pub use resource::Resource;
pub use role::{DeclaredPermission, LimitedRole, Role, RoleHolder, RolePlace};
pub use scope::Scopes;
pub use search_drive::{ColumnOrder, Drive, SearchedKey, Span};
pub use secret::{Digest, Secret};
pub use segment::Segment;
pub use session::Session;
pub use signing_key::{SigningKey, SigningKeyState};
pub use terms::{Acceptance, Terms, TermsOccasion, TermsText};
pub use timestamp::Timestamp;
pub use trace::{Part, Reason, Step, Trace, TraceId, Verdict};
pub use user::{
    AccountState, Address, PasswordHash, PasswordSetter, Profile, RequiredAction, User, UserKind, UserStatus,
};
pub use user_action::UserAction;
pub use webhook::{DeliveryOutcome, EventPatterns, Webhook, WebhookFault};
pub use words::{MOST_WORDS, searched_words, words_of};
