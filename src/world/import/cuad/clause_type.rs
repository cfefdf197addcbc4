//! The clause types of CUAD, each with a column of texts, a column with the answer, and a field for the fact.

use crate::value::ValueType;

/// How the answers of a clause type are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CuadAnswerForm {
    /// A name, kept verbatim.
    Name,
    Date,
    Duration,
    /// The law of one jurisdiction.
    Law,
    YesNo,
}

impl CuadAnswerForm {
    /// The type of the facts.
    pub fn value_type(self) -> ValueType {
        match self {
            CuadAnswerForm::Name | CuadAnswerForm::Law => ValueType::Text,
            CuadAnswerForm::Date => ValueType::Date,
            CuadAnswerForm::Duration => ValueType::Duration,
            CuadAnswerForm::YesNo => ValueType::YesNo,
        }
    }
}

/// One of the authors' categories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CuadClauseType {
    /// The name of the column with the texts, such as `Expiration Date`.
    pub name: String,
    /// The field of the facts, such as `expiration_date`.
    pub field: String,
    pub answer_form: CuadAnswerForm,
}

/// The fact that states that a contract renews; every passage of a renewal clause has it.
///
/// The answer to `Renewal Term` is a duration and is missing if the authors could not state one, but the
/// existence of the clause is known even then.
pub const RENEWS: &str = "renews";

impl CuadClauseType {
    /// The clause type of the column `name`: eight have other values, the rest are yes or no.
    pub fn from_column(name: &str) -> CuadClauseType {
        let answer_form = match name {
            "Document Name" | "Parties" => CuadAnswerForm::Name,
            "Agreement Date" | "Effective Date" | "Expiration Date" => CuadAnswerForm::Date,
            "Renewal Term" | "Notice Period To Terminate Renewal" => CuadAnswerForm::Duration,
            "Governing Law" => CuadAnswerForm::Law,
            _ => CuadAnswerForm::YesNo,
        };
        let field = match name {
            "Notice Period To Terminate Renewal" => "notice_period".to_owned(),
            _ => field_name(name),
        };
        CuadClauseType { name: name.to_owned(), field, answer_form }
    }
}

/// Lower case, with one `_` for each run of other characters.
fn field_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_plain_field_names() {
        assert_eq!(CuadClauseType::from_column("Rofr/Rofo/Rofn").field, "rofr_rofo_rofn");
        assert_eq!(
            CuadClauseType::from_column("Anti-Assignment").answer_form,
            CuadAnswerForm::YesNo
        );
        let notice = CuadClauseType::from_column("Notice Period To Terminate Renewal");
        assert_eq!(
            (notice.field.as_str(), notice.answer_form),
            ("notice_period", CuadAnswerForm::Duration)
        );
    }
}
