//! Who lives in the sandbox. Their passwords are made up at each start.

use super::Error;
use crate::flow::people::{ChangeSource, NewGroup, NewPassword, NewUser, Welcome, create_group, create_user};
use crate::flow::{Call, Provider};
use crate::model::group::{ADMIN, ADMINISTRATORS};
use crate::model::{Address, Profile, Secret};

/// Somebody who can sign in to the sandbox.
#[derive(Clone, Debug)]
pub struct SamplePerson {
    /// What to sign in with.
    pub username: String,
    /// The password, made up at this start.
    pub password: Secret,
    /// What is particular about the person.
    pub remark: &'static str,
}

struct Sample {
    username: &'static str,
    given_name: &'static str,
    family_name: &'static str,
    locale: &'static str,
    zoneinfo: &'static str,
    groups: &'static [&'static str],
    remark: &'static str,
}

const GROUPS: [(&str, &str, &[&str]); 3] = [
    (ADMINISTRATORS, "Who runs this installation", &[ADMIN]),
    ("staff", "Everybody who works here", &[]),
    ("navigators", "Who knows the way", &["charts.read"]),
];

const PEOPLE: [Sample; 4] = [
    Sample {
        username: "ada",
        given_name: "Ada",
        family_name: "Lovelace",
        locale: "en",
        zoneinfo: "Europe/London",
        groups: &[ADMINISTRATORS, "staff"],
        remark: "administers this installation",
    },
    Sample {
        username: "grace",
        given_name: "Grace",
        family_name: "Hopper",
        locale: "en-US",
        zoneinfo: "America/New_York",
        groups: &["navigators", "staff"],
        remark: "two groups",
    },
    Sample {
        username: "emmy",
        given_name: "Emmy",
        family_name: "Noether",
        locale: "de",
        zoneinfo: "Europe/Berlin",
        groups: &["staff"],
        remark: "reads German pages",
    },
    Sample {
        username: "sophie",
        given_name: "Sophie",
        family_name: "Germain",
        locale: "fr",
        zoneinfo: "Europe/Paris",
        groups: &[],
        remark: "reads French pages, in no group",
    },
];

/// Makes the groups and people.
pub(super) async fn make(provider: &Provider, call: &Call) -> Result<Vec<SamplePerson>, Error> {
    let source = &ChangeSource::Setup;
    for (name, description, permissions) in GROUPS {
        let new = NewGroup {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
            ..NewGroup::default()
        };
        create_group(provider, call, source, new).await?;
    }
    let mut people = Vec::new();
    for sample in &PEOPLE {
        let made = create_user(provider, call, source, described(sample)).await?;
        people.push(SamplePerson {
            username: made.user.username,
            password: made.password.unwrap_or_else(Secret::generate),
            remark: sample.remark,
        });
    }
    Ok(people)
}

fn described(sample: &Sample) -> NewUser {
    let mut new = NewUser::named(sample.username);
    new.profile = Profile {
        given_name: Some(sample.given_name.to_owned()),
        family_name: Some(sample.family_name.to_owned()),
        email: Some(format!("{}@example.com", sample.username)),
        email_verified: true,
        locale: Some(sample.locale.to_owned()),
        zoneinfo: Some(sample.zoneinfo.to_owned()),
        address: Some(Address {
            locality: sample.zoneinfo.rsplit('/').next().map(|city| city.replace('_', " ")),
            ..Address::default()
        }),
        ..Profile::default()
    };
    new.password = NewPassword::Generated;
    new.groups = sample.groups.iter().map(|&group| group.to_owned()).collect();
    new.welcome = Welcome::Mail;
    new
}
