//! A serde deserializer from [`Node`] trees to the types of the file format.
//!
//! A field of type [`At`] also receives its source span: `At` requests a newtype struct with a private name, which
//! the deserializer answers with the sequence start, end, value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::node::{YamlNode, YamlValue};

/// The newtype name by which [`At`] requests the span.
const SPANNED: &str = "knockon::At";

/// A value with its byte range in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// The entries of a map in file order; keys have their spans.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamedEntries<T>(pub Vec<(Spanned<String>, T)>);

/// Any YAML value, as JSON.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub(super) struct AnyYamlValue(pub serde_json::Value);

impl JsonSchema for AnyYamlValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnyValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "description": "Any value." })
    }
}

impl<T> Default for NamedEntries<T> {
    fn default() -> NamedEntries<T> {
        NamedEntries(Vec::new())
    }
}

/// A node did not have the type that the target asked for. The schema check before should rule that out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct DeserializeMismatch(String);

impl de::Error for DeserializeMismatch {
    fn custom<T: fmt::Display>(message: T) -> DeserializeMismatch {
        DeserializeMismatch(message.to_string())
    }
}

impl<'de> IntoDeserializer<'de, DeserializeMismatch> for &'de YamlNode {
    type Deserializer = &'de YamlNode;

    fn into_deserializer(self) -> &'de YamlNode {
        self
    }
}

impl<'de> Deserializer<'de> for &'de YamlNode {
    type Error = DeserializeMismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeMismatch> {
        match &self.value {
            YamlValue::Null => visitor.visit_unit(),
            YamlValue::Bool(b) => visitor.visit_bool(*b),
            // Visitors rarely accept 128-bit integers, so the number takes the first type here that holds it.
            YamlValue::Integer(n) => match (u64::try_from(*n), i64::try_from(*n)) {
                (Ok(n), _) => visitor.visit_u64(n),
                (_, Ok(n)) => visitor.visit_i64(n),
                _ => visitor.visit_f64(*n as f64),
            },
            YamlValue::Float(n) => visitor.visit_f64(*n),
            YamlValue::Text(text) => visitor.visit_borrowed_str(text),
            YamlValue::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter())),
            YamlValue::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (YamlKeyDeserializer(key), value));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, DeserializeMismatch> {
        match self.value {
            YamlValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeMismatch> {
        if name == SPANNED {
            visitor.visit_seq(SpannedParts::new(&self.span, self))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeserializeMismatch> {
        match &self.value {
            YamlValue::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => Err(de::Error::custom("a name was expected")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Deserializes the key of an entry: a text with a span.
struct YamlKeyDeserializer<'de>(&'de super::node::YamlKey);

impl<'de> IntoDeserializer<'de, DeserializeMismatch> for YamlKeyDeserializer<'de> {
    type Deserializer = YamlKeyDeserializer<'de>;

    fn into_deserializer(self) -> YamlKeyDeserializer<'de> {
        self
    }
}

impl<'de> Deserializer<'de> for YamlKeyDeserializer<'de> {
    type Error = DeserializeMismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeserializeMismatch> {
        visitor.visit_borrowed_str(&self.0.name)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeserializeMismatch> {
        if name == SPANNED {
            visitor.visit_seq(SpannedParts::new(&self.0.span, self))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The sequence start, end, value that [`At`] reads.
struct SpannedParts<D> {
    /// The numbers still to be returned, last first.
    numbers: Vec<usize>,
    value: Option<D>,
}

impl<D> SpannedParts<D> {
    fn new(span: &Range<usize>, value: D) -> SpannedParts<D> {
        SpannedParts { numbers: vec![span.end, span.start], value: Some(value) }
    }
}

impl<'de, D: Deserializer<'de, Error = DeserializeMismatch>> SeqAccess<'de> for SpannedParts<D> {
    type Error = DeserializeMismatch;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeserializeMismatch> {
        if let Some(number) = self.numbers.pop() {
            return seed.deserialize((number as u64).into_deserializer()).map(Some);
        }
        self.value.take().map(|value| seed.deserialize(value)).transpose()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        struct SpannedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for SpannedVisitor<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value with its place")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
                let missing = || de::Error::custom("a place is missing");
                let start = parts.next_element::<usize>()?.ok_or_else(missing)?;
                let end = parts.next_element::<usize>()?.ok_or_else(missing)?;
                let value = parts.next_element::<T>()?.ok_or_else(missing)?;
                Ok(Spanned { value, span: start..end })
            }
        }
        deserializer.deserialize_newtype_struct(SPANNED, SpannedVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NamedEntries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NamedEntries<T>, D::Error> {
        struct NamedEntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedEntriesVisitor<T> {
            type Value = NamedEntries<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<NamedEntries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(NamedEntries(entries))
            }
        }
        deserializer.deserialize_map(NamedEntriesVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for NamedEntries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<T>(),
        })
    }
}
