//! How what groups, clients, users and everyone say about a setting becomes one value.

use std::collections::BTreeMap;
use std::time::Duration;

use ostiary::model::setting::{
    SESSION_AT_LIMIT, SESSION_IDLE_TIMEOUT, SESSION_KNOWN_DEVICES_ONLY, SESSION_LIFETIME, SESSION_MAX_CONCURRENT,
    SettingValue, Settings, Source,
};
use ostiary::model::{GroupLayer, Layer, Layers, Speaker};

const MINUTE: Duration = Duration::from_secs(60);

struct Said {
    store: Layer,
    file: Layer,
    user: Layer,
    groups: Vec<GroupLayer>,
    client: Option<Layer>,
    administrator: bool,
}

impl Said {
    fn nothing() -> Self {
        Self {
            store: Layer::new(),
            file: Layer::new(),
            user: Layer::new(),
            groups: Vec::new(),
            client: None,
            administrator: false,
        }
    }

    fn group(mut self, name: &str, primary: bool, key: &'static str, value: SettingValue) -> Self {
        self.groups.push(GroupLayer {
            name: name.to_owned(),
            primary,
            distance: 0,
            layer: BTreeMap::from([(key, value)]),
        });
        self
    }

    /// The value and who says so.
    fn settle(&self, key: &str) -> (SettingValue, String) {
        let everyone = Settings::resolve(&self.store, &self.file);
        let layers = Layers {
            everyone: &everyone,
            user: &self.user,
            groups: &self.groups,
            client: self.client.as_ref().map(|layer| ("shop", layer)),
            administrator: self.administrator,
        };
        let settled = layers.settle(key).unwrap();
        (settled.value, settled.speaker.to_string())
    }
}

fn minutes(count: u32) -> SettingValue {
    SettingValue::Duration(MINUTE * count)
}

fn count(count: u64) -> SettingValue {
    SettingValue::Count(count)
}

#[test]
fn what_is_built_in_steps_aside_for_anything_that_is_said() {
    let said = Said::nothing().group("staff", false, SESSION_IDLE_TIMEOUT, minutes(1200));
    assert_eq!(
        said.settle(SESSION_IDLE_TIMEOUT),
        (minutes(1200), "group staff".to_owned())
    );
    let (value, speaker) = Said::nothing().settle(SESSION_IDLE_TIMEOUT);
    assert_eq!((value, speaker.as_str()), (minutes(480), "built in"));
}

#[test]
fn of_timeouts_the_strictest_counts_whoever_says_it() {
    let mut said = Said::nothing()
        .group("staff", true, SESSION_IDLE_TIMEOUT, minutes(60))
        .group("night", false, SESSION_IDLE_TIMEOUT, minutes(20));
    assert_eq!(
        said.settle(SESSION_IDLE_TIMEOUT),
        (minutes(20), "group night".to_owned())
    );
    said.client = Some(Layer::from([(SESSION_IDLE_TIMEOUT, minutes(15))]));
    assert_eq!(
        said.settle(SESSION_IDLE_TIMEOUT),
        (minutes(15), "client shop".to_owned())
    );
    said.store.insert(SESSION_IDLE_TIMEOUT, minutes(10));
    assert_eq!(said.settle(SESSION_IDLE_TIMEOUT), (minutes(10), "everyone".to_owned()));
    said.user.insert(SESSION_IDLE_TIMEOUT, minutes(5));
    assert_eq!(said.settle(SESSION_IDLE_TIMEOUT), (minutes(5), "user".to_owned()));
}

#[test]
fn administrators_have_a_shorter_limit_of_their_own() {
    let mut said = Said::nothing();
    said.administrator = true;
    let idle = said.settle(SESSION_IDLE_TIMEOUT);
    assert_eq!(idle, (minutes(60), "administrators (built in)".to_owned()));
    assert_eq!(said.settle(SESSION_LIFETIME).0, minutes(12 * 60));
    // one that is stricter for everyone still counts
    said.store.insert(SESSION_IDLE_TIMEOUT, minutes(30));
    assert_eq!(said.settle(SESSION_IDLE_TIMEOUT), (minutes(30), "everyone".to_owned()));
}

#[test]
fn of_the_number_of_logins_the_most_specific_counts() {
    let mut said = Said::nothing();
    said.store.insert(SESSION_MAX_CONCURRENT, count(3));
    assert_eq!(said.settle(SESSION_MAX_CONCURRENT), (count(3), "everyone".to_owned()));
    // of the groups that are not the primary one the largest: a paying group may have more
    said = said.group("basic", false, SESSION_MAX_CONCURRENT, count(2)).group(
        "gold",
        false,
        SESSION_MAX_CONCURRENT,
        count(10),
    );
    assert_eq!(
        said.settle(SESSION_MAX_CONCURRENT),
        (count(10), "group gold".to_owned())
    );
    said = said.group("pupils", true, SESSION_MAX_CONCURRENT, count(1));
    assert_eq!(
        said.settle(SESSION_MAX_CONCURRENT),
        (count(1), "primary group pupils".to_owned())
    );
    // a client's own number never raises it
    said.client = Some(Layer::from([(SESSION_MAX_CONCURRENT, count(50))]));
    assert_eq!(said.settle(SESSION_MAX_CONCURRENT).0, count(1));
    said.user.insert(SESSION_MAX_CONCURRENT, count(5));
    assert_eq!(said.settle(SESSION_MAX_CONCURRENT), (count(5), "user".to_owned()));
    said.file.insert(SESSION_MAX_CONCURRENT, count(4));
    assert_eq!(
        said.settle(SESSION_MAX_CONCURRENT),
        (count(4), "operator file".to_owned())
    );
}

#[test]
fn what_happens_at_the_limit_is_the_nearest_word() {
    let mut said = Said::nothing()
        .group("a", false, SESSION_AT_LIMIT, SettingValue::Word("ask"))
        .group("b", true, SESSION_AT_LIMIT, SettingValue::Word("refuse"));
    assert_eq!(
        said.settle(SESSION_AT_LIMIT),
        (SettingValue::Word("refuse"), "primary group b".to_owned())
    );
    said.user
        .insert(SESSION_AT_LIMIT, SettingValue::Word("end_least_recent"));
    assert_eq!(said.settle(SESSION_AT_LIMIT).1, "user");
}

#[test]
fn one_yes_is_enough_for_known_devices() {
    let said = Said::nothing()
        .group("a", true, SESSION_KNOWN_DEVICES_ONLY, SettingValue::Flag(false))
        .group("b", false, SESSION_KNOWN_DEVICES_ONLY, SettingValue::Flag(true));
    assert_eq!(
        said.settle(SESSION_KNOWN_DEVICES_ONLY),
        (SettingValue::Flag(true), "group b".to_owned())
    );
}

#[test]
fn what_else_was_said_is_told() {
    let mut said = Said::nothing().group("staff", true, SESSION_IDLE_TIMEOUT, minutes(60));
    said.store.insert(SESSION_IDLE_TIMEOUT, minutes(10));
    let everyone = Settings::resolve(&said.store, &said.file);
    let layers = Layers {
        everyone: &everyone,
        user: &said.user,
        groups: &said.groups,
        client: None,
        administrator: false,
    };
    let settled = layers.settle(SESSION_IDLE_TIMEOUT).unwrap();
    assert_eq!(settled.speaker, Speaker::Everyone(Source::Everyone));
    assert_eq!(
        settled.contenders,
        [(
            Speaker::Group {
                name: "staff".to_owned(),
                primary: true
            },
            minutes(60)
        )]
    );
}
