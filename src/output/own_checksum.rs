//! JSON files that hold their own checksum, by which they are recognised as unchanged.

use serde_json::Value as Json;

/// The key of the checksum, the last one of its object.
const CHECKSUM_KEY: &str = "checksum";

/// The text of a JSON object with its own checksum as the last entry: computed over the whole text, with zeros in
/// place of the checksum. A value that is not an object stays without one.
///
/// # Errors
/// None that a JSON value can cause.
pub fn with_own_checksum(object: &Json) -> serde_json::Result<Vec<u8>> {
    let mut object = object.clone();
    let zeros = "0".repeat(2 * blake3::OUT_LEN);
    if let Json::Object(entries) = &mut object {
        entries.shift_remove(CHECKSUM_KEY);
        entries.insert(CHECKSUM_KEY.to_owned(), Json::from(zeros.as_str()));
    }
    let mut text = serde_json::to_string_pretty(&object)?;
    text.push('\n');
    let checksum = checksum_without(&text, &zeros);
    // Other values may hold the same zeros, and come before.
    if let Some(at) = text.rfind(&zeros).filter(|_| object.is_object()) {
        text.replace_range(at..at + zeros.len(), &checksum);
    }
    Ok(text.into_bytes())
}

/// Whether the text of a JSON object is as [`with_own_checksum`] wrote it.
pub fn has_own_checksum(text: &[u8], object: &serde_json::Map<String, Json>) -> bool {
    let own = object.get(CHECKSUM_KEY).and_then(Json::as_str);
    let (Some(own), Ok(text)) = (own, std::str::from_utf8(text)) else { return false };
    own.len() == 2 * blake3::OUT_LEN && checksum_without(text, own) == own
}

/// The checksum of a text with zeros in place of the last `own`.
fn checksum_without(text: &str, own: &str) -> String {
    let (before, after) = text.rsplit_once(own).unwrap_or((text, ""));
    let mut hash = blake3::Hasher::new();
    hash.update(before.as_bytes()).update("0".repeat(own.len()).as_bytes());
    hash.update(after.as_bytes());
    hash.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_unchanged(text: &[u8]) -> bool {
        match serde_json::from_slice(text) {
            Ok(Json::Object(object)) => has_own_checksum(text, &object),
            _ => false,
        }
    }

    #[test]
    fn any_change_shows() {
        let zeros = "0".repeat(64);
        for object in [
            json!({}),
            json!({"a": 1, "b": {"checksum": "x"}}),
            json!({"zeros": zeros, "checksum": "an old one"}),
            json!({"text": "Gr\u{f6}\u{df}e \u{1b} \"checksum\"", "list": [1.5, null]}),
        ] {
            let text = with_own_checksum(&object).unwrap();
            assert!(is_unchanged(&text), "{object}");
            assert_eq!(text, with_own_checksum(&serde_json::from_slice(&text).unwrap()).unwrap());
            let mut spaced = text.clone();
            spaced.push(b' ');
            assert!(!is_unchanged(&spaced), "{object}");
            let mut inside = text.clone();
            inside.insert(1, b' ');
            assert!(!is_unchanged(&inside), "{object}");
            let compact = serde_json::from_slice::<Json>(&text).unwrap().to_string();
            assert!(!is_unchanged(compact.as_bytes()), "{object}");
        }
        for text in [
            "{}".to_owned(),
            "{\"checksum\": 1}".to_owned(),
            "{\"checksum\": \"\"}".to_owned(),
            format!("{{\"checksum\": \"{zeros}\"}}"),
        ] {
            assert!(!is_unchanged(text.as_bytes()), "{text}");
        }
    }
}
