//! What a user adds to requests: headers, and keys of the body, written out or held by environment variables.

use anyhow::Context;
use serde_json::{Map, Value};

use crate::remote::{self, Secrets};

/// A value as a scenario gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Supplied {
    Written(Value),
    /// The environment variable that holds it: a secret.
    Variable(String),
}

/// Names with their values, in the order of the scenario.
pub type Additions = Vec<(String, Supplied)>;

/// Keys of the body that are settings of their own.
pub const OWN_KEYS: [&str; 4] = ["model", "input", "inputs", "dimensions"];
/// Headers that follow from the request.
pub const OWN_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "accept", "connection", "transfer-encoding"];

impl Supplied {
    fn value(&self) -> anyhow::Result<Value> {
        Ok(match self {
            Supplied::Written(value) => value.clone(),
            Supplied::Variable(name) => Value::String(remote::variable(name)?),
        })
    }
}

/// Headers as texts.
///
/// # Errors
/// A variable that is not set.
pub fn headers(additions: &Additions) -> anyhow::Result<Vec<(String, String)>> {
    let header = |(name, supplied): &(String, Supplied)| {
        let value = supplied.value().with_context(|| format!("the header {name}"))?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok((name.clone(), value))
    };
    additions.iter().map(header).collect()
}

/// Keys of the body; those of `more` win.
///
/// # Errors
/// A variable that is not set.
pub fn body(general: &Additions, more: &Additions) -> anyhow::Result<Map<String, Value>> {
    let key = |(name, supplied): &(String, Supplied)| {
        let value = supplied.value().with_context(|| format!("`{name}` of the body"))?;
        Ok((name.clone(), value))
    };
    general.iter().chain(more).map(key).collect()
}

/// What of them must not be shown: the values of variables, and of headers whose names say what they are.
pub fn secrets<'a>(
    key: Option<&str>,
    headers: &'a Additions,
    bodies: impl Iterator<Item = &'a Additions>,
) -> anyhow::Result<Secrets> {
    let mut secrets: Vec<String> = key.map(str::to_owned).into_iter().collect();
    for (name, supplied) in bodies.chain([headers]).flatten() {
        let named = remote::names_a_secret(name);
        if let (Value::String(text), true) =
            (supplied.value()?, named || matches!(supplied, Supplied::Variable(_)))
        {
            secrets.push(text);
        }
    }
    Ok(Secrets::new(secrets))
}
