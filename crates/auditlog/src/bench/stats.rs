//! Quantiles of one run, medians over several.
//!
//! What must stay true here: a quantile is a value that was measured, never one in between; a
//! median is taken figure by figure, so a ratio is the median of ratios within runs and not a
//! ratio of medians.

use serde_json::Value;

/// The value that the share `q` of the values do not exceed; 0 when there are none.
pub(super) fn quantile(values: &mut [u64], q: f64) -> u64 {
    if values.is_empty() {
        return 0;
    }
    let rank = (values.len() as f64 * q).ceil().max(1.0) as usize;
    *values.select_nth_unstable(rank.min(values.len()) - 1).1
}

/// The middle value of every number of reports that are alike, the lower of two; of all else the
/// first.
pub(super) fn median(runs: &[Value]) -> Value {
    match runs.first() {
        Some(Value::Number(_)) => {
            let mut numbers: Vec<&Value> = runs.iter().filter(|run| run.is_number()).collect();
            let of = |number: &Value| number.as_f64().unwrap_or(f64::NAN);
            numbers.sort_by(|a, b| of(a).total_cmp(&of(b)));
            numbers.get((numbers.len() - 1) / 2).copied().cloned().unwrap_or_default()
        }
        Some(Value::Array(first)) => (0..first.len())
            .map(|at| {
                median(&runs.iter().filter_map(|run| run.get(at).cloned()).collect::<Vec<_>>())
            })
            .collect(),
        Some(Value::Object(first)) => first
            .keys()
            .map(|name| {
                let of_name: Vec<Value> =
                    runs.iter().filter_map(|run| run.get(name).cloned()).collect();
                (name.clone(), median(&of_name))
            })
            .collect(),
        Some(other) => other.clone(),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quantile_is_the_smallest_value_that_so_many_do_not_exceed() {
        let mut values: Vec<u64> = (1..=1_000).rev().collect();
        assert_eq!(quantile(&mut values, 0.5), 500);
        assert_eq!(quantile(&mut values, 0.999), 999);
        assert_eq!(quantile(&mut values, 1.0), 1_000);
        assert_eq!(quantile(&mut values, 0.0), 1);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }

    #[test]
    fn medians_are_taken_figure_by_figure_at_any_depth() {
        let run = |a: u64, b: f64| json!({"mode": "x", "a": a, "list": [{"b": b}], "none": null});
        let merged = median(&[run(3, 0.5), run(1, 1.5), run(2, 1.0)]);
        assert_eq!(merged, run(2, 1.0));
        assert_eq!(median(&[run(1, 1.0), run(2, 2.0)]), run(1, 1.0));
    }
}
