//! Masks what may be secret in addresses: user and password, and the query.
//!
//! An address that is quoted in a message is often a wrong one, such as one with a password that was not escaped. So a
//! password may hold any character here; if in doubt, more is masked than has to be.

use std::ops::Range;

/// One address as a message about it shows it: with asterisks for user and password, and without query and fragment.
pub fn display_wrong_address(address: &str) -> String {
    let shown = masked(address, user_and_password(address));
    shown.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The parts of one address that may be secret: user and password, and the query with the fragment.
pub fn address_secrets(address: &str) -> Vec<Range<usize>> {
    let user = user_and_password(address);
    let host = user.as_ref().map_or(0, |user| user.end);
    let query = address[host..].find(['?', '#']).map(|at| host + at + 1..address.len());
    user.into_iter().chain(query).collect()
}

/// Replaces the user and password of each address in a text, such as a settings file, by asterisks, byte for byte,
/// and its query.
pub fn without_passwords(text: &str) -> String {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let in_line = addresses_with_scheme(line).into_iter().chain(users_without_scheme(line));
        found.extend(in_line.map(|secret| start + secret.start..start + secret.end));
        start += line.len();
    }
    masked(text, found)
}

/// `text` with asterisks in these byte ranges.
fn masked(text: &str, secrets: impl IntoIterator<Item = Range<usize>>) -> String {
    let mut out = text.as_bytes().to_vec();
    for secret in secrets {
        out[secret].fill(b'*');
    }
    String::from_utf8(out).unwrap_or_default()
}

/// The user and password of an address, up to its last `@`.
fn user_and_password(address: &str) -> Option<Range<usize>> {
    let scheme = address.find(":/");
    let start = scheme.map_or(0, |colon| after_slashes(address, colon));
    let end = address.rfind('@').filter(|end| *end >= start)?;
    let inside = &address[start..end];
    let has_user = inside.contains(':') || (scheme.is_some() && !inside.contains('/'));
    has_user.then_some(start..end)
}

/// The offset after `:` and all slashes.
fn after_slashes(text: &str, colon: usize) -> usize {
    colon + 1 + text[colon + 1..].bytes().take_while(|byte| *byte == b'/').count()
}

/// The secret parts of the addresses in a line that begin with a scheme.
fn addresses_with_scheme(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(colon) = line[from..].find(":/").map(|at| from + at) {
        let start = after_slashes(line, colon);
        let end = start + address_length(&line[..colon], &line[start..]);
        let user = line[start..end].rfind('@').map(|at| start..start + at);
        let user = user.filter(|user| {
            let inside = &line[user.clone()];
            inside.contains(':') || !inside.contains('/')
        });
        from = user.as_ref().map_or(start, |user| user.end);
        found.extend(user);
        // In running text, an address ends at a blank or a quote.
        let word = &line[from..from + line[from..].find(is_word_end).unwrap_or(line.len() - from)];
        if let Some(query) = word.find('?').filter(|at| !word[..*at].contains(":/")) {
            let end = word.trim_end_matches(['}', ']', ',']).len();
            found.push(from + query + 1..from + end.max(query + 1));
        }
    }
    found
}

/// The length of the address that begins after `before` and a scheme: as YAML ends it, or the rest of the line.
fn address_length(before: &str, rest: &str) -> usize {
    let line = rest.trim_end();
    let quote = before.trim_end_matches(|c: char| c.is_alphanumeric() || "+.-".contains(c));
    match quote.chars().last() {
        Some(quote @ ('"' | '\'')) => {
            // In double quotes a backslash escapes a quote; in single quotes it is written twice.
            let mut chars = line.char_indices().peekable();
            while let Some((at, c)) = chars.next() {
                let escapes = if quote == '"' { c == '\\' } else { c == quote };
                if escapes && (quote == '"' || chars.peek().is_some_and(|(_, next)| *next == quote))
                {
                    chars.next();
                } else if c == quote {
                    return at;
                }
            }
            line.len()
        }
        _ => line.find(" #").unwrap_or(line.len()),
    }
}

/// The users and passwords of a line's words that have no scheme, as in `me:password@host`.
fn users_without_scheme(line: &str) -> Vec<Range<usize>> {
    let words = line.split(is_word_end).filter(|word| word.contains('@'));
    let user = |word: &str| {
        let at = word.as_ptr() as usize - line.as_ptr() as usize;
        let end = word.rfind('@')?;
        if word[..end].contains(":/") {
            return None;
        }
        let start = word[..end].rfind(['{', ',', '(', '[']).map_or(0, |before| before + 1);
        word[start..end].contains(':').then_some(at + start..at + end)
    };
    words.filter_map(user).collect()
}

fn is_word_end(c: char) -> bool {
    c.is_whitespace() || "\"'`<>".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_address_is_masked_where_it_stands() {
        for (text, shown) in [
            ("url: \"http://me:pw@host/v1\" # x", "url: \"http://*****@host/v1\" # x"),
            ("url: https://me:p@ss/w0rd@h:1", "url: https://************@h:1"),
            ("{url: http://a:b@h, model: m}", "{url: http://***@h, model: m}"),
            ("url: me:pw@host/v1", "url: *****@host/v1"),
            ("{url: me:ü@host}", "{url: *****@host}"),
            ("postgres://me:pw@db/x http://h:80/v1", "postgres://*****@db/x http://h:80/v1"),
            ("mail me@host, at 10:30", "mail me@host, at 10:30"),
            ("http://token@host", "http://*****@host"),
            ("http://host/a@b", "http://host/a@b"),
            ("@ : :@", "@ : *@"),
            // Characters that end a word.
            ("url: http://me:p w@host", "url: http://******@host"),
            ("url: \"http://me:p\\\"w@host\"", "url: \"http://*******@host\""),
            ("url: 'http://me:p''w@host'", "url: 'http://*******@host'"),
            ("url: \"http://me:p'w\" # ask me@host", "url: \"http://me:p'w\" # ask me@host"),
            ("url: http://me:a<b>`c@host", "url: http://*********@host"),
            ("url: http://h:80/v1 # ask me@host", "url: http://h:80/v1 # ask me@host"),
            ("a: http://me:p w@h\nb: c@d", "a: http://******@h\nb: c@d"),
            // Queries.
            ("url: http://h/v1?k=s&v=1 # x", "url: http://h/v1?******* # x"),
            ("{url: http://h/v1?k=s, model: m}", "{url: http://h/v1?***, model: m}"),
            ("{url: \"http://h/v1?k=s\"}", "{url: \"http://h/v1?***\"}"),
            ("url: http://me:p?w@h/?k", "url: http://******@h/?*"),
            ("http://h/? http://h?a", "http://h/? http://h?*"),
            ("why? http://h/v1", "why? http://h/v1"),
        ] {
            assert_eq!(without_passwords(text), shown);
            assert_eq!(text.len(), shown.len());
        }
    }

    #[test]
    fn one_address_is_shown_without_its_secrets() {
        for (address, shown) in [
            ("http://me:pw@host/v1?k=s", "http://*****@host/v1"),
            ("http://me:p w@host/v1", "http://******@host/v1"),
            ("http://me:p\"w'x@host", "http://********@host"),
            ("http://me:p?w@host", "http://******@host"),
            ("http://me:p#w@host", "http://******@host"),
            ("http://me:p\n/w@host", "http://*******@host"),
            ("http://me:a://b@host", "http://********@host"),
            ("me:p w@host/v1", "******@host/v1"),
            ("http://host/v1#k", "http://host/v1"),
            ("ftp://host/a@b", "ftp://host/a@b"),
            ("http://h:1/v1?mail=a@b", "http://*************@b"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(display_wrong_address(address), shown);
        }
    }

    #[test]
    fn the_secrets_of_one_address() {
        assert_eq!(address_secrets("http://me:pw@h/v1?a#b"), [7..12, 18..21]);
        assert_eq!(address_secrets("http://h/v1#b").first(), Some(&(12..13)));
        assert_eq!(address_secrets("me:p w@h").first(), Some(&(0..6)));
        assert!(address_secrets("http://h/v1").is_empty());
    }
}
