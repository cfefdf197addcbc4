//! Draws the articles that are ordered, received, billed and quoted, and describes them in the catalogue's words or in
//! those of people who do not use it.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Singular, as in the catalogue, and plural.
const NOUNS: [(&str, &str); 24] = [
    ("hex bolt", "hex bolts"),
    ("cap screw", "cap screws"),
    ("flat washer", "flat washers"),
    ("lock nut", "lock nuts"),
    ("threaded rod", "threaded rods"),
    ("ball valve", "ball valves"),
    ("gate valve", "gate valves"),
    ("check valve", "check valves"),
    ("pipe clamp", "pipe clamps"),
    ("hose coupling", "hose couplings"),
    ("pipe elbow", "pipe elbows"),
    ("reducing tee", "reducing tees"),
    ("cable gland", "cable glands"),
    ("ball bearing", "ball bearings"),
    ("bearing housing", "bearing housings"),
    ("shaft collar", "shaft collars"),
    ("flange gasket", "flange gaskets"),
    ("spring pin", "spring pins"),
    ("butt hinge", "butt hinges"),
    ("angle bracket", "angle brackets"),
    ("drawer slide", "drawer slides"),
    ("filter cartridge", "filter cartridges"),
    ("pressure gauge", "pressure gauges"),
    ("solenoid valve", "solenoid valves"),
];
const SIZES: [u32; 14] = [5, 6, 8, 10, 12, 16, 20, 25, 32, 40, 50, 65, 80, 100];
const MATERIALS: [&str; 8] = [
    "stainless steel",
    "carbon steel",
    "galvanised steel",
    "brass",
    "bronze",
    "aluminium",
    "nylon",
    "PVC",
];
const GRADES: [&str; 6] =
    ["heavy duty", "light duty", "food safe", "marine", "high temperature", "general purpose"];

/// An article as indices of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LedgerArticle {
    noun: usize,
    size: usize,
    material: usize,
    grade: usize,
}

impl LedgerArticle {
    pub fn random(rng: &mut ChaCha8Rng) -> LedgerArticle {
        LedgerArticle {
            noun: rng.random_range(0..NOUNS.len()),
            size: rng.random_range(0..SIZES.len()),
            material: rng.random_range(0..MATERIALS.len()),
            grade: rng.random_range(0..GRADES.len()),
        }
    }

    /// This article in another size, material or grade.
    pub fn similar(self, rng: &mut ChaCha8Rng) -> LedgerArticle {
        let other = LedgerArticle::random(rng);
        match rng.random_range(0..4) {
            0 | 1 => LedgerArticle { size: other.size, ..self },
            2 => LedgerArticle { material: other.material, ..self },
            _ => LedgerArticle { grade: other.grade, ..self },
        }
    }

    /// The catalogue's description: `ball valve, 25 mm, brass, marine`.
    pub fn catalogue_text(self) -> String {
        let (noun, size) = (NOUNS[self.noun].0, SIZES[self.size]);
        format!("{noun}, {size} mm, {}, {}", MATERIALS[self.material], GRADES[self.grade])
    }

    /// The description of somebody without the catalogue: `marine ball valves brass 25mm`.
    pub fn informal_text(self) -> String {
        let (noun, size) = (NOUNS[self.noun].1, SIZES[self.size]);
        format!("{} {noun} {} {size}mm", GRADES[self.grade], MATERIALS[self.material])
    }
}

/// The articles used so far, each once. It must be called in order, so that an article depends only on earlier ones.
#[derive(Default)]
pub(super) struct ArticleCatalogue(BTreeSet<LedgerArticle>);

impl ArticleCatalogue {
    /// An article that is not listed yet; similar to `like` if given.
    pub fn article(&mut self, rng: &mut ChaCha8Rng, like: Option<LedgerArticle>) -> LedgerArticle {
        // All neighbours may be in use, so fall back to an unrelated article after some attempts. There are 16,128
        // articles, more than are ever requested.
        for attempt in 0.. {
            let article = match like {
                Some(like) if attempt < 32 => like.similar(rng),
                _ => LedgerArticle::random(rng),
            };
            if self.0.insert(article) {
                return article;
            }
        }
        unreachable!("MAX_NAMES is below the number of articles")
    }
}
