use knockon::read::{Field, Role, Template, Unit};
use knockon::value::Type;

#[test]
fn the_default_prompt_matches_its_full_text() {
    let mut field = Field::new("notice_period", Type::Duration, "How many days of notice?");
    field.unit = Some(Unit::Days);
    let prompt = Template::default().prompt(&field, &["Sixty days.", "Rent is due."]).unwrap();
    let [system, user] = prompt.messages.as_slice() else { panic!("{prompt:?}") };
    assert_eq!((system.role, user.role), (Role::System, Role::User));
    assert_eq!(
        system.content,
        "You answer one question from the passages you are given. Use only what they state.\n\
         Reply with the value alone: no sentence, no explanation.\n\
         If the passages do not state it, the answer is NOT STATED."
    );
    assert_eq!(
        user.content,
        "Passage 1:\nSixty days.\n\nPassage 2:\nRent is due.\n\nQuestion: How many days of notice?\n\
         Answer with one length of time in days, with its unit, or with NOT STATED."
    );
    assert_eq!(prompt.schema, None);
}

#[test]
fn no_answer_form_contains_a_value_that_could_be_copied() {
    for ty in Type::ALL {
        let field = Field::new("f", ty, "q");
        let prompt = Template::default().prompt(&field, &[]).unwrap();
        let text = &prompt.messages[1].content;
        assert!(text.starts_with("There are no passages."), "{text}");
        assert!(!text.contains(|c: char| c.is_ascii_digit()), "{text}");
    }
}

#[test]
fn passages_are_inserted_verbatim() {
    let field = Field::new("f", Type::Text, "{{ not a template }}?");
    let passage = "a <b> & {{ c }} {% d %}\nsecond line";
    let prompt = Template::default().prompt(&field, &[passage]).unwrap();
    assert!(prompt.messages[1].content.contains(passage));
    assert!(prompt.messages[1].content.contains("Question: {{ not a template }}?"));
}

#[test]
fn a_custom_template_is_rendered() {
    let messages = vec![
        (Role::System, "Type {{ type }}.".to_owned()),
        (Role::User, "{% for p in passages %}[{{ p | upper }}]{% endfor %} {{ field }}".to_owned()),
    ];
    let template = Template::new(messages).unwrap();
    let prompt = template.prompt(&Field::new("expiry", Type::Date, "When?"), &["a", "b"]).unwrap();
    let texts: Vec<&str> = prompt.messages.iter().map(|m| m.content.as_str()).collect();
    assert_eq!(texts, ["Type date.", "[A][B] expiry"]);
}

#[test]
fn template_errors_are_reported_with_their_line() {
    for (text, expected) in [
        ("a\n{{ passage }}", "message 1, line 2: there is no `passage`: did you mean `passages`"),
        ("{{ question", "message 1, line 1: "),
        ("{% for p in passages %}", "message 1, line 1: "),
        ("{{ question | nothing }}", "message 1, line 1: "),
    ] {
        let result = Template::new(vec![(Role::User, text.to_owned())]);
        // A filter is resolved when it is used.
        let error = match result {
            Err(error) => error.to_string(),
            Ok(template) => {
                let field = Field::new("f", Type::Text, "q");
                template.prompt(&field, &[]).unwrap_err().to_string().replace(" of the prompt", "")
            }
        };
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(Template::new(vec![]).is_err());
}

#[test]
fn structured_output_has_a_schema_by_type() {
    let template = Template::default().structured(true);
    let prompt = |field: &Field| template.prompt(field, &[]).unwrap();
    let schema = prompt(&Field::new("auto_renewal", Type::YesNo, "q")).schema.unwrap();
    let answer = &schema["properties"]["answer"];
    assert_eq!(answer["enum"], serde_json::json!(["yes", "no", "NOT STATED"]));
    let mut field = Field::new("payment", Type::Text, "q");
    field.choices = vec!["net 30".into(), "net 60".into()];
    let schema = prompt(&field).schema.unwrap();
    assert_eq!(
        schema["properties"]["answer"]["enum"],
        serde_json::json!(["net 30", "net 60", "NOT STATED"])
    );
    let date = prompt(&Field::new("expiry", Type::Date, "q"));
    assert_eq!(date.schema.unwrap()["properties"]["answer"]["type"], "string");
    assert!(date.messages[0].content.contains("JSON object whose key \"answer\""));
}
