//! Headers and body keys that the user adds to the requests of an endpoint.

use serde_json::Value as Json;

use super::diagnostics::Diagnostic;
use super::resolve::ScenarioResolver;
use super::spanned_de::{AnyYamlValue, NamedEntries, Spanned};
use crate::embed::http::{RequestAdditions, SuppliedValue};
use crate::http_client;

/// Entries of `headers` or of a body, as written.
type AdditionEntries = Option<Spanned<NamedEntries<AnyYamlValue>>>;

/// What may not be added to the requests of one endpoint, because it is set elsewhere.
pub(super) struct AdditionRules<'a> {
    /// In lower case.
    pub reserved_headers: &'a [&'a str],
    pub reserved_body_keys: &'a [&'a str],
    /// Where the reserved body keys come from.
    pub body_label: &'static str,
    /// Whether the header `authorization` is set by `api_key_env`.
    pub has_key: bool,
}

impl AdditionRules<'_> {
    /// The headers, with their names in lower case. Mistakes are reported to the resolver.
    pub fn headers(
        &self,
        written: &AdditionEntries,
        resolver: &mut ScenarioResolver,
    ) -> RequestAdditions {
        let mut headers = RequestAdditions::new();
        for (name, value) in parsed("headers", written, resolver) {
            match self.header_mistake(&name.value, &value) {
                None => headers.push((name.value.to_lowercase(), value)),
                Some((message, label)) => report(&name, message, label, resolver),
            }
        }
        headers
    }

    /// The keys of a body, given in `setting`. Mistakes are reported to the resolver.
    pub fn body(
        &self,
        setting: &'static str,
        written: &AdditionEntries,
        resolver: &mut ScenarioResolver,
    ) -> RequestAdditions {
        let mut keys = RequestAdditions::new();
        for (name, value) in parsed(setting, written, resolver) {
            if self.reserved_body_keys.contains(&name.value.as_str()) {
                let message = format!("`{}` of the body is not set in `{setting}`", name.value);
                report(&name, message, self.body_label, resolver);
            } else {
                keys.push((name.value.clone(), value));
            }
        }
        keys
    }

    /// The mistake in a header, if there is one: a message and a label.
    fn header_mistake(&self, name: &str, value: &SuppliedValue) -> Option<(String, &'static str)> {
        let header = name.to_lowercase();
        if self.reserved_headers.contains(&header.as_str()) {
            let message = format!("the header `{name}` follows from the request");
            return Some((message, "leave it out"));
        }
        if header == "authorization" && self.has_key {
            let message = "`api_key_env` sets the header `authorization` already";
            return Some((message.to_owned(), "leave out one of them"));
        }
        let text = match value {
            SuppliedValue::Variable(_) => String::new(),
            SuppliedValue::Written(Json::String(text)) => text.clone(),
            SuppliedValue::Written(number @ Json::Number(_)) => number.to_string(),
            SuppliedValue::Written(_) => {
                let label =
                    "allowed: a text, or {env: NAME} for what an environment variable holds";
                return Some((format!("the header `{name}` has no text"), label));
            }
        };
        // The HTTP library decides which header names and values are valid.
        let error = http_client::headers(&[(name.to_owned(), text)], None).err()?;
        Some((error.to_string(), "allowed: letters, digits and hyphens; plain text"))
    }
}

/// The entries whose values can be read.
fn parsed(
    setting: &str,
    written: &AdditionEntries,
    resolver: &mut ScenarioResolver,
) -> Vec<(Spanned<String>, SuppliedValue)> {
    let entries = written.as_ref().map_or(&[][..], |named| &named.value.0);
    let mut parsed = Vec::new();
    for (name, value) in entries {
        match SuppliedValue::parse(&value.0) {
            Ok(supplied) => parsed.push((name.clone(), supplied)),
            Err(why) => {
                let message = format!("`{}` of `{setting}`: {why}", name.value);
                let label = "allowed: {env: NAME} alone, for what the variable NAME holds";
                report(name, message, label, resolver);
            }
        }
    }
    parsed
}

fn report(
    name: &Spanned<String>,
    message: String,
    label: &'static str,
    resolver: &mut ScenarioResolver,
) {
    let mistake = Diagnostic::new("out-of-range", name.span.clone(), message);
    resolver.mistakes.push(mistake.label(label));
}
