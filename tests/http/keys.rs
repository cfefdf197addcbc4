//! Keys, which are sent and never shown, however a reply spells them.

use knockon::embed::http::SuppliedValue;
use knockon::embed::{CachedEmbedder, Embedder, HttpEmbedderSpec};
use serde_json::json;

use super::{check, embed, embed_through, right, server, spec};
use crate::support::endpoint::Answer;
use crate::support::models::http_embedder;

#[test]
fn the_key_is_sent_but_never_shown_or_stored() {
    let (address, seen) = server(|n, input| match n {
        0 => right(input),
        _ => Answer::Reply("403 Forbidden", "the key sk-very-secret is not good".into()),
    });
    let mut spec = spec(&address);
    spec.api_key_env = Some("KNOCKON_TEST_HTTP_KEY".into());
    let plain = http_embedder(HttpEmbedderSpec { api_key_env: None, ..spec.clone() }).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let remote = http_embedder(spec.clone()).unwrap();
        assert_eq!(remote.fingerprint(), plain.fingerprint());
        CachedEmbedder::new(Box::new(remote), dir.path()).unwrap()
    };
    let error = embed(&open(), &["a"]).unwrap_err().to_string();
    assert!(error.contains("KNOCKON_TEST_HTTP_KEY (api_key_env) contains no key"), "{error}");

    // SAFETY: no other test of this program accesses the environment concurrently except through std, which locks it.
    unsafe { std::env::set_var("KNOCKON_TEST_HTTP_KEY", "sk-very-secret") };
    embed(&open(), &["a"]).unwrap();
    let error = embed(&open(), &["b"]).unwrap_err();
    let head = seen.lock().unwrap()[0].head.clone();
    assert!(head.to_lowercase().contains("authorization: bearer sk-very-secret"), "{head}");
    let error = format!("{error:?}");
    assert!(error.contains("the key [key] is not good") && !error.contains("secret"), "{error}");
    let stored = std::fs::read(open().path()).unwrap();
    assert!(!stored.windows(6).any(|w| w == b"secret"));

    // With all vectors cached, no key is needed.
    // SAFETY: as above.
    unsafe { std::env::remove_var("KNOCKON_TEST_HTTP_KEY") };
    embed(&open(), &["a"]).unwrap();
}

#[test]
fn a_short_key_does_not_alter_good_replies() {
    for (place, key) in ["x", "1", "0.", "index", "embedding", "\""].into_iter().enumerate() {
        let variable = format!("KNOCKON_TEST_DUMMY_{place}");
        // SAFETY: through std, which locks the environment; no other test names this variable.
        unsafe { std::env::set_var(&variable, key) };
        let (vectors, _) =
            embed_through(|spec| spec.api_key_env = Some(variable), |_, input| right(input));
        check(&vectors.unwrap(), &["one", "three"]);
    }
}

#[test]
fn a_key_is_redacted_in_any_spelling() {
    let key = "sk-\"quoted\"/\u{fc}ber\\secret-0123456789";
    // A header cannot hold non-ASCII letters, so such a key goes into the body.
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_ESCAPED", key) };
    let escaped = serde_json::to_string(key).unwrap();
    let unicode: String = key.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for (status, body) in [
        ("401 Unauthorized", format!("{{\"error\": {{\"message\": {escaped}}}}}")),
        ("401 Unauthorized", format!("{{\"error\": {{\"message\": \"bad {unicode}\"}}}}")),
        ("401 Unauthorized", format!("plain {key} text")),
        ("401 Unauthorized", format!("{{\"detail\": [{escaped}]}}")),
        ("401 Unauthorized", format!("{}{key}", "x ".repeat(140))),
        ("200 OK", format!("{{\"data\": {escaped}}}")),
        ("200 OK", format!("<html>{}{key}", "x".repeat(60))),
        ("200 OK", format!("{{\"error\": {{\"message\": {escaped}}}}}")),
        ("302 Found\r\nlocation: http://elsewhere.example/?key=sk-%22quoted%22%2F", String::new()),
    ] {
        let (vectors, seen) = embed_through(
            |spec| {
                spec.body =
                    vec![("token".into(), SuppliedValue::Variable("KNOCKON_TEST_ESCAPED".into()))]
            },
            move |_, _| Answer::Reply(status, body.clone()),
        );
        assert_eq!(seen[0].body["token"], key);
        let error = format!("{:?}", vectors.unwrap_err());
        for part in ["quoted", "secret", "0123", "sk-\\u", "\\u0073\\u006b"] {
            assert!(!error.contains(part), "{error}");
        }
    }
}

/// The words of the program itself hold no secret.
#[test]
fn a_key_that_is_an_ordinary_word_does_not_cut_the_status() {
    for (place, key) in ["HTTP", "Forbidden", "connection", "answer"].into_iter().enumerate() {
        let variable = format!("KNOCKON_TEST_WORD_{place}");
        // SAFETY: through std, which locks the environment; no other test names this variable.
        unsafe { std::env::set_var(&variable, key) };
        for (answer, expected) in [
            (
                (|| Answer::Reply("403 Forbidden", "no".into())) as fn() -> Answer,
                "HTTP 403 Forbidden: no",
            ),
            (|| Answer::Cut, "the connection failed: "),
            (|| Answer::Hang, "no answer within"),
        ] {
            let named = variable.clone();
            let (vectors, _) =
                embed_through(|spec| spec.api_key_env = Some(named), move |_, _| answer());
            let error = vectors.unwrap_err().to_string();
            assert!(error.contains(expected), "{key}: {error}");
        }
        // In the service's own words it is a secret.
        let (vectors, _) = embed_through(
            |spec| spec.api_key_env = Some(variable),
            move |_, _| Answer::Reply("400 Bad Request", format!("the key {key}")),
        );
        let error = vectors.unwrap_err().to_string();
        assert!(error.contains("HTTP 400 Bad Request: the key [key]"), "{key}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_is_not_utf8_is_said_to_be_so() {
    use std::os::unix::ffi::OsStrExt;
    let variable = "KNOCKON_TEST_NOT_UTF8";
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var(variable, std::ffi::OsStr::from_bytes(b"sk-\xff\xfe")) };
    let (vectors, _) =
        embed_through(|spec| spec.api_key_env = Some(variable.into()), |_, input| right(input));
    let error = vectors.unwrap_err().to_string();
    assert!(error.contains("(api_key_env) holds bytes that are not UTF-8"), "{error}");
}

#[test]
fn an_encoded_key_in_a_reply_is_not_shown() {
    let key = "sk-Proj_4fT9xQ2mLw7Zr8";
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_FORMS", key) };
    let backwards: String = key.chars().rev().collect();
    let encoded = "c2stUHJval80ZlQ5eFEybUx3N1pyOA==";
    for (status, body) in [
        ("401 Unauthorized", format!("no {backwards}")),
        ("401 Unauthorized", format!("no {encoded}")),
        ("401 Unauthorized", "no ...9xQ2mLw7Zr8".to_owned()),
        ("401 Unauthorized", json!({"error": {"message": "no sk-Proj_4fT9..."}}).to_string()),
        ("403 Forbidden", json!({"detail": [{"input": backwards}]}).to_string()),
        ("200 OK", format!("<html>{encoded}")),
        ("200 OK", json!({"error": {"message": format!("key {backwards}")}}).to_string()),
        ("200 OK", format!("{{\"data\": \"{}\"}}", key.to_uppercase())),
        ("302 Found\r\nlocation: http://elsewhere.example/Q2mLw7Zr8/x", String::new()),
    ] {
        let (vectors, _) = embed_through(
            |spec| spec.api_key_env = Some("KNOCKON_TEST_FORMS".into()),
            move |_, _| Answer::Reply(status, body.clone()),
        );
        let error = format!("{:?}", vectors.unwrap_err());
        for part in ["9xQ2", "2Qx9", "Q2mLw7", "Proj_", "ZlQ5", "9XQ2"] {
            assert!(!error.contains(part), "{error}");
        }
        assert!(error.contains("bytes is not shown"), "{error}");
        assert!(
            status.starts_with("200") || error.contains(&format!("HTTP {}", &status[..3])),
            "{error}"
        );
    }
}

fn full_width(byte: u8) -> String {
    char::from_u32(u32::from(byte) + 0xfee0).unwrap().to_string()
}

fn spelled(key: &str, spell: fn(u8) -> String) -> String {
    key.bytes().map(spell).collect()
}

/// A reply may spell a key in any escape, or in letters of another form.
#[test]
fn a_key_in_unusual_spellings_is_not_shown() {
    let key = "sk-Proj_4fT9xQ2mLw7Zr8";
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_SPELLINGS", key) };
    let spellings = [
        spelled(key, full_width),
        spelled(key, |byte| format!("\\x{byte:02x}")),
        spelled(key, |byte| format!("\\u{{{byte:x}}}")),
        spelled(key, |byte| format!("\\{byte:03o}")),
        spelled(key, |byte| format!("&#{byte:011};")),
        spelled(key, |byte| format!("&#x{byte:011x};")),
        spelled(key, |byte| format!("&#{byte} ")),
        spelled(key, |byte| format!("%25{byte:02X}")),
        spelled(key, |byte| format!("={byte:02X}")),
        spelled(key, |byte| format!("\\uff{:02x}", byte - 0x20)),
        // Only the second half.
        spelled(key, full_width).chars().skip(11).collect(),
    ];
    for spelling in spellings {
        let json = json!({"error": {"message": format!("no {spelling}")}}).to_string();
        for (status, body) in [
            ("401 Unauthorized", format!("no {spelling}")),
            ("401 Unauthorized", json),
            ("200 OK", format!("<html>{spelling}")),
        ] {
            let shown = spelling.clone();
            let (vectors, _) = embed_through(
                |spec| spec.api_key_env = Some("KNOCKON_TEST_SPELLINGS".into()),
                move |_, _| Answer::Reply(status, body.clone()),
            );
            let error = format!("{:#}", vectors.unwrap_err());
            // Of a reply that is no JSON, only the beginning is shown.
            let hidden = error.contains("bytes is not shown") || error.contains("[key]");
            assert!(hidden || status == "200 OK", "{shown}: {error}");
            // The last eight characters, however they are spelled.
            let start = shown.char_indices().rev().nth(7).map_or(0, |(at, _)| at);
            assert!(!error.contains(&shown[start..]), "{shown}: {error}");
        }
    }
}
