//! Enums whose variants are words in JSON and in text.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use super::text::read;

/// A word of one of two sets.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
#[serde(untagged)]
pub(crate) enum Either<A, B> {
    A(A),
    B(B),
}

/// Not derived: that would not quote a wrong word.
impl<'de, A: FromStr, B: FromStr> Deserialize<'de> for Either<A, B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let either = |word: &str| word.parse().map(Self::A).or_else(|_| word.parse().map(Self::B));
        read(deserializer, "a known word", |word| either(word).ok())
    }
}

/// Defines an enum with a word for each variant, written and parsed in text and JSON.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        $vis enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)+
        }

        #[allow(dead_code, reason = "not every set of words is listed or parsed")]
        impl $name {
            /// All of them, in order.
            $vis const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in every output.
            #[must_use]
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or(())
            }
        }
    };
}
pub(crate) use words;
