//! People: users, their groups, permissions, passwords and sessions. Every way of changing a user ends here, whoever asks:
//! the administration API, a file of `apply`, a command or the first setup.

pub mod access_requests;
pub mod api_keys;
pub mod bin;
pub mod breach_service;
pub mod bulk;
pub mod challenge;
pub mod code_wish;
pub mod declared_permissions;
pub mod default_group;
pub mod departure;
pub mod devices;
pub mod effective_permissions;
pub mod fields;
pub mod groups;
pub mod guess_wait;
pub mod identifiers;
mod idle;
mod import_heading;
mod import_judge;
mod import_make;
mod import_row;
mod invitation;
mod leaving;
pub mod limited_roles;
mod locking;
pub mod members;
mod membership_turns;
pub mod nesting;
pub mod new_password;
mod news;
mod own_data;
pub mod own_email;
mod own_events;
pub mod own_password;
pub mod own_phone;
mod own_picture;
mod own_profile;
pub mod owners;
pub mod password_expiry;
pub mod password_link;
pub mod password_rules;
pub mod passwords;
pub mod permissions;
pub mod proof_of_work;
pub mod properties;
mod property_definition;
mod property_sweep;
pub mod property_values;
pub mod reach;
pub mod recovery;
pub mod recovery_wish;
pub mod registration;
pub mod registration_limits;
pub mod registration_wish;
pub mod rights;
pub mod roles;
pub mod scope;
pub mod search;
pub mod segments;
pub mod server_account;
pub mod session_lists;
pub mod sessions;
pub mod source;
pub mod standing;
pub mod stranger;
mod term;
pub mod user_change;
mod user_columns;
mod user_export;
pub mod users;
pub mod welcome;
pub mod wishes;
mod word_sweep;

pub use crate::flow::Page;
pub use crate::picture::Fault as PictureFault;
pub use access_requests::{
    Applicant, approve_access, get_access_request, list_access_requests, look_at_access_request, refuse_access,
    request_access,
};
pub use bin::{bin_user, restore_user};
pub use bulk::BulkAction;
pub use challenge::{CODE as CAPTCHA, Challenge, Met, challenge};
pub(in crate::flow) use code_wish::ask_for_code;
pub use code_wish::{Means, may_sign_in_by};
pub use declared_permissions::{
    NewPermission, change_permission, declare_permission, delete_permission, find_permission, get_permission,
    list_permissions,
};
pub use default_group::GroupRules;
pub use devices::{DeviceAct, OwnDevices, change_device, change_own_device, get_device, list_devices, own_devices};
pub use effective_permissions::{EffectivePermission, Way, effective_permissions};
pub use groups::{
    GroupChange, NewGroup, change_group, create_group, delete_group, find_group_by_name, get_group, judge_group,
    list_groups,
};
pub(in crate::flow) use guess_wait::notice_wait;
pub use guess_wait::{end_wait_by_link, look_at_wait};
pub(in crate::flow) use identifiers::find_who_signs_in;
pub use idle::end_unused;
pub(in crate::flow) use import_heading::fields as import_fields;
pub(in crate::flow) use import_judge::ImportJudge;
pub(in crate::flow) use import_make::{Former, invite as invite_imported, row_refusal, take_back_in, unmake_in};
pub use invitation::send_invitation;
pub(in crate::flow) use leaving::stay;
pub use leaving::{NotLeaving, delete_own_account, delete_those_who_are_due, deletion_grace};
pub use limited_roles::{give_limited_role, list_limited_roles_of, take_limited_role};
pub use locking::{
    lock_by_alert, lock_by_link, lock_own_account, look_at_lock, look_at_unlock, unlock_by_link, unlock_user,
};
pub use members::{
    Member, Membership, MembershipChange, add_member, get_member, list_groups_of, list_members, make_primary,
    put_member, remove_member,
};
pub use membership_turns::turn_memberships;
pub use nesting::{NestedGroup, nest_group, nesting_of, unnest_group};
pub use new_password::{PasswordLink, can_be_mailed_to, mail_password_link};
pub(in crate::flow) use news::PostedLink;
pub use own_data::{NotExported, TABLES as TABLES_OF_PEOPLE, Told, export_own_data};
pub(in crate::flow) use own_email::mail_confirmation;
pub use own_email::{
    AddressLink, AddressSide, Confirmed as ConfirmedAddress, NotAsked, ask_for_email, confirm_address,
    confirm_own_address, look_at_address,
};
pub use own_events::{DoneBy, OwnEvent, own_events};
pub use own_password::{NotReplaced, change_own_password};
pub(in crate::flow) use own_password::{judge_required_password, set_required_password};
pub use own_phone::{
    AskedPhone, NotConfirmed, are_texts_sent, ask_for_phone, asked_phone, confirm_phone, is_phone_wanted, remove_phone,
};
pub(in crate::flow) use own_phone::{ask_for_phone_at_sign_in, asked_phone_at_sign_in, confirm_phone_at_sign_in};
pub use own_picture::{NotTaken as PictureNotTaken, find_picture, picture_path, remove_own_picture, set_own_picture};
pub use own_profile::{NotEdited, ProfileRules, change_own_profile, profile_rules_of};
pub(in crate::flow) use own_profile::{complete_action, complete_profile, judge_required_profile, missing_of};
pub use owners::{GroupOwner, add_owner, list_owned_groups, list_owners, remove_owner};
pub use password_expiry::warn_of_expiry;
pub use password_rules::{PasswordRules, password_rules_of};
pub use passwords::{NewPassword, Sessions, WeakPasswords, set_password};
pub use proof_of_work::{CODE as PROOF_OF_WORK, Puzzle, Work};
pub use properties::{
    PropertyCheck, change_property, check_property, define_property, get_property, get_property_by_name,
    judge_property, list_properties, remove_property,
};
pub use property_sweep::sweep_properties;
pub(in crate::flow) use property_values::lacking as lacking_properties;
pub use property_values::{PropertiesChange, seen_by_administrators, seen_by_the_person};
pub use recovery::{look_at_recovery, recover};
pub use recovery_wish::{ask_for_recovery, is_recovery_enabled};
pub use registration::{Registrant, look_at_registration, register};
pub use registration_limits::is_domain_refused;
pub use registration_wish::{RegistrationMode, ask_for_account, invite, registration_mode};
pub use rights::{Places, Reach, Rights, rights_of};
pub use roles::{
    NewRole, RoleChange, RoleHolder, change_role, create_role, delete_role, find_role_by_name, get_role, give_role,
    list_roles, list_roles_of, take_role,
};
pub use search::{Counted, Search, SearchBounds, count_users, judge_search, list_users, list_users_within};
pub use segments::{
    SegmentChange, change_segment, count_segment_members, create_segment, delete_segment, get_segment,
    get_segment_by_name, list_segment_members, list_segments,
};
pub use server_account::ServerClient;
pub use session_lists::{
    EndedSessions, OfflineGrants, SessionsOf, end_every_session, end_sessions_of, list_live_sessions,
};
pub use sessions::{LiveSession, end_session, end_sessions, list_sessions};
pub use source::ChangeSource;
pub use standing::{deactivate_user, delete_user, reactivate_user};
pub use stranger::{Alert, Stage, disown_device, look_at_alert, replace_password};
pub use term::{end_expired, remind_of_end};
pub use user_change::{UserChange, change_user};
pub use user_export::{ExportFormat, ExportWish, UserExport, export_users};
pub use users::{CreatedUser, FirstLink, NewUser, UserKey, create_user, find_user, get_user, judge_user};
pub use welcome::Welcome;
pub use wishes::{Wishes, answer_wishes};
pub use word_sweep::sweep_words;
