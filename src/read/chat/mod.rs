//! Chat endpoints: models behind OpenAI's `POST /v1/chat/completions`, as served by llama.cpp, Ollama, vLLM, Azure and
//! OpenAI. No part of a reply may be handed over before the whole reply is checked ([`wire`]).
//!
//! [`crate::remote`] handles requests, retries and secrets.

mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};

use super::model::{Identity, LanguageModel, Prices, Reply};
use super::prompt::Prompt;
use crate::embed::http::sent;
use crate::embed::http::{Additions, Supplied};
use crate::remote::{self, Endpoint, FIRST_WAIT, Refused};

/// Keys of the body that have a setting of their own, or would change the form of the reply.
pub const OWN_KEYS: [&str; 10] = [
    "model",
    "messages",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "seed",
    "stream",
    "response_format",
    "stop",
];

/// Whether the server is asked for answers in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Structured {
    /// With `response_format` and the JSON schema of the field.
    JsonSchema,
    #[default]
    None,
}

impl Structured {
    pub fn name(self) -> &'static str {
        match self {
            Structured::JsonSchema => "json_schema",
            Structured::None => "none",
        }
    }
}

/// How several samples of one prompt are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleBy {
    /// One request for all samples.
    N,
    /// One request for each sample, with consecutive seeds: few local servers support `n`.
    #[default]
    Seed,
}

/// The settings of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatSpec {
    /// The address; `/chat/completions` is appended unless it ends so.
    pub url: String,
    /// The endpoint's name of the model.
    pub model: String,
    /// The environment variable that holds the API key; `None` sends no key.
    pub api_key_env: Option<String>,
    /// Headers of each request.
    pub headers: Additions,
    /// Additional keys in the body of each request.
    pub body: Additions,
    pub temperature: f64,
    /// The maximum number of tokens in an answer.
    pub max_tokens: u32,
    /// The key of that limit: `max_tokens`, or `max_completion_tokens`, which newer OpenAI models require.
    pub max_tokens_key: &'static str,
    /// Samples drawn for each prompt.
    pub samples: u32,
    pub sample_by: SampleBy,
    pub seed: u64,
    pub structured: Structured,
    /// Whether an answer that was truncated at `max_tokens` is accepted; otherwise it is an error.
    pub keep_cut: bool,
    /// For one request, from its start to the last byte of the reply.
    pub timeout: Duration,
    /// The maximum number of retries of a request that failed temporarily.
    pub retries: u32,
    /// The approximate wait before the first retry.
    pub first_wait: Duration,
    /// The maximum number of simultaneous requests.
    pub concurrency: usize,
    pub prices: Option<Prices>,
}

impl ChatSpec {
    /// The defaults of a scenario.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> ChatSpec {
        ChatSpec {
            url: url.into(),
            model: model.into(),
            api_key_env: None,
            headers: Additions::new(),
            body: Additions::new(),
            temperature: 0.0,
            max_tokens: 256,
            max_tokens_key: "max_tokens",
            samples: 1,
            sample_by: SampleBy::default(),
            seed: 1,
            structured: Structured::default(),
            keep_cut: false,
            timeout: Duration::from_secs(120),
            retries: 5,
            first_wait: FIRST_WAIT,
            concurrency: 4,
            prices: None,
        }
    }

    /// Everything besides the prompt that determines an answer. The address is excluded, because a model is the same
    /// wherever it runs. Secrets are represented by the names of their variables.
    fn identity(&self) -> Identity {
        let mut settings = Map::new();
        settings.insert("temperature".into(), json!(self.temperature));
        settings.insert("max_tokens".into(), json!(self.max_tokens));
        settings.insert("samples".into(), json!(self.samples));
        // At temperature 0 the seed has no effect.
        if self.temperature > 0.0 {
            settings.insert("seed".into(), json!(self.seed));
        }
        settings.insert("structured".into(), json!(self.structured.name()));
        let mut additions: Vec<&(String, Supplied)> = self.body.iter().collect();
        additions.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, supplied) in additions {
            let value = match supplied {
                Supplied::Written(value) if !remote::names_a_secret(name) => value.clone(),
                Supplied::Written(_) => json!("(secret)"),
                Supplied::Variable(variable) => json!(format!("${variable}")),
            };
            settings.insert(format!("body.{name}"), value);
        }
        Identity { model: self.model.clone(), settings }
    }
}

/// The URL for `url`: `/chat/completions` is appended unless it already ends so.
///
/// # Errors
/// A URL that is not http or https, or one that contains a password.
pub fn endpoint(url: &str) -> anyhow::Result<reqwest::Url> {
    let mut url = remote::address(url)?;
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/chat/completions") {
        url.set_path(&format!("{path}/chat/completions"));
    }
    Ok(url)
}

/// A model at a chat endpoint.
pub struct ChatEndpoint {
    spec: ChatSpec,
    endpoint: reqwest::Url,
    identity: Identity,
}

impl ChatEndpoint {
    /// Checks the settings; sends nothing.
    ///
    /// # Errors
    /// A setting that is not allowed.
    pub fn new(spec: ChatSpec) -> anyhow::Result<ChatEndpoint> {
        let endpoint = endpoint(&spec.url).with_context(|| {
            // The query may be secret, and a password always is.
            let shown = spec.url.split('?').next().unwrap_or_default();
            format!("url {:?}", remote::without_passwords(shown))
        })?;
        ensure!(
            !spec.model.trim().is_empty(),
            "model is empty; a name that the endpoint knows goes here"
        );
        for (name, value) in [
            ("samples", spec.samples as usize),
            ("max_tokens", spec.max_tokens as usize),
            ("concurrency", spec.concurrency),
        ] {
            ensure!(value > 0, "{name} is 0; at least 1 is allowed");
        }
        ensure!(
            (0.0..=2.0).contains(&spec.temperature),
            "temperature is {}; 0 to 2 is allowed",
            spec.temperature
        );
        ensure!(
            spec.samples == 1 || spec.temperature > 0.0,
            "samples is {} at temperature 0, where all samples are alike; allowed: samples 1, or a temperature \
             above 0",
            spec.samples
        );
        if let Some((name, _)) =
            spec.body.iter().find(|(name, _)| OWN_KEYS.contains(&name.as_str()))
        {
            bail!("body.{name} is not allowed: {}", instead(name));
        }
        if let Some((name, _)) = (spec.headers.iter()).find(|(name, _)| {
            crate::embed::http::OWN_HEADERS.contains(&name.to_lowercase().as_str())
        }) {
            bail!("headers.{name} is not allowed: it follows from the request");
        }
        let identity = spec.identity();
        Ok(ChatEndpoint { spec, endpoint, identity })
    }

    /// The HTTP endpoint, and the additional keys of each body.
    fn line(&self) -> anyhow::Result<(Endpoint, Map<String, Value>)> {
        let spec = &self.spec;
        let key = spec.api_key_env.as_deref().map(remote::key).transpose()?;
        let secrets = sent::secrets(key.as_deref(), &spec.headers, std::iter::once(&spec.body))?;
        let headers = remote::headers(&sent::headers(&spec.headers)?, key.as_deref())?;
        let line = Endpoint {
            url: self.endpoint.clone(),
            timeout: spec.timeout,
            retries: spec.retries,
            first_wait: spec.first_wait,
            concurrency: spec.concurrency,
            headers,
            secrets,
            longest_reply: wire::longest_reply(spec),
        };
        Ok((line, sent::body(&spec.body, &Additions::new())?))
    }
}

fn instead(name: &str) -> &'static str {
    match name {
        "messages" => "it is made of the template",
        "stream" => "replies come in one piece",
        "response_format" => "use `structured`",
        "n" => "use `samples`",
        "stop" => "answers are read to their end",
        _ => "it is a setting of its own",
    }
}

impl LanguageModel for ChatEndpoint {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn ask(
        &self,
        prompts: &[&Prompt],
        take: &mut dyn FnMut(usize, Reply) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (line, further) = self.line()?;
        let spec = &self.spec;
        let requests = match spec.sample_by {
            SampleBy::N => 1,
            SampleBy::Seed => spec.samples as usize,
        };
        // Bodies are produced when their request starts, so the clock starts here.
        let starts = RefCell::new(HashMap::new());
        let bodies = (0..prompts.len() * requests).map(|at| {
            starts.borrow_mut().insert(at, Instant::now());
            let seed = spec.seed.wrapping_add((at % requests) as u64);
            wire::request(spec, prompts[at / requests], seed, &further)
        });
        // Samples of prompts that are still incomplete, with the index of their request.
        let mut parts: HashMap<usize, Vec<(usize, Reply)>> = HashMap::new();
        let mut broken = None;
        // The secrets of the URL's query too: an answer that repeats one must not be recorded.
        let secrets = line.secrets.clone().and_query_of(&line.url);
        let sent = line.post_all(bodies, |at, body| {
            let mut reply = wire::reply(spec, body)?;
            let repeats = |text: &str| secrets.shown(text, text.len()) != text;
            if reply.answers.iter().any(|answer| repeats(&answer.text)) {
                return Err(
                    "the answer repeats a secret of the request, so it is not kept".to_owned()
                );
            }
            reply.seconds =
                starts.borrow_mut().remove(&at).map_or(0.0, |start| start.elapsed().as_secs_f64());
            let prompt = at / requests;
            let there = parts.entry(prompt).or_default();
            there.push((at, reply));
            if there.len() < requests {
                return Ok(());
            }
            let mut whole = joined(parts.remove(&prompt).unwrap_or_default());
            if let (Some(prices), Some(tokens_in), Some(tokens_out)) =
                (&spec.prices, whole.tokens_in, whole.tokens_out)
            {
                whole.cost = Some(prices.of(tokens_in, tokens_out));
            }
            // `take` can fail for reasons of this machine, such as a full disk: its error is returned unchanged.
            take(prompt, whole).map_err(|error| {
                let what = error.to_string();
                broken.get_or_insert(error);
                what
            })
        })?;
        if let Some(error) = broken {
            return Err(error);
        }
        if let Err(Refused { at, what }) = sent {
            bail!(
                "{}, model {:?}, question {} of {}: {what}\nThe answers to other questions are kept: the same command \
                 goes on from there.",
                line.shown(),
                spec.model,
                at / requests + 1,
                prompts.len()
            );
        }
        Ok(())
    }
}

/// Merges the samples of several requests, in the order of the requests.
fn joined(mut parts: Vec<(usize, Reply)>) -> Reply {
    parts.sort_by_key(|(at, _)| *at);
    let mut all = Reply { tokens_in: Some(0), tokens_out: Some(0), ..Reply::default() };
    for (_, part) in parts {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        all.tokens_in = sum(all.tokens_in, part.tokens_in);
        all.tokens_out = sum(all.tokens_out, part.tokens_out);
        // The requests ran concurrently.
        all.seconds = all.seconds.max(part.seconds);
        for answer in part.answers {
            for _ in 0..answer.count {
                all.add(answer.text.clone(), answer.finish);
            }
        }
    }
    all
}
