//! Names in JSON, and the schema of those that may be absent.

use super::*;

/// The schema of a flattened name that may be absent: its field is always there, and null then. Of a flattened `Option`, schemars makes
/// a field that may be missing.
pub(crate) struct OrNull<T>(std::marker::PhantomData<T>);

impl<T: schemars::JsonSchema> schemars::JsonSchema for OrNull<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
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
