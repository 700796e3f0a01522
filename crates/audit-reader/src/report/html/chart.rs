//! Charts as inline SVG: shapes only, the words beside them are HTML and stay readable at any width.
//!
//! What must stay true here: the sum of what is drawn is the sum of what was counted.

use jiff::SpanRound;
use jiff::Unit as SpanUnit;
use jiff::civil::DateTime;

use super::super::{Results, Timeline, Unit};
use super::parts::{esc, note, number, push};

/// Bars at most.
const BARS: i64 = 62;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Entries over time, by result.
pub(super) fn timeline(out: &mut String, timeline: &Timeline) {
    let (Some(first), Some(last)) = (timeline.buckets.first(), timeline.buckets.last()) else {
        note(out, "No entries in the period.");
        return;
    };
    let steps = steps(timeline.unit, first.from, last.from) + 1;
    let each = (steps + BARS - 1) / BARS;
    let count = usize::try_from((steps + each - 1) / each).unwrap_or(1);
    let mut bars = vec![(None, Results::default()); count];
    for bucket in &timeline.buckets {
        let at = self::steps(timeline.unit, first.from, bucket.from) / each;
        if let Some((from, results)) = usize::try_from(at).ok().and_then(|at| bars.get_mut(at)) {
            from.get_or_insert(bucket.from);
            results.join(bucket.results);
        }
    }
    let most = bars.iter().map(|(_, results)| results.total()).max().unwrap_or(1).max(1);
    out.push_str("<div class=\"legend\"><span><i class=\"s\"></i>success</span><span><i class=\"p\"></i>partial</span><span><i class=\"f\"></i>failure</span></div>");
    let unit = match (timeline.unit, each) {
        (Unit::Hour, 1) => "hour".to_owned(),
        (Unit::Hour, each) => format!("{each} hours"),
        (Unit::Day, 1) => "day".to_owned(),
        (Unit::Day, each) => format!("{each} days"),
    };
    push(
        out,
        format_args!(
            "<div class=\"axis\"><span>up to {} entries per {unit}</span></div><div class=\"chart\"><svg viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"entries per {unit}, by result\">",
            number(most),
            count * 10
        ),
    );
    for (index, (from, results)) in bars.iter().enumerate() {
        let Some(from) = from else { continue };
        let mut top = 100.0;
        push(
            out,
            format_args!(
                "<g><title>{}: {} entries, {} failed</title>",
                label(timeline.unit, *from),
                number(results.total()),
                number(results.failure)
            ),
        );
        for (class, part) in
            [("s", results.success), ("p", results.partial), ("f", results.failure)]
        {
            if part > 0 {
                // What is there is seen, however little it is.
                let height = (part as f64 * 100.0 / most as f64).max(0.8);
                top -= height;
                let x = index * 10 + 1;
                push(
                    out,
                    format_args!(
                        "<rect class=\"{class}\" x=\"{x}\" y=\"{top:.2}\" width=\"8\" height=\"{height:.2}\"/>"
                    ),
                );
            }
        }
        out.push_str("</g>");
    }
    push(
        out,
        format_args!(
            "</svg></div><div class=\"axis\"><span>{}</span><span>{}</span></div>",
            label(timeline.unit, first.from),
            label(timeline.unit, last.from)
        ),
    );
    if timeline.outside > 0 {
        let outside = number(timeline.outside);
        note(
            out,
            &format!("{outside} entries are not drawn: their times are too many different ones."),
        );
    }
}

/// Entries by day of the week and hour of the day.
pub(super) fn week(out: &mut String, timeline: &Timeline, zone: &str) {
    let most = timeline.week.iter().flatten().copied().max().unwrap_or(0);
    if most == 0 {
        return;
    }
    out.push_str("<div class=\"week\">");
    for (day, hours) in DAYS.iter().zip(&timeline.week) {
        push(
            out,
            format_args!(
                "<span>{day}</span><svg viewBox=\"0 0 240 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{day}: entries by hour\">"
            ),
        );
        for (hour, count) in hours.iter().enumerate() {
            let shade = match count {
                0 => 0.06,
                count => 0.2 + 0.8 * (*count as f64 / most as f64).sqrt(),
            };
            let x = hour * 10;
            push(
                out,
                format_args!(
                    "<rect class=\"s\" x=\"{x}\" width=\"9\" height=\"10\" fill-opacity=\"{shade:.2}\"><title>{day} {hour}:00: {}</title></rect>",
                    number(*count)
                ),
            );
        }
        out.push_str("</svg>");
    }
    out.push_str("<span></span><div class=\"axis\"><span>0:00</span><span>6:00</span><span>12:00</span><span>18:00</span><span>24:00</span></div></div>");
    note(
        out,
        &format!("By hour of the day in {zone}. The darkest hour has {} entries.", number(most)),
    );
}

/// How many units lie between two beginnings.
fn steps(unit: Unit, from: DateTime, to: DateTime) -> i64 {
    let smallest = match unit {
        Unit::Hour => SpanUnit::Hour,
        Unit::Day => SpanUnit::Day,
    };
    let round = SpanRound::new().largest(smallest).smallest(smallest).relative(from);
    let span = from.until(to).and_then(|span| span.round(round));
    span.map_or(0, |span| match unit {
        Unit::Hour => i64::from(span.get_hours()),
        Unit::Day => i64::from(span.get_days()),
    })
}

fn label(unit: Unit, at: DateTime) -> String {
    esc(&match unit {
        Unit::Hour => at.strftime("%Y-%m-%d %H:00").to_string(),
        Unit::Day => at.date().to_string(),
    })
}
