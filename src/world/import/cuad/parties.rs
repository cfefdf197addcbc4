//! How a contract is called: its title and the names of those who signed it.

use std::sync::LazyLock;

use regex::Regex;

use super::fold;

/// The document's name; where the table has none, the last part of the file's name.
pub fn title(answer: &str, file: &str) -> String {
    let title = fold::flat(answer);
    if !title.is_empty() {
        return title;
    }
    let stem = file.strip_suffix(".txt").unwrap_or(file);
    fold::flat(stem.rsplit(['_', '-']).next().unwrap_or(stem))
}

/// A parenthesis with at most one inside: `("Hydraspin", collectively (with Water Now) ...)`.
static ASIDE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\s*\((?:[^()]|\([^()]*\))*\)?").expect("the pattern is valid"));

/// The names in an answer such as `Acme, Inc. ("Acme"); Beta LLC ("Distributor")`.
///
/// Roles in parentheses go. So do entries that only gather others (`Acme and Beta
/// (together the "Parties")`) and those that are nothing but a role.
pub fn names(answer: &str) -> Vec<String> {
    let answer = fold::flat(answer);
    let mut names: Vec<String> = Vec::new();
    let mut before = String::new();
    for entry in answer.split(';') {
        let name = ASIDE.replace_all(entry, "");
        let name = name.trim().trim_start_matches("and ").trim_matches([' ', ',', '"']);
        let gathers = name.contains(" and ")
            && entry.contains("Part")
            && name.split(" and ").all(|part| before.contains(part.trim()));
        if !name.is_empty() && !gathers && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
        before.push_str(entry);
        before.push(' ');
    }
    names
}

/// Up to three names and how many more there are; empty where there is none.
pub fn listed(names: &[String]) -> String {
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
            names(
                "WATER NOW, INC.; (\"Water Now\"); Hydraspin USA, Inc. (\"Subsidiary\", with Water Now, \"Hydraspin\"); BESTEV, LLC (\"Distributor\"); Hydraspin and Distributor (“Party” and the “Parties.”)"
            ),
            ["WATER NOW, INC.", "Hydraspin USA, Inc.", "BESTEV, LLC"]
        );
        assert_eq!(
            names(
                "Xencor, Inc. (\"Xencor\"); Aimmune, Inc. (\"Aimmune\")(\"Party\" and the \"Parties\")"
            ),
            ["Xencor, Inc.", "Aimmune, Inc."]
        );
        assert_eq!(names("(“you” or the “Franchisee\")"), Vec::<String>::new());
    }

    #[test]
    fn a_title_falls_back_on_the_file_name() {
        assert_eq!(title("  Strategic  Alliance ", "x.txt"), "Strategic Alliance");
        assert_eq!(title("", "AcmeInc_2019_EX-10.1_License Agreement.txt"), "License Agreement");
    }
}
