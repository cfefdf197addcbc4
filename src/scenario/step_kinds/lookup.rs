//! Lookup steps: a column of a table, by key.

use super::super::file::LookupEntry;
use super::super::pipeline::PipelineStepKind;
use super::super::resolve::{ScenarioData, ScenarioResolver};
use crate::expr::ExpressionScope;
use crate::value::ValueType;

impl ScenarioResolver<'_> {
    /// Resolves a lookup step.
    pub fn lookup(
        &mut self,
        entry: &LookupEntry,
        world: &ScenarioData,
        scope: &ExpressionScope,
    ) -> Option<(PipelineStepKind, ValueType)> {
        // Checked before the names, so that one run reports mistakes in both.
        let key = self.expr(&entry.key, scope, None);
        let table =
            self.resolve_name("table", "unknown-table", &entry.table, &world.table_names)?;
        let columns = &world.tables[table].as_ref()?.columns;
        let names: Vec<String> = columns.keys().cloned().collect();
        self.resolve_name("column", "unknown-column", &entry.column, &names)?;
        let column = entry.column.value.clone();
        let ty = columns[&column];
        Some((PipelineStepKind::Lookup { table, key: key?, column }, ty))
    }
}
