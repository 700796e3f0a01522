//! Payment card numbers.
//!
//! What must stay true here: an issuer's prefix, a length that issuer uses and the Luhn digit must
//! all agree, so that one in a few hundred other numbers at most is taken for a card.

use std::ops::Range;

/// Digit groups as they are printed on cards.
const GROUPINGS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// False if the text certainly holds no card number: it has no thirteen digits, spaces and dashes
/// in a row. Such a row covers one of every thirteen bytes, so only those are looked at.
#[inline]
pub(super) fn may_hold(text: &[u8]) -> bool {
    const ROW: usize = 13;
    let fits = |b: &&u8| matches!(b, b'0'..=b'9' | b' ' | b'-');
    (ROW - 1..text.len()).step_by(ROW).any(|at| {
        fits(&&text[at]) && {
            let before = text[..at].iter().rev().take(ROW).take_while(fits).count();
            let after = text[at..].iter().take(ROW).take_while(fits).count();
            before + after >= ROW
        }
    })
}

/// A card number that starts with the digit at `at`, which begins a group of digits.
pub(super) fn at(text: &[u8], at: usize) -> Option<Range<usize>> {
    if at > 0 && joins(text, at - 1, at.checked_sub(2)) {
        return None;
    }
    let first = digits_from(text, at);
    if first >= 13 {
        let end = at + first;
        let alone = end == text.len() || !joins(text, end, Some(end + 1));
        return (alone && is_card_number(&text[at..end])).then_some(at..end);
    }
    GROUPINGS.iter().find_map(|grouping| grouped(text, at, grouping))
}

/// How many digits stand from `at` on, as far as matters.
pub(super) fn digits_from(text: &[u8], at: usize) -> usize {
    text[at..].iter().take_while(|b| b.is_ascii_digit()).count()
}

fn grouped(text: &[u8], at: usize, grouping: &[usize]) -> Option<Range<usize>> {
    let mut digits = [0; 19];
    let mut length = 0;
    let mut pos = at;
    let mut separator = None;
    for (i, size) in grouping.iter().enumerate() {
        if i > 0 {
            let found = *text.get(pos)?;
            if !matches!(found, b' ' | b'-') || *separator.get_or_insert(found) != found {
                return None;
            }
            pos += 1;
        }
        let group = text.get(pos..pos + size)?;
        if !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        digits[length..length + size].copy_from_slice(group);
        length += size;
        pos += size;
    }
    let alone = text.get(pos).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
    (alone && is_card_number(&digits[..length])).then_some(at..pos)
}

/// True if the byte at `at` makes the digits next to it part of something longer: a letter, or a
/// decimal point with a digit beyond.
fn joins(text: &[u8], at: usize, beyond: Option<usize>) -> bool {
    match text[at] {
        b'.' | b',' => beyond.and_then(|b| text.get(b)).is_some_and(u8::is_ascii_digit),
        b => b.is_ascii_alphanumeric() || b == b'_',
    }
}

/// Prefix, length and check digit.
pub(super) fn is_card_number(digits: &[u8]) -> bool {
    if digits.len() < 13 || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let prefix = |n: usize| digits[..n].iter().fold(0, |sum, d| sum * 10 + u32::from(d - b'0'));
    let issued = match digits.len() {
        // Visa
        13 | 19 if digits[0] == b'4' => true,
        // American Express
        15 => matches!(prefix(2), 34 | 37),
        // Diners Club
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        // Visa, Mastercard, Discover, JCB, UnionPay
        16 => {
            digits[0] == b'4'
                || matches!(prefix(2), 51..=55 | 62 | 65)
                || matches!(prefix(3), 644..=649)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        _ => false,
    };
    issued && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| {
            let d = u32::from(d - b'0');
            match (i % 2, d) {
                (0, d) => d,
                (_, d) if d > 4 => 2 * d - 9,
                (_, d) => 2 * d,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
