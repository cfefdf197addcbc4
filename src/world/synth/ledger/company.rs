//! Draws the companies that are bought from or sold to, with look-alikes within a family.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::world::synth::company_names::{CompanyName, CompanyNameRegister, FAMILY_SIZE, GOODS};
use crate::world::synth::random_streams::pick;

const TOWNS: [&str; 16] = [
    "Aberdeen",
    "Antwerp",
    "Bremen",
    "Bristol",
    "Cardiff",
    "Cork",
    "Dresden",
    "Ghent",
    "Hull",
    "Leeds",
    "Lyon",
    "Malmo",
    "Porto",
    "Rotterdam",
    "Turin",
    "Utrecht",
];

/// A business partner.
#[derive(Clone, Debug)]
pub(super) struct LedgerCompany {
    name: CompanyName,
    pub town: &'static str,
}

impl LedgerCompany {
    /// The full name, as in the records.
    pub fn name(&self) -> String {
        self.name.full_name(&GOODS)
    }

    /// The name as correspondents shorten it: names that differ only in the legal form become equal.
    pub fn short_name(&self) -> String {
        self.name.without_form(&GOODS)
    }
}

/// Draws companies in order; the others of a family may resemble its first one.
#[derive(Default)]
pub(super) struct CompanyGenerator {
    register: CompanyNameRegister,
    leader: Option<LedgerCompany>,
    count: usize,
}

impl CompanyGenerator {
    /// The next company. The number of values drawn from `rng` depends on the difficulty.
    pub fn next(&mut self, rng: &mut ChaCha8Rng, difficulty: f64) -> LedgerCompany {
        let place = self.count % FAMILY_SIZE;
        self.count += 1;
        let alike = rng.random_bool(0.2 + 0.7 * difficulty) && place > 0;
        let town = pick(rng, &TOWNS);
        // Look-alikes are often in the same town: branches, spin-offs, namesakes in the same trade.
        let near = rng.random_bool(0.5);
        let like = self.leader.as_ref().filter(|_| alike);
        let town = like.filter(|_| near).map_or(town, |leader| leader.town);
        let company = LedgerCompany { name: self.register.name(rng, like.map(|l| &l.name)), town };
        if place == 0 {
            self.leader = Some(company.clone());
        }
        company
    }
}
