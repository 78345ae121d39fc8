//! Points in time and spans of time, as exact as the JSON has them: to the millisecond. So what is judged live and what is judged from a
//! saved report come out the same.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::text;

/// A point in time, to the millisecond; in JSON as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Timestamp);

impl Time {
    /// The time from which the seconds of a [`Timestamp`] are counted.
    pub const EPOCH: Self = Self(Timestamp::UNIX_EPOCH);

    /// The present.
    #[must_use]
    pub fn now() -> Self {
        Timestamp::now().into()
    }

    /// How much later it is than another time; none if it is earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        self.0.duration_since(earlier.0).try_into().ok()
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match f.precision() {
            Some(digits) => write!(f, "{:.digits$}", self.0),
            None => write!(f, "{:.3}", self.0),
        }
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

text!(Time, "a time, as RFC 3339 has it");

/// A span of time, to the millisecond; in JSON a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    /// The span.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Its whole seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl From<Duration> for Span {
    fn from(span: Duration) -> Self {
        Self(Duration::new(span.as_secs(), span.subsec_millis() * 1_000_000))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let unexpected =
            || serde::de::Error::invalid_value(serde::de::Unexpected::Float(seconds), &"a number of seconds");
        // To the nearest millisecond: 0.07 is a little less than seventy of them.
        let millis = Duration::try_from_secs_f64(seconds + 0.0005).map_err(|_| unexpected())?;
        if seconds < 0.0 { Err(unexpected()) } else { Ok(millis.into()) }
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        f64::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_come_back_as_they_were() {
        for millis in [0, 1, 7, 70, 299, 999, 1000, 123_456_789] {
            let span = Span::from(Duration::from_millis(millis));
            let json = serde_json::to_string(&span).unwrap();
            assert_eq!(serde_json::from_str::<Span>(&json).unwrap(), span, "{json}");
        }
        assert_eq!(Span::from(Duration::from_micros(1999)), Span::from(Duration::from_millis(1)));
        for wrong in ["-1.0", "-0.0001", "1e300", "null"] {
            serde_json::from_str::<Span>(wrong).unwrap_err();
        }
    }

    #[test]
    fn times_come_back_as_they_were() {
        let time: Time = "2026-11-29T07:36:18.1239Z".parse().unwrap();
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(json, r#""2026-11-29T07:36:18.123Z""#);
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        assert_eq!(time.since(Time::EPOCH).map(|span| span.subsec_millis()), Some(123));
        assert_eq!(Time::EPOCH.since(time), None);
    }
}
