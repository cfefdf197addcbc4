//! Embedding endpoints that answer correctly, late, wrongly or not at all, with the cache in front of them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use knockon::embed::http::SuppliedValue;
use knockon::embed::{CachedEmbedder, Embedder, EmbeddingVectors, HttpEmbedderSpec, TextRole};
use serde_json::{Value, json};

use crate::support::endpoint::{Answer, Seen, serve};
use crate::support::models::http_embedder;

/// A server that answers request `n`, counted from 0, with `answer` of its texts.
fn server(
    answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    serve(move |n, seen| answer(n, &texts_of(seen)))
}

/// The texts of a request for vectors.
pub fn texts_of(seen: &Seen) -> Vec<String> {
    let input = seen.body["input"].as_array().unwrap().iter();
    input.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A vector that identifies its text, of length one.
fn vector(text: &str) -> Vec<f32> {
    let (a, b) = (text.len() as f32, text.bytes().map(f32::from).sum::<f32>());
    let length = (a * a + b * b).sqrt();
    vec![a / length, b / length]
}

/// The correct reply, with its items in reverse order.
pub fn right(input: &[String]) -> Answer {
    let items = input.iter().enumerate().rev();
    // Twice the length: the result should be normalised to length one.
    let items = items.map(|(i, text)| {
        let embedding: Vec<f32> = vector(text).iter().map(|x| 2.0 * x).collect();
        json!({"object": "embedding", "index": i, "embedding": embedding})
    });
    Answer::Reply("200 OK", json!({"data": items.collect::<Vec<_>>()}).to_string())
}

/// Batches of two, one at a time, with short retry delays.
fn spec(address: &str) -> HttpEmbedderSpec {
    let mut spec = HttpEmbedderSpec::new(address, "some-model", 2);
    spec.batch_size = 2;
    spec.concurrency = 1;
    spec.timeout = Duration::from_millis(400);
    spec.first_wait = Duration::from_millis(10);
    spec
}

fn embed(embedder: &dyn Embedder, texts: &[&str]) -> anyhow::Result<EmbeddingVectors> {
    embedder.embed(TextRole::Passage, texts, &|_| {})
}

fn check(vectors: &EmbeddingVectors, texts: &[&str]) {
    assert_eq!(vectors.len(), texts.len());
    for (i, text) in texts.iter().enumerate() {
        for (got, want) in vectors.row(i).iter().zip(vector(text)) {
            assert!((got - want).abs() < 1e-6, "{text}: {got} {want}");
        }
    }
}

/// A redirect to the same place that adds a user or a password is another place.
#[test]
fn a_redirect_that_adds_a_password_is_not_followed() {
    for user in ["me:hidden-pw@", ":hidden-pw@", "hidden-pw@"] {
        let (address, seen) = serve(move |_, seen: &Seen| {
            let host = seen.head.lines().find_map(|line| line.strip_prefix("host: "));
            let location = format!("http://{user}{}/x", host.unwrap_or_default().trim());
            let status = format!("302 Found\r\nlocation: {location}");
            Answer::Reply(Box::leak(status.into_boxed_str()), String::new())
        });
        let mut spec = spec(&address);
        spec.retries = 0;
        let error = embed(&http_embedder(spec).unwrap(), &["a"]).unwrap_err().to_string();
        assert!(error.contains("it redirects to http://127.0.0.1:"), "{error}");
        assert!(!error.contains("hidden-pw"), "{error}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

/// The error message for a single batch of two texts answered by `answer`.
fn message(answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static) -> String {
    let (address, _) = server(answer);
    let mut spec = spec(&address);
    spec.retries = 1;
    let dir = tempfile::tempdir().unwrap();
    let remote = Box::new(http_embedder(spec).unwrap());
    let cached = CachedEmbedder::new(remote, dir.path()).unwrap();
    let error = format!("{:#}", embed(&cached, &["one", "three"]).unwrap_err());
    let kept = std::fs::metadata(cached.path()).unwrap().len();
    assert_eq!(kept, 0, "something wrong was cached: {error}");
    assert!(error.contains("/v1/embeddings, batch 1 (texts 1 to 2 of 2): "), "{error}");
    error
}

fn reply(data: Value) -> Answer {
    Answer::Reply("200 OK", json!({ "data": data }).to_string())
}

#[test]
fn vectors_keep_the_order_of_the_texts() {
    let (address, seen) = server(|_, input| right(input));
    let mut spec = spec(&address);
    (spec.concurrency, spec.send_dim, spec.passage_prefix) = (3, true, "p: ".into());
    let embedder = http_embedder(spec).unwrap();
    let got = embed(&embedder, &["a", "bb", " ", "ccc", "dddd"]).unwrap();
    check(&EmbeddingVectors { dim: 2, data: got.data[..4].to_vec() }, &["p: a", "p: bb"]);
    assert_eq!(got.row(2), [0.0, 0.0], "a blank text is not sent");
    check(&EmbeddingVectors { dim: 2, data: got.data[6..].to_vec() }, &["p: ccc", "p: dddd"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    for request in seen.iter() {
        assert!(request.head.starts_with("POST /v1/embeddings "), "{}", request.head);
        assert_eq!(request.body["model"], "some-model");
        assert_eq!(request.body["dimensions"], 2);
        assert!(!request.head.to_lowercase().contains("authorization"));
    }
}

#[test]
fn temporary_failures_are_retried() {
    for first in ["429 Too Many Requests\r\nretry-after: 0.3", "503 Service Unavailable", "cut"] {
        let (address, seen) = server(move |n, input| match n {
            0 if first == "cut" => Answer::Cut,
            0 => Answer::Reply(first, "{}".into()),
            _ => right(input),
        });
        let start = Instant::now();
        let embedder = http_embedder(spec(&address)).unwrap();
        check(&embed(&embedder, &["a", "bb"]).unwrap(), &["a", "bb"]);
        assert_eq!(seen.lock().unwrap().len(), 2, "{first}");
        let delay = Duration::from_millis(if first.contains("retry-after") { 300 } else { 0 });
        assert!(start.elapsed() >= delay, "Retry-After is honoured");
    }
}

#[test]
fn an_interrupted_run_keeps_its_vectors_and_resumes() {
    let (address, seen) = server(|n, input| match n {
        2 => Answer::Reply("400 Bad Request", r#"{"error": {"message": "too long"}}"#.into()),
        _ => right(input),
    });
    let dir = tempfile::tempdir().unwrap();
    let texts = ["a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"];
    let open = || {
        let remote = Box::new(http_embedder(spec(&address)).unwrap());
        CachedEmbedder::new(remote, dir.path()).unwrap()
    };
    let error = embed(&open(), &texts).unwrap_err().to_string();
    assert!(
        error.contains("batch 3 (texts 5 to 6 of 7): HTTP 400 Bad Request: too long"),
        "{error}"
    );
    assert!(error.contains("resumes from there"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 3, "no batch starts after an error");

    check(&embed(&open(), &texts).unwrap(), &texts);
    let sent: Vec<usize> =
        seen.lock().unwrap().iter().map(|s| s.body["input"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [2, 2, 2, 2, 1], "the first four texts were not asked for again");
    check(&embed(&open(), &texts).unwrap(), &texts);
    assert_eq!(seen.lock().unwrap().len(), 5, "and now none is");
}

#[test]
fn every_fault_has_its_message_and_is_not_cached() {
    let item = |index: Value, embedding: Value| json!({"index": index, "embedding": embedding});
    let two = move |a: Value, b: Value| {
        move |_: usize, _: &[String]| reply(json!([a.clone(), b.clone()]))
    };
    let good = item(json!(0), json!([1, 0]));
    let cases = [
        (message(|_, _| Answer::Hang), "no answer within 0.4 s (the last of 2 attempts)"),
        (message(|_, _| Answer::Cut), "the connection failed: "),
        (
            message(|_, _| Answer::Reply("401 Unauthorized", r#"{"detail": "who?"}"#.into())),
            "HTTP 401 Unauthorized: who?",
        ),
        (
            message(|_, _| Answer::Reply("429 Too Many Requests", "slow down".into())),
            "HTTP 429 Too Many Requests: slow down (the last of 2 attempts)",
        ),
        (
            message(|_, _| {
                Answer::Reply("429 Too Many Requests\r\nretry-after: 3600", "quota".into())
            }),
            "quota; it asks to wait 3600 s, but knockon waits at most 300 s",
        ),
        (message(|_, _| Answer::Reply("200 OK", "<html>hello".into())), "it starts: <html>hello"),
        (
            message({
                let g = good.clone();
                move |_, _| reply(json!([g]))
            }),
            "received 1 vectors for 2 texts",
        ),
        (
            message(two(good.clone(), item(json!(0), json!([0, 1])))),
            "the index 0 of item 1 occurs twice",
        ),
        (
            message(two(good.clone(), item(json!(2), json!([0, 1])))),
            "the index 2 of item 1 is out of range",
        ),
        (message(two(good.clone(), item(Value::Null, json!([0, 1])))), "item 1 has no index"),
        (
            message(two(good.clone(), item(json!(1), json!([0, 1, 0])))),
            "the vector of text 1 holds 3 numbers, and `dim` is 2",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([null, 1])))),
            "the vector of text 1 holds something that is not a finite number",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([1e39, 1])))),
            "the vector of text 1 holds something that is not a finite number",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([0, 0])))),
            "the vector of text 1 is all zeros",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([1e-45, 0])))),
            "the numbers of the vector of text 1 are too small",
        ),
        (
            message(two(good.clone(), item(json!(1), json!([-3e-39, 1e-40])))),
            "the numbers of the vector of text 1 are too small",
        ),
    ];
    for (got, want) in cases {
        assert!(got.contains(want), "{got:?} should say {want:?}");
    }

    let mut nobody = spec("http://127.0.0.1:9/v1");
    nobody.retries = 0;
    let error = embed(&http_embedder(nobody).unwrap(), &["a"]).unwrap_err().to_string();
    assert!(error.contains("the connection failed: "), "{error}");
    for (url, why) in [("localhost:1", "not an http"), ("http://me:secret@host/v1", "api_key_env")]
    {
        let error = format!("{:#}", http_embedder(spec(url)).err().unwrap());
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

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

/// An embedder with a server that answers with `answer`.
fn embed_through(
    change: impl FnOnce(&mut HttpEmbedderSpec),
    answer: impl Fn(usize, &[String]) -> Answer + Send + Sync + 'static,
) -> (anyhow::Result<EmbeddingVectors>, Vec<Seen>) {
    let (address, seen) = server(answer);
    let mut spec = spec(&address);
    spec.retries = 0;
    change(&mut spec);
    spec.url = spec.url.replace("BASE", address.trim_end_matches("/v1"));
    let result = embed(&http_embedder(spec).unwrap(), &["one", "three"]);
    let seen = seen.lock().unwrap().clone();
    (result, seen)
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
fn a_redirect_stays_on_its_host_and_keeps_method_and_body() {
    for status in [
        "301 Moved Permanently\r\nlocation: /other/embeddings",
        "302 Found\r\nlocation: ../moved/embeddings?x=1",
        "307 Temporary Redirect\r\nlocation: /other/embeddings",
        "308 Permanent Redirect\r\nlocation: /other/embeddings",
    ] {
        let (vectors, seen) = embed_through(
            |_| {},
            move |n, input| match n {
                0 => Answer::Reply(status, String::new()),
                _ => right(input),
            },
        );
        check(&vectors.unwrap(), &["one", "three"]);
        assert_eq!(seen.len(), 2, "{status}");
        assert!(seen[1].head.starts_with("POST /"), "{}", seen[1].head);
        assert_eq!(seen[0].body, seen[1].body);
    }
    for (status, expected) in [
        (
            "307 Temporary Redirect\r\nlocation: http://127.0.0.2:1/x?secret=1",
            "redirects to http://127.0.0.2:1/x, and",
        ),
        ("302 Found\r\nlocation: https://elsewhere.example/v1", "not sent on to another host"),
        ("308 Permanent Redirect\r\nlocation: http://127.0.0.1:9/embeddings", "another host"),
        ("303 See Other\r\nlocation: /result", "not where texts are posted to"),
        // The user and password of a target are not shown either.
        (
            "307 Temporary Redirect\r\nlocation: http://me:hidden-pw@127.0.0.2:1/x?secret=1",
            "redirects to http://127.0.0.2:1/x, and",
        ),
        (
            "302 Found\r\nlocation: https://:hidden%20pw@elsewhere.example/v1",
            "redirects to https://elsewhere.example/v1, and",
        ),
        (
            "303 See Other\r\nlocation: http://hidden-token@elsewhere.example/",
            "refers to http://elsewhere.example/, which",
        ),
        (
            "308 Permanent Redirect\r\nlocation: mailto:me:hidden-pw@h",
            "redirects to mailto:..., and",
        ),
        ("302 Found", "a redirect without a target"),
        ("301 Moved Permanently\r\nlocation: /v1/embeddings", "more than 5 redirects"),
    ] {
        let (vectors, seen) = embed_through(
            |spec| spec.url += "?api_key=hidden-in-the-query",
            move |_, _| Answer::Reply(status, String::new()),
        );
        let error = vectors.unwrap_err().to_string();
        assert!(error.contains(expected), "{status}: {error}");
        assert!(!error.contains("hidden") && !error.contains("secret=1"), "{error}");
        assert!(seen.len() <= 6);
        assert!(seen.iter().all(|s| !s.head.to_lowercase().contains("referer")));
    }
}

#[test]
fn bare_lists_and_other_list_names_are_accepted() {
    let rows = |input: &[String]| input.iter().map(|text| vector(text)).collect::<Vec<_>>();
    let (vectors, seen) = embed_through(
        |spec| spec.url = "BASE/embed".into(),
        move |_, input| Answer::Reply("200 OK", json!(rows(input)).to_string()),
    );
    check(&vectors.unwrap(), &["one", "three"]);
    assert!(seen[0].head.starts_with("POST /embed "), "{}", seen[0].head);
    assert_eq!(seen[0].body["inputs"], seen[0].body["input"], "what TEI calls them");
    let (vectors, seen) = embed_through(
        |spec| spec.url = "BASE/api/embed".into(),
        move |_, input| Answer::Reply("200 OK", json!({"embeddings": rows(input)}).to_string()),
    );
    check(&vectors.unwrap(), &["one", "three"]);
    assert_eq!(seen[0].body.get("inputs"), None);
    for (body, expected) in [
        ("[[1, 2]]", "received 1 vectors for 2 texts"),
        ("[[1, 2], [1]]", "the vector of text 1 holds 1 numbers, and `dim` is 2"),
        ("[[1, 2], [null, 1]]", "not a finite number"),
        ("[[[1, 2]], [[1, 2]]]", "not a list of embeddings"),
        ("{\"embeddings\": [[0, 0], [1, 1]]}", "the vector of text 0 is all zeros"),
        (
            "{\"error\": {\"message\": \"Provider returned error\", \"code\": 429}}",
            "the body is an error: Provider returned error",
        ),
        ("{}", "neither `data` nor `embeddings`"),
        ("{\"data\": []}", "received 0 vectors"),
    ] {
        let (vectors, _) = embed_through(|_| {}, move |_, _| Answer::Reply("200 OK", body.into()));
        let error = vectors.unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn large_and_small_numbers_keep_their_direction() {
    let item = |index: usize, embedding: [f32; 2]| json!({"index": index, "embedding": embedding});
    let (vectors, _) = embed_through(
        |_| {},
        move |_, _| reply(json!([item(0, [3e38, -3e38]), item(1, [3e-30, 4e-30])])),
    );
    let vectors = vectors.unwrap();
    let half = std::f32::consts::FRAC_1_SQRT_2;
    for (ours, right) in vectors.data.iter().zip([half, -half, 0.6, 0.8]) {
        assert!((ours - right).abs() < 1e-6, "{vectors:?}");
    }
}

#[test]
fn a_retry_delay_in_milliseconds_is_respected() {
    let (address, seen) = server(|n, input| match n {
        0 => Answer::Reply("429 Too Many Requests\r\nretry-after-ms: 400", "{}".into()),
        _ => right(input),
    });
    let start = Instant::now();
    check(&embed(&http_embedder(spec(&address)).unwrap(), &["a", "bb"]).unwrap(), &["a", "bb"]);
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert_eq!(seen.lock().unwrap().len(), 2);
    let error = message(|_, _| {
        Answer::Reply("429 Too Many Requests\r\nretry-after: 1e300", "later".into())
    });
    assert!(error.contains("it asks to wait more than a million seconds"), "{error}");
}

#[test]
fn identical_vectors_for_all_texts_are_an_error_and_not_cached() {
    let same = |input: &[String]| {
        let item = |index: usize| json!({"index": index, "embedding": [0.5, 0.25]});
        Answer::Reply(
            "200 OK",
            json!({"data": (0..input.len()).map(item).collect::<Vec<_>>()}).to_string(),
        )
    };
    for (batch, texts, refused) in [
        (64, &["one", "two", "three"][..], true),
        (1, &["one", "two", "three"], true),
        (2, &["one", " ", "two", "two", "ONE", "three"], true),
        (2, &["one", "two"], false),
        (64, &["one", "one!", "One", "one one"], false),
    ] {
        let fixed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let works = fixed.clone();
        let (address, _) =
            server(move |_, input| match works.load(std::sync::atomic::Ordering::SeqCst) {
                false => same(input),
                true => right(input),
            });
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let mut spec = spec(&address);
            spec.batch_size = batch;
            let remote = Box::new(http_embedder(spec).unwrap());
            CachedEmbedder::new(remote, dir.path()).unwrap()
        };
        let result = embed(&open(), texts);
        if !refused {
            assert_eq!(result.unwrap().len(), texts.len(), "{texts:?}");
            continue;
        }
        let error = result.unwrap_err().to_string();
        for part in ["/v1/embeddings", "the same vector came for 3 different texts", "some-model"] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(std::fs::metadata(open().path()).unwrap().len(), 0, "nothing of it is kept");
        fixed.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(embed(&open(), texts).unwrap().len(), texts.len());
    }
    // Across several calls, and also for vectors of a local model or an earlier program.
    let (address, _) = server(move |_, input| same(input));
    let embedder = http_embedder(spec(&address)).unwrap();
    embed(&embedder, &["one"]).unwrap();
    embed(&embedder, &["two"]).unwrap();
    assert!(embed(&embedder, &["three"]).is_err());
    let dir = tempfile::tempdir().unwrap();
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
    for two in words[..6].chunks(2) {
        let remote = Box::new(http_embedder(spec(&address)).unwrap());
        embed(&CachedEmbedder::new(remote, dir.path()).unwrap(), two).unwrap();
    }
    let remote = Box::new(http_embedder(spec(&address)).unwrap());
    let cached = CachedEmbedder::new(remote, dir.path()).unwrap();
    let error = embed(&cached, &words).unwrap_err().to_string();
    assert!(error.contains("same vector") && error.contains("8 different texts"), "{error}");
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
