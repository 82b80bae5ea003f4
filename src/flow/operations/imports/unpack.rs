//! A workbook is unpacked into the parts of a CSV, which is read as any other. Whoever dies at it has it unpacked once more: the same parts
//! come out.

use tokio::sync::mpsc;

use super::LARGEST_PART;
use super::read::Layout;
use super::work::{Held, LEASE};
use crate::flow::settle::settle;
use crate::flow::{Call, Error, Provider};
use crate::model::ImportState;
use crate::store::ImportReading;
use crate::tabular::{self, Defect, LARGEST_WORKBOOK};

/// The parts of the CSV are counted from here.
const FIRST: i64 = 1_000_000;
/// So many parts wait to be written.
const WAITING: usize = 2;

pub(super) async fn step(provider: &Provider, held: &Held) -> Result<(), Error> {
    let import = &held.import;
    let call = Call::system(&provider.clock);
    let is_too_large = usize::try_from(import.bytes).is_ok_and(|bytes| bytes > LARGEST_WORKBOOK);
    if is_too_large {
        let why = Defect::Workbook("it is larger than 32 MiB: save it as CSV").to_string();
        return held
            .end(provider, &call, (ImportState::Failed, Some(("file", &why))))
            .await;
    }
    let bytes = gather(provider, held).await?;
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(WAITING);
    let reading = tokio::task::spawn_blocking(move || unpack(&bytes, &sender));
    let mut number = FIRST;
    while let Some(part) = receiver.recv().await {
        if !put(provider, held, (number, part)).await? {
            return Ok(());
        }
        number = number.saturating_add(1);
    }
    let read = reading.await.map_err(|error| Error::Failed(Box::new(error)))?;
    let call = Call::system(&provider.clock);
    let read = if number == FIRST {
        read.and(Err(Defect::Empty))
    } else {
        read
    };
    if let Err(defect) = read {
        let why = defect.to_string();
        return held
            .end(provider, &call, (ImportState::Failed, Some(("file", &why))))
            .await;
    }
    let layout = Layout {
        delimiter: b',',
        heading: None,
    };
    let layout = serde_json::to_string(&layout).map_err(|error| Error::Failed(Box::new(error)))?;
    let reading = ImportReading {
        layout: Some(layout),
        ..ImportReading::default()
    };
    let mut tx = provider.store.write().await?;
    let done = async {
        if tx
            .go_on_reading_import(import.id, &held.lease, (&reading, call.now))
            .await?
        {
            tx.forget_import_parts_before(import.id, FIRST).await?;
        }
        Ok(())
    }
    .await;
    settle(tx, done).await
}

async fn gather(provider: &Provider, held: &Held) -> Result<Vec<u8>, Error> {
    let id = held.import.id;
    let mut store = provider.store.read().await?;
    let mut bytes = Vec::new();
    for part in store.list_import_parts(id).await? {
        if part.number < FIRST {
            bytes.extend(store.find_import_part(id, part.number).await?.unwrap_or_default());
        }
    }
    Ok(bytes)
}

/// Keeps a part, and says that somebody is at it. False if they are no more.
async fn put(provider: &Provider, held: &Held, (number, part): (i64, Vec<u8>)) -> Result<bool, Error> {
    let call = Call::system(&provider.clock);
    let reading = ImportReading::default();
    let mut tx = provider.store.write().await?;
    let done = async {
        let until = call.now.after(LEASE);
        if !tx
            .go_on_reading_import(held.import.id, &held.lease, (&reading, until))
            .await?
        {
            return Ok(false);
        }
        tx.put_import_part(held.import.id, number, part).await?;
        Ok(true)
    }
    .await;
    settle(tx, done).await
}

/// The rows of a workbook as the parts of a CSV.
fn unpack(bytes: &[u8], sender: &mpsc::Sender<Vec<u8>>) -> Result<(), Defect> {
    let mut part: Vec<u8> = Vec::new();
    let gone = Defect::Workbook("it is not read any more");
    tabular::read_workbook(bytes, |row| {
        part.extend(tabular::line(row.iter().map(String::as_str)));
        if part.len() < LARGEST_PART / 2 {
            return Ok(());
        }
        sender
            .blocking_send(std::mem::take(&mut part))
            .map_err(|_| gone.clone())
    })?;
    if part.is_empty() {
        return Ok(());
    }
    sender.blocking_send(part).map_err(|_| gone.clone())
}
