//! Clause families, each with several wordings of the same content, from plain to convoluted.
//!
//! Text and facts of a clause are created from the same [`Terms`], so a label cannot contradict its passage.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::prose;
use crate::value::{CalendarPeriod, MoneyAmount, TypedValue};
use crate::world::synth::company_names::TITLES;

/// The subject of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClauseFamily {
    Parties,
    Expiration,
    Renewal,
    Notice,
    Convenience,
    Payment,
    PriceAdjustment,
    Confidentiality,
    LiabilityCap,
    Assignment,
    ChangeOfControl,
    GoverningLaw,
}

impl ClauseFamily {
    /// All clauses, in their order within a contract.
    pub const ALL: [ClauseFamily; 12] = [
        ClauseFamily::Parties,
        ClauseFamily::Expiration,
        ClauseFamily::Renewal,
        ClauseFamily::Notice,
        ClauseFamily::Convenience,
        ClauseFamily::Payment,
        ClauseFamily::PriceAdjustment,
        ClauseFamily::Confidentiality,
        ClauseFamily::LiabilityCap,
        ClauseFamily::Assignment,
        ClauseFamily::ChangeOfControl,
        ClauseFamily::GoverningLaw,
    ];

    /// The passage's `attribute`.
    pub fn attribute(self) -> &'static str {
        match self {
            ClauseFamily::Parties => "parties",
            ClauseFamily::Expiration => "expiration",
            ClauseFamily::Renewal => "renewal",
            ClauseFamily::Notice => "notice",
            ClauseFamily::Convenience => "termination_for_convenience",
            ClauseFamily::Payment => "payment",
            ClauseFamily::PriceAdjustment => "price_adjustment",
            ClauseFamily::Confidentiality => "confidentiality",
            ClauseFamily::LiabilityCap => "liability_cap",
            ClauseFamily::Assignment => "assignment",
            ClauseFamily::ChangeOfControl => "change_of_control",
            ClauseFamily::GoverningLaw => "governing_law",
        }
    }

    /// The clause's heading, for templates with headings.
    pub fn heading(self) -> &'static str {
        match self {
            ClauseFamily::Parties => "Parties",
            ClauseFamily::Expiration => "Term",
            ClauseFamily::Renewal => "Renewal",
            ClauseFamily::Notice => "Notice of Non-Renewal",
            ClauseFamily::Convenience => "Termination for Convenience",
            ClauseFamily::Payment => "Invoicing and Payment",
            ClauseFamily::PriceAdjustment => "Adjustment of Charges",
            ClauseFamily::Confidentiality => "Confidentiality",
            ClauseFamily::LiabilityCap => "Limitation of Liability",
            ClauseFamily::Assignment => "Assignment",
            ClauseFamily::ChangeOfControl => "Change of Control",
            ClauseFamily::GoverningLaw => "Governing Law",
        }
    }

    /// The section number in a template whose first section is number `first`.
    pub fn section(self, first: u32) -> String {
        let (section, part) = match self {
            ClauseFamily::Parties => (0, 1),
            ClauseFamily::Expiration => (1, 1),
            ClauseFamily::Renewal => (1, 2),
            ClauseFamily::Notice => (1, 3),
            ClauseFamily::Convenience => (1, 4),
            ClauseFamily::Payment => (3, 1),
            ClauseFamily::PriceAdjustment => (3, 4),
            ClauseFamily::Confidentiality => (6, 2),
            ClauseFamily::LiabilityCap => (8, 3),
            ClauseFamily::Assignment => (11, 1),
            ClauseFamily::ChangeOfControl => (11, 2),
            ClauseFamily::GoverningLaw => (12, 5),
        };
        format!("{}.{part}", first + section)
    }

    /// Whether every contract has the clause; the others occur in some contracts.
    pub fn is_mandatory(self) -> bool {
        matches!(
            self,
            ClauseFamily::Parties
                | ClauseFamily::Expiration
                | ClauseFamily::Renewal
                | ClauseFamily::Notice
                | ClauseFamily::Payment
                | ClauseFamily::LiabilityCap
                | ClauseFamily::GoverningLaw
        )
    }
}

/// The content of a contract, clause by clause.
#[derive(Clone, Debug)]
pub(super) struct ContractTerms {
    pub reference: String,
    /// The counterparty's full name.
    pub party: String,
    /// The first word of the counterparty's name.
    pub short_name: String,
    pub start: NaiveDate,
    pub term_months: u32,
    pub auto_renews: bool,
    pub renewal_months: u32,
    pub notice: CalendarPeriod,
    pub termination_notice: CalendarPeriod,
    pub payment: CalendarPeriod,
    /// Interest on late payments, in percent per year.
    pub interest: f64,
    pub price_cap: f64,
    pub price_notice: CalendarPeriod,
    pub confidentiality: CalendarPeriod,
    pub liability_cap: MoneyAmount,
    pub assignment_consent: bool,
    pub control_consent: bool,
    /// Index into [`LAWS`].
    pub law: usize,
}

impl ContractTerms {
    /// The last day of the term.
    pub fn expiry(&self) -> NaiveDate {
        let end = CalendarPeriod::months(self.term_months).after(self.start).unwrap_or(self.start);
        end.checked_sub_days(Days::new(1)).unwrap_or(end)
    }
}

/// Governing laws: the wording in clauses, and the value of the fact.
pub(super) const LAWS: [(&str, &str); 10] = [
    ("the State of New York", "New York"),
    ("the State of Delaware", "Delaware"),
    ("the State of California", "California"),
    ("the State of Texas", "Texas"),
    ("England and Wales", "England and Wales"),
    ("the Republic of Ireland", "Ireland"),
    ("the Federal Republic of Germany", "Germany"),
    ("the Netherlands", "Netherlands"),
    ("Singapore", "Singapore"),
    ("the Province of Ontario, Canada", "Ontario"),
];

/// How a template is written; contracts made from the same template share it.
#[derive(Clone, Debug)]
pub(super) struct ContractStyle {
    /// Index into [`TITLES`].
    pub title: usize,
    /// Uniform draws that select the wording of each family, in the order of [`Clause::ALL`].
    pub wording: [f64; ClauseFamily::ALL.len()],
    /// Refer to parties by name ("Brightwater") instead of by role ("the Supplier").
    pub uses_party_names: bool,
    /// Write `March 31, 2026` instead of `31 March 2026`.
    pub american_dates: bool,
    pub headings: bool,
    pub first_section: u32,
}

impl ContractStyle {
    pub fn title(&self) -> &'static str {
        TITLES[self.title].0
    }
}

/// The clause as text. `swapped` exchanges the parties' roles. At difficulty 0 only the two plainest wordings are
/// used, at 1 all of them.
pub(super) fn text(
    clause: ClauseFamily,
    terms: &ContractTerms,
    style: &ContractStyle,
    difficulty: f64,
    swapped: bool,
) -> String {
    let wordings = wordings(clause, terms);
    let pool = 2.0 + ((wordings.len() - 2) as f64 * difficulty).round();
    let draw = style.wording[clause as usize];
    let wording = wordings[((draw * pool) as usize).min(wordings.len() - 1)];

    let (title, role, trade) = TITLES[style.title];
    let (supplier, customer) = if style.uses_party_names {
        (terms.short_name.clone(), "Halden".to_owned())
    } else {
        (format!("the {role}"), "the Customer".to_owned())
    };
    let (s, c) = if swapped { (customer, supplier) } else { (supplier, customer) };
    let (role_word, customer_word) = if style.uses_party_names {
        (terms.short_name.as_str(), "Halden")
    } else {
        (role, "Customer")
    };
    let renewal = CalendarPeriod::months(terms.renewal_months);
    prose::fill_template(
        wording,
        &[
            ("title", title),
            ("trade", trade),
            ("role", role_word),
            ("customer", customer_word),
            ("ref", &terms.reference),
            ("party", &terms.party),
            ("s", &s),
            ("S", &with_capital_article(&s)),
            ("c", &c),
            ("C", &with_capital_article(&c)),
            ("start", &prose::date(terms.start, style.american_dates)),
            ("expiry", &prose::date(terms.expiry(), style.american_dates)),
            ("term", &prose::period(CalendarPeriod::months(terms.term_months))),
            ("renewal", &prose::period(renewal)),
            ("renewal-", &prose::period_adjective(renewal)),
            ("notice", &prose::period(terms.notice)),
            ("convenience", &prose::period(terms.termination_notice)),
            ("payment", &prose::period(terms.payment)),
            ("interest", &format!("{}%", terms.interest)),
            ("price", &format!("{}%", terms.price_cap)),
            ("price notice", &prose::period(terms.price_notice)),
            ("secrecy", &prose::period(terms.confidentiality)),
            ("cap", &prose::money(&terms.liability_cap)),
            ("law", LAWS[terms.law].0),
        ],
    )
}

fn with_capital_article(text: &str) -> String {
    match text.strip_prefix("the ") {
        Some(rest) => format!("The {rest}"),
        None => text.to_owned(),
    }
}

/// The facts that the clause states.
pub(super) fn facts(clause: ClauseFamily, terms: &ContractTerms) -> BTreeMap<String, TypedValue> {
    let facts: Vec<(&str, TypedValue)> = match clause {
        ClauseFamily::Parties => {
            vec![
                ("reference", TypedValue::Text(terms.reference.clone())),
                ("counterparty", TypedValue::Text(terms.party.clone())),
            ]
        }
        ClauseFamily::Expiration => vec![("expiration_date", TypedValue::Date(terms.expiry()))],
        ClauseFamily::Renewal if terms.auto_renews => vec![
            ("auto_renews", TypedValue::YesNo(true)),
            ("renewal_term", TypedValue::Duration(CalendarPeriod::months(terms.renewal_months))),
        ],
        ClauseFamily::Renewal => vec![("auto_renews", TypedValue::YesNo(false))],
        // Three families share the field `notice_period`, so retrieving the wrong one yields a plausible wrong value.
        ClauseFamily::Notice => vec![("notice_period", TypedValue::Duration(terms.notice))],
        ClauseFamily::Convenience => {
            vec![("notice_period", TypedValue::Duration(terms.termination_notice))]
        }
        ClauseFamily::PriceAdjustment => vec![
            ("notice_period", TypedValue::Duration(terms.price_notice)),
            ("price_cap", TypedValue::Percent(terms.price_cap)),
        ],
        ClauseFamily::Payment => vec![
            ("payment_period", TypedValue::Duration(terms.payment)),
            ("late_interest", TypedValue::Percent(terms.interest)),
        ],
        ClauseFamily::Confidentiality => {
            vec![("confidentiality_term", TypedValue::Duration(terms.confidentiality))]
        }
        ClauseFamily::LiabilityCap => {
            vec![("liability_cap", TypedValue::Money(terms.liability_cap.clone()))]
        }
        ClauseFamily::Assignment => {
            vec![("assignment_consent", TypedValue::YesNo(terms.assignment_consent))]
        }
        ClauseFamily::ChangeOfControl => {
            vec![("change_of_control_consent", TypedValue::YesNo(terms.control_consent))]
        }
        ClauseFamily::GoverningLaw => {
            vec![("governing_law", TypedValue::Text(LAWS[terms.law].1.to_owned()))]
        }
    };
    facts.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
}

#[rustfmt::skip] // one wording a line
fn wordings(clause: ClauseFamily, terms: &ContractTerms) -> &'static [&'static str] {
    match clause {
        ClauseFamily::Parties => &[
            "This {title} (reference {ref}) is made on {start} between Halden Group plc (\"{customer}\") and {party} (\"{role}\").",
            "THIS AGREEMENT, entered in the register of contracts of Halden Group plc under the number {ref}, is concluded as of {start} by and between {party} (hereinafter \"{role}\") and the said Halden Group plc (hereinafter \"{customer}\") and is referred to as the {title}.",
            "Halden Group plc (\"{customer}\") and {party} (\"{role}\") agree, with effect from {start}, to the terms of this {title}, which the parties shall cite in all orders, correspondence and invoices as {ref}.",
            "WHEREAS {party} (\"{role}\") is engaged in {trade}, and WHEREAS Halden Group plc (\"{customer}\") wishes to procure the same; NOW, THEREFORE, the parties enter into this instrument, numbered {ref} and effective {start}, upon the terms hereinafter set forth.",
        ],
        ClauseFamily::Expiration => &[
            "This Agreement shall commence on {start} and shall expire on {expiry}, unless terminated earlier in accordance with its terms.",
            "The initial term of this Agreement is {term} from {start}. Accordingly, the initial term ends on {expiry}.",
            "The obligations of the parties hereunder take effect on {start} and, save where this Agreement is sooner determined, continue in full force and effect up to and including {expiry}.",
            "{S} shall perform, and {c} shall accept and pay for, the services throughout the period of {term} beginning on {start}; the last day of that period is {expiry}.",
            "Save as otherwise agreed in writing, all rights and duties arising hereunder, other than those which by their nature survive, lapse at midnight at the close of {expiry}.",
        ],
        ClauseFamily::Renewal if terms.auto_renews => &[
            "Upon expiry of the initial term, this Agreement shall automatically renew for successive periods of {renewal} each, unless {c} gives notice of non-renewal.",
            "This Agreement renews automatically at the end of each term for a further {renewal-} term, on the same terms and conditions, unless notice to the contrary has been given.",
            "Unless {c} elects otherwise, the term shall be extended by {renewal} without any further act of the parties, and so on from term to term.",
            "Where neither the one nor the other party has brought this Agreement to an end, it is deemed to have been prolonged on identical conditions for {renewal}, and thereafter for like periods.",
            "Silence on the part of {c} shall be taken as assent to the continuation of this Agreement for an additional {renewal-} period following the close of the then current one.",
        ],
        ClauseFamily::Renewal => &[
            "This Agreement shall not renew automatically. Any renewal requires a written agreement signed by both parties.",
            "Upon expiry of the initial term, this Agreement ends without notice; there is no automatic renewal.",
            "The term shall be extended only by an instrument in writing executed by {c} and {s}; in no event shall it be extended by conduct or by lapse of time.",
            "Nothing in this Agreement obliges {c} to continue beyond the then current term, and the continued performance by {s} after its close shall not be deemed a prolongation.",
            "Silence on the part of {c} shall not be taken as assent to the continuation of this Agreement following the close of the then current period.",
        ],
        ClauseFamily::Notice if terms.auto_renews => &[
            "{C} may prevent renewal by giving {s} written notice of non-renewal not less than {notice} before the end of the then current term.",
            "Notice of non-renewal is valid only if {c} serves it on {s} in writing at least {notice} prior to the expiration of the current term.",
            "Should {c} not wish the term to be extended, {c} shall so inform {s} by registered letter no later than {notice} before the day on which the term would otherwise end.",
            "An election by {c} to let this Agreement lapse is of no effect unless it has reached {s} {notice} or more ahead of the close of the period then running.",
            "{S} shall treat as binding any communication by which {c} declines a further period, provided that it is received not later than {notice} in advance of the last day of the current one.",
        ],
        ClauseFamily::Notice => &[
            "If {c} wishes to negotiate a renewal, {c} shall give {s} written notice not less than {notice} before the end of the then current term.",
            "A request by {c} to extend the term shall be made in writing at least {notice} prior to the expiration of the current term.",
            "Should {c} wish the term to be extended, {c} shall so inform {s} by registered letter no later than {notice} before the day on which the term ends.",
            "{S} is bound to consider a proposal of {c} for a further period only where it has been received {notice} or more ahead of the close of the period then running.",
        ],
        ClauseFamily::Convenience => &[
            "{C} may terminate this Agreement for convenience at any time by giving {s} not less than {convenience}' prior written notice.",
            "{C} may terminate this Agreement at any time, without cause and without liability, upon at least {convenience}' written notice to {s}.",
            "Irrespective of any breach, {c} is at liberty to bring this Agreement to an end before its natural close, provided that {s} is told of it in writing {convenience} beforehand.",
        ],
        ClauseFamily::Payment => &[
            "{C} shall pay each undisputed invoice within {payment} of receipt. Late payments bear interest at {interest} per annum.",
            "Invoices of {s} are payable within {payment} after the date on which {c} receives them; sums overdue carry interest at the rate of {interest} a year.",
            "{S} may render its account monthly in arrears, and {c} shall discharge it not later than {payment} after delivery, failing which interest accrues at {interest} per annum.",
        ],
        ClauseFamily::PriceAdjustment => &[
            "{S} may increase the charges once in each contract year, by no more than {price}, on {price notice}' written notice to {c}.",
            "Any increase of the charges is limited to {price} a year and takes effect only after {s} has given {c} at least {price notice}' notice in writing.",
            "The rates set out in the schedules may be revised upwards not more than once in any year, within a ceiling of {price}, provided that {c} has been advised {price notice} in advance.",
        ],
        ClauseFamily::Confidentiality => &[
            "Each party shall keep the other's confidential information secret during the term and for {secrecy} after its end.",
            "The receiving party shall not disclose confidential information to any third party. This obligation survives the end of this Agreement for {secrecy}.",
            "Neither party shall, while this Agreement lasts or for {secrecy} thereafter, divulge to any person what it has learned of the other's affairs, save as the law requires.",
        ],
        ClauseFamily::LiabilityCap => &[
            "The total aggregate liability of {s} under or in connection with this Agreement shall not exceed {cap}.",
            "Except for fraud or wilful misconduct, {s} shall not be liable to {c} for more than {cap} in aggregate, whether in contract, tort or otherwise.",
            "In no event shall the sums recoverable from {s} by {c}, on whatever legal ground, surpass {cap} over the life of this Agreement.",
            "{C} acknowledges that the charges reflect the allocation of risk between the parties and accepts that its recourse against {s} ends at {cap}.",
        ],
        ClauseFamily::Assignment if terms.assignment_consent => &[
            "{S} shall not assign this Agreement, in whole or in part, without the prior written consent of {c}.",
            "Any assignment or transfer of this Agreement by {s} requires the prior written consent of {c}.",
            "No right or duty of {s} hereunder may pass to another unless {c} has first agreed thereto in writing.",
        ],
        ClauseFamily::Assignment => &[
            "{S} may assign this Agreement, in whole or in part, without the prior written consent of {c}.",
            "An assignment or transfer of this Agreement by {s} does not require the prior written consent of {c}.",
            "The rights and duties of {s} hereunder may pass to another, whether or not {c} has agreed thereto.",
        ],
        ClauseFamily::ChangeOfControl if terms.control_consent => &[
            "{S} shall obtain the prior written consent of {c} before undergoing a change of control.",
            "A change of control of {s} is deemed an assignment of this Agreement and requires the prior written consent of {c}.",
            "Where more than half of the voting shares in {s} is to pass into other hands, the transaction shall not be completed until {c} has approved it in writing.",
        ],
        ClauseFamily::ChangeOfControl => &[
            "{S} is not required to obtain the consent of {c} before undergoing a change of control.",
            "A change of control of {s} is not deemed an assignment of this Agreement and does not require the consent of {c}.",
            "Where more than half of the voting shares in {s} is to pass into other hands, the transaction may be completed whether or not {c} approves of it.",
        ],
        ClauseFamily::GoverningLaw => &[
            "This Agreement is governed by and construed in accordance with the laws of {law}.",
            "The laws of {law}, without regard to conflict of laws principles, govern this Agreement and any dispute arising out of it.",
            "Any question touching the validity, construction or performance of this instrument shall be determined as the law of {law} provides.",
        ],
    }
}
