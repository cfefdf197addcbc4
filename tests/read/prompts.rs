use knockon::read::{ChatRole, DurationUnit, PromptTemplate, ReadField};
use knockon::value::ValueType;

#[test]
fn the_default_prompt_matches_its_full_text() {
    let mut field =
        ReadField::new("notice_period", ValueType::Duration, "How many days of notice?");
    field.unit = Some(DurationUnit::Days);
    let prompt =
        PromptTemplate::default().prompt(&field, &["Sixty days.", "Rent is due."]).unwrap();
    let [system, user] = prompt.messages.as_slice() else { panic!("{prompt:?}") };
    assert_eq!((system.role, user.role), (ChatRole::System, ChatRole::User));
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
    for ty in ValueType::ALL {
        let field = ReadField::new("f", ty, "q");
        let prompt = PromptTemplate::default().prompt(&field, &[]).unwrap();
        let text = &prompt.messages[1].content;
        assert!(text.starts_with("There are no passages."), "{text}");
        assert!(!text.contains(|c: char| c.is_ascii_digit()), "{text}");
    }
}

#[test]
fn passages_are_inserted_verbatim() {
    let field = ReadField::new("f", ValueType::Text, "{{ not a template }}?");
    let passage = "a <b> & {{ c }} {% d %}\nsecond line";
    let prompt = PromptTemplate::default().prompt(&field, &[passage]).unwrap();
    assert!(prompt.messages[1].content.contains(passage));
    assert!(prompt.messages[1].content.contains("Question: {{ not a template }}?"));
}

#[test]
fn a_custom_template_is_rendered() {
    let messages = vec![
        (ChatRole::System, "Type {{ type }}.".to_owned()),
        (
            ChatRole::User,
            "{% for p in passages %}[{{ p | upper }}]{% endfor %} {{ field }}".to_owned(),
        ),
    ];
    let template = PromptTemplate::new(messages).unwrap();
    let prompt =
        template.prompt(&ReadField::new("expiry", ValueType::Date, "When?"), &["a", "b"]).unwrap();
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
        let result = PromptTemplate::new(vec![(ChatRole::User, text.to_owned())]);
        // A filter is resolved when it is used.
        let error = match result {
            Err(error) => error.to_string(),
            Ok(template) => {
                let field = ReadField::new("f", ValueType::Text, "q");
                template.prompt(&field, &[]).unwrap_err().to_string().replace(" of the prompt", "")
            }
        };
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(PromptTemplate::new(vec![]).is_err());
}

#[test]
fn structured_output_has_a_schema_by_type() {
    let template = PromptTemplate::default().structured(true);
    let prompt = |field: &ReadField| template.prompt(field, &[]).unwrap();
    let schema = prompt(&ReadField::new("auto_renewal", ValueType::YesNo, "q")).schema.unwrap();
    let answer = &schema["properties"]["answer"];
    assert_eq!(answer["enum"], serde_json::json!(["yes", "no", "NOT STATED"]));
    let mut field = ReadField::new("payment", ValueType::Text, "q");
    field.choices = vec!["net 30".into(), "net 60".into()];
    let schema = prompt(&field).schema.unwrap();
    assert_eq!(
        schema["properties"]["answer"]["enum"],
        serde_json::json!(["net 30", "net 60", "NOT STATED"])
    );
    let date = prompt(&ReadField::new("expiry", ValueType::Date, "q"));
    assert_eq!(date.schema.unwrap()["properties"]["answer"]["type"], "string");
    assert!(date.messages[0].content.contains("JSON object whose key \"answer\""));
}
