//! A chat endpoint on this machine with scripted answers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use knockon::read::{ChatEndpointSpec, ChatMessage, ChatPrompt, ChatRole};
use serde_json::{Value, json};

use crate::support::endpoint::{Answer, Seen, serve};

/// A server that answers request `n`, counted from 0, with `answer` of its body.
pub fn server(
    answer: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    serve(move |n, seen| answer(n, &seen.body))
}

/// A completion with these choices.
pub fn choices(choices: Value) -> Answer {
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 4});
    Answer::Reply("200 OK", json!({"choices": choices, "usage": usage}).to_string())
}

/// A completion with one text.
pub fn completion(text: &str) -> Answer {
    choices(json!([{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]))
}

/// One request at a time, with short retry delays.
pub fn spec(address: &str) -> ChatEndpointSpec {
    let mut spec = ChatEndpointSpec::new(address, "some-model");
    spec.concurrency = 1;
    spec.retries = 1;
    spec.timeout = Duration::from_millis(500);
    spec.first_wait = Duration::from_millis(10);
    spec
}

pub fn prompt(text: &str) -> ChatPrompt {
    let message = ChatMessage { role: ChatRole::User, content: text.to_owned() };
    ChatPrompt { messages: vec![message], schema: None }
}
