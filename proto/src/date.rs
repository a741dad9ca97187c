//! The `Date` header's format: IMF-fixdate (RFC 9110 §5.6.7), always 29 bytes.

use core::fmt;

/// `Sun, 06 Nov 1994 08:49:37 GMT`. Made once a second by the owner of the clock, and copied into each answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HttpDate([u8; HttpDate::LEN]);

const DAYS: &[u8; 21] = b"ThuFriSatSunMonTueWed"; // 1970-01-01 was a Thursday
const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const SECONDS_PER_DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z; the format has four digits for the year.
const LAST: u64 = 253_402_300_799;

impl HttpDate {
    /// Length in bytes.
    pub const LEN: usize = 29;

    /// The date `seconds` after 1970-01-01T00:00:00Z, at most the end of the year 9999.
    pub fn from_unix(seconds: u64) -> HttpDate {
        let seconds = seconds.min(LAST);
        let (days, second_of_day) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);

        let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
        let weekday = (days % 7) as usize * 3;
        out[0..3].copy_from_slice(&DAYS[weekday..weekday + 3]);
        put_two(&mut out, 5, day);
        let name = (month as usize - 1) * 3;
        out[8..11].copy_from_slice(&MONTHS[name..name + 3]);
        put_two(&mut out, 12, year / 100);
        put_two(&mut out, 14, year % 100);
        put_two(&mut out, 17, second_of_day / 3600);
        put_two(&mut out, 20, second_of_day / 60 % 60);
        put_two(&mut out, 23, second_of_day % 60);
        HttpDate(out)
    }

    /// The 29 bytes.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; HttpDate::LEN] {
        &self.0
    }
}

impl Default for HttpDate {
    fn default() -> Self {
        HttpDate::from_unix(0)
    }
}

impl fmt::Debug for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

fn put_two(out: &mut [u8; HttpDate::LEN], at: usize, value: u64) {
    out[at] = b'0' + (value / 10 % 10) as u8;
    out[at + 1] = b'0' + (value % 10) as u8;
}

/// Year, month (1–12) and day (1–31) of the proleptic Gregorian calendar, `days` after 1970-01-01. Counts in eras of
/// 400 years that begin on 1 March, so that the leap day is the last of its year.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
