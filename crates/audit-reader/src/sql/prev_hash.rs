//! The column `prev_hash`, read from the line where it stands.
//!
//! What must stay true here: it is the line's own `prev_hash`, not the `hash` of the row before: where
//! the two differ, the trail was tampered with, and both can be seen. A few segments are open at a
//! time, however many there are.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_schema::DataType;
use audit_core::chain::MAX_LINE;
use audit_core::segment::SegmentName;
use datafusion::common::cast::as_uint64_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use memchr::memchr;

use super::files::Noted;
use crate::source::{LogFile, read_full};
use crate::{ReadError, Source};

/// Segments that stay open beside one for each thread.
const SPARE: usize = 4;
/// Nearly every line ends within so many bytes.
const NEAR: usize = 2 * 1024;
/// What stands in a line behind the digits of `prev_hash`.
const BEHIND: usize = "\",\"hash\":\"".len() + DIGITS + "\"}".len();
const DIGITS: usize = 64;

/// Reads it.
#[derive(Debug)]
pub(super) struct PrevHash {
    signature: Signature,
    segments: Arc<Segments>,
}

#[derive(Debug)]
struct Segments {
    source: Source,
    names: Vec<SegmentName>,
    open: Mutex<VecDeque<(u32, Arc<dyn LogFile>)>>,
    /// Segments that were no longer there.
    gone: Noted,
    /// How many of them are open at a time: archived ones are unpacked into files.
    most: usize,
}

impl PrevHash {
    pub(super) fn new(
        source: Source,
        names: Vec<SegmentName>,
        jobs: usize,
        gone: Noted,
    ) -> PrevHash {
        let most = jobs.max(1) + SPARE;
        let exact = vec![DataType::UInt32, DataType::UInt64];
        PrevHash {
            signature: Signature::exact(exact, Volatility::Immutable),
            segments: Arc::new(Segments { source, names, open: Mutex::default(), gone, most }),
        }
    }
}

impl PartialEq for PrevHash {
    fn eq(&self, other: &PrevHash) -> bool {
        Arc::ptr_eq(&self.segments, &other.segments)
    }
}

impl Eq for PrevHash {}

impl Hash for PrevHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.segments).hash(state);
    }
}

impl ScalarUDFImpl for PrevHash {
    fn name(&self) -> &str {
        "prev_hash_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let args = ColumnarValue::values_to_arrays(&args.args)?;
        let [numbers, offsets] = &args[..] else {
            return Err(DataFusionError::Internal("two arguments".to_owned()));
        };
        let numbers = numbers.as_primitive_opt::<UInt32Type>();
        let numbers =
            numbers.ok_or_else(|| DataFusionError::Internal("no segment number".to_owned()))?;
        let offsets = as_uint64_array(offsets)?;
        let mut hashes = StringBuilder::with_capacity(offsets.len(), offsets.len() * DIGITS);
        let mut line = Vec::new();
        let (mut at, mut file) = (None, None);
        for (number, offset) in numbers.values().iter().zip(offsets.values()) {
            if at != Some(*number) {
                file = self.segments.file(*number)?;
                at = Some(*number);
            }
            let hash = match &file {
                Some(file) => self.segments.read(*number, &**file, *offset, &mut line)?,
                None => None,
            };
            hashes.append_option(hash);
        }
        Ok(ColumnarValue::Array(Arc::new(hashes.finish())))
    }
}

impl Segments {
    /// Opens a segment; `None` if retention was faster.
    fn file(&self, number: u32) -> Result<Option<Arc<dyn LogFile>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(there, _)| *there == number) {
            // The one that was asked for last goes last.
            let found = open.remove(at);
            open.extend(found.clone());
            return Ok(found.map(|(_, file)| file));
        }
        let external = |error: ReadError| DataFusionError::External(Box::new(error));
        let Some(name) = self.names.get(number as usize) else { return Ok(None) };
        let segment = self.source.open_segment(*name).map_err(external)?;
        let file = segment.map(|segment| segment.at_hand(&self.source)).transpose();
        let file = file.map_err(external)?;
        if file.is_none() {
            self.gone.add(*name);
        }
        if let Some(file) = &file {
            if open.len() >= self.most {
                open.pop_front();
            }
            open.push_back((number, Arc::clone(file)));
        }
        Ok(file)
    }

    /// The digits in the line that begins here; `None` if there is no such line.
    fn read<'l>(
        &self,
        number: u32,
        file: &dyn LogFile,
        offset: u64,
        line: &'l mut Vec<u8>,
    ) -> Result<Option<&'l str>> {
        let mut end = None;
        for room in [NEAR, MAX_LINE + 1] {
            line.resize(room, 0);
            let read = read_full(file, line, offset).map_err(|error| {
                let name = self.names.get(number as usize).map(ToString::to_string);
                let path = self.source.place_of(&name.unwrap_or_default());
                DataFusionError::External(Box::new(ReadError::io(&path)(error)))
            })?;
            end = memchr(b'\n', &line[..read]);
            if end.is_some() {
                break;
            }
        }
        let to = end.and_then(|end| end.checked_sub(BEHIND));
        let digits = to.and_then(|to| line.get(to.checked_sub(DIGITS)?..to));
        Ok(digits.and_then(|digits| std::str::from_utf8(digits).ok()))
    }
}
