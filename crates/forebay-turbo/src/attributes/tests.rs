//! The tag helper's corners; each expectation was printed by Rails' own helper.

use super::{AttributeValue, Attributes};

fn hash<const N: usize>(entries: [(&str, AttributeValue); N]) -> AttributeValue {
    AttributeValue::hash(entries)
}

fn list<const N: usize>(values: [AttributeValue; N]) -> AttributeValue {
    AttributeValue::list(values)
}

const NULL: AttributeValue = AttributeValue::Null;

#[track_caller]
fn check<const N: usize>(entries: [(&str, AttributeValue); N], expected: &str) {
    let attributes: Attributes = entries.into_iter().collect();
    assert_eq!(attributes.to_string().trim_start(), expected);
}

#[test]
fn booleans_nulls_and_names() {
    check(
        [
            ("a", NULL),
            ("b", true.into()),
            ("c", false.into()),
            ("disabled", true.into()),
            ("hidden", false.into()),
            ("open", "".into()),
            ("required", 0.into()),
            ("autoscroll", true.into()),
            ("Disabled", true.into()),
        ],
        r#"b="true" c="false" disabled="disabled" open="open" required="required" autoscroll="true" Disabled="true""#,
    );
    check(
        [
            ("a b", 1.into()),
            ("1x", 2.into()),
            ("", 3.into()),
            (" ", 4.into()),
            ("x<y>\"'=/", 5.into()),
            ("@click.prevent", 1.into()),
            (":foo", 2.into()),
            ("é", 1.into()),
            ("-a", 1.into()),
            ("a·", 1.into()),
            ("x-on:click", "y".into()),
        ],
        r#"a_b="1" _x="2" x_y_____="5" @click.prevent="1" :foo="2" é="1" _a="1" a·="1" x-on:click="y""#,
    );
}

#[test]
fn data_is_json_but_for_text() {
    check(
        [(
            "data",
            hash([
                ("a", NULL),
                ("b", true.into()),
                ("c", false.into()),
                ("d", 1.5.into()),
                ("e", list([1.into(), "<a>&".into(), NULL])),
                ("f", hash([("x", "\u{2028}<".into())])),
                ("", 1.into()),
                ("foo_bar", "x_y".into()),
                ("a b", 1.into()),
                ("g", "x'\"<>&".into()),
                ("h", list([])),
                ("i", hash([])),
                ("j", 1e20.into()),
                ("r", f64::NAN.into()),
                ("s", "".into()),
            ]),
        )],
        r#"data-b="true" data-c="false" data-d="1.5" data-e="[1,&quot;\u003ca\u003e\u0026&quot;,null]" data-f="{&quot;x&quot;:&quot;\u2028\u003c&quot;}" data-foo-bar="x_y" data-a_b="1" data-g="x&#39;&quot;&lt;&gt;&amp;" data-h="[]" data-i="{}" data-j="1.0e+20" data-r="null" data-s="""#,
    );
    check([("data", "x".into()), ("aria", "y".into())], r#"data="x" aria="y""#);
    check(
        [("data", list([1.into(), 2.into()])), ("aria", list(["a".into(), NULL]))],
        r#"data="1 2" aria="a ""#,
    );
    check([("data", hash([])), ("aria", NULL)], "");
    check(
        [("data", hash([("a", list(["\u{1}\u{1f}\u{7f}\u{8}\u{c}\n\r\t\\".into()]))]))],
        "data-a=\"[&quot;\\u0001\\u001f\u{7f}\\b\\f\\n\\r\\t\\\\&quot;]\"",
    );
}

#[test]
fn aria_and_class_take_tokens() {
    let nested = list(["y z".into(), false.into(), true.into(), 3.into()]);
    check(
        [(
            "aria",
            hash([
                ("a", NULL),
                ("b", true.into()),
                ("c", false.into()),
                ("d", 1.5.into()),
                ("e", list(["x".into(), NULL, "<".into(), nested])),
                (
                    "f",
                    hash([
                        ("on", true.into()),
                        ("off", false.into()),
                        ("", true.into()),
                        ("z", 0.into()),
                    ]),
                ),
                ("g", list([])),
                ("h", hash([])),
                ("i", list([NULL, "".into()])),
                ("foo_bar", "x".into()),
                ("j", "".into()),
            ]),
        )],
        r#"aria-b="true" aria-c="false" aria-d="1.5" aria-e="x &lt; y z true 3" aria-f="on z" aria-foo-bar="x" aria-j="""#,
    );
    let tokens = hash([("b", true.into()), ("c", NULL), ("d", "x".into()), ("e<", 1.into())]);
    let deep = list(["f".into(), list(["g".into()])]);
    check(
        [(
            "class",
            list([
                "a".into(),
                NULL,
                "".into(),
                false.into(),
                true.into(),
                5.into(),
                tokens,
                deep,
                " ".into(),
            ]),
        )],
        r#"class="a true 5 b d e&lt; f g""#,
    );
    check([("class", hash([]))], r#"class="""#);
    check([("class", list([NULL]))], r#"class="""#);
    check([("class", false.into())], r#"class="false""#);
    check([("class", NULL)], "");
}

#[test]
fn other_lists_and_hashes_are_joined() {
    check(
        [
            (
                "foo",
                list([
                    "a".into(),
                    NULL,
                    1.into(),
                    true.into(),
                    "<".into(),
                    list(["b".into(), list(["c".into()])]),
                ]),
            ),
            ("bar", list([])),
            ("baz", hash([("a", 1.into()), ("b", NULL)])),
            ("qux", hash([])),
        ],
        r#"foo="a  1 true &lt; b c" bar="" baz="a 1 b " qux="""#,
    );
    check(
        [("n", 1e20.into()), ("m", 1.0.into()), ("p", (-5).into()), ("q", f64::INFINITY.into())],
        r#"n="1.0e+20" m="1.0" p="-5" q="Infinity""#,
    );
}

#[test]
fn a_name_set_twice_keeps_its_place() {
    let mut attributes = Attributes::new();
    attributes.set("a", 1).set("b", 2).set("a", 3).set_data("x", 1).set("c", 4).set_data("y", 2);
    attributes.set_data("x", "new");
    assert_eq!(attributes.to_string(), r#" a="3" b="2" data-x="new" data-y="2" c="4""#);
}

#[test]
fn the_boolean_list_is_sorted_for_its_search() {
    for name in ["allowfullscreen", "nomodule", "visible", "disabled", "inert"] {
        check([(name, true.into())], &format!("{name}=\"{name}\""));
    }
}
