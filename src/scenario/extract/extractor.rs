//! The settings of an extractor: which of them its type has and needs, and what they describe.

use super::super::diagnostics::Diagnostic;
use super::super::file::{DayOrderEntry, DecimalEntry, ExtractEntry, ExtractTypeEntry};
use super::super::node::YamlNode;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use super::phrases::yes_or_no;
use crate::expr::suggest;
use crate::extract::date::DayMonthOrder;
use crate::extract::number::DecimalSeparator;
use crate::extract::phrase::CuePhrase;
use crate::extract::{ExtractorKind, ValueExtractor, currency, field_cues, renewal};
use crate::value::{TypedValue, ValueType};

impl ExtractTypeEntry {
    /// The name in the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            ExtractTypeEntry::Date => "date",
            ExtractTypeEntry::Duration => "duration",
            ExtractTypeEntry::Money => "money",
            ExtractTypeEntry::Percent => "percent",
            ExtractTypeEntry::Number => "number",
            ExtractTypeEntry::YesNo => "yes_no",
            ExtractTypeEntry::Choice => "choice",
            ExtractTypeEntry::Party => "party",
            ExtractTypeEntry::Jurisdiction => "jurisdiction",
            ExtractTypeEntry::Regex => "regex",
        }
    }
}

impl ScenarioResolver<'_> {
    /// The extractor that `at` describes for a field. Returns `None` after reporting every mistake in it.
    pub fn extractor(&mut self, at: &Spanned<ExtractEntry>, field: &str) -> Option<ValueExtractor> {
        let before = self.mistakes.len();
        self.check_extract_settings(at, field);
        let entry = &at.value;
        let near = entry.near.as_ref().map(|near| self.phrases("near", near));
        let near: Option<Vec<CuePhrase>> =
            near.map(|near| near.into_iter().map(|(_, phrase)| phrase).collect());
        let decimal = entry.decimal.as_ref().map(|at| match at.value {
            DecimalEntry::Point => DecimalSeparator::Point,
            DecimalEntry::Comma => DecimalSeparator::Comma,
        });
        let order = entry.day_order.as_ref().map(|at| match at.value {
            DayOrderEntry::DayFirst => DayMonthOrder::DayFirst,
            DayOrderEntry::MonthFirst => DayMonthOrder::MonthFirst,
        });
        let currency = entry.currency.as_ref().map(|at| {
            if !currency::is_code(&at.value) {
                let message = format!("there is no currency `{}`", at.value);
                self.mistakes.push(
                    Diagnostic::new("not-allowed", at.span.clone(), message)
                        .label("a code of three capital letters is expected here, such as USD")
                        .help(suggest(&at.value, currency::codes())),
                );
            }
            at.value.clone()
        });
        let value_kind = |ty: ValueType| match ty {
            ValueType::Text => ExtractorKind::Text,
            ValueType::Number => ExtractorKind::Number(decimal),
            ValueType::YesNo => ExtractorKind::Phrases(yes_or_no()),
            ValueType::Date => ExtractorKind::Date(order),
            ValueType::Duration => ExtractorKind::Duration,
            ValueType::Money => ExtractorKind::Money { decimal, currency: currency.clone() },
            ValueType::Percent => ExtractorKind::Percent(decimal),
        };
        let (ty, kind) = match entry.kind {
            ExtractTypeEntry::Date => (ValueType::Date, value_kind(ValueType::Date)),
            ExtractTypeEntry::Duration => (ValueType::Duration, value_kind(ValueType::Duration)),
            ExtractTypeEntry::Money => (ValueType::Money, value_kind(ValueType::Money)),
            ExtractTypeEntry::Percent => (ValueType::Percent, value_kind(ValueType::Percent)),
            ExtractTypeEntry::Number => (ValueType::Number, value_kind(ValueType::Number)),
            ExtractTypeEntry::Party => (ValueType::Text, ExtractorKind::Party),
            ExtractTypeEntry::Jurisdiction => (ValueType::Text, ExtractorKind::Jurisdiction),
            ExtractTypeEntry::YesNo if entry.yes.is_none() && entry.no.is_none() => {
                (ValueType::YesNo, ExtractorKind::Phrases(renewal::meanings()))
            }
            ExtractTypeEntry::YesNo => {
                let lists = [(&entry.yes, "yes", true), (&entry.no, "no", false)];
                let lists = lists.into_iter().filter_map(|(list, name, value)| {
                    Some((name, list.as_ref()?, TypedValue::YesNo(value)))
                });
                (ValueType::YesNo, ExtractorKind::Phrases(self.meanings(lists.collect())))
            }
            ExtractTypeEntry::Choice => {
                let choices = entry.choices.as_ref().map_or(&[][..], |at| &at.value.0);
                let lists = choices.iter().map(|(label, list)| {
                    (label.value.as_str(), list, TypedValue::Text(label.value.clone()))
                });
                (ValueType::Text, ExtractorKind::Phrases(self.meanings(lists.collect())))
            }
            ExtractTypeEntry::Regex => {
                let pattern = entry.pattern.as_ref().and_then(|at| self.pattern(at));
                let ty = entry.group.as_ref().map(|at| at.value);
                if self.mistakes.len() > before {
                    return None;
                }
                (ty?, ExtractorKind::Pattern(pattern?, Box::new(value_kind(ty?))))
            }
        };
        // A pattern itself determines where the value is, so it has no default cues.
        let near = near.unwrap_or_else(|| match entry.kind {
            ExtractTypeEntry::Regex => Vec::new(),
            _ => field_cues::cues(ty, field),
        });
        (self.mistakes.len() == before).then_some(ValueExtractor { ty, kind, cues: near })
    }

    /// Whether the file has an `extract` next to this `field`, valid or not.
    pub fn has_extract(&self, field: &Spanned<String>) -> bool {
        let steps = self.tree.get("steps").map_or(&[][..], |steps| steps.items());
        let mut reads = steps.iter().filter_map(|step| step.get("read"));
        let here = |read: &&YamlNode| read.get("field").is_some_and(|node| node.span == field.span);
        reads.find(here).is_some_and(|read| read.get("extract").is_some())
    }

    /// Reports settings that the extractor's type does not have, and those that it needs and lacks.
    fn check_extract_settings(&mut self, at: &Spanned<ExtractEntry>, field: &str) {
        use ExtractTypeEntry::*;
        let entry = &at.value;
        let group = entry.group.as_ref().map(|at| at.value);
        let is = |kinds: &[ExtractTypeEntry]| kinds.contains(&entry.kind);
        let holds =
            |types: &[ValueType]| is(&[Regex]) && group.is_some_and(|ty| types.contains(&ty));
        let numbers = holds(&[ValueType::Number, ValueType::Percent, ValueType::Money]);
        // For a renewal field the phrases have defaults.
        let lists = !field_cues::is_renewal(field) || entry.yes.is_some() || entry.no.is_some();
        // Setting, span, whether the type has it, whether the type requires it.
        let settings = [
            ("near", entry.near.as_ref().map(|at| &at.span), true, false),
            (
                "day_order",
                entry.day_order.as_ref().map(|at| &at.span),
                is(&[Date]) || holds(&[ValueType::Date]),
                false,
            ),
            (
                "decimal",
                entry.decimal.as_ref().map(|at| &at.span),
                is(&[Money, Percent, Number]) || numbers,
                false,
            ),
            (
                "currency",
                entry.currency.as_ref().map(|at| &at.span),
                is(&[Money]) || holds(&[ValueType::Money]),
                false,
            ),
            ("yes", entry.yes.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("no", entry.no.as_ref().map(|at| &at.span), is(&[YesNo]), lists),
            ("choices", entry.choices.as_ref().map(|at| &at.span), is(&[Choice]), true),
            ("pattern", entry.pattern.as_ref().map(|at| &at.span), is(&[Regex]), true),
            ("as", entry.group.as_ref().map(|at| &at.span), is(&[Regex]), true),
        ];
        let name = entry.kind.name();
        let spoilt = self.has_mistake_in(&at.span);
        for (setting, span, has, needed) in settings {
            match span {
                Some(span) if !has && !spoilt => {
                    let takes: Vec<&str> =
                        settings.iter().filter(|(_, _, has, _)| *has).map(|(s, ..)| *s).collect();
                    let message = format!("an extractor of type {name} has no `{setting}`");
                    self.mistakes.push(
                        Diagnostic::new("setting-unused", span.clone(), message)
                            .label(format!("{name} takes {}", takes.join(", "))),
                    );
                }
                None if has && needed && !spoilt => {
                    let message = format!("an extractor of type {name} needs `{setting}`");
                    let start = at.span.start..at.span.start;
                    self.mistakes.push(
                        Diagnostic::new("missing-key", start, message)
                            .label(format!("`{setting}` is missing")),
                    );
                }
                _ => {}
            }
        }
        let choices = entry.choices.as_ref().filter(|at| at.value.0.is_empty());
        if let Some(empty) = choices.filter(|at| !self.has_mistake_in(&at.span)) {
            self.mistakes.push(
                Diagnostic::new("empty-value", empty.span.clone(), "`choices` is empty")
                    .label("at least one value with its phrases is expected here"),
            );
        }
    }
}
