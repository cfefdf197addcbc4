//! Replies of every form, right and wrong.

use std::sync::Arc;

use knockon::embed::{CachedEmbedder, EmbeddingVectors};
use serde_json::{Value, json};

use super::{check, embed, embed_through, message, reply, right, server, spec, vector};
use crate::support::endpoint::Answer;
use crate::support::models::http_embedder;

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
