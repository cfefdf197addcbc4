//! The JSON Schema of scenario files, and what the check of a file asks of it.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::file::ScenarioFile;

/// The JSON Schema of a scenario file.
pub fn schema() -> &'static Json {
    static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
        let mut schema = schemars::schema_for!(ScenarioFile).to_value();
        without_null(&mut schema);
        schema
    });
    &SCHEMA
}

/// The schema that a `$ref` points to.
pub(super) fn resolved(schema: &Json) -> &Json {
    match schema.get("$ref").and_then(Json::as_str) {
        Some(reference) => reference
            .strip_prefix('#')
            .and_then(|pointer| self::schema().pointer(pointer))
            .unwrap_or(schema),
        None => schema,
    }
}

/// The alternatives among which the key `kind` of a map chooses.
pub(super) fn alternatives(schema: &Json) -> &[Json] {
    schema.get("oneOf").and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The alternative for a kind; `None` for an unknown kind.
pub(super) fn alternative<'s>(schema: &'s Json, kind: &str) -> Option<&'s Json> {
    alternatives(schema).iter().find(|alternative| {
        property(alternative, "kind").is_some_and(|names| {
            names.get("const").and_then(Json::as_str) == Some(kind) || words(names).contains(&kind)
        })
    })
}

/// A map with the keys of all alternatives.
pub(super) fn with_keys_of_all_kinds(schema: &Json) -> Json {
    let mut properties = serde_json::Map::new();
    for of_kind in std::iter::once(schema).chain(alternatives(schema)) {
        for (key, value) in
            of_kind.get("properties").and_then(Json::as_object).into_iter().flatten()
        {
            properties.entry(key).or_insert_with(|| value.clone());
        }
    }
    let required = schema.get("required").cloned().unwrap_or_default();
    serde_json::json!({"type": "object", "properties": properties, "required": required})
}

pub(super) fn property<'s>(schema: &'s Json, key: &str) -> Option<&'s Json> {
    schema.get("properties")?.get(key)
}

pub(super) fn property_names(schema: &Json) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Json::as_object);
    properties.into_iter().flat_map(|properties| properties.keys().map(String::as_str))
}

/// Removes null from the generated schema: optional keys are left out, not set to null.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Object(map) => {
            if let Some(Json::Array(types)) = map.get_mut("type") {
                types.retain(|ty| ty != "null");
                if let [ty] = types.as_slice() {
                    let ty = ty.clone();
                    map.insert("type".to_owned(), ty);
                }
            }
            if let Some(Json::Array(words)) = map.get_mut("enum") {
                words.retain(|word| !word.is_null());
            }
            // `anyOf: [X, null]` becomes X. Keys next to it, such as the field's description, take precedence.
            if let Some(Json::Array(choices)) = map.remove("anyOf") {
                let null = serde_json::json!({"type": "null"});
                let mut choices: Vec<Json> = choices.into_iter().filter(|c| *c != null).collect();
                match (choices.pop(), choices.is_empty()) {
                    (Some(Json::Object(only)), true) => {
                        for (key, value) in only {
                            map.entry(key).or_insert(value);
                        }
                    }
                    (last, _) => {
                        choices.extend(last);
                        map.insert("anyOf".to_owned(), Json::Array(choices));
                    }
                }
            }
            map.values_mut().for_each(without_null);
        }
        Json::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The allowed words of an enumeration; empty for other schemas.
pub(super) fn words(schema: &Json) -> Vec<&str> {
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return words.iter().filter_map(Json::as_str).collect();
    }
    let one_of = schema.get("oneOf").and_then(Json::as_array);
    let choices = one_of.into_iter().flatten();
    choices
        .flat_map(|choice| match choice.get("const").and_then(Json::as_str) {
            Some(word) => vec![word],
            None => words(choice),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_embedder_has_an_alternative_with_its_own_settings() {
        let entry = schema().pointer("/$defs/EmbedderEntry").unwrap();
        let kinds = words(property(entry, "kind").unwrap());
        assert!(kinds.len() > 8, "{kinds:?}");
        for kind in kinds {
            let own = alternative(entry, kind).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!(property_names(own).next(), Some("kind"));
        }
        let bm25: Vec<&str> = property_names(alternative(entry, "bm25").unwrap()).collect();
        assert_eq!(bm25, ["kind", "k1", "b", "analyzer"]);
        assert!(alternative(entry, "bm52").is_none());
        assert!(property(&with_keys_of_all_kinds(entry), "analyzer").is_some());
    }
}
