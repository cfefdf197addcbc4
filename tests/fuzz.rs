//! Mutated inputs of every format that knockon reads: none causes a panic or takes long. The unchanged seeds are tried
//! first. Mutations are the same on every run; $KNOCKON_FUZZ_SECONDS sets the time for each format, and
//! $KNOCKON_FUZZ_FORMAT selects a single format.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use targets::{TARGETS, Target};

/// An input that takes longer counts as a hang.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Tokens of text and binary formats, and numbers at the limits of their ranges.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b"'",
    b",",
    b";",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"{{",
    b"}}",
    b":",
    b"- ",
    b"&a ",
    b"*a",
    b"<<",
    b"null",
    b"true",
    b"NaN",
    b"inf",
    b"-",
    b"1e308",
    b"1e999",
    b"-0",
    b"18446744073709551615",
    b"9223372036854775808",
    b"0.1",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc2\xa0",
    b"\xe2\x80\x91",
    b"\xff",
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\x80",
    b"\xf0\x9f\x98\x80",
];

fn mutate(seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..24)).min(bytes.len());
        match rng.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let word = WORDS[rng.random_range(0..WORDS.len())];
                bytes.splice(at..end.min(at + 1), word.iter().copied());
            }
            3 => {
                let part: Vec<u8> = bytes[at..end].to_vec();
                let copies = 1 << rng.random_range(0..6);
                bytes.splice(at..at, part.repeat(copies));
            }
            4 => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let from = rng.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ if at < bytes.len() => bytes[at] = rng.random_range(0..=u8::MAX),
            _ => {}
        }
    }
    bytes
}

/// Tries one input; the error describes what is wrong with the reader.
fn attempt(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let start = Instant::now();
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    let took = start.elapsed();
    if result.is_ok() && took < TOO_LONG {
        return Ok(());
    }
    let what = if result.is_err() { "panics".to_owned() } else { format!("takes {took:?}") };
    let file =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
    std::fs::write(&file, bytes).unwrap();
    Err(format!("{} {what} on {} bytes, kept in {}", target.name, bytes.len(), file.display()))
}

/// Tries the seeds of a target, then mutations of them for this long; returns a summary, or what is wrong.
fn try_target(target: &Target, seconds: f64) -> Result<String, String> {
    let seeds = (target.seeds)();
    for seed in &seeds {
        attempt(target, seed)?;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (start, mut tried) = (Instant::now(), 0);
    while start.elapsed().as_secs_f64() < seconds {
        attempt(target, &mutate(&seeds, &mut rng))?;
        tried += 1;
    }
    Ok(format!("{}: {} seeds, {tried} mutations", target.name, seeds.len()))
}

#[test]
fn no_input_of_any_format_panics_or_hangs() {
    let seconds: f64 =
        std::env::var("KNOCKON_FUZZ_SECONDS").map_or(0.3, |seconds| seconds.parse().unwrap());
    let only = std::env::var("KNOCKON_FUZZ_FORMAT").ok();
    let targets: Vec<&Target> =
        TARGETS.iter().filter(|t| only.as_deref().is_none_or(|only| t.name == only)).collect();
    assert!(!targets.is_empty(), "$KNOCKON_FUZZ_FORMAT names none of the formats");
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, Into::into);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                // A separate pool: a thread of the shared one may take up the work of another test while it waits, and
                // that time would count towards this input.
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = pool.install(|| try_target(target, seconds));
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    let (mut tried, mut wrong) = (Vec::new(), Vec::new());
    for result in results.into_inner().unwrap() {
        result.map_or_else(|message| wrong.push(message), |line| tried.push(line));
    }
    println!("{}", tried.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The names used by `cargo fuzz` are those of the list.
#[test]
fn every_format_has_a_cargo_fuzz_target() {
    let manifest = std::fs::read_to_string("fuzz/Cargo.toml").unwrap();
    for target in TARGETS {
        let file = format!("fuzz/fuzz_targets/{}.rs", target.name);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(&format!("\"{}\"", target.name)), "{file}");
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
    }
}
