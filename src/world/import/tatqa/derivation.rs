//! Parses and evaluates derivations: the arithmetic that leads from the figures to an answer.

/// A derivation as an expression tree.
#[derive(Clone, Debug, PartialEq)]
pub enum DerivationTree {
    /// `+`, `-`, `*` or `/`.
    Op(char, Box<DerivationTree>, Box<DerivationTree>),
    /// An index into the derivation's operands, which are in order of first use.
    Operand(usize),
    Constant(f64),
}

/// A derivation and the figures that it uses.
#[derive(Clone, Debug, PartialEq)]
pub struct TatqaDerivation {
    pub tree: DerivationTree,
    /// For each operand the index of the question's fact, and its value as written in the derivation.
    pub operands: Vec<(usize, f64)>,
}

/// The two-operand derivations that a scenario can compute: name, formula, and normal forms of such derivations.
pub const SHAPES: [(&str, &str, &[&str]); 7] = [
    ("difference", "a - b", &["(a-b)"]),
    ("percent_change", "(a - b) / b * 100", &["(((a-b)/b)*100)", "(((a/b)-1)*100)"]),
    ("average", "(a + b) / 2", &["((a+b)/2)"]),
    ("share", "a / b * 100", &["((a/b)*100)"]),
    ("sum", "a + b", &["(a+b)"]),
    ("point_change", "(a - b) * 100", &["((a-b)*100)"]),
    ("ratio", "a / b", &["(a/b)"]),
];

impl TatqaDerivation {
    /// Parses a derivation in prefix order; a leaf that is one of `facts` becomes an operand.
    pub fn new(tokens: &[String], facts: &[String]) -> Result<TatqaDerivation, String> {
        let mut operands = Vec::new();
        let mut tokens = tokens.iter();
        let tree = parse_tree(&mut tokens, facts, &mut operands, 0)?;
        match tokens.next() {
            None => Ok(TatqaDerivation { tree, operands }),
            Some(token) => Err(format!("the derivation continues with '{token}' after its end")),
        }
    }

    /// The answer for the operands' `values`; `None` if it is not a finite number.
    pub fn eval(&self, values: &[f64]) -> Option<f64> {
        self.tree.eval(values).filter(|v| v.is_finite())
    }

    /// The name of the derivation's shape, if it is one of [`SHAPES`].
    pub fn shape(&self) -> Option<&'static str> {
        let written = self.formula();
        SHAPES
            .iter()
            .find(|(_, _, forms)| forms.contains(&written.as_str()))
            .map(|(name, ..)| *name)
    }

    /// The formula with letters for operands, such as `(((a-b)/b)*100)`.
    pub fn formula(&self) -> String {
        self.tree.formula()
    }
}

impl DerivationTree {
    fn eval(&self, values: &[f64]) -> Option<f64> {
        Some(match self {
            DerivationTree::Constant(value) => *value,
            DerivationTree::Operand(at) => *values.get(*at)?,
            DerivationTree::Op(op, left, right) => {
                let (left, right) = (left.eval(values)?, right.eval(values)?);
                match op {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                }
            }
        })
    }

    fn formula(&self) -> String {
        match self {
            DerivationTree::Constant(value) => value.to_string(),
            DerivationTree::Operand(at) => match u8::try_from(*at) {
                Ok(at @ 0..26) => char::from(b'a' + at).to_string(),
                _ => format!("x{at}"),
            },
            DerivationTree::Op(op, left, right) => {
                format!("({}{op}{})", left.formula(), right.formula())
            }
        }
    }
}

fn parse_tree<'a>(
    tokens: &mut impl Iterator<Item = &'a String>,
    facts: &[String],
    operands: &mut Vec<(usize, f64)>,
    depth: usize,
) -> Result<DerivationTree, String> {
    // Deeper than any real derivation, and shallow enough for the recursion.
    const DEEPEST: usize = 100;
    if depth > DEEPEST {
        return Err("the derivation is nested too deeply".to_owned());
    }
    let token = tokens.next().ok_or("the derivation stops too early")?;
    if let op @ ("+" | "-" | "*" | "/") = token.as_str() {
        let left = parse_tree(tokens, facts, operands, depth + 1)?;
        let right = parse_tree(tokens, facts, operands, depth + 1)?;
        let op = op.chars().next().unwrap_or('+');
        return Ok(DerivationTree::Op(op, Box::new(left), Box::new(right)));
    }
    let value = leaf_value(token).ok_or_else(|| format!("'{token}' is not a number"))?;
    // Prefer the fact that is written in the same way: several facts can have the same value.
    let same = facts.iter().position(|fact| fact == token);
    let fact = same.or_else(|| facts.iter().position(|fact| leaf_value(fact) == Some(value)));
    let Some(fact) = fact else { return Ok(DerivationTree::Constant(value)) };
    let at = operands.iter().position(|(f, v)| *f == fact && *v == value);
    Ok(DerivationTree::Operand(at.unwrap_or_else(|| {
        operands.push((fact, value));
        operands.len() - 1
    })))
}

/// The value of a leaf; in a derivation `12.6%` means 0.126.
fn leaf_value(text: &str) -> Option<f64> {
    let plain = text.replace([',', '$', ' '], "");
    let value = match plain.strip_suffix('%') {
        Some(points) => points.parse::<f64>().ok()? / 100.0,
        None => plain.parse().ok()?,
    };
    Some(value).filter(|v: &f64| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|t| (*t).to_owned()).collect()
    }

    #[test]
    fn a_derivation_by_hand() {
        let tokens = texts(&["*", "/", "-", "1568.6", "1571.7", "1571.7", "100"]);
        let derivation = TatqaDerivation::new(&tokens, &texts(&["1571.7", "1568.6"])).unwrap();
        assert_eq!(derivation.formula(), "(((a-b)/b)*100)");
        assert_eq!(derivation.operands, [(1, 1568.6), (0, 1571.7)]);
        assert_eq!(derivation.shape(), Some("percent_change"));
        assert_eq!(derivation.eval(&[30.0, 20.0]), Some(50.0));
        assert_eq!(derivation.eval(&[30.0, 0.0]), None);
    }

    #[test]
    fn invalid_derivations_are_reported() {
        let of = |tokens: &[&str]| TatqaDerivation::new(&texts(tokens), &[]).unwrap_err();
        assert!(of(&["-", "1"]).contains("stops too early"));
        assert!(of(&["-", "1", "2", "3"]).contains("continues with '3'"));
        assert!(of(&["-", "one", "2"]).contains("'one' is not a number"));
        assert!(of(&["-"; 1000]).contains("too deeply"));
    }
}
