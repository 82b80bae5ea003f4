//! Clocks: this machine's against the database's, and against that of the node behind the public address.

use std::time::Duration;

use tokio::time::timeout;

use super::public_url::SeenThere;
use super::{Doctor, Finding, WITHIN};
use crate::model::{Check, Said, Timestamp};

/// Tokens are judged within a minute's grace; nodes should be far closer.
const WORRYING: Duration = Duration::from_secs(1);
const WRONG: Duration = Duration::from_secs(10);
const LINE: &str = "timedatectl set-ntp true";

pub(super) async fn check(doctor: &Doctor) -> Option<Finding> {
    let Ok(Some(store)) = &doctor.store else {
        return None;
    };
    let asked = doctor.system_time();
    let told = timeout(WITHIN, store.examine()).await.ok()?.ok()?;
    let Some(theirs) = told.clock else {
        return Some(Finding::good(Check::Clock, Said::ClockOwn));
    };
    Some(judge(
        Said::ClockOk,
        Said::ClockOff,
        difference(Timestamp::from_micros(theirs), (asked, doctor.system_time())),
    ))
}

/// The clock of the node that answered.
pub(super) fn of_node(answer: &SeenThere) -> Option<Finding> {
    let difference = difference(Timestamp::from_micros(answer.seen.micros), answer.between);
    (difference >= WORRYING).then(|| judge(Said::ClockOk, Said::ClockNode, difference))
}

/// How far their moment lies outside the time in which they were asked and answered: a slow answer is no wrong clock.
fn difference(theirs: Timestamp, (asked, answered): (Timestamp, Timestamp)) -> Duration {
    asked.since(theirs).max(theirs.since(answered))
}

fn judge(well: Said, ill: Said, difference: Duration) -> Finding {
    let finding = if difference < WORRYING {
        return Finding::good(Check::Clock, well).with("time", length(difference));
    } else if difference < WRONG {
        Finding::warning(Check::Clock, ill)
    } else {
        Finding::wrong(Check::Clock, ill)
    };
    finding.with("time", length(difference)).line(LINE)
}

/// As people read it: a large difference is not a matter of milliseconds.
fn length(difference: Duration) -> String {
    if difference < WRONG {
        format!("{} ms", difference.as_millis())
    } else {
        format!("{} s", difference.as_secs())
    }
}
