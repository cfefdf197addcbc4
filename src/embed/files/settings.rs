//! Checks the settings in a model's JSON files: each must be applied, known to have no effect, or reported as a fault.
//!
//! An unknown setting may change what the model computes. So every file has a list of known settings and all others
//! are faults. The faults of a whole directory are reported in one message.

use std::fmt::Write as _;

use anyhow::bail;
use serde_json::{Map, Value};

/// How a known setting is handled.
#[derive(Clone, Copy, Debug)]
pub enum SettingHandling {
    /// Applied when the model is loaded.
    Applied,
    /// Applied when the model is loaded; the value must have this type.
    Typed(SettingType),
    /// Without effect on vectors: it concerns training, generation, saving or speed.
    WithoutEffect,
    /// Would change vectors but is not supported: only null, false and empty texts, lists or objects are accepted.
    MustBeUnset,
    /// Must be one of these words or null, all of which mean what is done here anyway.
    OneOf(&'static [&'static str]),
}

/// The type of a setting's value; null always counts as not set.
#[derive(Clone, Copy, Debug)]
pub enum SettingType {
    Flag,
    Text,
    TextList,
    /// A JSON object.
    Object,
    /// A whole number above 0, including 1e30, which transformers writes for "no limit".
    Count,
    /// A whole number from 0 on, such as an index.
    Index,
    /// A number above 0 and at most this one.
    UpTo(f64),
    /// A number from the first to the second, both included.
    Within(f64, f64),
}

impl SettingType {
    fn fits(self, value: &Value) -> bool {
        let number = value.as_f64();
        match self {
            SettingType::Flag => value.is_boolean(),
            SettingType::Text => value.is_string(),
            SettingType::TextList => {
                value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
            }
            SettingType::Object => value.is_object(),
            SettingType::Count => count(value).is_some(),
            SettingType::Index => value.is_u64(),
            SettingType::UpTo(most) => number.is_some_and(|n| n > 0.0 && n <= most),
            SettingType::Within(least, most) => number.is_some_and(|n| n >= least && n <= most),
        }
    }

    fn name(self) -> String {
        match self {
            SettingType::Flag => "true or false".to_owned(),
            SettingType::Text => "a text".to_owned(),
            SettingType::TextList => "a list of texts".to_owned(),
            SettingType::Object => "values by name".to_owned(),
            SettingType::Count => "a whole number above 0".to_owned(),
            SettingType::Index => "a whole number from 0".to_owned(),
            SettingType::UpTo(most) => format!("a number above 0, up to {most}"),
            SettingType::Within(least, most) => format!("a number from {least} to {most}"),
        }
    }
}

fn count(value: &Value) -> Option<usize> {
    let n = value.as_u64().and_then(|n| usize::try_from(n).ok());
    let n = n.or_else(|| Some(value.as_f64().filter(|n| *n >= 1.0 && n.fract() == 0.0)? as usize));
    n.filter(|n| *n > 0)
}

fn wrong_type_message(file: &str, key: &str, value: &Value, wanted: SettingType) -> String {
    format!("{file}: `{key}` is {}, not {}", abbreviated(value), wanted.name())
}

/// The known settings of a file: keys and their handling.
pub type KnownSettings = &'static [(&'static [&'static str], SettingHandling)];

/// The faults found in a directory.
#[derive(Debug, Default)]
pub struct DirectoryFaults(Vec<String>);

impl DirectoryFaults {
    /// Adds a fault, unless it was added before.
    pub fn add(&mut self, fault: impl Into<String>) {
        let fault = fault.into();
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// # Errors
    /// One error that lists all faults, if there are any.
    pub fn check(self) -> anyhow::Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            [fault] => bail!("{fault}"),
            faults => {
                let mut message = format!("{} settings are not supported:", faults.len());
                faults.iter().for_each(|fault| _ = write!(message, "\n  {fault}"));
                bail!(message)
            }
        }
    }
}

/// Reports the settings of `json`, the content of `file`, that are in none of the lists `known` or have an unsupported
/// value. Later lists override earlier ones.
pub fn check(file: &str, json: &Value, known: &[KnownSettings], faults: &mut DirectoryFaults) {
    let Some(settings) = json.as_object() else {
        return faults.add(format!("{file} is not a JSON object"));
    };
    let mut unknown = Vec::new();
    for (key, value) in settings {
        let mut all = known.iter().rev().flat_map(|list| list.iter());
        let handling =
            all.find(|(keys, _)| keys.contains(&key.as_str())).map(|(_, handling)| *handling);
        match handling {
            None => unknown.push(format!("`{key}`")),
            Some(SettingHandling::Applied | SettingHandling::WithoutEffect) => {}
            Some(SettingHandling::Typed(wanted)) => {
                if !value.is_null() && !wanted.fits(value) {
                    faults.add(wrong_type_message(file, key, value, wanted));
                }
            }
            Some(SettingHandling::MustBeUnset) => {
                if !is_unset(value) {
                    let value = abbreviated(value);
                    faults.add(format!("{file}: `{key}` is {value}; that is not supported"));
                }
            }
            Some(SettingHandling::OneOf(words)) => {
                let allowed = value.is_null() || value.as_str().is_some_and(|v| words.contains(&v));
                if !allowed {
                    let (value, words) = (abbreviated(value), words.join(" or "));
                    faults.add(format!("{file}: `{key}` is {value}; only {words} is supported"));
                }
            }
        }
    }
    if !unknown.is_empty() {
        let (unknown, settings) =
            (unknown.join(", "), if unknown.len() == 1 { "a setting" } else { "settings" });
        faults.add(format!(
            "{file}: {unknown}: {settings} not known here, which may change what the model computes"
        ));
    }
}

/// Whether a value is null, false, empty, or an object of empty values. A false inside an object counts as set,
/// because it may be a meaningful choice.
pub fn is_unset(value: &Value) -> bool {
    *value == Value::Bool(false) || is_empty(value)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as shown in messages, abbreviated to 60 characters.
pub fn abbreviated(value: &Value) -> String {
    const MOST: usize = 60;
    let text = match value {
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Reads single settings and reports values of a wrong type.
pub struct SettingReader<'a> {
    file: &'a str,
    settings: Option<&'a Map<String, Value>>,
    faults: &'a mut DirectoryFaults,
}

impl<'a> SettingReader<'a> {
    /// A missing file (`None`) has no settings.
    pub fn new(file: &'a str, json: Option<&'a Value>, faults: &'a mut DirectoryFaults) -> Self {
        Self { file, settings: json.and_then(Value::as_object), faults }
    }

    fn get<T>(
        &mut self,
        key: &str,
        wanted: SettingType,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.settings?.get(key).filter(|value| !value.is_null())?;
        let found = read(value);
        if found.is_none() {
            self.faults.add(wrong_type_message(self.file, key, value, wanted));
        }
        found
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.get(key, SettingType::Flag, Value::as_bool)
    }

    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        self.get(key, SettingType::Text, Value::as_str)
    }

    /// A whole number above 0.
    pub fn count(&mut self, key: &str) -> Option<usize> {
        self.get(key, SettingType::Count, count)
    }

    pub fn texts(&mut self, key: &str) -> Option<Vec<&'a str>> {
        self.get(key, SettingType::TextList, |value| {
            value.as_array()?.iter().map(Value::as_str).collect()
        })
    }

    pub fn is_set(&self, key: &str) -> bool {
        self.settings.is_some_and(|settings| settings.get(key).is_some_and(|v| !v.is_null()))
    }

    pub fn fault(&mut self, fault: String) {
        self.faults.add(format!("{}: {fault}", self.file));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: KnownSettings = &[
        (&["size"], SettingHandling::Applied),
        (&["seed"], SettingHandling::WithoutEffect),
        (&["pruned"], SettingHandling::MustBeUnset),
        (&["kind"], SettingHandling::OneOf(&["plain"])),
        (&["eps"], SettingHandling::Typed(SettingType::UpTo(0.1))),
        (&["theta"], SettingHandling::Typed(SettingType::Within(1.0, 1e9))),
        (&["layers"], SettingHandling::Typed(SettingType::Count)),
        (&["padding"], SettingHandling::Typed(SettingType::Index)),
        (&["bias"], SettingHandling::Typed(SettingType::Flag)),
        (&["act"], SettingHandling::Typed(SettingType::Text)),
        (&["types"], SettingHandling::Typed(SettingType::TextList)),
        (&["by_name"], SettingHandling::Typed(SettingType::Object)),
    ];

    fn faults(json: Value) -> String {
        let mut faults = DirectoryFaults::default();
        check("config.json", &json, &[KNOWN], &mut faults);
        faults.check().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn unknown_settings_are_named_with_their_file() {
        assert_eq!(faults(json!({"size": 3, "seed": 1, "pruned": {"0": []}, "kind": "plain"})), "");
        assert_eq!(faults(json!({"pruned": null, "kind": null})), "");
        assert_eq!(
            faults(json!({"b_made_up": 1, "a_made_up": null})),
            "config.json: `b_made_up`, `a_made_up`: settings not known here, which may change what the model computes"
        );
        assert_eq!(
            faults(json!({"pruned": {"0": [1]}})),
            "config.json: `pruned` is {\"0\":[1]}; that is not supported"
        );
        let two = faults(json!({"kind": "other", "made_up": 1}));
        assert!(two.starts_with("2 settings are not supported:\n"), "{two}");
        assert!(two.contains("`kind` is `other`; only plain is supported"), "{two}");
        assert_eq!(faults(json!([1])), "config.json is not a JSON object");
        assert!(faults(json!({"pruned": {"use": false}})).contains("`pruned` is"), "an answer");
    }

    #[test]
    fn a_known_setting_has_its_type_and_range() {
        let good = json!({
            "eps": 1e-12, "theta": 10_000, "layers": 2, "padding": 0, "bias": true, "act": "gelu",
            "types": ["a"], "by_name": {},
        });
        assert_eq!(faults(good), "");
        for (key, value, wanted) in [
            ("eps", json!("1e-12"), "a number above 0, up to 0.1"),
            ("eps", json!(0), "a number above 0, up to 0.1"),
            ("eps", json!(-1e-12), "a number above 0, up to 0.1"),
            ("eps", json!(12.0), "a number above 0, up to 0.1"),
            ("theta", json!(0.5), "a number from 1 to 1000000000"),
            ("theta", json!([1e4]), "a number from 1 to 1000000000"),
            ("layers", json!("2"), "a whole number above 0"),
            ("layers", json!(1.5), "a whole number above 0"),
            ("padding", json!(-1), "a whole number from 0"),
            ("bias", json!("false"), "true or false"),
            ("bias", json!(0), "true or false"),
            ("act", json!(["gelu"]), "a text"),
            ("types", json!("a"), "a list of texts"),
            ("types", json!([1]), "a list of texts"),
            ("by_name", json!([]), "values by name"),
        ] {
            let expected = format!("config.json: `{key}` is {}, not {wanted}", abbreviated(&value));
            assert_eq!(faults(json!({ key: value })), expected);
            assert_eq!(faults(json!({ key: null })), "", "null stands for none");
        }
    }

    #[test]
    fn a_setting_of_another_type_is_a_fault() {
        let json = json!({"flag": "yes", "count": 0, "unlimited": 1e30, "negative": -3});
        let mut found = DirectoryFaults::default();
        let mut reader = SettingReader::new("a.json", Some(&json), &mut found);
        assert_eq!(reader.flag("flag"), None);
        assert_eq!(reader.count("count"), None);
        assert_eq!(reader.count("unlimited"), Some(usize::MAX));
        assert_eq!(reader.count("negative"), None);
        assert_eq!(reader.flag("absent"), None);
        let message = found.check().unwrap_err().to_string();
        assert!(message.starts_with("3 settings are not supported"), "{message}");
    }
}
