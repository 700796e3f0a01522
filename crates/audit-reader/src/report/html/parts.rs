//! Pieces of a page.
//!
//! What must stay true here: every text that comes from a trail goes through [`esc`]; what may stand
//! in an attribute is escaped for one, too.

use base64ct::{Base64, Encoding};

use super::super::{Evidence, Listing, State, Table};

/// A text as the content of an element or of a quoted attribute.
pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A trail has none; its files may have been tampered with.
            c if audit_core::text::is_forbidden(c) && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The name of a type, which may be broken behind its dots and underscores rather than anywhere.
fn breakable(event_type: &str) -> String {
    esc(event_type).replace('.', ".<wbr>").replace('_', "_<wbr>")
}

/// A number with its thousands apart.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A number of bytes for people.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} bytes"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// A time as people read it: to the second, with a space.
pub(super) fn time(timestamp: &str) -> String {
    match (timestamp.get(..10), timestamp.get(11..19), timestamp.ends_with('Z')) {
        (Some(date), Some(time), true) => format!("{} {}", esc(date), esc(time)),
        _ => esc(timestamp),
    }
}

pub(super) fn card(out: &mut String, count: &str, label: &str, bad: bool) {
    let class = if bad { "card bad" } else { "card" };
    push(
        out,
        format_args!(
            "<div class=\"{class}\"><b>{}</b><span>{}</span></div>",
            esc(count),
            esc(label)
        ),
    );
}

pub(super) fn term(out: &mut String, name: &str, value: &str) {
    push(out, format_args!("<dt>{}</dt><dd>{}</dd>", esc(name), esc(value)));
}

pub(super) fn note(out: &mut String, text: &str) {
    push(out, format_args!("<p class=\"note\">{}</p>", esc(text)));
}

pub(super) fn heading(out: &mut String, level: u8, text: &str) {
    push(out, format_args!("<h{level}>{}</h{level}>", esc(text)));
}

/// Longer lines are cut on the page: the history of the keys in a proof grows with the trail.
const LINE: usize = 2_000;

/// A file that belongs to the page: its text, and a link that saves it, byte for byte.
pub(super) fn attached(out: &mut String, name: &str, text: &str) {
    let cut = |line: &str| match line.char_indices().nth(LINE) {
        Some((end, _)) => {
            format!("{}… ({} bytes; the file has them)", &line[..end], number(line.len() as u64))
        }
        None => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().map(cut).collect();
    push(
        out,
        format_args!(
            "<p class=\"file\"><a download=\"{name}\" href=\"data:application/octet-stream;base64,{}\">{name}</a></p><pre>{}</pre>",
            Base64::encode_string(text.as_bytes()),
            esc(&lines.join("\n")),
            name = esc(name)
        ),
    );
}

/// The words for a state, and its class.
pub(super) const fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Nothing => ("nothing in the period", "nothing"),
        State::Shown => ("evidence shown", "shown"),
        State::Attention => ("to be explained", "attention"),
    }
}

pub(super) fn evidence(out: &mut String, evidence: &Evidence) {
    let (_, class) = state(evidence.state);
    push(
        out,
        format_args!(
            "<li><span class=\"what\">{}</span><span class=\"{class}\">{}</span></li>",
            esc(&evidence.what),
            esc(&evidence.found)
        ),
    );
}

/// The values that come most often. The bar is as long as the row's share of the first row.
pub(super) fn table(out: &mut String, title: &str, what: &str, table: &Table) {
    heading(out, 3, title);
    if table.rows.is_empty() {
        note(out, "none in the period");
        return;
    }
    push(
        out,
        format_args!(
            "<table><thead><tr><th>{}</th><th class=\"n\">entries</th><th class=\"n\">failed</th></tr></thead><tbody>",
            esc(what)
        ),
    );
    let most = table.rows.iter().map(|row| row.entries).max().unwrap_or(1).max(1);
    for row in &table.rows {
        let width = row.entries as f64 * 100.0 / most as f64;
        let failed = row.failures as f64 * 100.0 / most as f64;
        push(
            out,
            format_args!(
                "<tr><td class=\"bar\"><span>{}</span><svg viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"s\" width=\"{width:.2}\" height=\"4\"/><rect class=\"f\" width=\"{failed:.2}\" height=\"4\"/></svg></td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                esc(&row.value),
                number(row.entries),
                number(row.failures)
            ),
        );
    }
    out.push_str("</tbody></table>");
    let shown = table.rows.len() as u64;
    if !table.exact {
        let text = format!(
            "The first {shown} of more than {} different values. Each number may be too low by up to {}.",
            number(table.distinct),
            number(table.too_low_by)
        );
        note(out, &text);
    } else if table.distinct > shown {
        note(
            out,
            &format!("The first {shown} of {}; all numbers are exact.", number(table.distinct)),
        );
    }
}

/// Entries one by one.
pub(super) fn listing(out: &mut String, title: &str, listing: &Listing) {
    heading(out, 3, &format!("{title}: {}", number(listing.total)));
    if listing.total == 0 {
        return;
    }
    out.push_str(
        "<table class=\"list\"><thead><tr><th class=\"n\">seq</th><th>time (UTC)</th><th>type</th><th>who</th><th>on</th><th>result</th><th>more</th></tr></thead><tbody>",
    );
    for entry in &listing.entries {
        let who = match (&entry.actor, &entry.ip) {
            (Some(actor), Some(ip)) => format!("{} from {}", esc(actor), esc(ip)),
            (Some(actor), None) => esc(actor),
            _ => String::new(),
        };
        let more = match (&entry.reason, &entry.details) {
            (Some(reason), Some(details)) => {
                format!("{} <code>{}</code>", esc(reason), esc(details))
            }
            (Some(reason), None) => esc(reason),
            (None, Some(details)) => format!("<code>{}</code>", esc(details)),
            (None, None) => String::new(),
        };
        push(
            out,
            format_args!(
                "<tr class=\"{}\"><td class=\"n\" data-l=\"seq\">{}</td><td class=\"t\" data-l=\"time\">{}</td><td data-l=\"type\">{}</td><td data-l=\"who\">{who}</td><td data-l=\"on\">{}</td><td class=\"r\" data-l=\"result\">{}</td><td class=\"d\" data-l=\"more\">{more}</td></tr>",
                entry.result,
                entry.seq,
                time(&entry.timestamp),
                breakable(&entry.event_type),
                esc(entry.resource.as_deref().unwrap_or("")),
                entry.result,
            ),
        );
    }
    out.push_str("</tbody></table>");
    if listing.left_out() > 0 {
        let left = number(listing.left_out());
        note(
            out,
            &format!(
                "The newest {}; {left} older ones are not listed here. `auditlog query` gives all.",
                listing.entries.len()
            ),
        );
    }
}

/// Appends formatted text.
pub(super) fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&text.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(
            esc("<img src=x onerror='alert(\"1\")'>&\u{202e}\u{1b}"),
            "&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;\u{fffd}\u{fffd}"
        );
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((bytes(999), bytes(5_080_000_000)), ("999 bytes".into(), "5.1 GB".into()));
    }
}
