//! What an import holds: contracts with their clauses, and findings.

use std::collections::BTreeMap;
use std::ops::Range;

use super::answer::CuadAnswer;
use super::clause_type::CuadClauseType;
use super::finding::CuadFinding;

/// A contract with its clauses located.
#[derive(Clone, Debug)]
pub struct CuadContract {
    /// A short id that depends only on the file name, such as `ipassinc-3f09a1`.
    pub entity: String,
    /// The name of the text file.
    pub file: String,
    /// The document's name, such as `RESELLER AGREEMENT`.
    pub title: String,
    /// The names of the signatories, without their roles; if the table has none, the company after which the file
    /// is named.
    pub parties: Vec<String>,
    /// The text with its white space folded.
    pub text: String,
    /// Byte ranges of `text`, in order and without gaps.
    pub chunks: Vec<Range<usize>>,
    /// One per clause type, in the order of the table's columns.
    pub clauses: Vec<CuadClause>,
}

/// What a contract says about one clause type.
#[derive(Clone, Debug)]
pub struct CuadClause {
    /// Number of clause texts in the table.
    pub texts: usize,
    /// Number of clause texts of which every part was found.
    pub located: usize,
    pub answer: CuadAnswer,
    /// Chunk -> number of bytes of the clause in it.
    pub chunks: BTreeMap<usize, usize>,
}

/// An imported folder.
#[derive(Clone, Debug)]
pub struct CuadImport {
    pub types: Vec<CuadClauseType>,
    /// In the order of the table. Contracts without a text on disk are left out and reported in `findings`.
    pub contracts: Vec<CuadContract>,
    pub findings: Vec<CuadFinding>,
}

impl CuadImport {
    /// The clause of `contract` for the column `name`, if the table has that column.
    pub fn clause<'a>(&self, contract: &'a CuadContract, name: &str) -> Option<&'a CuadClause> {
        let at = self.types.iter().position(|ty| ty.name == name)?;
        contract.clauses.get(at)
    }
}
