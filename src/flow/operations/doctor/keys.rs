//! Signing keys by their age, and the files of the master key by who may read them.

use std::time::Duration;

use super::{Doctor, Finding};
use crate::machine;
use crate::model::setting;
use crate::model::{Check, Said, SigningKeyState, Timestamp};

/// Rotation looks every ten minutes; a key that signs so much longer than it should shows that nobody looks.
const LATE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
const DAY: u64 = 24 * 60 * 60;

pub(super) async fn check(doctor: &Doctor) -> Vec<Finding> {
    let mut findings = signing(doctor).await.unwrap_or_default();
    findings.extend(files(doctor));
    findings
}

async fn signing(doctor: &Doctor) -> Option<Vec<Finding>> {
    let Ok(Some(store)) = &doctor.store else { return None };
    let mut store = store.read().await.ok()?;
    let keys = store.list_signing_keys().await.ok()?;
    let settings = doctor.settings().await?;
    let interval = settings.duration(setting::KEY_ROTATION_INTERVAL);
    let active: Vec<Timestamp> = keys
        .iter()
        .filter(|key| key.state == SigningKeyState::Active)
        .map(|key| key.activated_at.unwrap_or(key.created_at))
        .collect();
    let Some(oldest) = active.iter().min() else {
        return Some(vec![
            Finding::warning(Check::Keys, Said::KeysNone).line("ostiary serve"),
        ]);
    };
    let age = Timestamp::from_micros(doctor.clock.micros()).since(*oldest);
    let days = age.as_secs() / DAY;
    let finding = if age > interval + LATE {
        Finding::warning(Check::Keys, Said::KeysOld)
            .with("most", interval.as_secs() / DAY)
            .line("ostiary keys rotate --now")
    } else {
        Finding::good(Check::Keys, Said::KeysOk).with("count", active.len())
    };
    Some(vec![finding.with("days", days)])
}

fn files(doctor: &Doctor) -> Vec<Finding> {
    let folder = &doctor.config.keys_dir;
    let Ok(entries) = std::fs::read_dir(folder) else {
        let has_store = matches!(doctor.store, Ok(Some(_)));
        return match has_store {
            true => vec![
                Finding::wrong(Check::Keys, Said::KeyFolderMissing)
                    .with("folder", folder.display())
                    .line(format!("OSTIARY_KEYS_DIR={}", folder.display())),
            ],
            false => Vec::new(),
        };
    };
    let mut findings = Vec::new();
    let mut count = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_for_people = path.extension().is_some_and(|extension| extension == "md");
        if name.starts_with('.') || is_for_people || !path.is_file() {
            continue;
        }
        count += 1;
        if machine::is_open_to_others(&path).unwrap_or(false) {
            findings.push(
                Finding::wrong(Check::Keys, Said::KeyFileReadable)
                    .with("file", path.display())
                    .line(format!("chmod 600 {}", path.display())),
            );
        }
    }
    if doctor.master.is_none() && matches!(doctor.store, Ok(Some(_))) {
        findings.push(
            Finding::wrong(Check::Keys, Said::KeyNotOpened)
                .with("folder", folder.display())
                .line(format!("OSTIARY_KEYS_DIR={}", folder.display())),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::good(Check::Keys, Said::KeyFileOk).with("count", count));
    }
    findings
}
