//! Free space where the embedded store and the keys are.

use super::{Doctor, Finding, size};
use crate::machine::{self, Room};
use crate::model::{Check, Said};

const LITTLE: u64 = 1 << 30;
const NONE_LEFT: u64 = 100 << 20;

pub(super) async fn check(doctor: &Doctor) -> Option<Finding> {
    let folder = if doctor.config.data_dir.is_dir() {
        doctor.config.data_dir.clone()
    } else {
        doctor.config.keys_dir.clone()
    };
    if !folder.is_dir() {
        return None;
    }
    let asked = folder.clone();
    let room = tokio::task::spawn_blocking(move || machine::room(&asked))
        .await
        .ok()
        .flatten();
    let place = folder.display();
    let Some(Room { whole, free }) = room else {
        let unknown = Finding::warning(Check::Disk, Said::DiskUnknown).with("folder", &place);
        return Some(unknown.line(format!("df -Pk -- {place}")));
    };
    let finding = if free < NONE_LEFT {
        Finding::wrong(Check::Disk, Said::DiskLow).line(format!("OSTIARY_DATA_DIR={place}"))
    } else if free < LITTLE || free < whole / 20 {
        Finding::warning(Check::Disk, Said::DiskLow).line(format!("OSTIARY_DATA_DIR={place}"))
    } else {
        Finding::good(Check::Disk, Said::DiskOk)
    };
    Some(
        finding
            .with("folder", place)
            .with("free", size(free))
            .with("whole", size(whole)),
    )
}
