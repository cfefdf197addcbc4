//! The sections of reports/README.md on tables, filled in from the definitions of the tables.

use std::fmt::Write;

use anyhow::ensure;

use super::TypedTable;

/// Fills in a page: the line `<!-- heading: FILE -->` becomes the heading of a table's section and `<!-- columns: FILE
/// -->` the list of its columns.
///
/// # Errors
/// A table without exactly one place for each, and a place for a table that does not exist.
pub fn dictionary_page(template: &str, tables: &[TypedTable]) -> anyhow::Result<String> {
    let mut page = template.to_owned();
    for table in tables {
        let sections = [
            ("heading", format!("## {}: {}", table.file, table.doc)),
            ("columns", column_list(table)),
        ];
        for (what, content) in sections {
            let place = format!("<!-- {what}: {} -->", table.file);
            let places = page.matches(&place).count();
            ensure!(places == 1, "the page has {places} places for the {what} of {}", table.file);
            page = page.replace(&place, &content);
        }
    }
    for what in ["<!-- heading: ", "<!-- columns: "] {
        ensure!(!page.contains(what), "the page has a place `{what}...` for no table");
    }
    Ok(page)
}

/// A Markdown table with one line per column.
fn column_list(table: &TypedTable) -> String {
    let mut list = "| column | unit | meaning |\n|---|---|---|".to_owned();
    for column in &table.columns {
        let unit = column.unit.name(None);
        _ = write!(list, "\n| {} | {unit} | {} |", column.name, column.doc);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::dictionary_page;
    use crate::report::table::{ColumnUnit, TableDefinition, number_column};

    #[test]
    fn every_table_has_one_place_of_each_kind() {
        let doc = "P(failure)";
        let definition = TableDefinition {
            file: "a.csv",
            doc: "one row per arm",
            columns: vec![number_column("p", ColumnUnit::Probability, doc, |p: &f64| Some(*p))],
        };
        let tables = [definition.table(&[])];
        let template = "<!-- heading: a.csv -->\n\nWhy.\n\n<!-- columns: a.csv -->\n";
        assert_eq!(
            dictionary_page(template, &tables).unwrap(),
            "## a.csv: one row per arm\n\nWhy.\n\n| column | unit | meaning |\n|---|---|---|\n\
             | p | probability | P(failure) |\n"
        );
        assert!(dictionary_page("<!-- heading: a.csv -->", &tables).is_err());
        assert!(dictionary_page(&template.repeat(2), &tables).is_err());
        assert!(dictionary_page(&format!("{template}<!-- columns: b.csv -->"), &tables).is_err());
    }
}
