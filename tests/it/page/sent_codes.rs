//! The pages around codes that are sent, in every state that changes how they are built.

use ostiary::view::{
    LoginCode, LoginError, LoginLink, LoginLinkStage, OwnFactors, OwnPhone, OwnPhoneError, OwnPhoneNotice, Page,
    RequiredPhone, SecondFactor, SecondFactorError, SecondFactorWith, SentToSignIn,
};

/// Each of them.
pub fn states() -> Vec<Page> {
    let mut pages = Vec::new();
    for with in [SecondFactorWith::Mail, SecondFactorWith::Text] {
        for sent in [false, true] {
            for error in [
                None,
                Some(SecondFactorError::Wrong),
                Some(SecondFactorError::NotSent { seconds: 61 }),
                Some(SecondFactorError::Expired),
            ] {
                pages.push(Page::SecondFactor(SecondFactor {
                    with,
                    sent,
                    error,
                    recipient: Some("a•••@example.com".to_owned()),
                    ..SecondFactor::sample()
                }));
            }
        }
    }
    let errors = [
        OwnPhoneError::Empty,
        OwnPhoneError::NotANumber,
        OwnPhoneError::Same,
        OwnPhoneError::IsFactor,
        OwnPhoneError::Wrong,
        OwnPhoneError::Throttled { seconds: 61 },
        OwnPhoneError::Expired,
    ];
    for asked in [None, OwnPhone::sample().asked] {
        for error in errors {
            pages.push(Page::RequiredPhone(RequiredPhone {
                asked: asked.clone(),
                error: Some(error),
                ..RequiredPhone::sample()
            }));
            pages.push(Page::OwnPhone(OwnPhone {
                error: Some(error),
                asked: asked.clone(),
                ..OwnPhone::sample()
            }));
        }
        for notice in OwnPhoneNotice::ALL {
            pages.push(Page::OwnPhone(OwnPhone {
                error: None,
                notice: Some(notice),
                current: None,
                asked: asked.clone(),
                ..OwnPhone::sample()
            }));
        }
    }
    for stage in LoginLinkStage::ALL {
        pages.push(Page::LoginLink(LoginLink {
            stage,
            expired: false,
            ..LoginLink::sample()
        }));
    }
    for by in SentToSignIn::ALL {
        for error in [
            None,
            Some(LoginError::Credentials),
            Some(LoginError::Throttled { seconds: 61 }),
            Some(LoginError::Busy),
            Some(LoginError::Inactive),
            Some(LoginError::Locked),
            Some(LoginError::NotStarted {
                at: 1_800_000_000_000_000,
            }),
            Some(LoginError::AccountExpired {
                at: 1_800_000_000_000_000,
            }),
            Some(LoginError::DeviceBlocked),
            Some(LoginError::DeviceUnknown),
            Some(LoginError::Network),
            Some(LoginError::Expired),
        ] {
            pages.push(Page::LoginCode(LoginCode {
                by,
                again: false,
                error,
                ..LoginCode::sample()
            }));
        }
    }
    pages.push(Page::OwnFactors(OwnFactors {
        sent: Vec::new(),
        sendable: Vec::new(),
        ..OwnFactors::sample()
    }));
    pages
}
