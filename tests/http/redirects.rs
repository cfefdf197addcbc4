//! Redirects, which must not lead to another place.

use super::{check, embed, embed_through, right, spec};
use crate::support::endpoint::{Answer, Seen, serve};
use crate::support::models::http_embedder;

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
