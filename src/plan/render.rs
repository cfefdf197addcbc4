//! Formats a plan for the terminal: recommendation and table.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{PlanOption, PlanResult};
use crate::report::terminal::money::whole_amount;
use crate::report::uncertainty;
use crate::stats::{ConfidenceInterval, PairedDifference};

/// The most options in the table; the file has all.
const MAX_SHOWN: usize = 12;

/// The order in which to buy, and a table of the best combinations.
pub fn table(planned: &PlanResult) -> String {
    let mut told = String::new();
    let tried = planned.options.iter().filter(|option| option.saved.is_some()).count();
    let first = planned.buying_order.get(1).map(|&at| &planned.options[at]);
    match first {
        None => told.push_str(&format!(
            "Buy nothing: no candidate saves more than it costs ({}).\n",
            planned.candidates.join(", ")
        )),
        Some(first) => {
            let chance = if is_significant(first) { "" } else { " (which may be due to chance)" };
            told.push_str(&format!(
                "Buy first: {}{chance}. {}\n",
                first.name,
                savings(first, tried)
            ));
        }
    }
    // The first pair is the step from nothing to the first purchase, reported above.
    for pair in planned.buying_order.windows(2).skip(1) {
        let (before, after) = (&planned.options[pair[0]], &planned.options[pair[1]]);
        let further = after.chosen.iter().find(|c| !before.chosen.contains(c));
        let name = further.map_or("", |&c| planned.candidates[c].as_str());
        told.push_str(&format!(
            "Then: {name}, for {} more. {}\n",
            whole_amount(before.total() - after.total()),
            savings(after, tried)
        ));
    }
    if planned.buying_order.len() > 2 {
        told.push_str(
            "The order is by expected savings; what each addition saves is not tested.\n",
        );
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header([
        "option",
        "failure",
        "cost a year",
        "loss a year",
        "CVaR 95%",
        "in all",
        "saved a year",
        "95% interval, alone",
        "front",
    ]);
    for option in planned.options.iter().take(MAX_SHOWN) {
        let saved = option.saved.as_ref();
        table.add_row([
            option.name.clone(),
            format!("{:.1}%", 100.0 * option.failure),
            whole_amount(option.cost),
            whole_amount(option.loss),
            whole_amount(option.cvar),
            whole_amount(option.total()),
            saved.map_or_else(
                || "-".to_owned(),
                |of| {
                    format!(
                        "{}{}",
                        whole_amount(of.interval.estimate),
                        uncertainty::significance_mark(of)
                    )
                },
            ),
            saved.map_or_else(|| "-".to_owned(), |of| interval_text(&of.interval, of)),
            front_names(option).to_owned(),
        ]);
    }
    for column in 1..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{told}\n{table}")
}

/// Whether the option's savings are significant after Holm's correction.
fn is_significant(option: &PlanOption) -> bool {
    option.saved.as_ref().is_some_and(|saved| saved.has_verdict() && saved.is_significant())
}

/// What an option saves, with an interval that accounts for its selection as the best of `tried` options.
fn savings(option: &PlanOption, tried: usize) -> String {
    let Some(difference) = &option.saved else {
        return String::new();
    };
    // The plain interval of the best of many is too optimistic, so the simultaneous one is given beside it.
    let sure = match uncertainty::missing_interval_reason(&difference.interval, difference.clusters)
    {
        Some(_) => uncertainty::interval_and_p_value(difference, |_| String::new()),
        None if tried == 1 => {
            uncertainty::interval_and_p_value(difference, |of| interval_text(of, difference))
        }
        None => format!(
            "95% interval {} if it had been the only option tried; {} for all {tried} options together",
            interval_text(&difference.interval, difference),
            interval_text(&difference.simultaneous, difference),
        ),
    };
    format!("Together this saves {} a year ({sure}).", whole_amount(difference.interval.estimate))
}

fn interval_text(of: &ConfidenceInterval, saved: &PairedDifference) -> String {
    match uncertainty::missing_interval_reason(of, saved.clusters) {
        None => format!("{} to {}", whole_amount(of.low), whole_amount(of.high)),
        Some(why) => why.to_owned(),
    }
}

/// Which Pareto fronts an option is on.
fn front_names(option: &PlanOption) -> &'static str {
    match (option.on_front, option.on_tail_front) {
        (true, true) => "mean, tail",
        (true, false) => "mean",
        (false, true) => "tail",
        (false, false) => "",
    }
}

/// Explains the columns, and which combinations were evaluated.
pub fn legend(planned: &PlanResult) -> String {
    let all = planned.options.len();
    // `options` contains the unchanged arm as well, which counts as a row of the table.
    let more = match all.checked_sub(MAX_SHOWN) {
        Some(more) if more > 0 => format!(" {more} more in plan.csv."),
        _ => String::new(),
    };
    let tried = match planned.complete {
        true => format!("All {all} combinations were tried"),
        false => format!(
            "{all} combinations were tried, adding the best candidate each time: another may be \
             better, by at most the remaining loss"
        ),
    };
    let differences = planned.options.iter().filter_map(|option| option.saved.as_ref());
    let marks = uncertainty::legend("the arm as it is", differences);
    let excluded = match planned.excluded {
        0 => String::new(),
        excluded => format!(", {excluded} contradictory ones left out"),
    };
    format!(
        "In {}, of {}. Amounts are of a year with every assumption (volume, amounts, rates) at its stated value. cost: running\n\
         costs and the candidates' own. saved: loss and cost of the arm as it is, less those of the option; the mark tests\n\
         this difference. 95% interval, alone: as if no other option had been tried; the best\n\
         of many looks better than it is.\n{marks}\nfront: nothing costs less and loses less, on average (mean) or in the worst 5% of\n\
         years (tail). {tried}{excluded}.{more}",
        planned.currency, planned.improved_arm
    )
}
