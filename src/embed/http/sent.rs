//! Headers and body keys that a user adds to requests, given literally or through environment variables.

use anyhow::Context;
use serde_json::{Map, Value};

use crate::remote::{self, Secrets};

/// A value of a header or body key as given in a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum Supplied {
    /// A literal value; `{env: NAME}` inside it, at any depth, is replaced by that variable.
    Written(Value),
    /// The name of the environment variable that holds the value, which is secret.
    Variable(String),
}

/// The key of `{env: NAME}`.
const ENV: &str = "env";

/// Names and values, in the order of the scenario.
pub type Additions = Vec<(String, Supplied)>;

/// Body keys that cannot be added because they have their own settings.
pub const OWN_KEYS: [&str; 4] = ["model", "input", "inputs", "dimensions"];
/// Headers that cannot be added because the request determines them.
pub const OWN_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "accept", "connection", "transfer-encoding"];

impl Supplied {
    /// # Errors
    /// A value that resembles `{env: NAME}` but is malformed: it would otherwise be sent literally.
    pub fn parse(value: &Value) -> Result<Supplied, String> {
        check_variables(value)?;
        Ok(match variable(value) {
            Some(name) => Supplied::Variable(name.to_owned()),
            None => Supplied::Written(value.clone()),
        })
    }

    fn value(&self) -> anyhow::Result<Value> {
        match self {
            Supplied::Written(value) => filled_in(value),
            Supplied::Variable(name) => Ok(Value::String(remote::variable(name)?)),
        }
    }

    /// The names of the environment variables in the value.
    fn variables(&self) -> Vec<&str> {
        fn of(value: &Value) -> Vec<&str> {
            if let Some(name) = variable(value) {
                return vec![name];
            }
            match value {
                Value::Array(list) => list.iter().flat_map(of).collect(),
                Value::Object(map) => map.values().flat_map(of).collect(),
                _ => Vec::new(),
            }
        }
        match self {
            Supplied::Written(value) => of(value),
            Supplied::Variable(name) => vec![name],
        }
    }
}

/// The variable that `{env: NAME}` names.
fn variable(value: &Value) -> Option<&str> {
    value.as_object().filter(|map| map.len() == 1)?.get(ENV)?.as_str()
}

/// Replaces each `{env: NAME}` in `value` by the variable's value.
fn filled_in(value: &Value) -> anyhow::Result<Value> {
    if let Some(name) = variable(value) {
        return Ok(Value::String(remote::variable(name)?));
    }
    Ok(match value {
        Value::Array(list) => list.iter().map(filled_in).collect::<anyhow::Result<_>>()?,
        Value::Object(map) => {
            let filled = map.iter().map(|(key, value)| Ok((key.clone(), filled_in(value)?)));
            Value::Object(filled.collect::<anyhow::Result<_>>()?)
        }
        _ => value.clone(),
    })
}

fn check_variables(value: &Value) -> Result<(), String> {
    let map = match value {
        Value::Array(list) => return list.iter().try_for_each(check_variables),
        Value::Object(map) => map,
        _ => return Ok(()),
    };
    let Some((key, named)) = map.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(ENV))
    else {
        return map.values().try_for_each(check_variables);
    };
    if key != ENV {
        return Err(format!("`{key}` is not known; {{env: NAME}} names a variable"));
    }
    if map.len() > 1 {
        let others: Vec<String> =
            map.keys().filter(|key| *key != ENV).map(|key| format!("`{key}`")).collect();
        return Err(format!("{{env: NAME}} has {} beside the name", others.join(", ")));
    }
    let is_name = |name: &str| {
        let usual = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(usual) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    match named.as_str() {
        Some(name) if !name.is_empty() && is_name(name) => Ok(()),
        // The message does not quote the value, which may be the secret itself.
        _ => Err("what stands behind `env` is not the name of a variable: letters, digits and _"
            .to_owned()),
    }
}

/// The names and values of the headers.
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

/// The extra keys of the body; those of `more` override those of `general`.
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

/// The values that must not appear in messages: the API key, those of environment variables, and literal texts whose
/// name indicates a secret.
pub fn secrets<'a>(
    key: Option<&str>,
    headers: &'a Additions,
    bodies: impl Iterator<Item = &'a Additions>,
) -> anyhow::Result<Secrets> {
    let mut secrets: Vec<String> = key.map(str::to_owned).into_iter().collect();
    for (name, supplied) in bodies.chain([headers]).flatten() {
        for variable in supplied.variables() {
            secrets.push(remote::variable(variable)?);
        }
        if let (Supplied::Written(Value::String(text)), true) =
            (supplied, remote::names_a_secret(name))
        {
            secrets.push(text.clone());
        }
    }
    Ok(Secrets::new(secrets))
}
