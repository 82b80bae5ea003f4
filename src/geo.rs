//! Roughly where a network address is, by a file in the MaxMind DB format that the operator brings.
//!
//! The file is read into memory as a whole. Once a minute at most it is looked at whether it was replaced, and then it is read
//! again; one that can't be read any more is no outage: what was read before goes on.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;

use crate::clock;

/// How often it is looked at whether the file was replaced.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(60);
/// No name of a place is longer.
const MOST_CHARACTERS: usize = 100;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
#[error("{} is no database of places", path.display())]
pub struct Unreadable {
    path: PathBuf,
    #[source]
    source: MaxMindDbError,
}

/// Where network addresses are. Clones share the file; the default knows of none.
#[derive(Clone, Default)]
pub struct Geo(Option<Arc<Held>>);

struct Held {
    path: PathBuf,
    read: RwLock<Read>,
}

struct Read {
    reader: Arc<Reader<Vec<u8>>>,
    mark: Mark,
    looked_at: Instant,
}

/// What tells one file from another that was put in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    changed: Option<SystemTime>,
    bytes: u64,
}

impl Mark {
    fn of(path: &Path) -> Self {
        match path.metadata() {
            Ok(found) => Self {
                changed: found.modified().ok(),
                bytes: found.len(),
            },
            Err(_) => Self::default(),
        }
    }
}

/// A point on the globe, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Position {
    /// North of the equator; south is negative.
    pub latitude: f64,
    /// East of Greenwich; west is negative.
    pub longitude: f64,
}

impl Position {
    /// How far one is from the other along the surface (haversine, on a sphere of 6371 km).
    pub fn kilometres(from: Self, to: Self) -> f64 {
        let (south, north) = (from.latitude.to_radians(), to.latitude.to_radians());
        let (up, round) = (north - south, (to.longitude - from.longitude).to_radians());
        let half = (up / 2.0).sin().powi(2) + south.cos() * north.cos() * (round / 2.0).sin().powi(2);
        2.0 * 6371.0 * half.sqrt().min(1.0).asin()
    }
}

/// What is read of an address's entry; the files of cities and of countries have these names in common.
#[derive(Deserialize)]
struct Entry {
    city: Option<Named>,
    country: Option<Named>,
}

/// The same of where it is on the globe, in files of cities alone.
#[derive(Deserialize)]
struct Located {
    location: Option<Position>,
}

#[derive(Deserialize)]
struct Named {
    names: Option<Names>,
}

#[derive(Deserialize)]
struct Names {
    en: Option<String>,
}

impl Geo {
    /// Reads a file of places.
    ///
    /// # Errors
    /// [`Unreadable`] if it is not there, or is something else.
    pub fn open(path: &Path) -> Result<Self, Unreadable> {
        let mark = Mark::of(path);
        let reader = read(path)?;
        Ok(Self(Some(Arc::new(Held {
            path: path.to_path_buf(),
            read: RwLock::new(Read {
                reader: Arc::new(reader),
                mark,
                looked_at: clock::monotonic(),
            }),
        }))))
    }

    /// Roughly where an address is, in English: `Paris, France`. Nothing if that is not known. `now` is a moment of the monotonic
    /// clock.
    pub async fn place(&self, address: IpAddr, now: Instant) -> Option<String> {
        let reader = self.reader(now).await?;
        let entry: Entry = reader.lookup(address.to_canonical()).ok()?.decode().ok()??;
        let name = |named: Option<Named>| named?.names?.en.filter(|name| !name.is_empty());
        let words: Vec<String> = [name(entry.city), name(entry.country)].into_iter().flatten().collect();
        let place: String = words.join(", ").chars().filter(|letter| !letter.is_control()).collect();
        let place: String = place.chars().take(MOST_CHARACTERS).collect();
        Some(place).filter(|place| !place.is_empty())
    }

    /// Where an address is on the globe, if that is known.
    pub async fn position(&self, address: IpAddr, now: Instant) -> Option<Position> {
        let reader = self.reader(now).await?;
        let located: Located = reader.lookup(address.to_canonical()).ok()?.decode().ok()??;
        located.location
    }

    async fn reader(&self, now: Instant) -> Option<Arc<Reader<Vec<u8>>>> {
        let held = self.0.clone()?;
        if held.is_due(now) {
            let again = held.clone();
            // a file may be large, and no request of others waits for it
            drop(tokio::task::spawn_blocking(move || again.look()).await);
        }
        Some(held.reader())
    }
}

impl Held {
    fn reader(&self) -> Arc<Reader<Vec<u8>>> {
        self.read.read().unwrap_or_else(PoisonError::into_inner).reader.clone()
    }

    /// Whether it is time to look at the file; said once.
    fn is_due(&self, now: Instant) -> bool {
        let is_old = |read: &Read| now.saturating_duration_since(read.looked_at) >= LOOKED_AT_EVERY;
        if !is_old(&self.read.read().unwrap_or_else(PoisonError::into_inner)) {
            return false;
        }
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        let is_due = is_old(&read);
        read.looked_at = now;
        is_due
    }

    /// Reads the file again if another one is in its place.
    fn look(&self) {
        let mark = Mark::of(&self.path);
        if mark == self.read.read().unwrap_or_else(PoisonError::into_inner).mark {
            return;
        }
        match read(&self.path) {
            Ok(reader) => {
                let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
                read.reader = Arc::new(reader);
                read.mark = mark;
            }
            Err(error) => tracing::warn!(%error, "the places that were read before go on"),
        }
    }
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, Unreadable> {
    Reader::open_readfile(path).map_err(|source| Unreadable {
        path: path.to_path_buf(),
        source,
    })
}
