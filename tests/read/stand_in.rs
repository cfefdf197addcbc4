//! A chat endpoint on this machine that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use knockon::read::{ChatSpec, Message, Prompt, Role};
use serde_json::{Value, json};

/// A request as the server saw it.
#[derive(Clone)]
pub struct Seen {
    pub head: String,
    pub body: Value,
}

pub enum Sent {
    /// Status line and further headers, body.
    Reply(&'static str, String),
    /// Silence until the other side gives up.
    Hang,
    /// A promise of more than is sent.
    Cut,
}

/// A server that answers request `n`, from 0 on, as `answer` says; returns its address and what it saw.
pub fn server(
    answer: impl Fn(usize, &Value) -> Sent + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (seen.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, answer) = (log.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                        length = n.trim().parse().unwrap();
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let body: Value = serde_json::from_slice(&body).unwrap();
                let n = {
                    let mut log = log.lock().unwrap();
                    log.push(Seen { head, body: body.clone() });
                    log.len() - 1
                };
                let (head, body) = match answer(n, &body) {
                    Sent::Reply(head, body) => (head, body),
                    Sent::Hang => return std::thread::sleep(Duration::from_secs(20)),
                    Sent::Cut => {
                        let start =
                            b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"choices\": [";
                        return stream.write_all(start).unwrap();
                    }
                };
                let length = body.len();
                let reply = format!(
                    "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                stream.write_all(reply.as_bytes()).unwrap();
            });
        }
    });
    (address, seen)
}

/// A completion with these choices.
pub fn choices(choices: Value) -> Sent {
    let usage = json!({"prompt_tokens": 30, "completion_tokens": 4});
    Sent::Reply("200 OK", json!({"choices": choices, "usage": usage}).to_string())
}

/// A completion with one text.
pub fn says(text: &str) -> Sent {
    choices(json!([{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]))
}

/// One request at a time, with quick second tries.
pub fn spec(address: &str) -> ChatSpec {
    let mut spec = ChatSpec::new(address, "some-model");
    spec.concurrency = 1;
    spec.retries = 1;
    spec.timeout = Duration::from_millis(500);
    spec.first_wait = Duration::from_millis(10);
    spec
}

pub fn prompt(text: &str) -> Prompt {
    let message = Message { role: Role::User, content: text.to_owned() };
    Prompt { messages: vec![message], schema: None }
}
