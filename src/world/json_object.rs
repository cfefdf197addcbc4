//! Parses JSON objects and rejects repeated keys.
//!
//! JSON does not define what a repeated key means; readers use the first value, use the last, or reject the object
//! (RFC 8259, section 4). Here it is an error, in nested objects too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Parses an object.
///
/// # Errors
/// If the text is not a JSON object or has a repeated key.
pub(super) fn parse(text: &str) -> serde_json::Result<Map<String, Json>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = deserializer.deserialize_map(JsonObjectVisitor)?;
    deserializer.end()?;
    Ok(object)
}

/// For `deserialize_with`: a map that rejects repeated keys.
pub(super) fn unique<'de, D: Deserializer<'de>, V: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    deserializer.deserialize_map(UniqueKeyMapVisitor(PhantomData))
}

fn repeated_key_error<E: Error>(key: &str) -> E {
    E::custom(format!("the key '{key}' occurs twice"))
}

struct JsonObjectVisitor;

impl<'de> Visitor<'de> for JsonObjectVisitor {
    type Value = Map<String, Json>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(repeated_key_error(&key));
            }
            let value = entries.next_value_seed(UniqueKeyJson)?;
            object.insert(key, value);
        }
        Ok(object)
    }
}

/// Deserializes any JSON value and rejects repeated keys in its objects.
struct UniqueKeyJson;

impl<'de> DeserializeSeed<'de> for UniqueKeyJson {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(UniqueKeyJson)? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Json, A::Error> {
        JsonObjectVisitor.visit_map(entries).map(Json::Object)
    }
}

struct UniqueKeyMapVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueKeyMapVisitor<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            match map.entry(key) {
                Entry::Occupied(known) => return Err(repeated_key_error(known.key())),
                Entry::Vacant(place) => {
                    place.insert(entries.next_value()?);
                }
            }
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_as_serde_json_reads_them_unless_a_key_is_there_twice() {
        for text in [
            r#"{"a": 1, "b": [null, true, -2, 1.5, "é\u00e9", {"a": {}}], "c": {"a": 1, "b": 1}}"#,
            r#" {} "#,
            r#"{"A": 1, "a": 2, "a ": 3}"#,
            "{\"n\": 18446744073709551615, \"m\": -9223372036854775808, \"x\": 1e300}",
        ] {
            let expected: Map<String, Json> = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text).unwrap(), expected);
        }
        for (text, key) in [
            (r#"{"id": "a", "id": "b"}"#, "id"),
            (r#"{"id": 1, "x": 2, "id": 1}"#, "id"),
            (r#"{"x": {"y": 1, "y": 2}}"#, "y"),
            (r#"{"x": [{"z": null, "z": null}]}"#, "z"),
            ("{\"a\": 1, \"\\u0061\": 2}", "a"),
            (r#"{"": 1, "": 2}"#, ""),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("the key '{key}' occurs twice")), "{error}");
        }
        for text in ["[]", "1", "{\"a\": 1} x", "{\"a\": }", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(parse(&deep).unwrap_err().to_string().contains("recursion limit"));
    }
}
