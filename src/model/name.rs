//! Names that are bytes: the kernel promises no encoding for them. In JSON a name is text, given lossily where it is not UTF-8, and then
//! exactly, in base64, in a second field that has `_bytes` added to its name.

use std::borrow::Cow;
use std::ops::Deref;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::read;

/// Defines a name of one field of the JSON, to be flattened into the object that has the field.
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

/// The schema of a flattened name that may be absent: its field is always there, and null then. Of a flattened `Option`, schemars makes
/// a field that may be missing.
#[cfg(test)]
pub(crate) struct OrNull<T>(std::marker::PhantomData<T>);

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for OrNull<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = T::json_schema(generator);
        for field in schema.get("required").and_then(|required| required.as_array()).cloned().into_iter().flatten() {
            let pointer = format!("/properties/{}/type", field.as_str().unwrap());
            *schema.pointer_mut(&pointer).unwrap() = serde_json::json!(["string", "null"]);
        }
        schema
    }
}

name! {
    /// The command name (comm) of a process, at most 15 bytes; see `proc_pid_comm(5)`.
    CommandName, command, command_bytes
}
name! {
    /// A path, as the process has it that it was learned from.
    PathName, path, path_bytes
}
name! {
    /// What a descriptor leads to, as the link in /proc/PID/fd says it.
    LinkTarget, target, target_bytes
}

/// Bytes that stand as base64 in JSON.
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
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Holder {
        pid: u32,
        #[serde(flatten)]
        command: CommandName,
        #[serde(flatten, serialize_with = "PathName::or_null", deserialize_with = "PathName::optional")]
        path: Option<PathName>,
        #[serde(flatten, deserialize_with = "LinkTarget::optional")]
        target: Option<LinkTarget>,
    }

    #[test]
    fn a_name_is_text_and_where_that_cannot_give_it_bytes() {
        let write = |holder: &Holder| serde_json::to_string(holder).unwrap();
        let plain = Holder { pid: 1, command: CommandName(b"cat".to_vec()), path: None, target: None };
        assert_eq!(write(&plain), r#"{"pid":1,"command":"cat","path":null}"#);
        let odd = Holder {
            pid: 2,
            command: CommandName(b"\xff".to_vec()),
            path: Some(PathName(b"/a\xfe".to_vec())),
            target: Some(LinkTarget(b"x".to_vec())),
        };
        let text = "{\"pid\":2,\"command\":\"\u{fffd}\",\"command_bytes\":\"/w==\",\"path\":\"/a\u{fffd}\",\"path_bytes\":\"L2H+\",\"target\":\"x\"}";
        assert_eq!(write(&odd), text);
        for holder in [plain, odd] {
            assert_eq!(serde_json::from_str::<Holder>(&write(&holder)).unwrap(), holder);
        }
        for wrong in
            [r#"{"pid":1,"command":"x","command_bytes":"?"}"#, r#"{"pid":1,"command":"x","path":"x","path_bytes":"?"}"#]
        {
            assert!(serde_json::from_str::<Holder>(wrong).unwrap_err().to_string().contains("base64"), "{wrong}");
        }
        serde_json::from_str::<Holder>(r#"{"pid":1,"command":"x","target":7}"#).unwrap_err();
    }
}
