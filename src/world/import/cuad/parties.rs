//! Extracts a contract's title and the names of its signatories.

use std::sync::LazyLock;

use regex::Regex;

use super::whitespace;

/// The document's name; if the table has none, the last part of the file name.
pub fn contract_title(answer: &str, file: &str) -> String {
    let title = whitespace::fold_to_spaces(answer);
    if !title.is_empty() {
        return title;
    }
    let stem = file.strip_suffix(".txt").unwrap_or(file);
    whitespace::fold_to_spaces(stem.rsplit(['_', '-']).next().unwrap_or(stem))
}

/// A parenthesis with at most one further level inside, such as `("Hydraspin", collectively (with Water Now) ...)`,
/// or a quoted role whose opening parenthesis is missing.
static PARENTHESIS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\s*\((?:[^()]|\([^()]*\))*\)?|\s*["“][^"”]*["”]\)?"#)
        .expect("the pattern is valid")
});

/// Additions by the authors that are not part of a name.
static NAME_ADDITION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r",? (?:including (?:its|his|her|their) |on behalf of |and (?:its|their) ).*$")
        .expect("the pattern is valid")
});

/// The names in an answer such as `Acme, Inc. ("Acme"); Beta LLC ("Distributor")`.
///
/// Removes roles in parentheses, entries that only summarise earlier ones (`Acme and Beta (together the
/// "Parties")`) and entries that consist of a role only.
pub fn signatory_names(answer: &str) -> Vec<String> {
    let answer = whitespace::fold_to_spaces(answer);
    let mut names: Vec<String> = Vec::new();
    let mut before = String::new();
    for entry in answer.split(';') {
        let name = PARENTHESIS.replace_all(entry, "");
        let name = NAME_ADDITION.replace(name.trim(), "");
        let name = name.trim().trim_start_matches("and ").trim_matches([' ', ',', '"', ')', '”']);
        let gathers = name.contains(" and ")
            && entry.contains("Part")
            && name.split(" and ").all(|part| before.contains(part.trim()));
        let only_a_role = entry.trim_start().starts_with(['"', '“', '(']);
        if !name.is_empty() && !gathers && !only_a_role && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
        before.push_str(entry);
        before.push(' ');
    }
    names
}

/// The company at the start of a file name, such as `AcmeInc` in `AcmeInc_2019_EX-10.1_...`.
pub fn company_in_file_name(file: &str) -> &str {
    let stem = file.strip_suffix(".txt").unwrap_or(file);
    let end = stem.find('_').or_else(|| stem.find(" - ")).unwrap_or(stem.len());
    stem[..end].trim()
}

/// Up to three names and the number of further ones; empty if there are none.
pub fn join_party_names(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, three, rest @ ..] => format!("{one}, {two}, {three} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_roles() {
        assert_eq!(
            signatory_names(
                "WATER NOW, INC.; (\"Water Now\"); Hydraspin USA, Inc. (\"Subsidiary\", with Water Now, \"Hydraspin\"); BESTEV, LLC (\"Distributor\"); Hydraspin and Distributor (“Party” and the “Parties.”)"
            ),
            ["WATER NOW, INC.", "Hydraspin USA, Inc.", "BESTEV, LLC"]
        );
        assert_eq!(
            signatory_names(
                "Xencor, Inc. (\"Xencor\"); Aimmune, Inc. (\"Aimmune\")(\"Party\" and the \"Parties\")"
            ),
            ["Xencor, Inc.", "Aimmune, Inc."]
        );
        assert_eq!(
            signatory_names(
                "IMPCO Inc. including its successors (\"IMPCO\"); DATEC LIMITED) (\"D\"); “Affiliate” and with NCM, \"Party\"; Zebra LLC on behalf of itself and others"
            ),
            ["IMPCO Inc.", "DATEC LIMITED", "Zebra LLC"]
        );
        assert_eq!(signatory_names("(“you” or the “Franchisee\")"), Vec::<String>::new());
    }

    #[test]
    fn title_and_company_fall_back_on_the_file_name() {
        assert_eq!(contract_title("  Strategic  Alliance ", "x.txt"), "Strategic Alliance");
        assert_eq!(company_in_file_name("AcmeInc_2019_EX-10.1_License Agreement.txt"), "AcmeInc");
        assert_eq!(
            company_in_file_name("Antares Pharma, Inc. - Supply.txt"),
            "Antares Pharma, Inc."
        );
        assert_eq!(
            contract_title("", "AcmeInc_2019_EX-10.1_License Agreement.txt"),
            "License Agreement"
        );
    }
}
