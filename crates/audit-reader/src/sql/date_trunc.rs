//! `date_trunc` of times in UTC, without asking a time zone about each.
//!
//! What must stay true here: it says what the engine's own function says. UTC has no offset, so times in
//! it are truncated as times without a zone are, for which the engine has arithmetic; given a zone it
//! looks up and prints each time, which takes most of the time of a count by day.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_schema::{DataType, FieldRef, TimeUnit};
use datafusion::error::Result;
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};

/// The engine's function, and this way to it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateTrunc {
    own: Arc<ScalarUDF>,
}

impl DateTrunc {
    pub(super) fn new() -> DateTrunc {
        DateTrunc { own: date_trunc() }
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.own.name()
    }

    fn aliases(&self) -> &[String] {
        self.own.aliases()
    }

    fn signature(&self) -> &Signature {
        self.own.signature()
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        self.own.return_type(of)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.own.return_field_from_args(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(zone) = args.args.get_mut(1).and_then(without_zone) else {
            return self.own.invoke_with_args(args);
        };
        // The engine holds what it gets and gives against these, in builds for development.
        let bare = |field: &FieldRef| {
            let kind = DataType::Timestamp(TimeUnit::Nanosecond, None);
            FieldRef::new(field.as_ref().clone().with_data_type(kind))
        };
        args.return_field = bare(&args.return_field);
        if let Some(field) = args.arg_fields.get_mut(1) {
            *field = bare(field);
        }
        match self.own.invoke_with_args(args)? {
            ColumnarValue::Array(times) => Ok(match with_zone(&times, Some(zone)) {
                Some(times) => times,
                None => ColumnarValue::Array(times),
            }),
            scalar => Ok(scalar),
        }
    }

    fn output_ordering(&self, of: &[ExprProperties]) -> Result<SortProperties> {
        self.own.output_ordering(of)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.own.documentation()
    }
}

/// Takes UTC away from a column of times, and says how it was named; `None` if this is no such column.
fn without_zone(times: &mut ColumnarValue) -> Option<Arc<str>> {
    let ColumnarValue::Array(array) = &*times else { return None };
    let DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) = array.data_type() else {
        return None;
    };
    let zone = Arc::clone(zone);
    if !matches!(&*zone, "UTC" | "+00:00") {
        return None;
    }
    *times = with_zone(array, None)?;
    Some(zone)
}

/// The same instants under another zone's name.
fn with_zone(array: &arrow_array::ArrayRef, zone: Option<Arc<str>>) -> Option<ColumnarValue> {
    let times = array.as_primitive_opt::<TimestampNanosecondType>()?;
    Some(ColumnarValue::Array(Arc::new(times.clone().with_timezone_opt(zone))))
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, TimestampNanosecondArray};
    use arrow_schema::Field;
    use datafusion::common::ScalarValue;
    use datafusion::config::ConfigOptions;

    use super::*;

    fn truncated(by: &ScalarUDF, to: &str, times: &TimestampNanosecondArray) -> ColumnarValue {
        let (word, kind) = (ScalarValue::from(to), times.data_type().clone());
        let fields = [word.data_type(), kind.clone()].map(|kind| Field::new("", kind, true).into());
        by.invoke_with_args(ScalarFunctionArgs {
            args: vec![word.into(), ColumnarValue::Array(Arc::new(times.clone()))],
            arg_fields: fields.to_vec(),
            number_rows: times.values().len(),
            return_field: Field::new("", kind, true).into(),
            config_options: Arc::new(ConfigOptions::new()),
        })
        .unwrap()
    }

    #[test]
    fn it_says_what_the_engine_says() {
        let day = 86_400_000_000_000_i64;
        // Around 1970, a leap day, the ends of quarters and years, and far away.
        let days = [-25_567, -1, 0, 1, 11_016, 19_782, 20_453, 20_454, 20_543, 90_000];
        let times = days.iter().flat_map(|n| [-1, 0, 1, day / 3].map(|more| Some(n * day + more)));
        let times: TimestampNanosecondArray = times.chain([None]).collect();
        let ours = ScalarUDF::from(DateTrunc::new());
        for zone in [None, Some("UTC"), Some("+00:00"), Some("Europe/Berlin"), Some("+05:45")] {
            let times = times.clone().with_timezone_opt(zone);
            for to in [
                "microsecond",
                "millisecond",
                "second",
                "minute",
                "hour",
                "day",
                "week",
                "month",
                "quarter",
                "year",
            ] {
                let (own, here) =
                    (truncated(&date_trunc(), to, &times), truncated(&ours, to, &times));
                let (ColumnarValue::Array(own), ColumnarValue::Array(here)) = (own, here) else {
                    panic!("{to} of a column is no column");
                };
                assert_eq!(&own, &here, "{to} in {zone:?}");
                assert_eq!(own.data_type(), here.data_type(), "{to} in {zone:?}");
            }
        }
    }
}
