//! Names are bytes of any encoding. In JSON a name is text; if it is not UTF-8, the text is lossy, and a second field, with `_bytes` added
//! to its name, has the exact bytes in base64.

use std::borrow::Cow;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::read;

/// Defines a name that is flattened into the JSON object that has its field.
macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $field:ident, $bytes:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Vec<u8>);

        impl $name {
            /// No name.
            pub const EMPTY: &Self = &Self(Vec::new());

            /// The bytes.
            #[must_use]
            pub fn as_slice(&self) -> &[u8] {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                &self.0
            }
        }

        impl<Bytes: Into<Vec<u8>>> From<Bytes> for $name {
            fn from(bytes: Bytes) -> Self {
                Self(bytes.into())
            }
        }

        const _: () = {
            /// The fields of a name in JSON.
            #[derive(Serialize, Deserialize)]
            #[cfg_attr(test, derive(schemars::JsonSchema))]
            struct Fields<'a> {
                /// The name; where it is not UTF-8, lossily.
                #[cfg_attr(test, schemars(with = "String"))]
                $field: Option<Cow<'a, str>>,
                /// The exact bytes in base64, where the name is not UTF-8.
                #[serde(skip_serializing_if = "Option::is_none")]
                #[cfg_attr(test, schemars(with = "String"))]
                $bytes: Option<Base64>,
            }

            impl<'a> Fields<'a> {
                fn of(name: Option<&'a [u8]>) -> Self {
                    let inexact = name.filter(|name| std::str::from_utf8(name).is_err());
                    Self { $field: name.map(String::from_utf8_lossy), $bytes: inexact.map(|name| Base64(name.to_vec())) }
                }
            }

            impl $name {
                /// Writes a name that may be absent: its field is null then.
                pub(crate) fn or_null<S: Serializer>(name: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
                    Fields::of(name.as_deref()).serialize(serializer)
                }

                /// Reads a name that may be absent: strictly, while an `Option` that is flattened reads a wrong value as an absent one.
                pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
                    let Fields { $field: text, $bytes: exact } = Fields::deserialize(deserializer)?;
                    Ok(exact.map(|exact| exact.0).or(text.map(|text| text.into_owned().into_bytes())).map(Self))
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Fields::of(Some(self)).serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    Self::optional(deserializer)?.ok_or_else(|| D::Error::missing_field(stringify!($field)))
                }
            }

            #[cfg(test)]
            impl schemars::JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    Fields::json_schema(generator)
                }
            }
        };
    };
}

name! {
    /// The command name (comm) of a process, at most 15 bytes; see `proc_pid_comm(5)`.
    CommandName, command, command_bytes
}
name! {
    /// A path, in the mount namespace of the process that it was read from.
    PathName, path, path_bytes
}
name! {
    /// The target of a link in /proc/PID/fd.
    LinkTarget, target, target_bytes
}

/// Bytes, in base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Base64(#[cfg_attr(test, schemars(with = "String"))] pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, "a name in base64", |text| STANDARD.decode(text).ok().map(Self))
    }
}

#[cfg(test)]
pub(super) mod tests;
