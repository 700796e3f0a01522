//! Timestamps: RFC 3339, UTC, `Z`, exactly nine fraction digits.
//!
//! What must stay true here: thirty bytes for every instant; what lies before the year 0000 is
//! written as its first nanosecond, for RFC 3339 has no earlier one.

use jiff::Timestamp;

const DAY: i64 = 86_400;
/// 0000-01-01T00:00:00Z in seconds.
const YEAR_ZERO: i64 = -62_167_219_200;

/// The last second written: under load most events share it with the one before.
#[derive(Debug)]
pub(super) struct SecondCache {
    second: i64,
    text: [u8; 30],
}

impl Default for SecondCache {
    fn default() -> SecondCache {
        SecondCache { second: 0, text: *b"1970-01-01T00:00:00.000000000Z" }
    }
}

impl SecondCache {
    pub(super) fn text(&mut self, timestamp: Timestamp) -> &[u8] {
        let (mut seconds, mut nanos) =
            (timestamp.as_second(), i64::from(timestamp.subsec_nanosecond()));
        if nanos < 0 {
            seconds -= 1;
            nanos += 1_000_000_000;
        }
        if seconds < YEAR_ZERO {
            (seconds, nanos) = (YEAR_ZERO, 0);
        }
        if seconds != self.second {
            self.second = seconds;
            self.text[..10].copy_from_slice(&date(seconds.div_euclid(DAY)));
            let clock = seconds.rem_euclid(DAY).unsigned_abs();
            digits(&mut self.text[11..13], clock / 3600);
            digits(&mut self.text[14..16], clock / 60 % 60);
            digits(&mut self.text[17..19], clock % 60);
        }
        let nanos = nanos.unsigned_abs();
        self.text[20] = b'0' + (nanos / 100_000_000) as u8;
        self.text[21..29].copy_from_slice(&eight_digits(nanos % 100_000_000));
        &self.text
    }
}

/// `YYYY-MM-DD` of a day counted from 1970-01-01 (Hinnant's `civil_from_days`).
fn date(day: i64) -> [u8; 10] {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let mut text = *b"0000-00-00";
    digits(&mut text[..4], year.unsigned_abs());
    digits(&mut text[5..7], month.unsigned_abs());
    digits(&mut text[8..], day_of_month.unsigned_abs());
    text
}

fn digits(out: &mut [u8], mut n: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
    }
}

/// The eight digits of a number below 10^8: halves, quarters and digits are divided side by side in
/// one word, by multiplying with the inverse (P. Khuong, *How to print integers really fast*, 2017).
#[inline]
const fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x7f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    (ones + u64::MAX / 255 * b'0' as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_are_right() {
        let all_halves = (0..10_000).flat_map(|half| [half, half * 10_000, half * 10_001]);
        for number in all_halves.chain([12_345_678, 99_999_999, 90_909_090]) {
            assert_eq!(eight_digits(number), format!("{number:08}").as_bytes());
        }
    }
}
