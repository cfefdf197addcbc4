//! Entries whose key `kind` determines which other keys they may have.

use schemars::Schema;
use serde_json::{Value as Json, json};

use super::node::{YamlNode, YamlValue};

/// The schema of an entry of one kind: that of its settings, with the key `kind`, which is one of `names`.
pub(super) fn with_kind(settings: Schema, names: &[&str]) -> Json {
    let mut schema = settings.to_value();
    let kind = match names {
        [name] => json!({ "const": name }),
        names => json!({ "enum": names }),
    };
    let mut properties = serde_json::Map::from_iter([("kind".to_owned(), kind)]);
    if let Some(Json::Object(settings)) = schema.get_mut("properties").map(Json::take) {
        properties.extend(settings);
    }
    let mut required = vec![json!("kind")];
    if let Some(Json::Array(settings)) = schema.get_mut("required").map(Json::take) {
        required.extend(settings);
    }
    schema["properties"] = Json::Object(properties);
    schema["required"] = Json::Array(required);
    schema
}

/// The name of the kind, and the entry without that key. The name is empty if there is none.
pub(super) fn split_kind(mut node: YamlNode) -> (String, YamlNode) {
    let kind = node.get("kind").and_then(YamlNode::text).unwrap_or_default().to_owned();
    if let YamlValue::Map(entries) = &mut node.value {
        entries.retain(|(key, _)| key.name != "kind");
    }
    (kind, node)
}
