//! A server on this machine with scripted answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// A request as the server saw it.
#[derive(Clone)]
pub struct Seen {
    pub head: String,
    pub body: Value,
}

pub enum Answer {
    /// Status line with further headers, and body.
    Reply(&'static str, String),
    /// No answer until the client gives up.
    Hang,
    /// A content length larger than what is sent.
    Cut,
}

/// A server that answers request `n`, counted from 0, with `answer`; returns its address and the requests it saw.
pub fn serve(
    answer: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static,
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
                let seen = Seen { head, body };
                let n = {
                    let mut log = log.lock().unwrap();
                    log.push(seen.clone());
                    log.len() - 1
                };
                let (head, body) = match answer(n, &seen) {
                    Answer::Reply(head, body) => (head, body),
                    Answer::Hang => return std::thread::sleep(Duration::from_secs(20)),
                    Answer::Cut => {
                        let start = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"data\": [";
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
