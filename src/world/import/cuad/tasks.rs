//! Creates tasks about the contracts for three workflows: a renewal desk, a governing-law router, a consent desk.
//!
//! Gold is listed explicitly: the passages of the contract that contain the located clause. A contract without the
//! clause has no gold, and the step's correct answer is null. A contract is excluded from a workflow if its correct
//! answer is unknown: it has a clause without a readable answer, or an answer without a located clause.

use chrono::{Days, NaiveDate};

use super::answer::CuadAnswer;
use super::imported::{CuadClause, CuadContract, CuadImport};
use super::{parties, passages};
use crate::value::{CalendarPeriod, TypedValue};

/// A CSV file of tasks.
#[derive(Clone, Debug)]
pub struct CuadTaskTable {
    pub name: &'static str,
    pub header: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl CuadTaskTable {
    /// The table as CSV text.
    pub fn csv(&self) -> anyhow::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.header)?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))
    }
}

/// The correct result of a step that reads one clause.
enum CuadExpectedAnswer<'a> {
    /// The clause is located and has this answer.
    Stated(&'a TypedValue),
    /// The contract has no such clause.
    NoClause,
    /// A clause without a readable answer or an answer without a located clause.
    Unknown,
}

fn expected_answer(clause: &CuadClause) -> CuadExpectedAnswer<'_> {
    let nothing =
        matches!(clause.answer, CuadAnswer::Absent | CuadAnswer::Value(TypedValue::YesNo(false)));
    match &clause.answer {
        CuadAnswer::Value(value) if !nothing && !clause.chunks.is_empty() => {
            CuadExpectedAnswer::Stated(value)
        }
        _ if nothing && clause.texts == 0 => CuadExpectedAnswer::NoClause,
        _ => CuadExpectedAnswer::Unknown,
    }
}

fn gold_ids(contract: &CuadContract, clause: &CuadClause) -> String {
    let ids: Vec<String> =
        clause.chunks.keys().map(|&c| passages::passage_id(contract, c)).collect();
    ids.join(";")
}

/// A contract whose expiry date and notice period are both located.
#[derive(Clone, Copy, Debug)]
pub struct CuadRenewalCase<'a> {
    pub contract: &'a CuadContract,
    pub expiry: NaiveDate,
    pub notice: CalendarPeriod,
    /// The last day for giving notice: the expiry date minus the notice period.
    pub deadline: NaiveDate,
    expiry_clause: &'a CuadClause,
    notice_clause: &'a CuadClause,
    renewal_clause: &'a CuadClause,
}

/// The contracts of the renewal desk, in the order of the table.
pub fn renewal_cases(import: &CuadImport) -> Vec<CuadRenewalCase<'_>> {
    let cases = import.contracts.iter().filter_map(|contract| {
        let expiry_clause = import.clause(contract, "Expiration Date")?;
        let notice_clause = import.clause(contract, "Notice Period To Terminate Renewal")?;
        let renewal_clause = import.clause(contract, "Renewal Term")?;
        let CuadExpectedAnswer::Stated(&TypedValue::Date(expiry)) = expected_answer(expiry_clause)
        else {
            return None;
        };
        let CuadExpectedAnswer::Stated(&TypedValue::Duration(notice)) =
            expected_answer(notice_clause)
        else {
            return None;
        };
        // Whether the contract renews follows from the existence of the clause, even if its length is unknown.
        let silent = renewal_clause.texts == 0 && renewal_clause.answer == CuadAnswer::Absent;
        if renewal_clause.chunks.is_empty() && !silent {
            return None;
        }
        let deadline = notice.before(expiry)?;
        Some(CuadRenewalCase {
            contract,
            expiry,
            notice,
            deadline,
            expiry_clause,
            notice_clause,
            renewal_clause,
        })
    });
    cases.collect()
}

/// The days on which the desk reviews a contract, named by their position: well before the 90-day window in which
/// notice is due, just before it, early and late in it, after the deadline, and after the expiry. The distances
/// vary by contract.
fn review_days(renewal: &CuadRenewalCase, contract: u64) -> Vec<(&'static str, NaiveDate)> {
    let &CuadRenewalCase { deadline, expiry, .. } = renewal;
    let left = (expiry - deadline).num_days().max(0) as u64;
    let looks = [
        ("early", days_before(deadline, 150 + contract * 37 % 180)),
        ("before_window", days_before(deadline, 91 + contract * 11 % 30)),
        ("window_opens", days_before(deadline, 90 - contract * 7 % 30)),
        ("last_days", days_before(deadline, contract * 3 % 15)),
        // After the deadline, and no later than the expiry.
        ("too_late", days_before(expiry, left / 2).filter(|&day| day > deadline)),
        ("expired", expiry.checked_add_days(Days::new(1 + contract * 17 % 120))),
    ];
    looks.into_iter().filter_map(|(name, day)| Some((name, day?))).collect()
}

fn days_before(date: NaiveDate, days: u64) -> Option<NaiveDate> {
    date.checked_sub_days(Days::new(days))
}

/// The renewal desk: computes the deadline from expiry date and notice period and decides what to do on a given day.
pub fn renewal_tasks(import: &CuadImport) -> CuadTaskTable {
    let mut rows = Vec::new();
    for (i, renewal) in renewal_cases(import).iter().enumerate() {
        let contract = renewal.contract;
        for (moment, today) in review_days(renewal, i as u64) {
            let mut row = leading_cells(contract, moment);
            row.extend([
                moment.to_owned(),
                today.to_string(),
                gold_ids(contract, renewal.expiry_clause),
                gold_ids(contract, renewal.notice_clause),
                gold_ids(contract, renewal.renewal_clause),
            ]);
            rows.push(row);
        }
    }
    let steps = ["moment", "today", "gold.find_term", "gold.find_notice", "gold.find_renewal"];
    CuadTaskTable { name: "renewal_tasks.csv", header: header(&steps), rows }
}

/// The governing-law router: every contract whose governing law is known or that has no such clause.
pub fn governing_law_tasks(import: &CuadImport) -> CuadTaskTable {
    let mut rows = Vec::new();
    for contract in &import.contracts {
        let Some(clause) = import.clause(contract, "Governing Law") else {
            continue;
        };
        if matches!(expected_answer(clause), CuadExpectedAnswer::Unknown) {
            continue;
        }
        let mut row = leading_cells(contract, "law");
        row.push(gold_ids(contract, clause));
        rows.push(row);
    }
    CuadTaskTable { name: "governing_law_tasks.csv", header: header(&["gold.find_law"]), rows }
}

/// The consent desk: every contract for which change of control and assignment are both known.
pub fn consent_tasks(import: &CuadImport) -> CuadTaskTable {
    let mut rows = Vec::new();
    for contract in &import.contracts {
        let Some(control) = import.clause(contract, "Change Of Control") else {
            continue;
        };
        let Some(assignment) = import.clause(contract, "Anti-Assignment") else {
            continue;
        };
        if [control, assignment]
            .iter()
            .any(|clause| matches!(expected_answer(clause), CuadExpectedAnswer::Unknown))
        {
            continue;
        }
        let mut row = leading_cells(contract, "consent");
        row.extend([gold_ids(contract, control), gold_ids(contract, assignment)]);
        rows.push(row);
    }
    let steps = ["gold.find_control", "gold.find_assignment"];
    CuadTaskTable { name: "consent_tasks.csv", header: header(&steps), rows }
}

fn header(rest: &[&'static str]) -> Vec<&'static str> {
    [&["id", "weight", "contract", "title", "party"], rest].concat()
}

fn leading_cells(contract: &CuadContract, suffix: &str) -> Vec<String> {
    vec![
        format!("{}.{suffix}", contract.entity),
        "1".to_owned(),
        contract.entity.clone(),
        contract.title.clone(),
        parties::join_party_names(&contract.parties),
    ]
}
