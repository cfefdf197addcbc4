//! Checks of function calls: name, arguments, and arguments that are literals.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue};

use super::TypeChecker;
use super::inferred_type::InferredType;
use crate::expr::foreign_syntax;
use crate::expr::functions::{FunctionSignature, SIGNATURES};
use crate::expr::suggestions::suggest;
use crate::value::TypedValue;

impl TypeChecker<'_> {
    /// The type of what a function returns.
    pub(super) fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<InferredType> {
        let name = call.func_name.as_str();
        let target = call.target.as_ref().map(|target| self.infer(target));
        // All arguments are checked before the name, so that an unknown function hides no other fault.
        let args: Vec<Option<InferredType>> = call.args.iter().map(|arg| self.infer(arg)).collect();
        let named: Vec<&FunctionSignature> = SIGNATURES
            .iter()
            .filter(|s| s.name == name && s.receiver.is_some() == target.is_some())
            .collect();
        if named.is_empty() {
            let other = SIGNATURES.iter().find(|s| s.name == name);
            let names = SIGNATURES.iter().filter(|s| s.receiver.is_some() == target.is_some());
            let mut names: Vec<&str> = names.map(|s| s.name).collect();
            names.dedup();
            let help = match other {
                Some(s) => Some(format!("it is written {}", format_signature(s))),
                None => foreign_syntax::function_equivalent(name)
                    .map(|write| format!("write `{write}`"))
                    .or_else(|| suggest(name, names.iter().copied())),
            };
            let message = format!("there is no function `{name}`");
            self.fault(
                "unknown-function",
                node,
                message,
                format!("there are {}", names.join(", ")),
                help,
            );
            return None;
        }
        let target = match target {
            Some(ty) => Some(ty?),
            None => None,
        };
        let args: Vec<InferredType> = args.into_iter().collect::<Option<_>>()?;
        let fitting = named.iter().find(|s| {
            s.receiver.is_none_or(|on| target.as_ref().is_some_and(|ty| ty.is(on)))
                && s.parameters.len() == args.len()
                && s.parameters.iter().zip(&args).all(|(takes, ty)| ty.is(*takes))
        });
        let Some(signature) = fitting else {
            let forms: Vec<String> = named.iter().map(|s| format_signature(s)).collect();
            let found: Vec<String> = args.iter().map(InferredType::to_string).collect();
            let found = match &target {
                Some(ty) => format!("{ty}.{name}({})", found.join(", ")),
                None => format!("{name}({})", found.join(", ")),
            };
            let message = format!("`{name}` is written {}; here it is {found}", forms.join(" or "));
            self.fault("type-error", node, message, format!("this is {found}"), None);
            return None;
        };
        self.check_literal(call, signature);
        self.check_pattern(call);
        Some(InferredType::Is(signature.returns))
    }

    /// Compiles a literal pattern, so that an invalid one is reported now.
    fn check_pattern(&mut self, call: &CallExpr) {
        let ("matches", Some(arg)) = (call.func_name.as_str(), call.args.first()) else {
            return;
        };
        let Node::Literal(LiteralValue::String(text)) = &arg.expr else {
            return;
        };
        if let Err(error) = regex::Regex::new(text.inner()) {
            let reason = error.to_string();
            // The lines before show the pattern with a marker, which the report does itself.
            let reason = reason.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            let message = format!("`{}` is not a regular expression", text.inner());
            self.fault("bad-pattern", arg, message, reason, None);
        }
    }

    /// Parses a literal date or duration, so that an invalid one is reported now.
    fn check_literal(&mut self, call: &CallExpr, signature: &FunctionSignature) {
        let (Some(arg), "date" | "duration") = (call.args.first(), signature.name) else {
            return;
        };
        let Node::Literal(LiteralValue::String(text)) = &arg.expr else {
            return;
        };
        if let Err(error) = TypedValue::parse(signature.returns, text.inner()) {
            let code = if signature.name == "date" { "bad-date" } else { "bad-duration" };
            let message = format!("`{}` is not a {}", error.found, error.wanted);
            let unit = error.found.split_whitespace().find_map(|word| {
                suggest(word, ["day", "days", "week", "weeks", "month", "months", "year", "years"])
            });
            let help = unit.filter(|_| signature.name == "duration");
            self.fault(code, arg, message, format!("allowed: {}", error.allowed), help);
        }
    }
}

/// A signature as shown in messages: `date.plus(duration)`.
fn format_signature(signature: &FunctionSignature) -> String {
    let takes: Vec<&str> = signature.parameters.iter().map(|ty| ty.name()).collect();
    let on = signature.receiver.map(|ty| format!("{ty}.")).unwrap_or_default();
    format!("{on}{}({})", signature.name, takes.join(", "))
}
