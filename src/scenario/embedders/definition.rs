//! How a kind of embedder is written in the file: its names, its settings, and their JSON Schema.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{EmbedderDeclaration, EmbedderKind, KINDS};
use crate::scenario::kind_schema;
use crate::scenario::node::YamlNode;
use crate::scenario::resolve::{ScenarioData, ScenarioResolver};
use crate::scenario::spanned_de::{DeserializeMismatch, Spanned};

/// The settings of an embedder as written in the file; each kind has a type for its own.
pub(in crate::scenario) trait EmbedderSettings: Debug {
    /// The names of other embedders in the settings.
    fn referenced(&self) -> Vec<&Spanned<String>> {
        Vec::new()
    }

    /// Checks the settings, fills in defaults and turns names into indices. `None` after a mistake that leaves nothing
    /// to use; all mistakes are reported to the resolver.
    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>>;

    /// Checks the embedders that the settings name, once all of them are resolved.
    fn check_references(&self, _embedders: &NamedEmbedders, _resolver: &mut ScenarioResolver) {}
}

/// What is known when an entry is resolved.
pub(in crate::scenario) struct EmbedderEntryContext<'a> {
    /// The name of the embedder.
    pub name: &'a Spanned<String>,
    /// The name of its kind, as written.
    pub kind: &'static str,
    /// The names of all embedders, in the order of their indices.
    pub names: &'a [String],
    pub world: &'a ScenarioData,
}

/// The embedders of the file; `None` where an entry is wrong.
pub(in crate::scenario) struct NamedEmbedders<'a> {
    pub names: &'a [String],
    pub embedders: &'a [Option<EmbedderDeclaration>],
}

impl NamedEmbedders<'_> {
    /// The embedder of this name; `None` if there is none, or its entry is wrong.
    pub fn find(&self, name: &str) -> Option<&EmbedderDeclaration> {
        let at = self.names.iter().position(|known| known == name)?;
        self.embedders[at].as_ref()
    }
}

/// A kind of embedder, as listed in [`KINDS`].
pub(in crate::scenario) struct KindDefinition {
    /// Its names in the file, which all mean the same.
    names: &'static [&'static str],
    /// What it does, as the continuation of its name in the schema.
    summary: &'static str,
    read: fn(&YamlNode) -> Result<Arc<dyn EmbedderSettings>, DeserializeMismatch>,
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// An embedder with default settings, for kinds that need no setting.
    pub default: Option<fn() -> Arc<dyn EmbedderKind>>,
}

impl KindDefinition {
    /// A kind with the settings `S`.
    pub const fn new<S: EmbedderSettings + DeserializeOwned + JsonSchema + 'static>(
        names: &'static [&'static str],
        summary: &'static str,
    ) -> KindDefinition {
        KindDefinition { names, summary, read: read::<S>, schema: S::json_schema, default: None }
    }

    /// The same for a kind whose default settings suffice.
    pub const fn with_default(self, default: fn() -> Arc<dyn EmbedderKind>) -> KindDefinition {
        KindDefinition { default: Some(default), ..self }
    }

    /// Its name among `names`, if it has that name.
    pub fn known_as(&self, name: &str) -> Option<&'static str> {
        self.names.iter().copied().find(|known| *known == name)
    }

    /// The schema of an entry of this kind: that of its settings, with the key `kind`.
    fn entry_schema(&self, generator: &mut SchemaGenerator) -> Json {
        kind_schema::with_kind((self.schema)(generator), self.names)
    }
}

fn read<S: EmbedderSettings + DeserializeOwned + 'static>(
    node: &YamlNode,
) -> Result<Arc<dyn EmbedderSettings>, DeserializeMismatch> {
    Ok(Arc::new(S::deserialize(node)?))
}

/// An entry of the section `embedders`: something that ranks passages. Its kind determines which settings it has.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct EmbedderEntry {
    /// The name of the kind, as written.
    pub kind: &'static str,
    pub settings: Arc<dyn EmbedderSettings>,
}

impl<'de> Deserialize<'de> for EmbedderEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<EmbedderEntry, D::Error> {
        // The kind may come after settings that depend on it, so the entry is copied before it is read.
        let (written, node) = kind_schema::split_kind(YamlNode::deserialize(deserializer)?);
        let known = KINDS.iter().find_map(|kind| Some((kind, kind.known_as(&written)?)));
        let (definition, kind) =
            known.ok_or_else(|| Error::custom("an embedder has no known kind"))?;
        let settings = (definition.read)(&node).map_err(Error::custom)?;
        Ok(EmbedderEntry { kind, settings })
    }
}

impl JsonSchema for EmbedderEntry {
    fn schema_name() -> Cow<'static, str> {
        "EmbedderEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = KINDS.iter().flat_map(|kind| kind.names).copied().collect();
        let summaries: Vec<String> =
            KINDS.iter().map(|kind| format!("`{}` {}", kind.names[0], kind.summary)).collect();
        let kinds: Vec<Json> = KINDS.iter().map(|kind| kind.entry_schema(generator)).collect();
        // Each alternative lists all keys of its kind. The property `kind` is repeated outside of them for its
        // description, and so that an editor can offer the kinds before one is chosen.
        schemars::json_schema!({
            "title": "Embedder",
            "description": "Something that ranks passages. A setting that the kind does not have is a mistake.",
            "type": "object",
            "properties": {
                "kind": {
                    "type": "string",
                    "enum": names,
                    "description": format!("{}.", summaries.join("; ")),
                }
            },
            "required": ["kind"],
            "oneOf": kinds,
        })
    }
}
