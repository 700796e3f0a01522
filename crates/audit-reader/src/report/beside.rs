//! The reads that were noted beside a trail, because another process had it open.
//!
//! What must stay true here: that trail is one of its own: its entries are counted apart, and under its
//! own verdict. What could not be looked at is said, and is never "no reads".

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use audit_core::entry::{Entry, Parser};
use serde::{Deserialize, Serialize};

use super::readable::readable;
use super::{Listing, Request};
use crate::{DirSource, Query, QueryError, QueryOptions, ReadError, Searched, Source};
use crate::{Verdict, trail_info, verify};

/// What is added to the directory of a trail for the trail of the reads beside it.
const BESIDE: &str = ".access";

/// Where the reads of the trail in `dir` are noted while another process has it open.
#[must_use]
pub fn access_dir(dir: &Path) -> PathBuf {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mut name = dir.into_os_string();
    name.push(BESIDE);
    PathBuf::from(name)
}

/// The trail beside another one, for a report on that one.
#[derive(Debug)]
#[non_exhaustive]
pub struct AccessTrail {
    source: Source,
    verification: Option<verify::Report>,
}

impl AccessTrail {
    /// The trail of reads beside a trail in a directory; `None` if there is none.
    ///
    /// # Errors
    /// When there is something of that name that cannot be read as a trail.
    pub fn of(dir: &Path) -> Result<Option<AccessTrail>, ReadError> {
        let beside = access_dir(dir);
        match beside.try_exists().map_err(ReadError::io(&beside))? {
            false => Ok(None),
            true => {
                let source = DirSource::open(&beside)?.into();
                Ok(Some(AccessTrail { source, verification: None }))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.source.place()
    }

    /// With what its own verification, made for this report, said.
    #[must_use]
    pub fn verified(mut self, verification: verify::Report) -> AccessTrail {
        self.verification = Some(verification);
        self
    }
}

/// What a report is told of the reads beside the trail.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// Nobody looked, or nobody can: the trail is no directory here.
    #[default]
    NotLookedFor,
    /// There is none.
    None,
    /// There is one.
    Trail(Box<AccessTrail>),
    /// There is one, and it cannot be read.
    Unreadable(String),
}

/// What a report says of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReadsBeside {
    /// Nobody looked.
    NotLookedFor,
    /// There is no such trail.
    None,
    /// They were read.
    Read(Box<Beside>),
    /// They could not be read.
    Unreadable {
        /// Why.
        problem: String,
    },
}

/// The reads of the period.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Beside {
    /// Where that trail is.
    pub place: String,
    /// Its name, as it states it.
    pub origin: Option<String>,
    /// What its own verification said; none if it was not verified.
    pub verification: Option<verify::Report>,
    /// How much of it was searched.
    pub searched: Searched,
    /// Segments that were left out: their archives do not unpack.
    pub archives_unreadable: u64,
    /// Reads of the trail that the report is about.
    pub accessed: Listing,
    /// Reads that name another trail by its origin, or none.
    pub of_other_trails: u64,
}

/// The part of `details` that says which trail was read.
#[derive(Deserialize)]
struct Details {
    origin: Option<String>,
}

impl ReadsBeside {
    /// Counts the reads of the period.
    pub(super) fn of(access: Access, request: &Request, origin: Option<&str>) -> ReadsBeside {
        let trail = match access {
            Access::NotLookedFor => return ReadsBeside::NotLookedFor,
            Access::None => return ReadsBeside::None,
            Access::Unreadable(problem) => return ReadsBeside::Unreadable { problem },
            Access::Trail(trail) => *trail,
        };
        // The report is on the other trail, and is made whatever this one is like.
        Beside::read(trail, request, origin).map_or_else(
            |error| ReadsBeside::Unreadable { problem: error.to_string() },
            |beside| ReadsBeside::Read(Box::new(beside)),
        )
    }

    /// The verdict on the trail beside.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            ReadsBeside::Read(beside) => beside.verification.as_ref().map(|it| it.verdict),
            _ => None,
        }
    }
}

impl Beside {
    fn read(
        AccessTrail { source, verification }: AccessTrail,
        request: &Request,
        origin: Option<&str>,
    ) -> Result<Beside, QueryError> {
        let mut query = Query::new().event_type("audit.accessed").until(request.until);
        if let Some(since) = request.since {
            query = query.since(since);
        }
        let (read, source, archives_unreadable) = readable(&source, |source| {
            let (mut accessed, mut of_other_trails) = (Listing::default(), 0);
            let mut parser = Parser::default();
            let searched = query.run(source, QueryOptions::default(), |hit| {
                if let Ok(entry) = parser.parse(hit.bytes) {
                    // The trail may have been made anew in this place.
                    match read_of(&entry).is_some_and(|of| origin.is_none_or(|is| of == is)) {
                        true => accessed.add(&entry),
                        false => of_other_trails += 1,
                    }
                }
                ControlFlow::Continue(())
            })?;
            Ok((searched, accessed, of_other_trails))
        })?;
        let (searched, accessed, of_other_trails) = read;
        Ok(Beside {
            place: source.place().display().to_string(),
            origin: trail_info(&source)?.map(|info| info.origin),
            verification,
            searched,
            archives_unreadable,
            accessed,
            of_other_trails,
        })
    }
}

fn read_of(entry: &Entry<'_>) -> Option<String> {
    serde_json::from_str::<Details>(entry.details()?).ok()?.origin
}
