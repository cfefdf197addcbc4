//! Passages, the units of retrieval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::json_object;
use crate::value::TypedValue;

/// How a near-miss differs from its original ([`Passage::of`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassageVariant {
    Negation,
    RoleSwap,
    Number,
    Version,
    Binding,
}

/// A unit of retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    pub id: String,
    pub text: String,
    /// What the passage is about, such as a contract or a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Which aspect of the entity it describes, such as a clause type or a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The stated facts by field. A scenario's extractors add the values that they find in the text.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "json_object::unique"
    )]
    pub facts: BTreeMap<String, TypedValue>,
    /// The id of the original if this passage is a variant of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<PassageVariant>,
}

/// The names of the variants, in the order of [`PassageVariant`].
pub const VARIANTS: [&str; 5] = ["negation", "role_swap", "number", "version", "binding"];
