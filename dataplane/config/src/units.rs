//! Sizes, times and numbers.

use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::declare::Measure;
use crate::decode::Scalar;
use crate::node::Kind;

/// An amount of bytes: `512`, `64k`, `1MiB`. The units are powers of 1024.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Size(pub u64);

impl Size {
    /// KiB.
    pub const fn kib(n: u64) -> Size {
        Size(n * 1024)
    }

    /// MiB.
    pub const fn mib(n: u64) -> Size {
        Size(n * 1024 * 1024)
    }

    /// Bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Bytes, as a length of something in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// Splits `64k` into its digits and its unit.
fn number_and_unit(text: &str) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim())
}

impl Scalar for Size {
    const EXPECTED: &'static str = "a size such as `4096`, `64k` or `1MiB`";

    fn parse(text: &str) -> Result<Size, Option<String>> {
        let (number, unit) = number_and_unit(text.trim());
        let number: u64 = number.parse().map_err(|_| None)?;
        let shift = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return Err(Some("units are k, m and g (powers of 1024)".to_owned())),
        };
        number.checked_mul(1 << shift).map(Size).ok_or_else(|| Some("that is more than any machine has".to_owned()))
    }

    fn accepts(_kind: Kind) -> bool {
        true
    }

    fn scalar_schema() -> Json {
        json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+ *([bB]|[kKmMgG]([iI]?[bB])?)?$" }] })
    }

    fn scalar_show(&self) -> Json {
        self.to_string().into()
    }

    fn scalar_name() -> String {
        "size".to_owned()
    }
}

impl Measure for Size {
    fn measures(&self) -> Vec<u64> {
        vec![self.0]
    }
    fn bound(measure: u64) -> String {
        Size(measure).to_string()
    }
}

const DURATION_UNITS: [(&str, u64); 5] =
    [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)];

/// A time in the notation of the file.
pub(crate) fn show_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return "0s".to_owned();
    }
    let fits = |&&(_, unit): &&(&str, u64)| micros % unit == 0;
    let (unit, size) = DURATION_UNITS.iter().find(fits).copied().unwrap_or(("us", 1));
    format!("{}{unit}", micros / size)
}

impl Scalar for Duration {
    const EXPECTED: &'static str = "a time such as `10s`, `250ms` or `5m`";

    fn parse(text: &str) -> Result<Duration, Option<String>> {
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(None);
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let number: u64 = number.parse().map_err(|_| None)?;
            let size = match unit {
                "" if number == 0 => 1,
                "" => {
                    return Err(Some(format!("a time needs a unit: `{number}s`, `{number}ms` or `{number}m`")));
                }
                _ => {
                    DURATION_UNITS
                        .iter()
                        .find(|(known, _)| *known == unit)
                        .ok_or_else(|| Some("units are us, ms, s, m and h".to_owned()))?
                        .1
                }
            };
            total = number
                .checked_mul(size)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| Some("that is longer than a lifetime".to_owned()))?;
            rest = after.trim_start();
        }
        Ok(Duration::from_micros(total))
    }

    fn scalar_schema() -> Json {
        json!({ "anyOf": [{ "type": "string", "pattern": "^([0-9]+(us|ms|s|m|h) *)+$|^0$" }, { "const": 0 }] })
    }

    fn scalar_show(&self) -> Json {
        show_duration(*self).into()
    }

    fn scalar_name() -> String {
        "time".to_owned()
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn parse(text: &str) -> Result<bool, Option<String>> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            "on" | "yes" => Err(Some("write `true`".to_owned())),
            "off" | "no" => Err(Some("write `false`".to_owned())),
            _ => Err(None),
        }
    }

    fn accepts(kind: Kind) -> bool {
        kind != Kind::Quoted
    }

    fn scalar_schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn scalar_show(&self) -> Json {
        (*self).into()
    }

    fn scalar_name() -> String {
        "`true`, `false`".to_owned()
    }
}

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Scalar for $type {
            const EXPECTED: &'static str = "a whole number";

            fn parse(text: &str) -> Result<$type, Option<String>> {
                let digits = text.replace('_', "");
                let bounds = || digits.parse::<i128>().is_ok().then(|| format!("give a number from 0 to {}", <$type>::MAX));
                digits.parse().map_err(|_| bounds())
            }

            fn accepts(kind: Kind) -> bool {
                kind != Kind::Quoted
            }

            fn scalar_schema() -> Json {
                json!({ "type": "integer", "minimum": 0, "maximum": <$type>::MAX })
            }

            fn scalar_show(&self) -> Json {
                (*self).into()
            }

            fn scalar_name() -> String {
                "number".to_owned()
            }
        }
    )+};
}
numbers!(u8, u16, u32, u64);

impl Scalar for String {
    const EXPECTED: &'static str = "a string";

    fn parse(text: &str) -> Result<String, Option<String>> {
        Ok(text.to_owned())
    }

    fn scalar_schema() -> Json {
        json!({ "type": "string" })
    }

    fn scalar_show(&self) -> Json {
        self.as_str().into()
    }

    fn scalar_name() -> String {
        "string".to_owned()
    }
}
