//! Times and durations, rounded to the millisecond as in JSON, so that a live scan and its saved report give the same findings.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::text::text;
use jiff::Timestamp;

/// A point in time, to the millisecond; in JSON as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "String", inline))]
pub struct Time(Timestamp);

impl Time {
    /// The time from which the seconds of a [`Timestamp`] are counted.
    pub const EPOCH: Self = Self(Timestamp::UNIX_EPOCH);

    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        Timestamp::now().into()
    }

    /// Seconds since 1970.
    #[cfg(test)]
    pub(crate) fn at(seconds: i64) -> Self {
        Timestamp::from_second(seconds).map(Self::from).unwrap()
    }

    /// The seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> f64 {
        self.0.as_duration().as_secs_f64()
    }

    /// The time elapsed since `other`; negative if it is later.
    #[must_use]
    pub fn duration_since(self, other: Self) -> jiff::SignedDuration {
        self.0.duration_since(other.0)
    }

    /// The time elapsed since `earlier`; none if that is later.
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

/// An optional duration as a number of seconds, to the millisecond; for `#[serde(with = …)]`.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::de::{Error as _, Unexpected};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        // Rounded again, since the sum of whole seconds and a fraction may be 5.2780000000000005.
        let seconds = |span: &Duration| {
            let span = Duration::new(span.as_secs(), span.subsec_millis() * 1_000_000);
            (span.as_secs_f64() * 1000.0).round() / 1000.0
        };
        span.as_ref().map(seconds).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let span = |seconds: f64| {
            // To the nearest millisecond: 0.07 is a little less than seventy of them. No number is too great for JSON.
            let rounded = Duration::try_from_secs_f64(seconds + 0.0005).ok().filter(|_| seconds >= 0.0);
            let wrong = || D::Error::invalid_value(Unexpected::Float(seconds), &"a number of seconds");
            rounded.map(|span| Duration::new(span.as_secs(), span.subsec_millis() * 1_000_000)).ok_or_else(wrong)
        };
        Option::<f64>::deserialize(deserializer)?.map(span).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wait {
        #[serde(with = "seconds")]
        idle: Option<Duration>,
    }

    #[test]
    fn spans_come_back_to_the_millisecond() {
        for millis in [0, 1, 7, 70, 299, 999, 1000, 123_456_789] {
            let wait = Wait { idle: Some(Duration::from_millis(millis)) };
            let finer = Wait { idle: Some(Duration::from_millis(millis) + Duration::from_nanos(999_999)) };
            for json in [wait, finer].map(|wait| serde_json::to_string(&wait).unwrap()) {
                let back: Wait = serde_json::from_str(&json).unwrap();
                assert_eq!(back.idle, Some(Duration::from_millis(millis)), "{json}");
            }
        }
        for (millis, expected) in [(5278, "5.278"), (4690, "4.69"), (123_456_789, "123456.789"), (3000, "3.0")] {
            let json = serde_json::to_string(&Wait { idle: Some(Duration::from_millis(millis)) }).unwrap();
            assert_eq!(json, format!("{{\"idle\":{expected}}}"));
        }
        for wrong in ["-1.0", "-0.0001", "1e300", "\"1\""] {
            serde_json::from_str::<Wait>(&format!("{{\"idle\":{wrong}}}")).unwrap_err();
        }
        assert_eq!(serde_json::from_str::<Wait>("{\"idle\":null}").unwrap(), Wait { idle: None });
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
