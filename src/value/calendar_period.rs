//! Calendar periods: `60 days`, `1 year 6 months`.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

/// A calendar period. Months and days are separate, because a month has no fixed number of days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CalendarPeriod {
    pub months: u32,
    pub days: u32,
}

impl CalendarPeriod {
    pub fn days(days: u32) -> CalendarPeriod {
        CalendarPeriod { months: 0, days }
    }

    pub fn months(months: u32) -> CalendarPeriod {
        CalendarPeriod { months, days: 0 }
    }

    /// `date` plus this period: months first (the day is capped at the last of the month), then days. `None` past the
    /// year 9999.
    pub fn after(self, date: NaiveDate) -> Option<NaiveDate> {
        date.checked_add_months(Months::new(self.months))?
            .checked_add_days(Days::new(self.days.into()))
            // Other years have no YYYY-MM-DD form.
            .filter(|d| (1..=9999).contains(&d.year()))
    }

    /// `date` minus this period: months first, then days. `None` before the year 1.
    pub fn before(self, date: NaiveDate) -> Option<NaiveDate> {
        date.checked_sub_months(Months::new(self.months))?
            .checked_sub_days(Days::new(self.days.into()))
            .filter(|d| (1..=9999).contains(&d.year()))
    }
}

impl fmt::Display for CalendarPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |n: u32, unit: &str| {
            if n > 0 {
                parts.push(format!("{n} {unit}{}", if n == 1 { "" } else { "s" }));
            }
        };
        part(self.months / 12, "year");
        part(self.months % 12, "month");
        part(self.days, "day");
        if parts.is_empty() {
            return f.write_str("0 days");
        }
        f.write_str(&parts.join(" "))
    }
}

impl FromStr for CalendarPeriod {
    type Err = ();

    fn from_str(text: &str) -> Result<CalendarPeriod, ()> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err(());
        }
        let mut period = CalendarPeriod::default();
        for pair in words.chunks(2) {
            let n: u32 = pair[0].parse().map_err(|_| ())?;
            let (field, times) = match pair[1] {
                "day" | "days" => (&mut period.days, 1),
                "week" | "weeks" => (&mut period.days, 7),
                "month" | "months" => (&mut period.months, 1),
                "year" | "years" => (&mut period.months, 12),
                _ => return Err(()),
            };
            *field = n.checked_mul(times).and_then(|n| field.checked_add(n)).ok_or(())?;
        }
        Ok(period)
    }
}

impl Serialize for CalendarPeriod {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CalendarPeriod {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| {
            serde::de::Error::custom(format!(
                "'{text}' is not a duration; allowed: counts of days, weeks, months or years, such as '60 days'"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_keep_months_and_days_apart() {
        let period: CalendarPeriod = "1 year 6 months 2 weeks".parse().unwrap();
        assert_eq!(period, CalendarPeriod { months: 18, days: 14 });
        assert_eq!(period.to_string(), "1 year 6 months 14 days");
        assert_eq!("12 months".parse::<CalendarPeriod>(), "1 year".parse());
        assert_ne!("180 days".parse::<CalendarPeriod>(), "6 months".parse());
    }

    #[test]
    fn a_month_before_the_31st_is_cut_to_the_months_last_day() {
        let end_of_march = NaiveDate::from_ymd_opt(2023, 3, 31).unwrap();
        let before = CalendarPeriod::months(1).before(end_of_march).unwrap();
        assert_eq!(before, NaiveDate::from_ymd_opt(2023, 2, 28).unwrap());
    }
}
