//! Headers and body keys that a scenario adds.

use knockon::embed::http::SuppliedValue;
use knockon::embed::{Embedder, HttpEmbedderSpec};
use serde_json::json;

use super::{check, embed_through, right};
use crate::support::endpoint::Answer;
use crate::support::models::http_embedder;

#[test]
fn custom_headers_and_body_keys_are_sent() {
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_AZURE", "azure-secret") };
    let settings = |spec: &mut HttpEmbedderSpec| {
        spec.headers = vec![
            ("api-key".into(), SuppliedValue::Variable("KNOCKON_TEST_AZURE".into())),
            ("x-version".into(), SuppliedValue::Written(json!("2"))),
        ];
        spec.body = vec![
            ("input_type".into(), SuppliedValue::Written(json!("both"))),
            ("n".into(), SuppliedValue::Written(json!({"deep": [1]}))),
        ];
        spec.passage_body = vec![("input_type".into(), SuppliedValue::Written(json!("passage")))];
    };
    let (vectors, seen) = embed_through(settings, |_, input| right(input));
    check(&vectors.unwrap(), &["one", "three"]);
    let head = seen[0].head.to_lowercase();
    assert!(head.contains("api-key: azure-secret") && head.contains("x-version: 2"), "{head}");
    assert_eq!(
        (&seen[0].body["input_type"], &seen[0].body["n"]["deep"]),
        (&json!("passage"), &json!([1]))
    );

    let (vectors, _) =
        embed_through(settings, |_, _| Answer::Reply("403 Forbidden", "no azure-secret".into()));
    let error = vectors.unwrap_err().to_string();
    assert!(error.contains("no [key]"), "{error}");

    // Settings that may change vectors are part of the fingerprint; secrets are not.
    let fingerprint = |change: &dyn Fn(&mut HttpEmbedderSpec)| {
        let mut spec = HttpEmbedderSpec::new("http://h/v1", "m", 2);
        change(&mut spec);
        http_embedder(spec).unwrap().fingerprint().to_owned()
    };
    let plain = fingerprint(&|_| {});
    assert_eq!(plain, fingerprint(&|spec| spec.api_key_env = Some("X".into())));
    assert_ne!(plain, fingerprint(&settings));
    let (vectors, seen) = embed_through(
        |spec| {
            spec.headers =
                vec![("api-key".into(), SuppliedValue::Variable("KNOCKON_TEST_UNSET".into()))]
        },
        |_, input| right(input),
    );
    let error = format!("{:#}", vectors.unwrap_err());
    assert!(error.contains("KNOCKON_TEST_UNSET is empty") && seen.is_empty(), "{error}");
}

#[test]
fn variables_may_be_at_any_depth_of_the_body() {
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_DEEP", "deep-secret-value") };
    let env = || json!({"env": "KNOCKON_TEST_DEEP"});
    let settings = |spec: &mut HttpEmbedderSpec| {
        spec.body = vec![
            ("a".into(), SuppliedValue::parse(&env()).unwrap()),
            (
                "b".into(),
                SuppliedValue::parse(&json!({"c": [1, env(), {"d": env()}], "e": "f"})).unwrap(),
            ),
        ];
        spec.headers = vec![("x-list".into(), SuppliedValue::parse(&env()).unwrap())];
    };
    let (vectors, seen) = embed_through(settings, |_, input| right(input));
    check(&vectors.unwrap(), &["one", "three"]);
    let secret = "deep-secret-value";
    assert_eq!(seen[0].body["a"], secret);
    assert_eq!(seen[0].body["b"], json!({"c": [1, secret, {"d": secret}], "e": "f"}));
    assert!(seen[0].head.contains("deep-secret-value"));
    let (vectors, _) = embed_through(
        |spec| {
            spec.body = vec![("b".into(), SuppliedValue::parse(&json!([{"d": env()}])).unwrap())]
        },
        |_, _| Answer::Reply("400 Bad Request", "no deep-secret-value".into()),
    );
    let error = vectors.unwrap_err().to_string();
    assert!(error.contains("no [key]"), "{error}");
    for value in [
        json!({"ENV": "X"}),
        json!({"Env": "X"}),
        json!({"env ": "X"}),
        json!({"env": "X", "default": "y"}),
        json!({"env": ""}),
        json!({"env": 3}),
        json!({"env": null}),
        json!({"env": ["X"]}),
        json!({"env": "${X}"}),
        json!({"env": "a-key"}),
        json!({"env": "sk deep"}),
        json!([{"a": {"eNv": "X"}}]),
        json!({"a": {"b": {"env": "X", "c": 1}}}),
    ] {
        assert!(SuppliedValue::parse(&value).is_err(), "{value}");
    }
    for value in
        [json!({"environment": "X"}), json!("env"), json!({"a": {"env": "X_1"}}), json!(null)]
    {
        SuppliedValue::parse(&value).unwrap();
    }
}
