//! The bytes of requests and replies; this module sends nothing itself.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ChatEndpointSpec, SamplingMode, StructuredOutput};
use crate::http_client::excerpt;
use crate::read::language_model::{FinishReason, ModelReply};
use crate::read::prompt::ChatPrompt;

/// The maximum number of characters of a reply that an error message shows.
const MAX_SHOWN_CHARS: usize = 300;

#[derive(Deserialize)]
struct ChatReplyBody {
    choices: Option<Vec<ChatReplyChoice>>,
    usage: Option<ChatTokenUsage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct ChatReplyChoice {
    message: Option<ChatReplyMessage>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct ChatReplyMessage {
    content: Option<Value>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct ChatTokenUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// The body of a request.
pub fn request_body(
    spec: &ChatEndpointSpec,
    prompt: &ChatPrompt,
    seed: u64,
    further: &Map<String, Value>,
) -> Vec<u8> {
    let mut body = json!({
        "model": spec.model,
        "messages": prompt.messages,
        "temperature": spec.temperature,
    });
    body[spec.max_tokens_key] = json!(spec.max_tokens);
    if spec.temperature > 0.0 {
        body["seed"] = json!(seed);
    }
    if spec.sample_by == SamplingMode::N && spec.samples > 1 {
        body["n"] = json!(spec.samples);
    }
    if let (StructuredOutput::JsonSchema, Some(schema)) = (spec.structured, &prompt.schema) {
        body["response_format"] = json!({
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": schema},
        });
    }
    // They overwrite none of the keys above: `ChatEndpoint::new` rejects `OWN_KEYS`.
    for (name, value) in further {
        body[name.as_str()] = value.clone();
    }
    body.to_string().into_bytes()
}

/// The maximum size of a reply in bytes: tokens of 64 bytes, with room for their probabilities and for reasoning.
pub fn max_reply_bytes(spec: &ChatEndpointSpec) -> usize {
    let tokens = spec.max_tokens as usize * spec.samples as usize;
    tokens.saturating_mul(1024).saturating_add(4 << 20)
}

/// Parses the samples in a reply.
///
/// # Errors
/// A description of what the reply is instead; then no part of it may be used.
pub fn parse_reply(spec: &ChatEndpointSpec, body: &[u8]) -> Result<ModelReply, String> {
    let parsed: ChatReplyBody = serde_json::from_slice(body).map_err(|error| {
        format!(
            "the body is not a chat completion ({error}); it starts: {}",
            excerpt(body, MAX_SHOWN_CHARS)
        )
    })?;
    if let Some(error) = parsed.error.filter(|error| !error.is_null()) {
        let said = error.get("message").unwrap_or(&error);
        let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
        return Err(format!("the body is an error: {}", excerpt(said.as_bytes(), MAX_SHOWN_CHARS)));
    }
    let Some(choices) = parsed.choices else {
        return Err(format!(
            "the body has no `choices`; it starts: {}",
            excerpt(body, MAX_SHOWN_CHARS)
        ));
    };
    let wanted = if spec.sample_by == SamplingMode::N { spec.samples as usize } else { 1 };
    if choices.is_empty() {
        return Err("`choices` is empty: the model did not answer".to_owned());
    }
    if choices.len() != wanted {
        let help = match spec.sample_by {
            SamplingMode::N => {
                "; where a server does not know `n`, each sample can have a request of its own (sample_by: seed)"
            }
            SamplingMode::Seed => "",
        };
        return Err(format!("{} answers were received instead of {wanted}{help}", choices.len()));
    }
    let mut reply = ModelReply::default();
    for choice in choices {
        let (text, finish) = choice_text(spec, choice)?;
        reply.add(text, finish);
    }
    reply.tokens_in = parsed.usage.as_ref().and_then(|usage| usage.prompt_tokens);
    reply.tokens_out = parsed.usage.as_ref().and_then(|usage| usage.completion_tokens);
    Ok(reply)
}

fn choice_text(
    spec: &ChatEndpointSpec,
    choice: ChatReplyChoice,
) -> Result<(String, FinishReason), String> {
    let Some(message) = choice.message else {
        return Err("a choice has no `message`".to_owned());
    };
    if let Some(refusal) = message.refusal.filter(|refusal| !refusal.trim().is_empty()) {
        return Err(format!(
            "the model refused to answer: {}",
            excerpt(refusal.as_bytes(), MAX_SHOWN_CHARS)
        ));
    }
    let finish = match choice.finish_reason.as_deref() {
        None | Some("stop" | "eos" | "end_turn") => FinishReason::Stop,
        Some("length") if spec.keep_cut => FinishReason::Length,
        Some("length") => {
            return Err(format!(
                "the answer was cut off at max_tokens ({}); raise it, or set keep_cut to keep such answers as what \
                 they are",
                spec.max_tokens
            ));
        }
        Some("content_filter") => {
            return Err("the service's content filter stopped the answer".to_owned());
        }
        Some(other) => {
            let other = excerpt(other.as_bytes(), 40);
            return Err(format!(
                "the answer ended for the reason {other:?}; `stop` is what is expected"
            ));
        }
    };
    let text = match message.content {
        Some(Value::String(text)) => text,
        // Some servers send the text in parts.
        Some(Value::Array(parts)) if parts.iter().all(|part| part["text"].is_string()) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect()
        }
        // All tokens may have been used for reasoning.
        None | Some(Value::Null) if finish == FinishReason::Length => String::new(),
        None | Some(Value::Null) => return Err("the answer has no content".to_owned()),
        Some(other) => {
            let other = other.to_string();
            return Err(format!(
                "the content is not text: {}",
                excerpt(other.as_bytes(), MAX_SHOWN_CHARS)
            ));
        }
    };
    Ok((text, finish))
}
