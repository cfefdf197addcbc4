//! How readers are written in the file: the entries of the section `readers`, and the setting `reader`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Value as Json, json};

use super::chat::ChatReaderEntry;
use super::local::LocalReaderEntry;
use super::measured::MeasuredReaderEntry;
use crate::scenario::file::ReaderEntry;
use crate::scenario::kind_schema;
use crate::scenario::node::YamlNode;

/// An entry of the section `readers`: a language model, or a simulated reader with measured rates. Its kind determines which settings it has.
#[derive(Clone, Debug)]
pub(in crate::scenario) enum LanguageReaderEntry {
    Chat(Box<ChatReaderEntry>),
    Local(Box<LocalReaderEntry>),
    Measured(MeasuredReaderEntry),
}

impl<'de> Deserialize<'de> for LanguageReaderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LanguageReaderEntry, D::Error> {
        let (kind, node) = kind_schema::split_kind(YamlNode::deserialize(deserializer)?);
        match kind.as_str() {
            "chat" => ChatReaderEntry::deserialize(&node)
                .map(|entry| LanguageReaderEntry::Chat(Box::new(entry)))
                .map_err(Error::custom),
            "local" => LocalReaderEntry::deserialize(&node)
                .map(|entry| LanguageReaderEntry::Local(Box::new(entry)))
                .map_err(Error::custom),
            "measured" => MeasuredReaderEntry::deserialize(&node)
                .map(LanguageReaderEntry::Measured)
                .map_err(Error::custom),
            _ => Err(Error::custom("a reader has no known kind")),
        }
    }
}

impl JsonSchema for LanguageReaderEntry {
    fn schema_name() -> Cow<'static, str> {
        "LanguageReaderEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [
            kind_schema::with_kind(ChatReaderEntry::json_schema(generator), &["chat"]),
            kind_schema::with_kind(LocalReaderEntry::json_schema(generator), &["local"]),
            kind_schema::with_kind(MeasuredReaderEntry::json_schema(generator), &["measured"]),
        ];
        schemars::json_schema!({
            "title": "Reader",
            "description": "A language model that reads the passages, or a simulated reader with measured rates. A setting that the kind does not have is a mistake.",
            "type": "object",
            "properties": {
                "kind": {
                    "type": "string",
                    "enum": ["chat", "local", "measured"],
                    "description": "`chat` asks an endpoint with OpenAI's chat API; `local` runs a GGUF file in this process; `measured` simulates a reader with rates that `knockon calibrate` fitted.",
                }
            },
            "required": ["kind"],
            "oneOf": kinds,
        })
    }
}

/// The setting `reader`: the name of a reader of the section `readers`, or the parameters of a simulated one.
#[derive(Clone, Debug)]
pub(in crate::scenario) enum ReaderChoiceEntry {
    Named(String),
    Simulated(Box<ReaderEntry>),
}

impl<'de> Deserialize<'de> for ReaderChoiceEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ReaderChoiceEntry, D::Error> {
        struct ReaderChoiceVisitor;

        impl<'de> Visitor<'de> for ReaderChoiceVisitor {
            type Value = ReaderChoiceEntry;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of a reader, or the parameters of a simulated one")
            }

            fn visit_str<E>(self, name: &str) -> Result<ReaderChoiceEntry, E> {
                Ok(ReaderChoiceEntry::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReaderChoiceEntry, A::Error> {
                let entry = ReaderEntry::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ReaderChoiceEntry::Simulated(Box::new(entry)))
            }
        }
        deserializer.deserialize_any(ReaderChoiceVisitor)
    }
}

impl JsonSchema for ReaderChoiceEntry {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ReaderChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = ReaderEntry::json_schema(generator).to_value();
        schema["type"] = json!(["string", "object"]);
        schema["description"] = Json::from(
            "The name of a reader of the section `readers`, or the parameters of a simulated reader: a preset, and \
             parameters that override the preset's.",
        );
        Schema::try_from(schema).unwrap_or_default()
    }
}
