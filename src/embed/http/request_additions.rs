//! Headers and body keys that a user adds to requests, given literally or through environment variables.

use anyhow::Context;
use serde_json::{Map, Value};

use crate::environment::{Environment, is_variable_name};
use crate::http_client::{self, RequestSecrets};

/// A value of a header or body key as given in a scenario.
#[derive(Clone, Debug, PartialEq)]
pub enum SuppliedValue {
    /// A literal value; `{env: NAME}` inside it, at any depth, is replaced by that variable.
    Written(Value),
    /// The name of the environment variable that holds the value, which is secret.
    Variable(String),
}

/// The key of `{env: NAME}`.
const ENV_KEY: &str = "env";

/// Names and values, in the order of the scenario.
pub type RequestAdditions = Vec<(String, SuppliedValue)>;

/// Body keys that cannot be added because they have their own settings.
pub const RESERVED_BODY_KEYS: [&str; 4] = ["model", "input", "inputs", "dimensions"];
/// Headers that cannot be added because the request determines them.
pub const RESERVED_HEADERS: [&str; 6] =
    ["content-type", "content-length", "host", "accept", "connection", "transfer-encoding"];

impl SuppliedValue {
    /// # Errors
    /// A value that resembles `{env: NAME}` but is malformed: it would otherwise be sent literally.
    pub fn parse(value: &Value) -> Result<SuppliedValue, String> {
        check_variables(value)?;
        Ok(match variable(value) {
            Some(name) => SuppliedValue::Variable(name.to_owned()),
            None => SuppliedValue::Written(value.clone()),
        })
    }

    fn value(&self, environment: &Environment) -> anyhow::Result<Value> {
        match self {
            SuppliedValue::Written(value) => resolve_variables(value, environment),
            SuppliedValue::Variable(name) => Ok(Value::String(environment.variable(name)?)),
        }
    }

    /// The names of the environment variables in the value.
    fn variables(&self) -> Vec<&str> {
        fn names_in(value: &Value) -> Vec<&str> {
            if let Some(name) = variable(value) {
                return vec![name];
            }
            match value {
                Value::Array(list) => list.iter().flat_map(names_in).collect(),
                Value::Object(map) => map.values().flat_map(names_in).collect(),
                _ => Vec::new(),
            }
        }
        match self {
            SuppliedValue::Written(value) => names_in(value),
            SuppliedValue::Variable(name) => vec![name],
        }
    }
}

/// The variable that `{env: NAME}` names.
fn variable(value: &Value) -> Option<&str> {
    value.as_object().filter(|map| map.len() == 1)?.get(ENV_KEY)?.as_str()
}

/// Replaces each `{env: NAME}` in `value` by the variable's value.
fn resolve_variables(value: &Value, environment: &Environment) -> anyhow::Result<Value> {
    if let Some(name) = variable(value) {
        return Ok(Value::String(environment.variable(name)?));
    }
    Ok(match value {
        Value::Array(list) => {
            let filled = list.iter().map(|value| resolve_variables(value, environment));
            filled.collect::<anyhow::Result<_>>()?
        }
        Value::Object(map) => {
            let filled = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), resolve_variables(value, environment)?)));
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
    let Some((key, named)) = map.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(ENV_KEY))
    else {
        return map.values().try_for_each(check_variables);
    };
    if key != ENV_KEY {
        return Err(format!("`{key}` is not known; {{env: NAME}} names a variable"));
    }
    if map.len() > 1 {
        let others: Vec<String> =
            map.keys().filter(|key| *key != ENV_KEY).map(|key| format!("`{key}`")).collect();
        return Err(format!("{{env: NAME}} has {} beside the name", others.join(", ")));
    }
    match named.as_str() {
        Some(name) if is_variable_name(name) => Ok(()),
        // The message does not quote the value, which may be the secret itself.
        _ => Err("what stands behind `env` is not the name of a variable: letters, digits and _"
            .to_owned()),
    }
}

/// The names and values of the headers.
///
/// # Errors
/// A variable that is not set.
pub fn headers(
    additions: &RequestAdditions,
    environment: &Environment,
) -> anyhow::Result<Vec<(String, String)>> {
    additions
        .iter()
        .map(|(name, supplied)| {
            let value =
                supplied.value(environment).with_context(|| format!("the header {name}"))?;
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Ok((name.clone(), value))
        })
        .collect()
}

/// The extra keys of the body; those of `more` override those of `general`.
///
/// # Errors
/// A variable that is not set.
pub fn body(
    general: &RequestAdditions,
    more: &RequestAdditions,
    environment: &Environment,
) -> anyhow::Result<Map<String, Value>> {
    general
        .iter()
        .chain(more)
        .map(|(name, supplied)| {
            let value =
                supplied.value(environment).with_context(|| format!("`{name}` of the body"))?;
            Ok((name.clone(), value))
        })
        .collect()
}

/// The values that must not appear in messages: the API key, those of environment variables, and literal texts whose
/// name indicates a secret.
pub fn secrets<'a>(
    key: Option<&str>,
    headers: &'a RequestAdditions,
    bodies: impl Iterator<Item = &'a RequestAdditions>,
    environment: &Environment,
) -> anyhow::Result<RequestSecrets> {
    let mut secrets: Vec<String> = key.map(str::to_owned).into_iter().collect();
    for (name, supplied) in bodies.chain([headers]).flatten() {
        for variable in supplied.variables() {
            secrets.push(environment.variable(variable)?);
        }
        if let (SuppliedValue::Written(Value::String(text)), true) =
            (supplied, http_client::names_a_secret(name))
        {
            secrets.push(text.clone());
        }
    }
    Ok(RequestSecrets::new(secrets))
}
