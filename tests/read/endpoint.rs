use std::time::{Duration, Instant};

use knockon::embed::http::SuppliedValue;
use knockon::read::{
    ChatEndpointSpec, FinishReason, LanguageModel, ModelReply, Recording, SamplingMode,
    StructuredOutput, TokenPrices, answer_prompts,
};
use serde_json::{Value, json};

use super::stand_in::{choices, completion, prompt, server, spec};
use crate::support::endpoint::{Answer, Seen};
use crate::support::models::chat_endpoint;

/// The replies to these prompts, in order.
fn ask(spec: ChatEndpointSpec, prompts: &[&str]) -> anyhow::Result<Vec<ModelReply>> {
    let endpoint = chat_endpoint(spec)?;
    let prompts: Vec<_> = prompts.iter().map(|text| prompt(text)).collect();
    let prompts: Vec<_> = prompts.iter().collect();
    let mut replies = vec![None; prompts.len()];
    endpoint.complete(&prompts, &mut |at, reply| {
        assert!(replies[at].replace(reply).is_none(), "{at} came twice");
        Ok(())
    })?;
    Ok(replies.into_iter().map(Option::unwrap).collect())
}

/// The error message for a server that answers with `answer`; nothing may be recorded.
fn message(
    change: impl FnOnce(&mut ChatEndpointSpec),
    answer: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static,
) -> (String, Vec<Seen>) {
    let (address, seen) = server(answer);
    let mut spec = spec(&address);
    change(&mut spec);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let mut recording = Recording::open(&path).unwrap();
    let endpoint = chat_endpoint(spec).unwrap();
    let error = answer_prompts(&endpoint, &mut recording, &[prompt("q")], &|_| {}).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), b"", "something wrong was recorded: {error:#}");
    let seen = seen.lock().unwrap().clone();
    (format!("{error:#}"), seen)
}

#[test]
fn a_request_follows_the_api_and_a_reply_has_tokens_and_cost() {
    let (address, seen) = server(|_, body| {
        let prompt_text = body["messages"][0]["content"].as_str().unwrap();
        completion(&format!("answer to {prompt_text}"))
    });
    let mut spec = spec(&address);
    spec.body = vec![("top_p".into(), SuppliedValue::Written(json!(0.5)))];
    spec.headers = vec![("x-team".into(), SuppliedValue::Written(json!("legal")))];
    spec.prices = Some(TokenPrices { currency: "USD".into(), input: 0.5, output: 2.0 });
    spec.concurrency = 3;
    let replies = ask(spec, &["a", "b", "c", "d"]).unwrap();
    for (reply, text) in replies.iter().zip(["a", "b", "c", "d"]) {
        assert_eq!(reply.answers.len(), 1);
        assert_eq!(reply.answers[0].text, format!("answer to {text}"));
        assert_eq!((reply.tokens_in, reply.tokens_out), (Some(30), Some(4)));
        assert_eq!(reply.cost.as_ref().unwrap().to_string(), "USD 0.000023");
        assert!(reply.seconds > 0.0);
    }
    let seen = seen.lock().unwrap();
    let request = &seen[0];
    assert!(request.head.starts_with("POST /v1/chat/completions "), "{}", request.head);
    assert!(request.head.contains("x-team: legal"));
    let body = &request.body;
    assert_eq!(body["model"], "some-model");
    assert_eq!((&body["temperature"], &body["max_tokens"]), (&json!(0.0), &json!(256)));
    assert_eq!(body["top_p"], 0.5);
    assert_eq!(body["messages"][0]["role"], "user");
    for left_out in ["n", "seed", "stream", "response_format"] {
        assert_eq!(body.get(left_out), None, "{left_out}");
    }
}

#[test]
fn the_address_may_include_the_route() {
    for (url, path) in [
        ("http://h:1/v1", "/v1/chat/completions"),
        ("http://h:1/v1/", "/v1/chat/completions"),
        ("http://h:1/v1/chat/completions", "/v1/chat/completions"),
        ("http://h:1", "/chat/completions"),
    ] {
        let (address, seen) = server(|_, _| completion("x"));
        let base = address.trim_end_matches("/v1").to_owned();
        ask(spec(&url.replace("http://h:1", &base)), &["q"]).unwrap();
        let head = seen.lock().unwrap()[0].head.clone();
        assert!(head.starts_with(&format!("POST {path} ")), "{url}: {head}");
    }
}

#[test]
fn samples_come_from_one_request_or_from_one_each() {
    let (address, seen) = server(|n, body| match body.get("n") {
        Some(_) => {
            let choice =
                |text: &str| json!({"message": {"content": text}, "finish_reason": "stop"});
            choices(json!([choice("a"), choice("b"), choice("a")]))
        }
        None => completion(["a", "b", "a", "c", "c", "c"][n % 6]),
    });
    let mut spec = spec(&address);
    (spec.samples, spec.temperature, spec.sample_by) = (3, 0.7, SamplingMode::N);
    let counts = |reply: &ModelReply| -> Vec<(String, u32)> {
        reply.answers.iter().map(|a| (a.text.clone(), a.count)).collect()
    };
    let replies = ask(spec.clone(), &["q"]).unwrap();
    assert_eq!(counts(&replies[0]), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    seen.lock().unwrap().clear();

    (spec.sample_by, spec.seed) = (SamplingMode::Seed, 11);
    let replies = ask(spec, &["q", "r"]).unwrap();
    assert_eq!(counts(&replies[0]), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(counts(&replies[1]), [("c".to_owned(), 3)]);
    assert_eq!(replies[0].tokens_in, Some(90));
    let seeds: Vec<u64> =
        seen.lock().unwrap().iter().map(|s| s.body["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [11, 12, 13, 11, 12, 13]);
}

#[test]
fn structured_output_sends_a_schema() {
    let (address, seen) = server(|_, _| completion("{\"answer\": \"x\"}"));
    let mut spec = spec(&address);
    spec.structured = StructuredOutput::JsonSchema;
    let endpoint = chat_endpoint(spec).unwrap();
    let mut question = prompt("q");
    question.schema = Some(json!({"type": "object"}));
    endpoint.complete(&[&question], &mut |_, _| Ok(())).unwrap();
    let format = seen.lock().unwrap()[0].body["response_format"].clone();
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["schema"], json!({"type": "object"}));
    assert_eq!(format["json_schema"]["strict"], true);
}

#[test]
fn every_fault_has_one_message_and_is_not_recorded() {
    fn choice(change: impl FnOnce(&mut Value)) -> Answer {
        let mut one = json!({"message": {"role": "assistant", "content": "60 days"}, "finish_reason": "stop"});
        change(&mut one);
        choices(json!([one]))
    }
    type Given = Box<dyn Fn() -> Answer + Send + Sync>;
    let cases: Vec<(Given, &str)> = vec![
        (Box::new(|| Answer::Hang), "no answer within 0.5 s (the last of 2 attempts)"),
        (Box::new(|| Answer::Cut), "the connection failed: "),
        (
            Box::new(|| Answer::Reply("429 Too Many Requests", "slow down".into())),
            "HTTP 429 Too Many Requests: slow down (the last of 2 attempts)",
        ),
        (
            Box::new(|| {
                Answer::Reply("429 Too Many Requests\r\nretry-after: 3600", "quota".into())
            }),
            "quota; it asks to wait 3600 s, but knockon waits at most 300 s",
        ),
        (
            Box::new(|| Answer::Reply("200 OK", "<html>hello".into())),
            "the body is not a chat completion",
        ),
        (Box::new(|| Answer::Reply("200 OK", "<html>hello".into())), "it starts: <html>hello"),
        (
            Box::new(|| Answer::Reply("200 OK", "{\"choices\": [{\"mess".into())),
            "not a chat completion",
        ),
        (Box::new(|| Answer::Reply("200 OK", "{}".into())), "the body has no `choices`"),
        (Box::new(|| Answer::Reply("200 OK", "[]".into())), "not a chat completion"),
        (Box::new(|| choices(json!([]))), "`choices` is empty: the model did not answer"),
        (
            Box::new(|| {
                choice(|c| c["message"] = json!({"content": null, "refusal": "I cannot help."}))
            }),
            "the model refused to answer: I cannot help.",
        ),
        (
            Box::new(|| choice(|c| c["finish_reason"] = json!("content_filter"))),
            "the service's content filter stopped the answer",
        ),
        (
            Box::new(|| choice(|c| c["finish_reason"] = json!("length"))),
            "the answer was cut off at max_tokens (256); raise it, or set keep_cut",
        ),
        (
            Box::new(|| choice(|c| c["finish_reason"] = json!("tool_calls"))),
            "for the reason \"tool_calls\"",
        ),
        (
            Box::new(|| choice(|c| c["message"]["content"] = Value::Null)),
            "the answer has no content",
        ),
        (Box::new(|| choice(|c| c["message"]["content"] = json!(5))), "the content is not text: 5"),
        (Box::new(|| choice(|c| *c = json!({}))), "a choice has no `message`"),
        (
            Box::new(|| {
                Answer::Reply(
                    "404 Not Found",
                    json!({"error": {"message": "model 'some-model' not found"}}).to_string(),
                )
            }),
            "HTTP 404 Not Found: model 'some-model' not found",
        ),
        (
            Box::new(|| {
                Answer::Reply("200 OK", json!({"error": {"message": "overloaded"}}).to_string())
            }),
            "the body is an error: overloaded",
        ),
        (
            Box::new(|| Answer::Reply("401 Unauthorized", "{\"detail\": \"who?\"}".into())),
            "HTTP 401 Unauthorized: who?",
        ),
        (
            Box::new(|| {
                Answer::Reply(
                    "307 Temporary Redirect\r\nlocation: http://127.0.0.2:1/x",
                    String::new(),
                )
            }),
            "not sent on to another host",
        ),
    ];
    for (answer, expected) in cases {
        let (error, _) = message(|_| {}, move |_, _| answer());
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
        assert!(
            error.contains("/v1/chat/completions, model \"some-model\", question 1 of 1: "),
            "{error}"
        );
        assert_eq!(error.lines().count(), 2, "{error}");
    }
    let (error, _) = message(
        |spec| (spec.samples, spec.temperature, spec.sample_by) = (3, 1.0, SamplingMode::N),
        |_, _| completion("a"),
    );
    assert!(
        error.contains("1 answers were received instead of 3; where a server does not know `n`"),
        "{error}"
    );
}

#[test]
fn temporary_failures_are_retried() {
    for first in ["429 Too Many Requests\r\nretry-after: 0.3", "503 Service Unavailable", "cut"] {
        let (address, seen) = server(move |n, _| match n {
            0 if first == "cut" => Answer::Cut,
            0 => Answer::Reply(first, "{}".into()),
            _ => completion("60 days"),
        });
        let start = Instant::now();
        let replies = ask(spec(&address), &["q"]).unwrap();
        assert_eq!(replies[0].answers[0].text, "60 days");
        assert_eq!(seen.lock().unwrap().len(), 2, "{first}");
        if first.contains("retry-after") {
            assert!(start.elapsed() >= Duration::from_millis(300), "Retry-After is honoured");
        }
    }
}

#[test]
fn a_truncated_answer_is_kept_if_allowed() {
    let (address, _) = server(|n, _| {
        let content = if n == 0 { json!("60 da") } else { Value::Null };
        choices(json!([{"message": {"content": content}, "finish_reason": "length"}]))
    });
    let mut spec = spec(&address);
    spec.keep_cut = true;
    let replies = ask(spec, &["q", "r"]).unwrap();
    assert_eq!(replies[0].answers[0].finish, FinishReason::Length);
    assert_eq!(
        (replies[0].answers[0].text.as_str(), replies[1].answers[0].text.as_str()),
        ("60 da", "")
    );
}

#[test]
fn the_key_is_sent_to_the_endpoint_only() {
    // SAFETY: through std, which locks the environment; no other test names this variable.
    unsafe { std::env::set_var("KNOCKON_TEST_CHAT_KEY", "sk-very-secret") };
    let with_key = |spec: &mut ChatEndpointSpec| {
        spec.api_key_env = Some("KNOCKON_TEST_CHAT_KEY".into());
        spec.url += "?code=hidden-too";
    };
    let (error, seen) = message(with_key, |_, _| {
        Answer::Reply("403 Forbidden", "the key sk-very-secret is not good".into())
    });
    let head = seen[0].head.to_lowercase();
    assert!(head.contains("authorization: bearer sk-very-secret"), "{head}");
    assert!(head.starts_with("post /v1/chat/completions?code=hidden-too "), "{head}");
    assert!(error.contains("the key [key] is not good") && !error.contains("secret"), "{error}");
    assert!(!error.contains("hidden"), "{error}");
    // A model that repeats the key in its answer.
    let (error, _) = message(with_key, |_, _| completion("your key is sk-very-secret"));
    assert!(error.contains("the answer repeats a secret of the request"), "{error}");
    assert!(!error.contains("sk-very"), "{error}");

    let (address, _) = server(|_, _| completion("60 days"));
    let mut secret = spec(&address);
    with_key(&mut secret);
    secret.body = vec![("token".into(), SuppliedValue::Written(json!("written-secret")))];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.jsonl");
    let mut recording = Recording::open(&path).unwrap();
    let endpoint = chat_endpoint(secret).unwrap();
    answer_prompts(&endpoint, &mut recording, &[prompt("q")], &|_| {}).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("60 days"));
    for part in ["sk-very", "hidden-too", "written-secret", "127.0.0.1"] {
        assert!(!text.contains(part), "{text}");
    }
}

#[test]
fn impossible_settings_are_refused_before_anything_is_sent() {
    let refused = |change: &dyn Fn(&mut ChatEndpointSpec)| {
        let mut spec = ChatEndpointSpec::new("http://h/v1", "m");
        change(&mut spec);
        format!("{:#}", chat_endpoint(spec).err().unwrap())
    };
    let body = |name: &str| vec![(name.to_owned(), SuppliedValue::Written(json!(1)))];
    for (error, expected) in [
        (refused(&|s| s.url = "localhost:1".into()), "not an http"),
        (refused(&|s| s.url = "http://me:secret@host/v1".into()), "api_key_env"),
        (refused(&|s| s.model = " ".into()), "model is empty"),
        (refused(&|s| s.samples = 0), "samples is 0"),
        (refused(&|s| s.samples = 5), "at temperature 0, where all samples are alike"),
        (refused(&|s| s.temperature = f64::NAN), "temperature is NaN; 0 to 2"),
        (refused(&|s| s.max_tokens = 0), "max_tokens is 0"),
        (
            refused(&|s| s.body = body("stream")),
            "body.stream is not allowed: replies come in one piece",
        ),
        (
            refused(&|s| s.body = body("temperature")),
            "body.temperature is not allowed: it is a setting",
        ),
        (refused(&|s| s.headers = body("Host")), "headers.Host is not allowed"),
    ] {
        assert!(error.contains(expected), "{error:?} should say {expected:?}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn an_interrupted_run_resumes_and_sends_each_question_once() {
    let (address, seen) = server(|n, body| match n {
        2 => Answer::Reply("400 Bad Request", r#"{"error": {"message": "too long"}}"#.into()),
        _ => completion(body["messages"][0]["content"].as_str().unwrap()),
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/r.jsonl");
    let endpoint = chat_endpoint(spec(&address)).unwrap();
    let prompts: Vec<_> = ["a", "b", "a", "c", "d", "c"].iter().map(|text| prompt(text)).collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let add_progress = |n: usize| {
        done.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
    };
    let mut recording = Recording::open(&path).unwrap();
    let error =
        answer_prompts(&endpoint, &mut recording, &prompts, &add_progress).unwrap_err().to_string();
    assert!(error.contains("question 3 of 4: HTTP 400 Bad Request: too long"), "{error}");
    assert!(error.contains("goes on from there"), "{error}");
    assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 3, "a twice, b once");
    drop(recording);

    done.store(0, std::sync::atomic::Ordering::Relaxed);
    let mut recording = Recording::open(&path).unwrap();
    let entries = answer_prompts(&endpoint, &mut recording, &prompts, &add_progress).unwrap();
    let texts: Vec<&str> = entries.iter().map(|entry| entry.answers[0].text.as_str()).collect();
    assert_eq!(texts, ["a", "b", "a", "c", "d", "c"]);
    assert_eq!(done.load(std::sync::atomic::Ordering::Relaxed), 6);
    assert_eq!(seen.lock().unwrap().len(), 5, "a and b were not asked for again");
}
